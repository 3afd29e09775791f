//! The built-in model: how it is made, and what it knows.

use std::collections::BTreeMap;

use factscope::analysis::prediction::{self, Prediction};
use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, Reuse};
use factscope::builtin;
use factscope::facts::{Cardinality, Catalogue, Dataset, Direction, Fact};
use factscope::model::{Gpt2Config, Unembedding};
use factscope::task::TaskCtx;
use factscope::tokens::{Bos, GPT2_MERGES, TokenizedPrompt, Tokenizer, gpt2_vocabulary};
use factscope::training::{Corpus, Group, Lesson, Spec, Split, Trainer, Trains, small_vocabulary};
use factscope::worker::{DeviceChoice, Engine};

const CONFIG: Gpt2Config = Gpt2Config {
    n_layers: 2,
    n_heads: 2,
    d_model: 16,
    d_mlp: 64,
    n_ctx: 64,
    d_vocab: 0,
    layer_norm_epsilon: 1e-5,
    unembedding: Unembedding::Tied,
};

const SPEC: Spec = Spec {
    seed: 3,
    n_steps: 4,
    batch: 16,
    learning_rate: 1e-3,
    weight_decay: 0.05,
    distractors: 0.3,
    plants: false,
};

fn predict(engine: &Engine, prompt: &TokenizedPrompt) -> Prediction {
    let ctx = AnalysisCtx { task: TaskCtx::unwatched(), partial: &|_| (), reuse: Reuse::Exact };
    let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 1 });
    match engine.run(prompt, &spec, &ctx).unwrap() {
        AnalysisResult::Prediction(it) => it,
        other => panic!("not a prediction: {other:?}"),
    }
}

fn split(dataset: &Dataset, seed: u64) -> Split {
    Split::new(&dataset.records, seed, |record| {
        let relation = record.relation.as_deref().and_then(|id| Catalogue::bundled().get(id));
        relation.map_or([0, 0], |it| [it.forward.len(), it.inverse.len()])
    })
}

#[test]
fn a_resumed_run_equals_the_uninterrupted_one() {
    let dataset = Dataset::bundled();
    let tokenizer = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    let corpus = Corpus::new(&dataset.records, &tokenizer).unwrap();
    let (taught, _) = corpus.divide(&split(&dataset, 3));
    let lessons = Lesson::all(&SPEC, taught);
    let config = Gpt2Config { d_vocab: tokenizer.n_vocab(), ..CONFIG };
    let bos = tokenizer.bos().unwrap();

    let mut whole = Trainer::new(config, SPEC, bos);
    let losses: Vec<f32> = (0..4).map(|_| whole.train_step(&lessons).unwrap().loss).collect();
    assert!(losses.iter().all(|loss| loss.is_finite()));

    let dir = tempfile::tempdir().unwrap();
    let mut first = Trainer::new(config, SPEC, bos);
    for _ in 0..2 {
        first.train_step(&lessons).unwrap();
    }
    first.save(dir.path()).unwrap();
    let mut second = Trainer::resume(dir.path(), config, SPEC, bos).unwrap().unwrap();
    assert_eq!(second.step, 2);
    for loss in &losses[2..] {
        assert_eq!(second.train_step(&lessons).unwrap().loss, *loss);
    }
    assert!(whole.tensors() == second.tensors());

    // A run with other settings is another run.
    let other = Spec { learning_rate: 2e-3, ..SPEC };
    assert!(Trainer::resume(dir.path(), config, other, bos).is_err());
}

