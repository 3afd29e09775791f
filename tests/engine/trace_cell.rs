//! Laws of a cell of a trace that is looked into, which hold for any weights.

use factscope::analysis::causal_trace::{
    self, CausalTrace, Component, Corruption, Direction, Map, NoiseLevel, Severed,
};
use factscope::analysis::prediction::{self, Prediction};
use factscope::analysis::trace_cell::{NextToken, Spec, TraceCell};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Metric, Positions, Reuse,
};
use factscope::tokens::TokenizedPrompt;
use factscope::worker::Engine;

use super::support::{
    answer_of, assert_close, assert_far, assert_watched, engine, prompt, trace_spec,
};

/// Sums in another order.
const PROB: f32 = 1e-5;

fn trace() -> causal_trace::Spec {
    let noise = NoiseLevel::Std(0.5);
    causal_trace::Spec { noise, seed: 3, ..trace_spec(Component::Hidden, 3, 3) }
}

/// Of several tokens, so that the first is not the last that is read.
fn paris() -> TokenizedPrompt {
    let mut paris = prompt("In Paris it is", "Paris", None);
    paris.answer = Some(answer_of(&[507, 12]));
    paris.foil = Some(answer_of(&[300]));
    paris
}

fn cell(trace: &causal_trace::Spec, pos: usize, layer: usize) -> Spec {
    Spec { trace: trace.clone(), pos, layer, n_top: 10 }
}

fn look(engine: &Engine, spec: &Spec, ctx: &AnalysisCtx<'_>) -> Result<TraceCell, AnalysisError> {
    match engine.run(&paris(), &AnalysisSpec::TraceCell(spec.clone()), ctx)? {
        AnalysisResult::TraceCell(found) => Ok(found),
        other => panic!("{other:?}"),
    }
}

fn found(engine: &Engine, spec: &Spec) -> TraceCell {
    look(engine, spec, &AnalysisCtx::unwatched()).unwrap()
}

fn map(engine: &Engine, spec: &causal_trace::Spec) -> CausalTrace {
    let spec = AnalysisSpec::CausalTrace(spec.clone());
    match engine.run(&paris(), &spec, &AnalysisCtx::unwatched()).unwrap() {
        AnalysisResult::CausalTrace(found) => found,
        other => panic!("{other:?}"),
    }
}

fn probs(runs: &[Measurement]) -> Vec<f32> {
    runs.iter().map(|it| it.prob).collect()
}

#[test]
fn a_cell_is_the_one_of_the_map() {
    let engine = engine("tiny");
    let traces = [
        trace(),
        causal_trace::Spec { component: Component::Mlp, ..trace() },
        causal_trace::Spec { sever: Some(Severed::Mlp), ..trace() },
        causal_trace::Spec {
            component: Component::Attn,
            direction: Direction::Noise,
            sever: Some(Severed::Mlp),
            ..trace()
        },
        causal_trace::Spec { corruption: Corruption::RandomTokens, ..trace() },
    ];
    for spec in traces {
        let map = map(&engine, &spec);
        for (pos, layer) in [(1, 0), (1, 3), (3, 2), (2, 1)] {
            let cell = found(&engine, &cell(&spec, pos, layer));
            let what = format!("{:?} at {pos}, {layer}", spec.component);
            let runs = map.restored.get(layer, pos).unwrap();
            assert_close(&probs(&cell.patched), &probs(runs), PROB, &what);
            assert_close(&probs(&cell.corrupted), &probs(&map.corrupted), PROB, &what);
            assert_close(&[cell.clean.prob], &[map.clean.prob], PROB, &what);
            let mean = |runs: &[Measurement], metric| Measurement::mean(runs, metric).unwrap();
            for metric in [Metric::Prob, Metric::AnswerProb, Metric::Kl] {
                let (one, other) = (mean(&cell.patched, metric), mean(runs, metric));
                assert_close(&[one], &[other], PROB, &format!("{what}, {metric:?}"));
            }
            assert_eq!(cell.layers, map.window(layer));
            assert_eq!((cell.noise_std, &cell.corruptions), (map.noise_std, &map.corruptions));
        }
    }
}

