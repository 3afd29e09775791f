//! Traces whose later outputs are severed, and noising.

use std::ops::Range;

use factscope::analysis::causal_trace::{
    self, CausalTrace, Component, Direction, NoiseLevel, Severed,
};
use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, Measurement, Reuse};
use factscope::intervention::{Donor, Edit, Site, Span};

use super::plan_of;
use crate::laws::{LOGIT, N_LAYERS, assert_same, log_probs, paris, seine, trace, trace_spec};
use crate::support::{assert_close, assert_far, engine};

// Severed paths, and the other direction

fn severed(component: Component, window: usize, sever: Severed) -> causal_trace::Spec {
    causal_trace::Spec { sever: Some(sever), ..trace_spec(component, window, 3) }
}

fn noising(component: Component, window: usize) -> causal_trace::Spec {
    causal_trace::Spec { direction: Direction::Noise, ..trace_spec(component, window, 3) }
}

#[test]
fn every_trace_is_the_same_with_and_without_reuse() {
    let engine = engine("tiny");
    for prompt in [paris(), seine()] {
        for component in Component::ALL {
            for direction in Direction::ALL {
                for (sever, sever_layers) in [
                    (None, None),
                    (Some(Severed::Mlp), None),
                    (Some(Severed::Mlp), Some(1)),
                    (Some(Severed::Attn), None),
                    (Some(Severed::Attn), Some(2)),
                ] {
                    let spec = causal_trace::Spec {
                        direction,
                        sever,
                        sever_layers,
                        ..trace_spec(component, 2, 3)
                    };
                    let what = format!("{spec:?}");
                    let [exact, naive] = [Reuse::Exact, Reuse::Off].map(|reuse| {
                        let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
                        let spec = AnalysisSpec::CausalTrace(spec.clone());
                        match engine.run(&prompt, &spec, &ctx) {
                            Ok(AnalysisResult::CausalTrace(trace)) => trace,
                            other => panic!("{other:?}"),
                        }
                    });
                    let runs = |trace: &CausalTrace| -> Vec<Measurement> {
                        let cells = trace.restored.values().iter().flatten();
                        trace.corrupted.iter().chain(cells).copied().collect()
                    };
                    assert_same(&runs(&exact), &runs(&naive), &what);
                }
            }
        }
    }
}

#[test]
fn to_sever_something_where_nothing_was_corrupted_changes_nothing() {
    for prompt in [paris(), seine()] {
        for sever in Severed::ALL {
            for direction in Direction::ALL {
                let quiet = causal_trace::Spec {
                    noise: NoiseLevel::Std(0.0),
                    direction,
                    ..severed(Component::Hidden, 1, sever)
                };
                let trace = trace(&prompt, &quiet);
                for cell in trace.restored.values() {
                    assert_close(&log_probs(cell), &[trace.clean.log_prob; 3], LOGIT, "no noise");
                }
            }
        }
    }
}

#[test]
fn a_severed_trace_differs_only_where_the_severed_outputs_are_still_to_come() {
    let prompt = seine();
    let subject = prompt.subject.clone().unwrap();
    let plain = trace(&prompt, &trace_spec(Component::Hidden, 1, 3));
    for sever in Severed::ALL {
        let severed = trace(&prompt, &severed(Component::Hidden, 1, sever));
        let (found, expected) = (log_probs(&severed.corrupted), log_probs(&plain.corrupted));
        assert_close(&found, &expected, LOGIT, "corrupted");
        let cell =
            |trace: &CausalTrace, layer, pos| log_probs(trace.restored.get(layer, pos).unwrap());
        for pos in 0..prompt.n_pos() {
            // After the last layer there is nothing left to sever.
            let (found, expected) =
                (cell(&severed, N_LAYERS - 1, pos), cell(&plain, N_LAYERS - 1, pos));
            assert_close(&found, &expected, LOGIT, "the last layer");
        }
        for layer in 0..N_LAYERS {
            let (found, expected) = (cell(&severed, layer, 0), cell(&plain, layer, 0));
            assert_close(&found, &expected, LOGIT, "before the subject");
        }
        let at_subject = |trace| cell(trace, 0, subject.end - 1);
        assert_far(&at_subject(&severed), &at_subject(&plain), "what is severed");
    }
}

#[test]
fn to_sever_more_layers_goes_from_the_plain_trace_to_romes() {
    let prompt = seine();
    for (component, sever) in [(Component::Hidden, Severed::Mlp), (Component::Mlp, Severed::Attn)] {
        for direction in Direction::ALL {
            let whole = causal_trace::Spec { direction, ..severed(component, 2, sever) };
            let cells = |spec: &causal_trace::Spec| -> Vec<f32> {
                let trace = trace(&prompt, spec);
                trace.restored.values().iter().flat_map(|cell| log_probs(cell)).collect()
            };
            let in_layers =
                |n| cells(&causal_trace::Spec { sever_layers: Some(n), ..whole.clone() });
            let plain = causal_trace::Spec { sever: None, ..whole.clone() };
            assert_close(&in_layers(0), &cells(&plain), LOGIT, "none");
            assert_close(&in_layers(N_LAYERS), &cells(&whole), LOGIT, "all");
            for (fewer, more) in [(0, 1), (1, 2)] {
                assert_far(&in_layers(fewer), &in_layers(more), "one layer more");
            }
        }
    }
}

