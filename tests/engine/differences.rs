//! Laws of attributions of the answer in one run minus those in another: parts add up, and draws are
//! averaged.
//!
//! The model is the fixture `tiny`. Tolerances: sums of f32 of size 10 in another order differ by about
//! 1e-5.

use factscope::analysis::attribution_difference::{
    self, AttributionDifference, ScaleOf, SecondRun,
};
use factscope::analysis::causal_trace::NoiseLevel;
use factscope::analysis::corruption::{Corruption, Draws, SubjectsOf};
use factscope::analysis::logit_attribution::{Component, Parts};
use factscope::analysis::{AnalysisCtx, AnalysisError, AnalysisSpec};
use factscope::intervention::NoiseRng;
use factscope::tokens::TokenizedPrompt;
use factscope::worker::Engine;

use super::decompositions::{by_component, rome};
use super::support::{assert_close, engine, found, paris, paris_or};

const LOGIT: f32 = 1e-4;

#[test]
fn a_prompt_differs_from_itself_in_nothing_and_from_another_in_all() {
    let engine = engine("tiny");
    let prompt = paris();
    let difference = |ids: &[u32], by: Parts, scale_of: ScaleOf| -> AttributionDifference {
        let second = SecondRun::Prompt { ids: ids.into() };
        found!(
            engine,
            &prompt,
            AttributionDifference(attribution_difference::Spec {
                by,
                second,
                scale_of,
                n_top: None
            })
        )
    };
    let same = difference(&prompt.ids, Parts::Heads, ScaleOf::Clean);
    assert!(same.differences.iter().all(|it| it.logit == 0.0));
    assert_eq!((same.scale_change, same.logit_difference()), (0.0, 0.0));
    for by in [Parts::Layers, Parts::Heads] {
        for scale_of in [ScaleOf::Clean, ScaleOf::Corrupted] {
            let found = difference(&rome().ids, by, scale_of);
            assert_close(&[found.sum()], &[found.logit_difference()], LOGIT, "the difference");
            assert!(found.scale_change.abs() > 0.01, "{}", found.scale_change);
        }
    }
}

#[test]
fn noise_that_is_nothing_changes_nothing_and_draws_are_averaged() {
    let engine = engine("tiny");
    let prompt = paris_or(3);
    let with = |std: f64, n_samples: usize| -> AttributionDifference {
        let level = NoiseLevel::Std(std);
        let second = SecondRun::Noise { level, rng: NoiseRng::Chacha, seed: 1, n_samples };
        let spec = attribution_difference::Spec {
            by: Parts::Layers,
            second,
            scale_of: ScaleOf::Clean,
            n_top: None,
        };
        found!(engine, &prompt, AttributionDifference(spec))
    };
    let nothing = with(0.0, 2);
    assert!(nothing.differences.iter().all(|it| it.logit == 0.0));
    let (two, four) = (with(1.0, 2), with(1.0, 4));
    assert_eq!(two.noise_std, Some(1.0));
    for found in [&two, &four] {
        assert_close(&[found.sum()], &[found.logit_difference()], LOGIT, "the difference");
    }
    assert_ne!(two.corrupted_logit, four.corrupted_logit);
    // Position embeddings have no noise, and are split along the clean run's direction.
    assert_eq!(by_component(&four.differences, Component::PosEmbed), 0.0);
    assert!(with(1.0, 2) == two, "the same spec gives the same numbers");
}

/// The mean over other subjects is that of the prompts with these subjects, each taken off by itself;
/// and noise is the same however it is asked for.
#[test]
fn a_corrupted_subject_is_the_mean_of_its_draws() {
    let engine = engine("tiny");
    let prompt = paris_or(3);
    let subject = prompt.subject.clone().unwrap();
    let of = |by: Parts, scale_of: ScaleOf, second: SecondRun| -> AttributionDifference {
        let spec = attribution_difference::Spec { by, second, scale_of, n_top: None };
        found!(engine, &prompt, AttributionDifference(spec))
    };
    let others: Vec<Vec<u32>> =
        [40, 50, 60].map(|id| (0..subject.len() as u32).map(|nth| id + nth).collect()).into();
    let draws = |corruption: Corruption, n_samples: usize| Draws {
        corruption,
        noise: NoiseLevel::Std(0.5),
        rng: NoiseRng::Chacha,
        seed: 4,
        n_samples,
    };
    for by in [Parts::Layers, Parts::Heads] {
        for scale_of in [ScaleOf::Clean, ScaleOf::Corrupted] {
            let ids = others.clone().into();
            let resampled = Corruption::OtherSubjects { of: SubjectsOf::Relation, ids };
            let found = of(by, scale_of, SecondRun::Subject(draws(resampled, 3)));
            assert_close(&[found.sum()], &[found.logit_difference()], LOGIT, "the difference");
            assert_eq!(found.noise_std, None);
            let each: Vec<AttributionDifference> = others
                .iter()
                .map(|other| {
                    let mut ids = prompt.ids.clone();
                    ids[subject.clone()].copy_from_slice(other);
                    of(by, scale_of, SecondRun::Prompt { ids: ids.into() })
                })
                .collect();
            let mean = |value: &dyn Fn(&AttributionDifference) -> f32| {
                each.iter().map(value).sum::<f32>() / 3.0
            };
            for (nth, part) in found.differences.iter().enumerate() {
                let expected = mean(&|it| it.differences[nth].logit);
                // Sums of three in another order.
                assert_close(&[part.logit], &[expected], 1e-5, "the mean of a part");
            }
            assert_close(&[found.scale_change], &[mean(&|it| it.scale_change)], 1e-5, "the scale");

            let noise = of(by, scale_of, SecondRun::Subject(draws(Corruption::default(), 2)));
            let level = NoiseLevel::Std(0.5);
            let second = SecondRun::Noise { level, rng: NoiseRng::Chacha, seed: 4, n_samples: 2 };
            assert_eq!(noise.differences, of(by, scale_of, second).differences);
        }
    }
}

