//! Laws of causal traces: plans, windows, reuse, severed paths, and both directions.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use factscope::analysis::ablation::Part;
use factscope::analysis::causal_trace::{self, Component, plan};
use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Metric, Positions,
    Reuse, attention, logit_lens, prediction, sweep,
};
use factscope::intervention::{Condition, Donor, Edit, Intervention, Noise, Site, Span};
use factscope::model::{BatchRow, Donors};
use factscope::task::{Cancelled, Progress, TaskCtx};
use factscope::tokens::TokenizedPrompt;

use super::{
    LOGIT, N_HEADS, N_LAYERS, ablation_spec, clean_donor, ids, mean_of_others, noise, paris,
    to_last, trace, trace_spec,
};
use crate::support::{
    answer_of, assert_close, assert_far, engine, fixture, gpt2_sites, lab, load, logits_under,
    prompt, run,
};

mod severed;

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
