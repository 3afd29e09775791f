//! Laws of causal traces: plans, windows, reuse, severed paths, and both directions.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use factscope::analysis::ablation::Part;
use factscope::analysis::causal_trace::{
    self, CausalTrace, Component, Direction, NoiseLevel, Severed, plan,
};
use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Metric, Positions,
    Reuse, attention, logit_lens, prediction, sweep,
};
use factscope::intervention::{Condition, Donor, Edit, Intervention, Noise, Site, Span};
use factscope::model::{BatchRow, Donors};
use factscope::task::{Cancelled, Progress, TaskCtx};
use factscope::tokens::TokenizedPrompt;

use crate::support::{
    answer_of, assert_close, assert_far, engine, fixture, gpt2_sites, lab, load, logits_under,
    prompt, run,
};

use super::{
    LOGIT, N_HEADS, N_LAYERS, ablation_spec, assert_same, clean_donor, ids, log_probs,
    mean_of_others, noise, paris, seine, to_last, trace, trace_spec,
};

// Causal tracing

/// With ROME's noise.
fn plan_of(
    prompt: &TokenizedPrompt,
    spec: &causal_trace::Spec,
    std: f64,
    n_layers: usize,
) -> Vec<Condition> {
    let subject = Span::Only(prompt.subject.clone().unwrap());
    let noise = |sample| Noise { rng: spec.rng, seed: spec.seed, std, sample };
    let corruptions: Vec<_> = (0..spec.n_samples)
        .map(|nth| Intervention::at(Site::Embed, subject.clone(), Edit::AddNoise(noise(nth))))
        .collect();
    plan(prompt, spec, &corruptions, n_layers, N_HEADS).unwrap()
}

#[test]
fn a_plan_is_a_function_of_its_arguments() {
    let prompt = paris();
    let spec = trace_spec(Component::Mlp, 3, 2);
    let planned = || plan_of(&prompt, &spec, 0.5, N_LAYERS);
    assert_eq!(planned(), planned());
    assert_eq!(planned().len(), 2 + N_LAYERS * prompt.n_pos() * 2);
    // Every condition corrupts the subject first, with the draw of its sample.
    for (nth, condition) in planned().iter().enumerate() {
        let noise = Noise { rng: spec.rng, seed: spec.seed, std: 0.5, sample: nth % 2 };
        let corrupt = Intervention::at(Site::Embed, Span::Only(0..3), Edit::AddNoise(noise));
        assert_eq!(condition[0], corrupt);
    }
}

/// `max(0, l - w // 2) .. min(L, l + ceil(w / 2))`, from ROME's `trace_important_window`.
#[test]
fn windows_are_clipped_as_romes() {
    let prompt = paris();
    let restored = |component, window, layer: usize, n_layers: usize| -> Range<usize> {
        let spec = trace_spec(component, window, 1);
        let plan = plan_of(&prompt, &spec, 0.5, n_layers);
        let position = 4;
        let condition = &plan[1 + layer * prompt.n_pos() + position];
        let sites = condition[1..].iter().map(|it| {
            assert_eq!(it.positions, Span::one(position));
            let copy = Edit::CopyFrom { donor: Donor::Clean, positions: Span::one(position) };
            assert_eq!(it.edit, copy);
            it.site
        });
        let layers: Vec<_> = sites
            .map(|site| match (component, site) {
                (Component::Hidden, Site::ResidPost(layer))
                | (Component::Mlp, Site::MlpOut(layer))
                | (Component::Attn, Site::AttnOut(layer)) => layer,
                other => panic!("{other:?}"),
            })
            .collect();
        let range = layers[0]..layers[layers.len() - 1] + 1;
        assert_eq!(layers, range.clone().collect::<Vec<_>>());
        range
    };
    for (window, layer, expected) in [
        (10, 0, 0..5),
        (10, 4, 0..9),
        (10, 5, 0..10),
        (10, 18, 13..23),
        (10, 31, 26..36),
        (10, 35, 30..36),
        (1, 0, 0..1),
        (1, 35, 35..36),
        (2, 0, 0..1),
        (2, 7, 6..8),
        (3, 0, 0..2),
        (3, 7, 6..9),
        (3, 35, 34..36),
        (100, 7, 0..36),
    ] {
        for component in [Component::Mlp, Component::Attn] {
            assert_eq!(restored(component, window, layer, 36), expected, "{window} at {layer}");
        }
        assert_eq!(restored(Component::Hidden, window, layer, 36), layer..layer + 1);
    }
    let shown = trace(&prompt, &trace_spec(Component::Mlp, 3, 1));
    let windows = (0..N_LAYERS).map(|layer| shown.window(layer)).collect::<Vec<_>>();
    assert_eq!(windows, [0..2, 0..3, 1..4, 2..4]);
}