#[test]
fn the_clean_tokens_are_those_of_the_prediction() {
    let engine = engine("tiny");
    let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 10 });
    let prediction: Prediction = match engine.run(&paris(), &spec, &AnalysisCtx::unwatched()) {
        Ok(AnalysisResult::Prediction(found)) => found,
        other => panic!("{other:?}"),
    };
    let cell = found(&engine, &cell(&trace(), 1, 2));
    let ids = |tokens: &[NextToken]| tokens.iter().map(|it| it.id).collect::<Vec<_>>();
    let expected: Vec<u32> = prediction.top.iter().map(|it| it.id).collect();
    assert_eq!(ids(&cell.top.clean), expected);
    let clean: Vec<f32> = cell.top.clean.iter().map(|it| it.clean).collect();
    let expected: Vec<f32> = prediction.top.iter().map(|it| it.prob).collect();
    assert_close(&clean, &expected, PROB, "clean");
}

#[test]
fn the_answers_place_in_the_lists_is_its_score() {
    let engine = engine("tiny");
    // The whole vocabulary, in which the answer is.
    let spec = Spec { n_top: usize::MAX, ..cell(&trace(), 1, 1) };
    let cell = found(&engine, &spec);
    let answer = cell.top.patched.iter().find(|it| it.id == 507).unwrap();
    let mean = |runs: &[Measurement]| Measurement::mean(runs, Metric::Prob).unwrap();
    let expected = [cell.clean.prob, mean(&cell.corrupted), mean(&cell.patched)];
    assert_close(&[answer.clean, answer.corrupted, answer.patched], &expected, PROB, "answer");
    assert!((cell.change(answer) - (answer.patched - answer.corrupted)).abs() < 1e-9);
    for (tokens, prob) in [
        (&cell.top.clean, (|it| it.clean) as fn(&NextToken) -> f32),
        (&cell.top.corrupted, |it| it.corrupted),
        (&cell.top.patched, |it| it.patched),
    ] {
        let sum: f64 = tokens.iter().map(|it| f64::from(prob(it))).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        assert!(tokens.is_sorted_by(|a, b| prob(a) >= prob(b)));
    }
}

#[test]
fn restoring_the_last_state_restores_all_that_is_said() {
    let engine = engine("tiny");
    let cell = found(&engine, &cell(&trace(), paris().last(), 3));
    let each = |prob: fn(&NextToken) -> f32| cell.top.clean.iter().map(prob).collect::<Vec<_>>();
    assert_close(&each(|it| it.patched), &each(|it| it.clean), PROB, "restored");
    assert_far(&each(|it| 10.0 * it.corrupted), &each(|it| 10.0 * it.clean), "corrupted");
}

#[test]
fn both_kinds_of_reuse_give_the_same() {
    let engine = engine("tiny");
    let spec = cell(&trace(), 2, 1);
    let ctx = AnalysisCtx { reuse: Reuse::Off, ..AnalysisCtx::unwatched() };
    let (one, other) = (found(&engine, &spec), look(&engine, &spec, &ctx).unwrap());
    assert_close(&probs(&one.patched), &probs(&other.patched), PROB, "patched");
}

#[test]
fn looking_into_a_cell_is_watched_and_can_be_cancelled() {
    let spec = AnalysisSpec::TraceCell(cell(&trace(), 2, 1));
    assert_watched(&engine("tiny"), &paris(), &spec);
}

#[test]
fn what_is_no_cell_is_told() {
    let engine = engine("tiny");
    let complaint = |spec: &Spec| look(&engine, spec, &AnalysisCtx::unwatched()).unwrap_err();
    let spec = cell(&trace(), 2, 1);
    let n_pos = paris().n_pos();
    assert_eq!(
        complaint(&Spec { layer: 4, ..spec.clone() }),
        AnalysisError::OutOfRange { what: "layer", index: 4, n: 4 }
    );
    assert_eq!(
        complaint(&Spec { pos: n_pos, ..spec.clone() }),
        AnalysisError::NoPosition { pos: n_pos, n_pos }
    );
    let together = Map::Together { at: Positions::All, widths: vec![1] };
    let together = causal_trace::Spec { map: together, ..trace() };
    assert_eq!(complaint(&cell(&together, 2, 1)), AnalysisError::NotOfTokens { done: "opened" });
    let none = causal_trace::Spec { n_samples: 0, ..trace() };
    assert!(matches!(complaint(&cell(&none, 2, 1)), AnalysisError::Zero { .. }));
    assert!(matches!(complaint(&Spec { n_top: 0, ..spec }), AnalysisError::Zero { .. }));
}