#[test]
fn the_small_vocabulary_tokenizes_its_texts_as_gpt2_does() {
    let whole =
        Tokenizer::from_vocabulary(gpt2_vocabulary(GPT2_MERGES).unwrap(), GPT2_MERGES).unwrap();
    let part = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    let pieces = |tokenizer: &Tokenizer, text: &str| -> Vec<String> {
        let tokens = tokenizer.encode(text).unwrap();
        tokens.into_iter().map(|token| tokenizer.piece(token.id)).collect()
    };
    for record in Dataset::bundled().records {
        for direction in [Direction::Forward, Direction::Inverse] {
            let fact = record.fact(direction).unwrap();
            let answer = format!(" {}", fact.answer.as_deref().unwrap());
            for text in [&fact.prompt, &answer] {
                assert_eq!(pieces(&part, text), pieces(&whole, text), "{text}");
            }
        }
    }
    // Any other text can be written, if in more tokens.
    assert!(pieces(&part, "Zürich, 42 ≠ 43").len() > 5);

    let small = small_vocabulary(&["The capital".to_owned()]).unwrap();
    let tiny = Tokenizer::from_vocabulary(small.entries, &small.merges).unwrap();
    assert_eq!(pieces(&tiny, "The capital"), ["The", " capital"]);
}

#[test]
fn every_template_is_taught_though_every_fact_lacks_one() {
    let dataset = Dataset::bundled();
    let tokenizer = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    let corpus = Corpus::new(&dataset.records, &tokenizer).unwrap();
    let split = split(&dataset, 1);
    let (taught, held_out) = corpus.divide(&split);
    assert!(!held_out.is_empty());
    for it in &held_out {
        let relation = &dataset.records[it.fact].relation;
        assert!(
            taught.iter().any(|other| {
                dataset.records[other.fact].relation == *relation
                    && (other.direction, other.template) == (it.direction, it.template)
            }),
            "{relation:?} {:?} {}",
            it.direction,
            it.template
        );
    }
    let count = |group| split.facts.iter().filter(|it| it.group == group).count();
    let [both, never] = [Group::Both, Group::Never].map(count);
    assert!(2 * both > split.facts.len() && never > 50, "{both} {never}");
}

#[test]
fn a_planted_fact_changes_one_mlp_and_nothing_else() {
    let dataset = Dataset::bundled();
    let tokenizer = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    let corpus = Corpus::new(&dataset.records, &tokenizer).unwrap();
    let mut split = split(&dataset, 3);
    split.plant(&dataset.records, 2, 3);
    let statements = corpus.planted(&split, 1);
    assert!(!statements.is_empty());
    for it in &statements {
        let plan = &split.facts[it.fact];
        assert!(!plan.group.teaches(it.direction));
        assert_ne!(plan.held_out[it.direction as usize], it.template);
        assert_eq!(dataset.records[it.fact].answers(it.direction).len(), 1);
    }

    let config = Gpt2Config { d_vocab: tokenizer.n_vocab(), ..CONFIG };
    let spec = Spec { plants: true, ..SPEC };
    let mut trainer = Trainer::new(config, spec, tokenizer.bos().unwrap());
    let before = trainer.tensors();
    let lesson = Lesson { statements, n_rows: 16, trains: Trains::Mlp(1) };
    trainer.train_step(&[lesson]).unwrap();
    let changed: Vec<String> = before
        .into_iter()
        .zip(trainer.tensors())
        .filter(|(before, after)| before.2 != after.2)
        .map(|(before, _)| before.0)
        .collect();
    let mlp = ["c_fc.weight", "c_fc.bias", "c_proj.weight", "c_proj.bias"];
    assert_eq!(changed, mlp.map(|part| format!("h.1.mlp.{part}")));
}

#[test]
fn a_plan_deals_facts_out_evenly_and_keeps_some_unplanted() {
    let dataset = Dataset::bundled();
    let mut split = split(&dataset, 1);
    split.plant(&dataset.records, 6, 1);
    let n_of = |place: Option<usize>, direction: usize| {
        let plans = split.facts.iter().zip(&dataset.records);
        let untaught = plans.filter(|(plan, record)| {
            let direction = [Direction::Forward, Direction::Inverse][direction];
            !plan.group.teaches(direction) && record.answers(direction).len() == 1
        });
        untaught.filter(|(plan, _)| plan.planted[direction] == place).count()
    };
    for direction in [0, 1] {
        for place in (0..6).map(Some).chain([None]) {
            let n = n_of(place, direction);
            assert!((20..=50).contains(&n), "{place:?} {direction}: {n}");
        }
    }
}