#[test]
fn a_trace_has_every_cell_and_what_cannot_matter_does_not() {
    let mut prompt = prompt("The Seine is in", "Seine", None);
    prompt.answer = Some(answer_of(&[300]));
    let subject = prompt.subject.clone().unwrap();
    for component in Component::ALL {
        let trace = trace(&prompt, &trace_spec(component, 2, 3));
        assert_eq!(trace.restored.n_rows(), N_LAYERS);
        assert_eq!(trace.restored.n_columns(), prompt.n_pos());
        assert!(trace.restored.values().iter().all(|runs| runs.len() == 3));
        assert_eq!(trace.corrupted.len(), 3);
        let log_probs =
            |runs: &[Measurement]| -> Vec<f32> { runs.iter().map(|run| run.log_prob).collect() };
        let corrupted = log_probs(&trace.corrupted);
        assert_far(&corrupted, &[trace.clean.log_prob; 3], "the corruption");
        for layer in 0..N_LAYERS {
            for pos in 0..subject.start {
                // Nothing before the subject was corrupted.
                let cell = log_probs(trace.restored.get(layer, pos).unwrap());
                assert_close(&cell, &corrupted, LOGIT, "before the subject");
            }
        }
        if component == Component::Hidden {
            let last = trace.restored.rows().last().unwrap();
            for cell in &last[..prompt.n_pos() - 1] {
                assert_close(&log_probs(cell), &corrupted, LOGIT, "the last layer, read by nobody");
            }
            let restored = log_probs(&last[prompt.n_pos() - 1]);
            assert_close(&restored, &[trace.clean.log_prob; 3], LOGIT, "the last state");
        }
    }
}