/// The differences of a layer's neurons add up to that of its MLP, and splitting it changes nothing else;
/// a draw's neurons are those of its two runs, each read along the direction that is used for both.
#[test]
fn differences_of_neurons_add_up_to_those_of_mlps() {
    let engine = engine("tiny");
    for prompt in [paris_or(3), paris()] {
        let other: Vec<u32> = prompt.ids.iter().map(|id| id + 1).collect();
        for scale_of in [ScaleOf::Clean, ScaleOf::Corrupted] {
            let of = |n_top: Option<usize>| -> AttributionDifference {
                let second = SecondRun::Prompt { ids: other.clone().into() };
                let by = Parts::Layers;
                let spec = attribution_difference::Spec { by, second, scale_of, n_top };
                found!(engine, &prompt, AttributionDifference(spec))
            };
            let (split, whole) = (of(Some(5)), of(None));
            assert_eq!(split.differences, whole.differences);
            let neurons = split.neurons.as_ref().unwrap();
            assert_eq!(neurons.n_columns(), engine.info.config.d_mlp);
            for (layer, row) in neurons.rows().enumerate() {
                let sum = row.iter().map(|it| f64::from(*it)).sum::<f64>() as f32;
                let mlp = by_component(&split.differences, Component::MlpOut(layer));
                assert_close(&[sum], &[mlp], LOGIT, "the neurons of a layer");
            }
            let largest = split.largest_neurons();
            assert_eq!(largest.len(), 5);
            let size = |nth: usize| largest[nth].2.abs();
            assert!((1..5).all(|nth| size(nth) <= size(nth - 1)) && size(0) > 0.0);
        }
        assert!(a_run_differs_in_no_neuron_from_itself(&engine, &prompt));
    }
}

fn a_run_differs_in_no_neuron_from_itself(engine: &Engine, prompt: &TokenizedPrompt) -> bool {
    let second = SecondRun::Prompt { ids: prompt.ids.clone().into() };
    let (by, scale_of) = (Parts::Layers, ScaleOf::Clean);
    let spec = attribution_difference::Spec { by, second, scale_of, n_top: Some(1) };
    let same: AttributionDifference = found!(engine, prompt, AttributionDifference(spec));
    same.neurons.unwrap().values().iter().all(|it| *it == 0.0)
}

#[test]
fn a_second_run_that_cannot_be_is_refused() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, second: SecondRun| {
        let spec = attribution_difference::Spec {
            by: Parts::Heads,
            second,
            scale_of: ScaleOf::Clean,
            n_top: None,
        };
        let spec = AnalysisSpec::AttributionDifference(spec);
        engine.run(prompt, &spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    let noise = |n_samples| SecondRun::Noise {
        level: NoiseLevel::Std(1.0),
        rng: NoiseRng::Numpy,
        seed: 1,
        n_samples,
    };
    let mut no_subject = paris();
    no_subject.subject = None;
    assert_eq!(error(&no_subject, noise(1)), AnalysisError::NoSubject);
    assert!(matches!(error(&paris(), noise(0)), AnalysisError::Zero { .. }));
    let empty = SecondRun::Prompt { ids: [].into() };
    assert!(matches!(error(&paris(), empty), AnalysisError::Zero { .. }));
    let unknown = SecondRun::Prompt { ids: [900].into() };
    let expected = AnalysisError::UnknownToken { id: 900, d_vocab: 657 };
    assert_eq!(error(&paris(), unknown), expected);
}
