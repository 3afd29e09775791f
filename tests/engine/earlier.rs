//! Laws of what earlier traces tell of a new one: the same numbers, for less work.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use factscope::analysis::causal_trace::{
    self, CausalTrace, Component, Corruption, Direction, Map, NoiseLevel, Severed,
};
use factscope::analysis::corruption_bench::{self, Entry};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Positions, Reuse,
    prediction,
};
use factscope::intervention::NoiseRng;
use factscope::task::{CancelToken, Cancelled, Progress, TaskCtx};
use factscope::tokens::TokenizedPrompt;
use factscope::worker::Engine;

use crate::support::{assert_close, engine, paris, paris_or, seine, trace_spec};

const LOGIT: f32 = 1e-4;

/// Its weights have been looked at, so that it tells all that it has so far.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let engine = engine("tiny");
    let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 1 });
    engine.run(&paris(), &spec, &AnalysisCtx::unwatched()).unwrap();
    engine
});

/// What an analysis found, and what it took.
struct Ran {
    result: Result<AnalysisResult, AnalysisError>,

    /// Of the work, in tokens times layers.
    cost: u64,
    n_steps: usize,
    partial: Vec<AnalysisResult>,
}

fn run(
    prompt: &TokenizedPrompt,
    spec: &AnalysisSpec,
    earlier: &[Arc<AnalysisResult>],
    reuse: Reuse,
) -> Ran {
    run_until(prompt, spec, earlier, reuse, usize::MAX)
}

/// It is cancelled at that step.
fn run_until(
    prompt: &TokenizedPrompt,
    spec: &AnalysisSpec,
    earlier: &[Arc<AnalysisResult>],
    reuse: Reuse,
    cancel_at: usize,
) -> Ran {
    let cancel = CancelToken::default();
    let steps: RefCell<Vec<Progress>> = RefCell::default();
    let partial: RefCell<Vec<AnalysisResult>> = RefCell::default();
    let report = |it: Progress| {
        steps.borrow_mut().push(it);
        if steps.borrow().len() == cancel_at {
            cancel.cancel();
        }
    };
    let ctx = AnalysisCtx {
        task: TaskCtx { cancel: cancel.clone(), report: &report },
        partial: &|it| partial.borrow_mut().push(it),
        reuse,
        earlier,
        ..AnalysisCtx::unwatched()
    };
    let result = ENGINE.run(prompt, spec, &ctx);
    let steps = steps.into_inner();
    Ran {
        result,
        cost: steps.iter().map(|it| it.done).max().unwrap_or(0),
        n_steps: steps.len(),
        partial: partial.into_inner(),
    }
}

fn trace_of(result: &AnalysisResult) -> &CausalTrace {
    match result {
        AnalysisResult::CausalTrace(trace) => trace,
        other => panic!("{other:?}"),
    }
}

fn found(ran: &Ran) -> Arc<AnalysisResult> {
    Arc::new(ran.result.clone().unwrap())
}

fn n_filled(trace: &CausalTrace) -> usize {
    trace.restored.values().iter().filter(|it| !it.is_empty()).count()
}

/// What two results say, cell by cell, and what they say they are.
#[track_caller]
fn assert_same(found: &AnalysisResult, expected: &AnalysisResult, what: &str) {
    let (found, expected) = (trace_of(found), trace_of(expected));
    assert_eq!(found.spec, expected.spec, "{what}");
    assert_eq!(found.prompt, expected.prompt, "{what}");
    assert_eq!(found.corruptions, expected.corruptions, "{what}");
    assert!((found.noise_std - expected.noise_std).abs() < 1e-12, "{what}");
    let cells = |trace: &CausalTrace| -> Vec<Vec<Measurement>> {
        std::iter::once(&trace.corrupted).chain(trace.restored.values()).cloned().collect()
    };
    let (found, expected) = (cells(found), cells(expected));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(&expected) {
        let numbers = |cell: &[Measurement]| -> Vec<f32> {
            let of = |it: &Measurement| [it.log_prob, it.logit, it.kl.unwrap_or(0.0)];
            cell.iter().flat_map(of).collect()
        };
        assert_close(&numbers(found), &numbers(expected), LOGIT, what);
    }
}

fn severed(layers: Option<usize>) -> causal_trace::Spec {
    causal_trace::Spec {
        sever: Some(Severed::Attn),
        sever_layers: layers,
        ..trace_spec(Component::Mlp, 2, 3)
    }
}

