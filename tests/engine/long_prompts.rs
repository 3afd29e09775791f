//! What every method takes in memory, and the experiments that `benches/memory.py` runs to measure it.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factscope::analysis::{AnalysisCtx, AnalysisSpec, Sizes};
use factscope::experiment::{Experiment, FactSource, TextFact};
use factscope::facts::Fact;
use factscope::model::{
    Checkpoint, ComputeDevice, FloatType, ModelConfig, Transformer, write_random_checkpoint,
};
use factscope::task::{CancelToken, TaskCtx};
use factscope::tokens::{Bos, GPT2_MERGES, TokenizedPrompt, Tokenizer, gpt2_vocabulary};
use serde_json::Value;

use crate::every_analysis::specs;
use crate::memory::peak_of;
use crate::support::{fixture, lab};

/// A text of so many of GPT-2's tokens, whose subject comes first, so that every position is computed.
fn long_text(tokenizer: &Tokenizer, n_tokens: usize) -> TextFact {
    let begin = "The Space Needle";
    let of = |n: usize| format!("{begin}{}", " and".repeat(n));
    let count = |text: &str| tokenizer.encode(text).unwrap().len();
    let prompt = of(n_tokens - count(begin));
    assert_eq!(count(&prompt), n_tokens, "a word of the filling is one token");
    let (subject, answer) = (Some("Space Needle".to_owned()), Some("Seattle".to_owned()));
    TextFact { prompt, subject, answer, ..TextFact::default() }
}

/// A random model of GPT-2's form, written if it is not there.
fn random_model(dir: &Path, config: &ModelConfig) -> PathBuf {
    if !dir.join("merges.txt").is_file() {
        let unwatched = TaskCtx::unwatched();
        write_random_checkpoint(config, 0, FloatType::F32, dir, &unwatched).unwrap();
        let vocabulary = serde_json::to_string(&gpt2_vocabulary(&GPT2_MERGES).unwrap()).unwrap();
        fs::write(dir.join("vocab.json"), vocabulary).unwrap();
        fs::write(dir.join("merges.txt"), GPT2_MERGES.as_str()).unwrap();
    }
    dir.to_owned()
}

/// Writes an experiment of every method into a folder: the first of its kind in `every_analysis`.
#[test]
#[ignore = "writes what benches/memory.py measures, where FACTSCOPE_MEMORY says"]
fn write_an_experiment_of_every_method() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let (dir, size) = (PathBuf::from(variable("FACTSCOPE_MEMORY")), variable("FACTSCOPE_SIZE"));
    let n_tokens: usize = variable("FACTSCOPE_TOKENS").parse().unwrap();
    let config = match &*size {
        "gpt2" => ModelConfig::SMALL,
        "gpt2-large" => ModelConfig::LARGE,
        other => panic!("{other}: gpt2 or gpt2-large"),
    };
    fs::create_dir_all(dir.join("model")).unwrap();
    let model = random_model(&dir.join("model"), &config);
    let tokenizer = Tokenizer::from_dir(&model).unwrap();
    let text = long_text(&tokenizer, n_tokens);
    let fact = Fact {
        answer: text.answer.clone(),
        ..Fact::from_text(&text.prompt, text.subject.as_deref()).unwrap()
    };
    let prompt = TokenizedPrompt::new(&tokenizer, &fact, Bos::Off).unwrap();
    let mut written = Vec::new();
    for spec in specs(&prompt) {
        let name = spec.name().replace(' ', "-");
        if written.contains(&name) {
            continue;
        }
        let fact = FactSource::Text(text.clone());
        let experiment =
            Experiment { model: model.clone(), bos: Bos::Off, fact, edits: Vec::new(), spec };
        fs::write(dir.join(format!("{name}.json")), experiment.to_json().unwrap()).unwrap();
        written.push(name);
    }
}

/// A prompt of the tiny model whose last token is repeated.
fn long_prompt(n_pos: usize) -> TokenizedPrompt {
    let mut prompt = crate::support::prompt("In Paris it is", "Paris", Some("it"));
    let last = prompt.last();
    while prompt.n_pos() < n_pos {
        prompt.ids.push(prompt.ids[last]);
        prompt.pieces.push(prompt.pieces[last].clone());
    }
    prompt
}

/// What the table of `docs/speed.md` says of each method, beside the weights.
#[test]
#[ignore = "prints a part of a table of the documents"]
#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn print_what_every_method_says() {
    let prompt = long_prompt(1000);
    let mut printed = Vec::new();
    for spec in specs(&prompt) {
        if !printed.contains(&spec.name()) {
            let of = |config| spec.memory(&Sizes::new(config, &prompt)) as f64 / 1e9;
            let [small, large] = [&ModelConfig::SMALL, &ModelConfig::LARGE].map(of);
            println!("| {} | {small:.2} GB | {large:.2} GB |", spec.name());
            printed.push(spec.name());
        }
    }
}

