//! What gradients estimate of patching.

use factscope::analysis::attribution_patching::{self, AttributionPatching, BasePoint, Windows};
use factscope::analysis::causal_trace::{self, CausalTrace, Component, NoiseLevel};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Metric, Reuse,
};
use factscope::tokens::TokenizedPrompt;

use super::{N_HEADS, N_LAYERS, largest};
use crate::support::{
    assert_close, assert_far, assert_watched, engine, paris_or, seine, trace_spec, traced,
};

// Estimated traces

fn spec(component: Component, window: usize, noise_std: f64) -> attribution_patching::Spec {
    attribution_patching::Spec {
        trace: causal_trace::Spec {
            noise: NoiseLevel::Std(noise_std),
            ..trace_spec(component, window, 3)
        },
        base: BasePoint::Corrupted,
        metric: Metric::LogProb,
        windows: Windows::Added,
        n_verified: 0,
    }
}

fn estimate(prompt: &TokenizedPrompt, spec: &attribution_patching::Spec) -> AttributionPatching {
    let spec = AnalysisSpec::AttributionPatching(spec.clone());
    match engine("tiny").run(prompt, &spec, &AnalysisCtx::unwatched()) {
        Ok(AnalysisResult::AttributionPatching(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn trace(prompt: &TokenizedPrompt, spec: &causal_trace::Spec) -> CausalTrace {
    traced(prompt, spec, Reuse::Exact).unwrap()
}

fn scores(trace: &CausalTrace, metric: Metric) -> Vec<f32> {
    let cells = trace.restored.values().iter();
    cells.map(|runs| Measurement::mean(runs, metric).unwrap()).collect()
}

/// The error is of second order: with noise of a tenth it is a hundredth.
#[test]
fn with_little_noise_an_estimate_is_the_trace() {
    for (prompt, metrics) in [
        (paris_or(12), &[Metric::Prob, Metric::LogProb, Metric::Logit, Metric::LogitDiff][..]),
        (seine(), &[Metric::AnswerProb, Metric::LogProb]),
    ] {
        for component in Component::ALL {
            for base in [BasePoint::Corrupted, BasePoint::Clean] {
                for &metric in metrics {
                    let what = format!("{component:?} at {base:?}, {metric:?}");
                    let error = |noise_std: f64| {
                        let spec = attribution_patching::Spec {
                            base,
                            metric,
                            ..spec(component, 1, noise_std)
                        };
                        let found = estimate(&prompt, &spec).scores(metric).unwrap();
                        let exact = trace(&prompt, &spec.trace);
                        let low = Measurement::mean(&exact.corrupted, metric).unwrap();
                        let expected = scores(&exact, metric);
                        let effects: Vec<f32> = expected.iter().map(|it| it - low).collect();
                        let differences: Vec<f32> =
                            found.values().iter().zip(&expected).map(|(a, b)| a - b).collect();
                        largest(&differences) / largest(&effects)
                    };
                    let (large, small) = (error(0.01), error(0.001));
                    assert!(small < 0.05, "{what}: off by {small}");
                    assert!(small < 0.3 * large, "{what}: {small} after {large}");
                }
            }
        }
    }
}

#[test]
fn the_two_base_points_differ_and_say_so() {
    let at = |base| {
        let spec = attribution_patching::Spec { base, ..spec(Component::Hidden, 1, 1.5) };
        let found = estimate(&paris_or(12), &spec);
        assert_eq!(found.spec.base, base);
        found.scores(Metric::LogProb).unwrap().values().to_vec()
    };
    assert_far(&at(BasePoint::Corrupted), &at(BasePoint::Clean), "base points");
}

#[test]
fn what_cannot_matter_is_estimated_at_nothing() {
    let prompt = seine();
    let start = prompt.subject.clone().unwrap().start;
    for component in Component::ALL {
        for base in [BasePoint::Corrupted, BasePoint::Clean] {
            let found =
                estimate(&prompt, &attribution_patching::Spec { base, ..spec(component, 2, 1.5) });
            assert_eq!(found.effects.n_rows(), N_LAYERS);
            assert_eq!(found.effects.n_columns(), prompt.n_pos());
            assert_eq!(found.heads.len(), prompt.n_pos());
            for (layer, row) in found.effects.rows().enumerate() {
                for (pos, draws) in row.iter().enumerate() {
                    assert_eq!(draws.len(), 3);
                    let is_read = layer < N_LAYERS - 1
                        || pos == prompt.n_pos() - 1
                        // The window reaches one layer down.
                        || component != Component::Hidden;
                    let can_matter = pos >= start && is_read;
                    assert_eq!(draws.iter().any(|&it| it != 0.0), can_matter, "{layer}, {pos}");
                }
            }
            for (pos, heads) in found.heads.iter().enumerate() {
                assert_eq!((heads.n_rows(), heads.n_columns()), (N_LAYERS, N_HEADS));
                let is_moved = heads.values().iter().any(|&it| it != 0.0);
                assert_eq!(is_moved, pos >= start);
            }
        }
    }
}

/// Attention's output is linear in its heads' outputs.
#[test]
fn heads_add_up_to_attention_and_layers_to_windows() {
    for base in [BasePoint::Corrupted, BasePoint::Clean] {
        for metric in [Metric::Prob, Metric::LogProb] {
            let of = |component, window| {
                let spec =
                    attribution_patching::Spec { base, metric, ..spec(component, window, 1.5) };
                estimate(&paris_or(12), &spec)
            };
            let one = of(Component::Attn, 1);
            let mean = |draws: &Vec<f32>| draws.iter().sum::<f32>() / draws.len() as f32;
            let layers = one.effects.map(mean);
            for (pos, heads) in one.heads.iter().enumerate() {
                let sums: Vec<f32> = heads.rows().map(|heads| heads.iter().sum()).collect();
                let expected: Vec<f32> = layers.rows().map(|row| row[pos]).collect();
                assert_close(&sums, &expected, 1e-4 * largest(layers.values()), "heads");
            }
            // The map of heads is the same whatever is restored beside it, but for the order of sums.
            let mlp = of(Component::Mlp, 3);
            for (found, expected) in mlp.heads.iter().zip(&one.heads) {
                let tolerance = 1e-4 * largest(layers.values());
                assert_close(found.values(), expected.values(), tolerance, "heads");
            }

            let singles = of(Component::Mlp, 1).effects.map(mean);
            for (layer, row) in mlp.effects.map(mean).rows().enumerate() {
                for (pos, &found) in row.iter().enumerate() {
                    let window = mlp.spec.trace.layers(layer, N_LAYERS);
                    let sum: f32 = window.map(|it| *singles.get(it, pos).unwrap()).sum();
                    assert_close(&[found], &[sum], 1e-5 * largest(singles.values()), "window");
                }
            }
        }
    }
}

#[test]
fn more_samples_keep_the_first_ones() {
    // 60 samples of 10 tokens are more than one batch.
    for base in [BasePoint::Corrupted, BasePoint::Clean] {
        let few = attribution_patching::Spec { base, ..spec(Component::Mlp, 2, 1.5) };
        let mut many = few.clone();
        many.trace.n_samples = 60;
        let (few, many) = (estimate(&paris_or(12), &few), estimate(&paris_or(12), &many));
        assert_eq!(many.corrupted.len(), 60);
        for (few, many) in few.effects.values().iter().zip(many.effects.values()) {
            assert_eq!(many.len(), 60);
            assert_close(&many[..3], few, 1e-4, "the first three");
        }
    }
}

#[test]
fn the_largest_are_patched_for_real() {
    for component in [Component::Hidden, Component::Attn] {
        let spec = attribution_patching::Spec { n_verified: 7, ..spec(component, 2, 1.5) };
        let found = estimate(&paris_or(12), &spec);
        let exact = trace(&paris_or(12), &spec.trace);
        assert_eq!(found.clean, exact.clean);
        let log_probs =
            |runs: &[Measurement]| -> Vec<f32> { runs.iter().map(|run| run.log_prob).collect() };
        let corrupted = log_probs(&exact.corrupted);
        assert_close(&log_probs(&found.corrupted), &corrupted, 1e-4, "the corrupted runs");
        let low = Measurement::mean(&exact.corrupted, Metric::LogProb).unwrap();

        let estimates = found.scores(Metric::LogProb).unwrap();
        assert_eq!(found.verified.len(), 7);
        let sizes: Vec<f32> = found.verified.iter().map(|it| (it.estimate - low).abs()).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        for it in &found.verified {
            assert_eq!(Some(&it.estimate), estimates.get(it.layer, it.pos));
            let runs = exact.restored.get(it.layer, it.pos).unwrap();
            let expected = Measurement::mean(runs, Metric::LogProb).unwrap();
            assert_close(&[it.patched], &[expected], 1e-4, "patched for real");
        }
        let rest = estimates.values().iter().filter(|&&it| (it - low).abs() > sizes[6] + 1e-6);
        assert_eq!(rest.count(), 6);
    }
}

#[test]
fn an_estimated_logarithm_is_read_as_a_probability() {
    let found = estimate(&paris_or(12), &spec(Component::Hidden, 1, 1.5));
    let probs = found.scores(Metric::Prob).unwrap();
    for (nth, prob) in probs.values().iter().enumerate() {
        let of_draw = |(it, effect): (&Measurement, &f32)| (it.log_prob + effect).min(0.0).exp();
        let draws = found.corrupted.iter().zip(&found.effects.values()[nth]).map(of_draw);
        assert_close(&[*prob], &[draws.sum::<f32>() / 3.0], 1e-6, "probability");
        assert!((0.0..=1.0).contains(prob));
    }
    for metric in [Metric::Logit, Metric::LogitDiff, Metric::AnswerProb] {
        assert_eq!(found.scores(metric), None, "{metric:?} was not estimated");
    }
    let trace = found.unfilled_trace();
    assert_eq!((trace.clean, &trace.corrupted), (found.clean, &found.corrupted));
    assert!(trace.restored.values().iter().all(Vec::is_empty));
}

#[test]
fn an_estimate_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, spec: attribution_patching::Spec| {
        let spec = AnalysisSpec::AttributionPatching(spec);
        engine.run(prompt, &spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    let good = || spec(Component::Mlp, 2, 1.5);
    let mut no_subject = paris_or(12);
    no_subject.subject = None;
    assert_eq!(error(&no_subject, good()), AnalysisError::NoSubject);
    let mut no_foil = paris_or(12);
    no_foil.foil = None;
    let spec = attribution_patching::Spec { metric: Metric::LogitDiff, ..good() };
    assert_eq!(error(&no_foil, spec), AnalysisError::NoFoil);
    for change in [
        |spec: &mut causal_trace::Spec| spec.window = 0,
        |spec: &mut causal_trace::Spec| spec.n_samples = 0,
    ] {
        let mut spec = good();
        change(&mut spec.trace);
        assert!(matches!(error(&paris_or(12), spec), AnalysisError::Zero { .. }));
    }
    let mut long = paris_or(12);
    long.ids = vec![1; 65];
    assert_eq!(error(&long, good()), AnalysisError::TooLong { n_pos: 65, n_ctx: 64 });
}

#[test]
fn progress_grows_to_its_total_and_a_cancel_is_heard() {
    let engine = engine("tiny");
    for (base, n_verified) in
        [(BasePoint::Corrupted, 0), (BasePoint::Clean, 0), (BasePoint::Corrupted, 5)]
    {
        let mut spec = spec(Component::Mlp, 2, 1.5);
        spec.trace.n_samples = 40;
        let spec = attribution_patching::Spec { base, n_verified, ..spec };
        let spec = AnalysisSpec::AttributionPatching(spec);
        assert_watched(&engine, &paris_or(12), &spec);
    }
}