/// One setting apart from each other, or several.
fn variants() -> Vec<causal_trace::Spec> {
    let spec = |component, window, n_samples| trace_spec(component, window, n_samples);
    let mlp = spec(Component::Mlp, 2, 3);
    let mut all: Vec<_> = Component::ALL.map(|component| spec(component, 2, 3)).into();
    all.extend([
        spec(Component::Mlp, 1, 3),
        spec(Component::Mlp, 3, 3),
        spec(Component::Mlp, 2, 4),
    ]);
    all.extend([spec(Component::Mlp, 2, 2), severed(None), severed(Some(1)), severed(Some(2))]);
    all.extend([
        causal_trace::Spec { seed: 2, ..mlp.clone() },
        causal_trace::Spec { rng: NoiseRng::Chacha, ..mlp.clone() },
        causal_trace::Spec { noise: NoiseLevel::Std(1.0), ..mlp.clone() },
        causal_trace::Spec { direction: Direction::Noise, ..mlp.clone() },
        causal_trace::Spec { direction: Direction::Noise, ..severed(Some(1)) },
        causal_trace::Spec { corruption: Corruption::RandomTokens, ..mlp.clone() },
        causal_trace::Spec { corruption: Corruption::Zero, n_samples: 1, ..mlp.clone() },
        causal_trace::Spec {
            map: Map::Together { at: Positions::Last, widths: vec![1, 2] },
            ..mlp.clone()
        },
        causal_trace::Spec {
            map: Map::Heads { at: Positions::All },
            ..spec(Component::Attn, 1, 3)
        },
    ]);
    all
}

fn asks(prompt: &TokenizedPrompt, spec: &causal_trace::Spec) -> bool {
    // Tokens are drawn by a tokenizer.
    prompt.subject.is_some() && spec.n_samples > 0
}

#[test]
fn whatever_is_known_the_same_comes_out() {
    for prompt in [paris(), seine()] {
        let specs = variants();
        let specs =
            specs.into_iter().filter(|spec| asks(&prompt, spec)).map(AnalysisSpec::CausalTrace);
        let fresh: Vec<(AnalysisSpec, Arc<AnalysisResult>)> = specs
            .map(|spec| {
                let ran = run(&prompt, &spec, &[], Reuse::Exact);
                (spec, found(&ran))
            })
            .collect();
        // Of other prompts, answers or foils, beside those of this one.
        let elsewhere = [paris(), paris_or(11), seine()].into_iter().map(|other| {
            let spec = AnalysisSpec::CausalTrace(trace_spec(Component::Mlp, 2, 3));
            found(&run(&other, &spec, &[], Reuse::Exact))
        });
        let elsewhere: Vec<_> = elsewhere.collect();
        for (nth, (spec, expected)) in fresh.iter().enumerate() {
            let others = fresh.iter().enumerate().filter(|(other, _)| *other != nth);
            let others = others.map(|(_, (_, result))| Arc::clone(result));
            let known: Vec<_> = elsewhere.iter().cloned().chain(others).collect();
            let again = run(&prompt, spec, &known, Reuse::Exact);
            assert_same(&found(&again), expected, &format!("{spec:?}"));
        }
    }
}

#[test]
fn more_samples_cost_only_themselves() {
    for direction in Direction::ALL {
        let spec = |n_samples| {
            let spec = causal_trace::Spec { direction, ..trace_spec(Component::Mlp, 2, n_samples) };
            AnalysisSpec::CausalTrace(spec)
        };
        let prompt = paris();
        let three = run(&prompt, &spec(3), &[], Reuse::Exact);
        let fresh = run(&prompt, &spec(12), &[], Reuse::Exact);
        let more = run(&prompt, &spec(12), &[found(&three)], Reuse::Exact);
        assert_same(&found(&more), &found(&fresh), "twelve after three");
        assert!(4 * more.cost < 3 * fresh.cost + fresh.cost / 2, "{} {}", more.cost, fresh.cost);
        assert!(more.cost > fresh.cost / 2, "{} {}", more.cost, fresh.cost);
        // Fewer are there already.
        let fewer = run(&prompt, &spec(3), &[found(&fresh)], Reuse::Exact);
        assert_same(&found(&fewer), &found(&three), "three of twelve");
        assert!(8 * fewer.cost < three.cost, "{} {}", fewer.cost, three.cost);
    }
}

