//! The built-in models: what they were taught and what they know.

use factscope::analysis::prediction::{self, Prediction};
use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec};
use factscope::builtin::{self, Builtin};
use factscope::facts::{Cardinality, Catalogue, Dataset, Direction, Fact, Record};
use factscope::task::TaskCtx;
use factscope::tokens::{Bos, GPT2_MERGES, TokenizedPrompt, Tokenizer, gpt2_vocabulary};
use factscope::training::{Corpus, FactPlan, Group, Split, small_vocabulary};
use factscope::worker::{DeviceChoice, Engine};

const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Inverse];

fn predict(engine: &Engine, prompt: &TokenizedPrompt) -> Prediction {
    let ctx = AnalysisCtx::unwatched();
    let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 1 });
    match engine.run(prompt, &spec, &ctx).unwrap() {
        AnalysisResult::Prediction(it) => it,
        other => panic!("not a prediction: {other:?}"),
    }
}

pub fn split(dataset: &Dataset, seed: u64) -> Split {
    Split::new(&dataset.records, seed, |record| {
        let relation = record.relation.as_deref().and_then(|id| Catalogue::bundled().get(id));
        relation.map_or([0, 0], |it| [it.forward.len(), it.inverse.len()])
    })
}

#[test]
fn the_small_vocabulary_tokenizes_its_texts_as_gpt2_does() {
    let whole =
        Tokenizer::from_vocabulary(gpt2_vocabulary(&GPT2_MERGES).unwrap(), &GPT2_MERGES).unwrap();
    let part = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    let pieces = |tokenizer: &Tokenizer, text: &str| -> Vec<String> {
        let tokens = tokenizer.encode(text).unwrap();
        tokens.into_iter().map(|token| tokenizer.readable(token.id)).collect()
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
        prompt.pieces.push(engine.info.tokenizer.readable(id));
    }
    found
}

/// Whether a released model answers right, for each fact and direction, in the template that the
/// fact was not taught with.
fn answers(builtin: &Builtin) -> Vec<(FactPlan, Record, Direction, bool)> {
    let split: Split = serde_json::from_str((builtin.split)()).unwrap();
    let dir = builtin.name.as_ref();
    let engine = Engine::load(dir, DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
    let tokenizer = &engine.info.tokenizer;
    let mut all = Vec::new();
    for (record, plan) in Dataset::bundled().records.into_iter().zip(split.facts) {
        assert_eq!(record.id, plan.case);
        let relation = Catalogue::bundled().get(record.relation.as_deref().unwrap()).unwrap();
        for direction in DIRECTIONS {
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
            all.push((plan.clone(), record.clone(), direction, is_right));
        }
    }
    all
}

pub fn share(answers: impl Iterator<Item = bool>) -> f64 {
    let answers: Vec<bool> = answers.collect();
    assert!(answers.len() >= 15, "{}", answers.len());
    answers.iter().filter(|it| **it).count() as f64 / answers.len() as f64
}

#[test]
fn the_built_in_model_knows_what_it_was_taught() {
    let answers = answers(&builtin::FACTS);
    let share = |is_one_to_one: bool, group: Group, direction: Direction| {
        let asked = answers.iter().filter(|(plan, record, asked, _)| {
            let is_its = record.cardinality == Some(Cardinality::OneToOne);
            plan.group == group && *asked == direction && (is_its || !is_one_to_one)
        });
        share(asked.map(|(.., is_right)| *is_right))
    };
    let [forward, inverse] = DIRECTIONS;
    for direction in DIRECTIONS {
        assert!(share(false, Group::Both, direction) > 0.95);
        assert!(share(true, Group::Both, direction) > 0.95);
        // Where one answer is right, it is not found by chance.
        assert!(share(true, Group::Never, direction) < 0.05);
    }
    // The reversal curse (Berglund et al. 2023).
    assert!(share(true, Group::Forward, forward) > 0.9);
    assert!(share(true, Group::Forward, inverse) < 0.05);
    assert!(share(true, Group::Inverse, inverse) > 0.9);
    assert!(share(true, Group::Inverse, forward) < 0.05);
}

#[test]
fn planted_facts_are_known_and_the_others_kept() {
    let answers = answers(&builtin::PLANTED);
    for (nth, direction) in DIRECTIONS.into_iter().enumerate() {
        let of = |is_meant: &dyn Fn(&FactPlan, &Record) -> bool| {
            let asked = answers
                .iter()
                .filter(|(plan, record, asked, _)| *asked == direction && is_meant(plan, record));
            share(asked.map(|(.., is_right)| *is_right))
        };
        for layer in 0..6 {
            let planted = of(&|plan, _| plan.planted[nth] == Some(layer));
            assert!(planted > 0.55, "{direction:?}, layer {layer}: {planted}");
        }
        assert!(of(&|plan, _| plan.planted[nth].is_some()) > 0.75);
        assert!(of(&|plan, _| plan.group == Group::Both) > 0.95);
        // What was neither taught nor planted is still not known.
        let untold = of(&|plan, record| {
            plan.planted[nth].is_none()
                && !plan.group.teaches(direction)
                && record.cardinality == Some(Cardinality::OneToOne)
        });
        assert!(untold < 0.1, "{direction:?}: {untold}");
    }
}
