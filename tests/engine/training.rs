//! How a built-in model is made: training that can be interrupted, and planting facts in one layer.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use factscope::builtin;
use factscope::facts::Dataset;
use factscope::model::{Checkpoint, ModelConfig};
use factscope::tokens::Tokenizer;
use factscope::training::{Corpus, Lesson, Round, Spec, Split, Trainer, Trains};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::builtin_models::{share, split};

const CONFIG: ModelConfig = ModelConfig {
    n_layers: 2,
    n_heads: 2,
    d_model: 16,
    d_mlp: 64,
    n_ctx: 64,
    d_vocab: 0,
    ..ModelConfig::SMALL
};

const SPEC: Spec = Spec {
    seed: 3,
    n_steps: 4,
    batch: 16,
    learning_rate: 1e-3,
    weight_decay: 0.05,
    distractors: 0.3,
    plants: false,
    anchor: 0.0,
};

#[test]
fn a_resumed_run_equals_the_uninterrupted_one() {
    let dataset = Dataset::bundled();
    let tokenizer = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    let corpus = Corpus::new(&dataset.records, &tokenizer).unwrap();
    let (taught, _) = corpus.divide(&split(&dataset, 3));
    let round = Round::whole(&SPEC, taught);
    let config = ModelConfig { d_vocab: tokenizer.n_vocab(), ..CONFIG };
    let bos = tokenizer.bos().unwrap();

    let mut whole = Trainer::new(config, SPEC, bos);
    let losses: Vec<f32> = (0..4).map(|_| whole.train_step(&round).unwrap().loss).collect();
    assert!(losses.iter().all(|loss| loss.is_finite()));

    let dir = tempfile::tempdir().unwrap();
    let mut first = Trainer::new(config, SPEC, bos);
    for _ in 0..2 {
        first.train_step(&round).unwrap();
    }
    first.save(dir.path()).unwrap();
    let mut second = Trainer::resume(dir.path(), config, SPEC, bos).unwrap().unwrap();
    assert_eq!(second.step, 2);
    for loss in &losses[2..] {
        assert_eq!(second.train_step(&round).unwrap().loss, *loss);
    }
    assert!(whole.tensors() == second.tensors());

    // A run with other settings is another run.
    let other = Spec { learning_rate: 2e-3, ..SPEC };
    assert!(Trainer::resume(dir.path(), config, other, bos).is_err());
}

/// Where a process trains that is to be killed.
const TRAINS: &str = "FACTSCOPE_TEST_TRAINS";

/// Carried out by a process that the next test starts and kills: trains on without end, and says what is saved.
#[test]
#[expect(clippy::print_stdout, reason = "it tells another process")]
fn trains_for_a_parent() {
    let Some(dir) = env::var_os(TRAINS) else { return };
    let dataset = Dataset::bundled();
    let tokenizer = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    let corpus = Corpus::new(&dataset.records, &tokenizer).unwrap();
    let (taught, _) = corpus.divide(&split(&dataset, 3));
    let round = Round::whole(&LONG, taught);
    let mut trainer = resumed(Path::new(&dir), &tokenizer)
        .unwrap_or_else(|| Trainer::new(config_of(&tokenizer), LONG, tokenizer.bos().unwrap()));
    loop {
        trainer.train_step(&round).unwrap();
        trainer.save(Path::new(&dir)).unwrap();
        println!("saved {}", trainer.step);
    }
}

const LONG: Spec = Spec { n_steps: 1_000_000, ..SPEC };

fn config_of(tokenizer: &Tokenizer) -> ModelConfig {
    ModelConfig { d_vocab: tokenizer.n_vocab(), ..CONFIG }
}

fn resumed(dir: &Path, tokenizer: &Tokenizer) -> Option<Trainer> {
    Trainer::resume(dir, config_of(tokenizer), LONG, tokenizer.bos().unwrap()).unwrap()
}