/// The memory that a thread asks for while it runs each method on a long prompt, beside what the method says
/// before. Where there are many passes only the first few are run: the most is needed from the first on.
#[test]
#[expect(clippy::print_stdout, reason = "all shares are worth reading, with `--nocapture`")]
fn every_method_takes_about_the_memory_that_it_says() {
    const N_POS: usize = 256;
    const N_REPORTS: usize = 40;
    let tokenizer = Tokenizer::from_dir(&fixture("tiny")).unwrap();
    let tiny = Checkpoint::open(&fixture("tiny")).unwrap().config;
    let config =
        ModelConfig { n_layers: 4, n_heads: 4, d_model: 64, d_mlp: 256, n_ctx: 512, ..tiny };
    let dir = tempfile::tempdir().unwrap();
    let unwatched = TaskCtx::unwatched();
    write_random_checkpoint(&config, 0, FloatType::F32, dir.path(), &unwatched).unwrap();
    let checkpoint = Arc::new(Checkpoint::open(dir.path()).unwrap());
    let model = Transformer::load(&checkpoint, &ComputeDevice::cpu(), &unwatched).unwrap();
    let prompt = long_prompt(N_POS);
    let mut wrong = Vec::new();
    for spec in specs(&prompt) {
        let said = spec.memory(&Sizes::new(&config, &prompt));
        let (cancel, n) = (CancelToken::default(), Cell::new(0));
        let report = |_| {
            n.set(n.get() + 1);
            if n.get() == N_REPORTS {
                cancel.cancel();
            }
        };
        let task = TaskCtx { cancel: cancel.clone(), report: &report };
        let ctx = AnalysisCtx { task, tokenizer: Some(&tokenizer), ..AnalysisCtx::unwatched() };
        let (_, peak) = peak_of(|| spec.run(&lab(&model, &prompt, &ctx)));
        let share = said as f64 / peak as f64;
        println!("{:24} says {said:>12}, takes {peak:>12}: {share:.2}", spec.name());
        // What takes little is not worth a better estimate.
        let is_little = peak.max(said as usize) < 1 << 20;
        if !is_little && !(0.8..=1.5).contains(&share) {
            wrong.push(format!("{} {share:.2}", spec.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Where numbers stand in JSON, as pointers; of a list only in its first entry, which stands for all.
fn numbers(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(at.to_owned()),
        Value::Array(all) => {
            all.first().iter().for_each(|it| numbers(it, &format!("{at}/0"), found));
        }
        Value::Object(all) => {
            all.iter().for_each(|(name, it)| numbers(it, &format!("{at}/{name}"), found));
        }
        _ => {}
    }
}

/// Holds that a number of a spec that is typed far too large is refused, or said to take more than there is, or
/// takes no more than any other.
#[test]
#[expect(clippy::print_stdout, reason = "the counts are worth reading, with `--nocapture`")]
fn no_number_of_a_spec_takes_memory_unsaid() {
    const FAR_TOO_LARGE: u64 = 100_000_000_000;
    const MUCH: u64 = 1 << 30;
    const N_REPORTS: usize = 5;
    let tokenizer = Tokenizer::from_dir(&fixture("tiny")).unwrap();
    let checkpoint = Arc::new(Checkpoint::open(&fixture("tiny")).unwrap());
    let unwatched = TaskCtx::unwatched();
    let model = Transformer::load(&checkpoint, &ComputeDevice::cpu(), &unwatched).unwrap();
    let prompt = crate::support::prompt("In Paris it is", "Paris", Some("it"));
    let sizes = Sizes::new(&model.config, &prompt);
    let (mut n_refused, mut n_said, mut n_run) = (0, 0, 0);
    for spec in specs(&prompt) {
        let written = serde_json::to_value(&spec).unwrap();
        let mut places = Vec::new();
        numbers(&written, "", &mut places);
        for at in &places {
            let with = |number: u64| {
                let mut changed = written.clone();
                *changed.pointer_mut(at).unwrap() = number.into();
                serde_json::from_value::<AnalysisSpec>(changed).ok()
            };
            // An estimate of the largest number of all is no panic.
            _ = with(u64::MAX).map(|it| it.memory(&sizes));
            let Some(changed) = with(FAR_TOO_LARGE) else { continue };
            if changed.check().is_err() {
                n_refused += 1;
                continue;
            }
            if changed.memory(&sizes) > MUCH {
                n_said += 1;
                continue;
            }
            n_run += 1;
            let (cancel, n) = (CancelToken::default(), Cell::new(0));
            let report = |_| {
                n.set(n.get() + 1);
                if n.get() == N_REPORTS {
                    cancel.cancel();
                }
            };
            let task = TaskCtx { cancel: cancel.clone(), report: &report };
            let ctx = AnalysisCtx { task, tokenizer: Some(&tokenizer), ..AnalysisCtx::unwatched() };
            let (_, peak) = peak_of(|| changed.run(&lab(&model, &prompt, &ctx)));
            assert!((peak as u64) < MUCH, "{} {at}: {peak}", spec.name());
        }
    }
    println!("{n_refused} refused, {n_said} said, {n_run} run");
    assert!(n_refused > 20 && n_run > 20, "{n_refused} refused, {n_said} said, {n_run} run");
}

/// Holds that a strength which a flag refuses is refused in a spec.
#[test]
fn the_strength_of_noise_is_checked_in_every_spec() {
    let prompt = crate::support::prompt("In Paris it is", "Paris", Some("it"));
    let mut n_checked = 0;
    for spec in specs(&prompt) {
        let written = serde_json::to_value(&spec).unwrap();
        let mut places = Vec::new();
        numbers(&written, "", &mut places);
        let is_strength = |it: &&String| it.ends_with("/Std") || it.ends_with("/factor");
        for at in places.iter().filter(is_strength) {
            let mut changed = written.clone();
            *changed.pointer_mut(at).unwrap() = (-3.0).into();
            let changed: AnalysisSpec = serde_json::from_value(changed).unwrap();
            let name = spec.name();
            let Err(error) = changed.check() else { panic!("{name} {at} is not refused") };
            let error = error.to_string();
            assert!(error.ends_with("must be a number from 0 on"), "{name}: {error}");
            n_checked += 1;
        }
    }
    assert!(n_checked > 5, "{n_checked}");
}