/// Conditions of all kinds, in an order that mixes bases, first layers and first positions.
fn mixed_conditions() -> Vec<Condition> {
    let clean = |positions: Range<usize>| Edit::CopyFrom {
        donor: Donor::Clean,
        positions: Span::Only(positions),
    };
    let elsewhere = Edit::CopyFrom { donor: Donor::Counterpart, positions: Span::Only(1..3) };
    let from_corrupted = |positions: Range<usize>| Edit::CopyFrom {
        donor: Donor::Corrupted { first: 4, sample: 0 },
        positions: Span::Only(positions),
    };
    let corrupted = |sample| Intervention::at(Site::Embed, Span::Only(4..6), noise(2.0, sample));
    let at = |site, positions, edit| Intervention::at(site, Span::Only(positions), edit);
    let mut conditions = vec![
        vec![],
        vec![Intervention::at(Site::PosEmbed, Span::All, Edit::Scale(0.5))],
        // Restores what something other than the input has changed.
        vec![
            at(Site::ResidPost(0), 2..3, Edit::Scale(-2.0)),
            at(Site::MlpOut(1), 2..3, clean(2..3)),
        ],
        vec![
            at(Site::MlpOut(1), 2..3, clean(2..3)),
            at(Site::ResidPost(1), 2..3, Edit::Set(0.2)),
            at(Site::AttnOut(2), 2..3, clean(2..3)),
        ],
        // Restores before what it restores is changed.
        vec![at(Site::ResidMid(2), 1..2, clean(1..2)), at(Site::Z(0), 6..7, Edit::Zero)],
        // Keys by their place, not counted from where it begins.
        vec![
            at(Site::AttnScores(3), 9..10, Edit::Set(-1e30)).of_units(Span::Only(0..3)),
            at(Site::LnFinalScale, 9..10, Edit::Scale(1.5)),
        ],
        vec![at(Site::LnFinalNormalized, 8..10, elsewhere.clone()).of_units(Span::Only(3..9))],
        vec![Intervention::at(Site::Q(2), Span::All, Edit::Scale(1.5)).of_heads(Span::one(2))],
        // Keys of two spans, in two layers, cut off for good.
        vec![
            at(Site::AttnScores(2), 8..10, Edit::Block).of_units(Span::Only(0..2)),
            at(Site::AttnScores(2), 8..10, Edit::Block).of_units(Span::Only(4..6)),
            at(Site::AttnScores(1), 9..10, Edit::Block).of_units(Span::Only(4..6)),
        ],
        // A corrupted state in a clean run: before the corruption it changes nothing.
        vec![at(Site::ResidPost(1), 3..4, from_corrupted(3..4))],
        vec![
            at(Site::ResidPost(1), 5..6, from_corrupted(5..6)),
            at(Site::MlpOut(2), 5..6, clean(5..6)),
        ],
        // What the restored token would write is held at its corrupted values.
        vec![
            Intervention::at(Site::Embed, Span::Only(4..6), noise(2.0, 0)),
            at(Site::ResidPost(1), 4..5, clean(4..5)),
            at(Site::MlpOut(2), 4..5, from_corrupted(4..5)),
            at(Site::MlpOut(3), 4..5, from_corrupted(4..5)),
        ],
    ];
    for sample in 0..3 {
        for layer in (0..N_LAYERS).rev() {
            for pos in [9, 0, 4, 5, 3] {
                conditions.push(vec![
                    corrupted(sample),
                    at(Site::ResidPost(layer), pos..pos + 1, clean(pos..pos + 1)),
                ]);
                conditions.push(vec![
                    at(Site::V(layer), pos..pos + 1, noise(1.0, sample)),
                    corrupted(sample),
                    at(Site::Pattern(layer), pos..pos + 1, Edit::Set(0.1)),
                ]);
            }
            conditions
                .push(vec![corrupted(sample), at(Site::MlpPost(layer), 6..8, elsewhere.clone())]);
        }
    }
    conditions
}

#[test]
fn reuse_changes_no_number() {
    let model = load(&fixture("tiny"));
    for answer in [&[507][..], &[507, 12, 300]] {
        let mut prompt = paris();
        prompt.answer = Some(answer_of(answer));
        let asked = [&prompt.ids, &answer[..answer.len() - 1]].concat();
        let mut donors = clean_donor(&model, &asked);
        let counterpart = model.run_clean(&ids(asked.len(), 2), &gpt2_sites(N_LAYERS)).cache;
        donors.insert(Donor::Counterpart, counterpart);
        let corrupt = vec![Intervention::at(Site::Embed, Span::Only(4..6), noise(2.0, 0))];
        let rows = [BatchRow::new(&asked, &corrupt)];
        let corrupted = run(&model, &rows, &Donors::new(), &gpt2_sites(N_LAYERS)).cache;
        donors.insert(Donor::Corrupted { first: 4, sample: 0 }, corrupted);
        let conditions = mixed_conditions();
        let measure = |reuse| {
            let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
            sweep(&lab(&model, &prompt, &ctx), &conditions, &donors, &mut |_| ()).unwrap()
        };
        let (expected, found) = (measure(Reuse::Off), measure(Reuse::Exact));
        for ((expected, found), condition) in expected.iter().zip(&found).zip(&conditions) {
            let what = format!("{condition:?}");
            assert_close(&[found.logit], &[expected.logit], LOGIT, &what);
            assert_close(&[found.answer_log_prob], &[expected.answer_log_prob], LOGIT, &what);
        }
        let different = expected.iter().filter(|it| (it.logit - expected[0].logit).abs() > 0.01);
        assert!(different.count() > conditions.len() / 2, "most conditions must matter");
    }
}