#[test]
fn another_window_keeps_the_cells_in_which_both_are_clipped_alike() {
    let prompt = paris();
    let spec = |window| AnalysisSpec::CausalTrace(trace_spec(Component::Mlp, window, 3));
    // Of four layers: 0..2, 0..3, 0..4 and 1..4; with five, 0..3, 0..4, 0..4 and 1..4.
    let four = run(&prompt, &spec(4), &[], Reuse::Exact);
    let five = run(&prompt, &spec(5), &[], Reuse::Exact);
    let after = run(&prompt, &spec(4), &[found(&five)], Reuse::Exact);
    assert_same(&found(&after), &found(&four), "four after five");
    let first = trace_of(&after.partial[0]);
    let is_known: Vec<bool> =
        first.restored.rows().map(|layer| layer.iter().all(|cell| !cell.is_empty())).collect();
    assert_eq!(is_known, [false, true, true, true]);
}

#[test]
fn a_trace_that_was_stopped_goes_on_where_it_was() {
    let prompt = paris();
    let spec = AnalysisSpec::CausalTrace(trace_spec(Component::Hidden, 1, 10));
    let whole = run(&prompt, &spec, &[], Reuse::Exact);
    let stopped = run_until(&prompt, &spec, &[], Reuse::Exact, 3 * whole.n_steps / 4);
    assert_eq!(stopped.result, Err(AnalysisError::Cancelled(Cancelled)));
    let so_far = Arc::new(stopped.partial.last().unwrap().clone());
    let n_known = n_filled(trace_of(&so_far));
    assert!(n_known > 0 && n_known < n_filled(trace_of(&found(&whole))), "{n_known}");
    let resumed = run(&prompt, &spec, &[so_far], Reuse::Exact);
    assert_same(&found(&resumed), &found(&whole), "resumed");
    assert_eq!(n_filled(trace_of(&resumed.partial[0])), n_known);
    assert!(resumed.cost < whole.cost, "{} {}", resumed.cost, whole.cost);
}

#[test]
fn nothing_is_taken_over_where_nothing_is_to_be_reused() {
    let prompt = seine();
    let spec = AnalysisSpec::CausalTrace(trace_spec(Component::Attn, 2, 3));
    let exact = run(&prompt, &spec, &[], Reuse::Exact);
    let naive = run(&prompt, &spec, &[], Reuse::Off);
    let again = run(&prompt, &spec, &[found(&exact)], Reuse::Off);
    assert_eq!(again.cost, naive.cost);
    assert_same(&found(&again), &found(&exact), "naive");
}

#[test]
fn a_bench_with_another_window_keeps_its_single_layers() {
    let prompt = paris();
    let entry =
        |name: &str, corruption, n_samples| Entry { name: name.to_owned(), corruption, n_samples };
    let bench = |window: usize| {
        AnalysisSpec::CorruptionBench(corruption_bench::Spec {
            trace: trace_spec(Component::Mlp, window, 8),
            corruptions: vec![
                entry("noise", Corruption::default(), 8),
                entry("zero", Corruption::Zero, 1),
            ],
            windows: vec![1, window],
            left_out: Vec::new(),
        })
    };
    let maps = |ran: &Ran| match &ran.result {
        Ok(AnalysisResult::CorruptionBench(bench)) => bench.maps.clone(),
        other => panic!("{other:?}"),
    };
    let two = run(&prompt, &bench(2), &[], Reuse::Exact);
    let three = run(&prompt, &bench(3), &[], Reuse::Exact);
    let after = run(&prompt, &bench(3), &[found(&two)], Reuse::Exact);
    for (found, expected) in maps(&after).into_iter().zip(maps(&three)) {
        assert_eq!((&found.name, found.window), (&expected.name, expected.window));
        let [found, expected] = [found.trace, expected.trace].map(AnalysisResult::CausalTrace);
        assert_same(&found, &expected, "a map");
    }
    assert!(4 * after.n_steps < 3 * three.n_steps, "{} {}", after.n_steps, three.n_steps);
    // A trace by itself is one of them.
    let trace = AnalysisSpec::CausalTrace(trace_spec(Component::Mlp, 2, 8));
    let alone = run(&prompt, &trace, &[], Reuse::Exact);
    let known = run(&prompt, &trace, &[found(&two)], Reuse::Exact);
    assert_same(&found(&known), &found(&alone), "of the bench");
    assert!(8 * known.cost < alone.cost, "{} {}", known.cost, alone.cost);
}