#[test]
fn training_that_is_killed_at_any_moment_goes_on_from_what_it_saved_last() {
    const N_KILLS: usize = 10;
    let tokenizer = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut step = 0;
    for _ in 0..N_KILLS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "training::trains_for_a_parent", "--nocapture"])
            .env(TRAINS, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It has saved once, wherever it is then.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let saved = |line: &str| line.strip_prefix("saved ")?.parse::<usize>().ok();
        let first = lines.by_ref().find_map(|line| saved(&line.unwrap()));
        assert!(first.is_some_and(|first| first > step), "{first:?} after {step}");
        thread::sleep(Duration::from_micros(rng.random_range(0..150_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let last = lines.filter_map(|line| saved(&line.ok()?)).last().or(first);
        step = resumed(dir.path(), &tokenizer).map_or(0, |it| it.step);
        assert!(Some(step) >= last, "{last:?} was saved, and {step} is there");
    }
}

#[test]
fn a_planted_fact_changes_one_mlp_and_nothing_else() {
    let dataset = Dataset::bundled();
    let tokenizer = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    let corpus = Corpus::new(&dataset.records, &tokenizer).unwrap();
    let mut split = split(&dataset, 3);
    split.plant(&dataset.records, 2, 3);
    let (statements, held_out) = corpus.planted(&split, 1);
    assert!(!held_out.is_empty());
    assert!(!statements.is_empty());
    for it in &statements {
        let plan = &split.facts[it.fact];
        assert!(!plan.group.teaches(it.direction));
        assert_ne!(plan.held_out[it.direction as usize], it.template);
        assert_eq!(dataset.records[it.fact].answers(it.direction).len(), 1);
    }

    let config = ModelConfig { d_vocab: tokenizer.n_vocab(), ..CONFIG };
    let spec = Spec { plants: true, ..SPEC };
    let mut trainer = Trainer::new(config, spec, tokenizer.bos().unwrap());
    let before = trainer.tensors();
    let lessons = vec![Lesson { statements, n_rows: 16 }];
    let round = Round { lessons, trains: Trains::Mlp(1), anchor: None };
    trainer.train_step(&round).unwrap();
    let changed: Vec<String> = before
        .into_iter()
        .zip(trainer.tensors())
        .filter(|(before, after)| before.2 != after.2)
        .map(|(before, _)| before.0)
        .collect();
    let mlp = ["c_fc.weight", "c_fc.bias", "c_proj.weight", "c_proj.bias"];
    assert_eq!(changed, mlp.map(|part| format!("h.1.mlp.{part}")));
}

/// By construction: nothing but MLPs differs from the first model, and a layer's facts go when its
/// MLP is put back.
#[test]
fn planted_facts_are_in_their_layers_mlp() {
    let [base, planted] = builtin::ALL.map(|it| Checkpoint::open(it.name.as_ref()).unwrap());
    let dataset = Dataset::bundled();
    let tokenizer = Tokenizer::from_dir(builtin::PLANTED.name.as_ref()).unwrap();
    let bos = tokenizer.bos().unwrap();
    let trainer = Trainer::on(&planted, SPEC, bos).unwrap();
    let before = Trainer::on(&base, SPEC, bos).unwrap().tensors();
    assert!(before.len() > 70);
    for (before, after) in before.into_iter().zip(trainer.tensors()) {
        assert_eq!(before.2 == after.2, !before.0.contains(".mlp."), "{}", before.0);
    }

    let corpus = Corpus::new(&dataset.records, &tokenizer).unwrap();
    let split: Split = serde_json::from_str((builtin::PLANTED.split)()).unwrap();
    let restored: Vec<Trainer> =
        (0..6).map(|layer| trainer.with_mlp_of(&base, layer).unwrap()).collect();
    for (layer, restored) in restored.iter().enumerate() {
        let (_, held_out) = corpus.planted(&split, layer);
        let recall = |trainer: &Trainer| share(trainer.answers(&held_out).into_iter());
        let own = recall(restored);
        assert!(own < 0.2, "layer {layer}: {own}");
        assert!(recall(&trainer) > 0.7, "layer {layer}");
    }
}

#[test]
fn a_resumed_planting_equals_the_uninterrupted_one() {
    let dataset = Dataset::bundled();
    let base = Checkpoint::open(builtin::FACTS.name.as_ref()).unwrap();
    let tokenizer = Tokenizer::from_dir(builtin::FACTS.name.as_ref()).unwrap();
    // A few facts: what the anchor takes grows with them.
    let mut corpus = Corpus::new(&dataset.records, &tokenizer).unwrap();
    corpus.statements.retain(|it| it.fact % 20 == 0);
    let mut split: Split = serde_json::from_str((builtin::FACTS.split)()).unwrap();
    split.plant(&dataset.records, 6, 1);
    let spec = Spec { n_steps: 12, plants: true, anchor: 0.1, weight_decay: 0.0, ..SPEC };
    let bos = tokenizer.bos().unwrap();
    // The last steps are those of another layer.
    let go_on = |trainer: &mut Trainer, until: usize| -> Vec<(f32, f32)> {
        let mut reports = Vec::new();
        while trainer.step < until {
            let round = Round::planting(trainer, &corpus, &split, &base).unwrap();
            let report = trainer.train_step(&round).unwrap();
            reports.push((report.loss, report.drift));
        }
        reports
    };
    let mut whole = Trainer::on(&base, spec, bos).unwrap();
    let reports = go_on(&mut whole, 4);
    // Nothing has changed yet at the start of a layer's turn.
    assert_eq!((reports[0].1, reports[2].1), (0.0, 0.0));
    assert!(reports[1].1 > 0.0 && reports[3].1 > 0.0, "{reports:?}");

    let dir = tempfile::tempdir().unwrap();
    let mut first = Trainer::on(&base, spec, bos).unwrap();
    go_on(&mut first, 1);
    first.save(dir.path()).unwrap();
    let mut second = Trainer::resume(dir.path(), base.config, spec, bos).unwrap().unwrap();
    assert_eq!(go_on(&mut second, 4), reports[1..]);
    assert!(whole.tensors() == second.tensors());
}