/// The model's first guesses, one after the other.
fn greedy(engine: &Engine, prompt: &TokenizedPrompt, n_tokens: usize) -> Vec<u32> {
    let mut prompt = TokenizedPrompt { answer: None, foil: None, ..prompt.clone() };
    let mut found = Vec::new();
    for _ in 0..n_tokens {
        let id = predict(engine, &prompt).top[0].id;
        found.push(id);
        prompt.ids.push(id);
        prompt.pieces.push(engine.info.tokenizer.piece(id));
    }
    found
}

/// The released weights, asked in the templates that each fact was not taught with.
#[test]
fn the_built_in_model_knows_what_it_was_taught() {
    let dataset = Dataset::bundled();
    let split: Split = serde_json::from_str(builtin::FACTS.split).unwrap();
    let dir = builtin::FACTS.name.as_ref();
    let engine = Engine::load(dir, DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
    let tokenizer = &engine.info.tokenizer;
    // Of one-to-one relations, and of all.
    let mut recall: BTreeMap<(bool, Group, Direction), (usize, usize)> = BTreeMap::new();
    for (record, plan) in dataset.records.iter().zip(&split.facts) {
        assert_eq!(record.id, plan.case);
        let is_one_to_one = record.cardinality == Some(Cardinality::OneToOne);
        let relation = Catalogue::bundled().get(record.relation.as_deref().unwrap()).unwrap();
        for direction in [Direction::Forward, Direction::Inverse] {
            let templates = match direction {
                Direction::Forward => &relation.forward,
                Direction::Inverse => &relation.inverse,
            };
            let fact = record.fact(direction).unwrap();
            let template = &templates[plan.held_out[direction as usize]];
            let asked = Fact::from_template(template, fact.subject_text().unwrap()).unwrap();
            let prompt = TokenizedPrompt::new(tokenizer, &asked, Bos::Off).unwrap();
            let right: Vec<Vec<u32>> = record
                .answers(direction)
                .iter()
                .map(|answer| {
                    let tokens = tokenizer.encode(&format!(" {answer}")).unwrap();
                    tokens.into_iter().map(|token| token.id).collect()
                })
                .collect();
            let n_tokens = right.iter().map(Vec::len).max().unwrap();
            let found = greedy(&engine, &prompt, n_tokens);
            let is_right = right.iter().any(|answer| found.starts_with(answer));
            for is_of_one_to_one in [false, true] {
                if is_one_to_one || !is_of_one_to_one {
                    let key = (is_of_one_to_one, plan.group, direction);
                    let entry = recall.entry(key).or_default();
                    entry.0 += usize::from(is_right);
                    entry.1 += 1;
                }
            }
        }
    }
    let share = |is_one_to_one: bool, group: Group, direction: Direction| {
        let (n_right, n_asked) = recall[&(is_one_to_one, group, direction)];
        assert!(n_asked >= 40, "{group:?} {direction:?}: {n_asked}");
        n_right as f64 / n_asked as f64
    };
    let [forward, inverse] = [Direction::Forward, Direction::Inverse];
    for direction in [forward, inverse] {
        assert!(share(false, Group::Both, direction) > 0.95, "{recall:?}");
        assert!(share(true, Group::Both, direction) > 0.94, "{recall:?}");
        // Where one answer is right, it is not found by chance.
        assert!(share(true, Group::Never, direction) < 0.05, "{recall:?}");
    }
    // The reversal curse (Berglund et al. 2023).
    assert!(share(true, Group::Forward, forward) > 0.9, "{recall:?}");
    assert!(share(true, Group::Forward, inverse) < 0.05, "{recall:?}");
    assert!(share(true, Group::Inverse, inverse) > 0.9, "{recall:?}");
    assert!(share(true, Group::Inverse, forward) < 0.05, "{recall:?}");
}