#[test]
fn a_trace_is_the_same_in_batches_and_one_by_one() {
    // 60 samples of 10 tokens are more than one batch.
    let prompt = paris();
    let spec = trace_spec(Component::Attn, 2, 60);
    let trace = trace(&prompt, &spec);
    let model = load(&fixture("tiny"));
    let donors = clean_donor(&model, &prompt.ids);
    let plan = plan_of(&prompt, &spec, 1.5, N_LAYERS);
    let found: Vec<_> =
        trace.corrupted.iter().chain(trace.restored.values().iter().flatten()).collect();
    assert_eq!(found.len(), plan.len());
    for (found, condition) in found.iter().zip(&plan).step_by(97) {
        let logits = logits_under(&model, &prompt.ids, condition, &donors);
        assert_close(&[found.logit], &[logits[507]], LOGIT, "one by one");
    }
    let mean = Measurement::mean(&trace.corrupted, Metric::Prob).unwrap();
    assert!(mean < trace.clean.prob);
}

#[test]
fn a_cancelled_method_says_so() {
    let engine = engine("tiny");
    let prompt = paris();
    let specs = [
        AnalysisSpec::CausalTrace(trace_spec(Component::Mlp, 2, 60)),
        AnalysisSpec::Prediction(prediction::Spec { n_top: 1 }),
        AnalysisSpec::LogitAttribution(logit_attribution::Spec { by: Parts::Heads }),
        AnalysisSpec::LogitLens(logit_lens::Spec::default()),
        AnalysisSpec::Attention(attention::Spec::all_heads(0..N_LAYERS)),
        AnalysisSpec::Ablation(ablation_spec(Part::Heads, Positions::All, mean_of_others())),
        AnalysisSpec::AttentionKnockout(to_last(1)),
    ];
    for spec in specs {
        let ctx = AnalysisCtx::unwatched();
        ctx.task.cancel.cancel();
        let result = engine.run(&prompt, &spec, &ctx);
        assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)), "{spec:?}");
    }

    // In the middle: after so many steps, no step is taken.
    let steps = Cell::new(0);
    let cancel = factscope::task::CancelToken::default();
    let report = |_: Progress| {
        steps.set(steps.get() + 1);
        if steps.get() == 7 {
            cancel.cancel();
        }
    };
    let ctx = AnalysisCtx {
        task: TaskCtx { cancel: cancel.clone(), report: &report },
        partial: &|_| (),
        ..AnalysisCtx::unwatched()
    };
    let spec = AnalysisSpec::CausalTrace(trace_spec(Component::Mlp, 2, 60));
    let result = engine.run(&prompt, &spec, &ctx);
    assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)));
    assert_eq!(steps.get(), 7);
}

#[test]
fn progress_grows_to_its_total_and_partial_traces_grow_to_the_whole() {
    let engine = engine("tiny");
    let (progress, filled) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let report = |it: Progress| progress.borrow_mut().push(it);
    let partial = |result: AnalysisResult| {
        let AnalysisResult::CausalTrace(trace) = result else { panic!("not a trace") };
        filled.borrow_mut().push(trace.restored.values().iter().map(Vec::len).sum::<usize>());
    };
    let ctx = AnalysisCtx {
        task: TaskCtx { cancel: factscope::task::CancelToken::default(), report: &report },
        partial: &partial,
        ..AnalysisCtx::unwatched()
    };
    let spec = AnalysisSpec::CausalTrace(trace_spec(Component::Mlp, 2, 12));
    engine.run(&paris(), &spec, &ctx).unwrap();
    let (progress, filled) = (progress.into_inner(), filled.into_inner());
    let last = progress.last().unwrap();
    assert_eq!(last.done, last.total);
    assert!(progress.iter().all(|it| it.total == last.total));
    assert!(progress.is_sorted_by_key(|it| it.done));
    assert!(filled.len() > 1 && filled.is_sorted());
    assert_eq!(*filled.last().unwrap(), N_LAYERS * 10 * 12);
}

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