/// With both of a later layer's outputs held, the corrupted residual stream is still exchanged for
/// the clean one; with attention alone held, MLPs react. The plan says which.
#[test]
fn a_severed_plan_holds_what_the_restored_token_would_write() {
    let prompt = paris();
    let held = |spec: &causal_trace::Spec, layer: usize, pos: usize| -> Vec<Site> {
        let plan = plan_of(&prompt, spec, 0.5, N_LAYERS);
        let condition = &plan[3 + (layer * prompt.n_pos() + pos) * 3 + 1];
        let donor = match spec.direction {
            Direction::Denoise => Donor::Corrupted { first: 0, sample: 1 },
            Direction::Noise => Donor::Clean,
        };
        let edit = Edit::CopyFrom { donor, positions: Span::one(pos) };
        let held = condition.iter().filter(|it| it.edit == edit);
        held.inspect(|it| assert_eq!(it.positions, Span::one(pos))).map(|it| it.site).collect()
    };
    let mlps = |layers: Range<usize>| layers.map(Site::MlpOut).collect::<Vec<_>>();
    let hidden = severed(Component::Hidden, 1, Severed::Mlp);
    assert_eq!(held(&hidden, 1, 4), mlps(2..4));
    assert_eq!(held(&hidden, 3, 4), []);
    let noised = causal_trace::Spec { direction: Direction::Noise, ..hidden };
    assert_eq!(held(&noised, 0, 2), mlps(1..4));
    // Attention in layers 0 and 1 is restored; the MLPs of layer 0 see it already.
    assert_eq!(held(&severed(Component::Attn, 2, Severed::Mlp), 1, 4), mlps(0..4));
    // What is restored is not held.
    let same = severed(Component::Mlp, 2, Severed::Mlp);
    assert_eq!(held(&same, 1, 4), mlps(2..4));
    // Attention in the layer of the first MLP that is restored comes before it.
    let attn = severed(Component::Mlp, 2, Severed::Attn);
    assert_eq!(held(&attn, 1, 4), (1..4).map(Site::AttnOut).collect::<Vec<_>>());
    // The lowest of those that could react, as many as are asked for.
    let in_layers = |n, spec| causal_trace::Spec { sever_layers: Some(n), ..spec };
    assert_eq!(held(&in_layers(2, attn.clone()), 1, 4), [Site::AttnOut(1), Site::AttnOut(2)]);
    assert_eq!(held(&in_layers(1, same.clone()), 1, 4), mlps(2..3));
    assert_eq!(held(&in_layers(9, same.clone()), 1, 4), held(&same, 1, 4));
    assert_eq!(held(&in_layers(0, same), 1, 4), []);
}

#[test]
fn noising_is_denoising_seen_from_the_other_side() {
    let prompt = seine();
    let subject = prompt.subject.clone().unwrap();
    for component in Component::ALL {
        let noised = trace(&prompt, &noising(component, 2));
        let denoised = trace(&prompt, &trace_spec(component, 2, 3));
        // Runs at which something else is kept.
        let found = [&[noised.clean][..], &noised.corrupted].concat();
        let expected = [&[denoised.clean][..], &denoised.corrupted].concat();
        assert_close(&log_probs(&found), &log_probs(&expected), LOGIT, "the two runs");
        let clean = [noised.clean.log_prob; 3];
        for layer in 0..N_LAYERS {
            for pos in 0..subject.start {
                let cell = log_probs(noised.restored.get(layer, pos).unwrap());
                assert_close(&cell, &clean, LOGIT, "before the subject");
            }
        }
        let corrupted = log_probs(&noised.corrupted);
        assert_far(&corrupted, &clean, "the corruption");
        if component == Component::Hidden {
            let last = noised.restored.get(N_LAYERS - 1, prompt.n_pos() - 1).unwrap();
            // The last state of a corrupted run gives the corrupted run's answer.
            assert_close(&log_probs(last), &corrupted, LOGIT, "the last state");
            for pos in 0..prompt.n_pos() - 1 {
                let cell = log_probs(noised.restored.get(N_LAYERS - 1, pos).unwrap());
                assert_close(&cell, &clean, LOGIT, "the last layer, read by nobody");
            }
        }
    }
}

#[test]
fn a_spec_without_the_variants_is_romes() {
    let json = serde_json::to_string(&trace_spec(Component::Mlp, 3, 2)).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let fields = value.as_object_mut().unwrap();
    for name in ["direction", "sever", "sever_layers", "corruption", "map"] {
        assert!(fields.remove(name).is_some(), "{name}");
    }
    let old: causal_trace::Spec = serde_json::from_value(value).unwrap();
    assert_eq!(old, trace_spec(Component::Mlp, 3, 2));
}
