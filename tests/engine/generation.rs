//! Free text that a model writes, token by token.

use std::cell::RefCell;
use std::collections::BTreeMap;

use factscope::analysis::generation::{Choice, Generation, Spec, Stopped};
use factscope::analysis::{AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec};
use factscope::task::{CancelToken, Cancelled, Progress, TaskCtx};
use factscope::worker::Engine;

use crate::support::{engine, load, logits_under, prompt};

fn spec(n_tokens: usize, choice: Choice) -> Spec {
    Spec { n_tokens, choice, end: None }
}

fn sample(seed: u64) -> Choice {
    Choice::Sample { temperature: 1.0, top_k: None, top_p: None, seed }
}

fn write(engine: &Engine, text: &str, spec: Spec) -> Generation {
    let prompt = prompt(text, "Paris", None);
    match engine.run(&prompt, &AnalysisSpec::Generation(spec), &AnalysisCtx::unwatched()) {
        Ok(AnalysisResult::Generation(it)) => it,
        other => panic!("no text: {other:?}"),
    }
}

fn ids(it: &Generation) -> Vec<u32> {
    it.tokens.iter().map(|token| token.id).collect()
}

/// Keys and values that are kept give what a pass over the whole text gives.
#[test]
fn every_token_is_the_likeliest_after_all_before_it() {
    let it = write(&engine("tiny"), "Paris is in", spec(20, Choice::Greedy));
    assert_eq!((it.tokens.len(), it.stopped), (20, Some(Stopped::Length)));
    let model = load(&crate::support::fixture("tiny"));
    let mut text = it.prompt.ids.clone();
    for token in &it.tokens {
        let logits = logits_under(&model, &text, &vec![], &BTreeMap::default());
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|it| (it - max).exp()).sum();
        assert!((logits[token.id as usize] - max).abs() < 1e-4);
        assert!((token.logit - max).abs() < 1e-4);
        assert!((token.prob - 1.0 / sum).abs() < 1e-5);
        assert_eq!((token.drawn_with, token.n_candidates), (1.0, 1));
        text.push(token.id);
    }
}

#[test]
fn the_same_seed_writes_the_same_text_and_a_longer_text_begins_with_the_shorter() {
    let engine = engine("tiny");
    let text = |n, seed| ids(&write(&engine, "Paris is in", spec(n, sample(seed))));
    let long = text(12, 7);
    assert_eq!(text(12, 7), long);
    assert_eq!(text(5, 7), long[..5]);
    assert_ne!(text(12, 8), long);
    // The coldest draw is no draw.
    let cold = Choice::Sample { temperature: 1e-6, top_k: None, top_p: None, seed: 1 };
    let greedy = ids(&write(&engine, "Paris is in", spec(12, Choice::Greedy)));
    assert_eq!(ids(&write(&engine, "Paris is in", spec(12, cold))), greedy);
    let one = Choice::Sample { temperature: 2.0, top_k: Some(1), top_p: None, seed: 1 };
    assert_eq!(ids(&write(&engine, "Paris is in", spec(12, one))), greedy);
}

/// How often tokens come is how likely they are.
#[test]
fn draws_follow_the_probabilities() {
    let engine = engine("tiny");
    let narrow = |seed| Choice::Sample { temperature: 3.0, top_k: Some(3), top_p: None, seed };
    let n = 600;
    let mut counts = BTreeMap::new();
    for seed in 0..n {
        let it = write(&engine, "Paris is in", spec(1, narrow(seed))).tokens[0];
        let entry = counts.entry(it.id).or_insert((0, it.drawn_with));
        entry.0 += 1;
        assert_eq!(entry.1, it.drawn_with);
        assert_eq!(it.n_candidates, 3);
    }
    let sum: f64 = counts.values().map(|it| it.1).sum();
    assert!((sum - 1.0).abs() < 1e-9, "every candidate came: {counts:?}");
    for (count, share) in counts.values() {
        let off = f64::from(*count) - n as f64 * share;
        // Five standard deviations.
        assert!(off.abs() < 5.0 * (n as f64 * share * (1.0 - share)).sqrt(), "{counts:?}");
    }
}

#[test]
fn a_text_ends_at_its_end_and_where_the_model_takes_no_more() {
    let engine = engine("tiny");
    let free = write(&engine, "Paris is in", spec(6, Choice::Greedy));
    let end = free.tokens[2].id;
    let first = free.tokens.iter().position(|it| it.id == end).unwrap();
    let ended = Spec { end: Some(end), ..spec(6, Choice::Greedy) };
    let it = write(&engine, "Paris is in", ended);
    assert_eq!((it.tokens.len(), it.stopped), (first + 1, Some(Stopped::End)));
    let it = write(&engine, "Paris is in", spec(1000, Choice::Greedy));
    assert_eq!(it.stopped, Some(Stopped::Context));
    // The last is written and not read.
    assert_eq!(it.prompt.n_pos() + it.tokens.len(), engine.info.config.n_ctx + 1);
    let none = write(&engine, "Paris is in", spec(0, Choice::Greedy));
    assert_eq!((none.tokens.len(), none.stopped), (0, Some(Stopped::Length)));
}

#[test]
fn tokens_are_told_as_they_come_and_a_cancel_is_heard() {
    let engine = engine("tiny");
    let seen = RefCell::new(Vec::new());
    let cancel = CancelToken::default();
    let partial = |result: AnalysisResult| {
        let AnalysisResult::Generation(it) = result else { panic!("no text") };
        assert_eq!(it.stopped, None);
        seen.borrow_mut().push(ids(&it));
        if it.tokens.len() == 4 {
            cancel.cancel();
        }
    };
    let ctx = AnalysisCtx {
        task: TaskCtx { cancel: cancel.clone(), report: &|_: Progress| () },
        partial: &partial,
        ..AnalysisCtx::unwatched()
    };
    // Nothing is told before the weights were looked at.
    write(&engine, "Paris is in", spec(1, Choice::Greedy));
    let asked = AnalysisSpec::Generation(spec(9, Choice::Greedy));
    let result = engine.run(&prompt("Paris is in", "Paris", None), &asked, &ctx);
    assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)));
    let whole = ids(&write(&engine, "Paris is in", spec(9, Choice::Greedy)));
    let expected: Vec<Vec<u32>> = (1..=4).map(|n| whole[..n].to_vec()).collect();
    assert_eq!(*seen.borrow(), expected);
}

#[test]
fn a_draw_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |choice, end| {
        let spec = AnalysisSpec::Generation(Spec { n_tokens: 3, choice, end });
        let prompt = prompt("Paris is in", "Paris", None);
        engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap_err().to_string()
    };
    let of = |temperature, top_k, top_p| Choice::Sample { temperature, top_k, top_p, seed: 0 };
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let said = error(of(temperature, None, None), None);
        assert_eq!(said, "the temperature must be a number above 0");
    }
    for p in [0.0, 1.01, f64::NAN] {
        assert_eq!(error(of(1.0, None, Some(p)), None), "top-p must be above 0 and at most 1");
    }
    assert_eq!(error(of(1.0, Some(0), None), None), "top-k must be at least 1");
    assert!(error(Choice::Greedy, Some(657)).contains("vocabulary"));
}
