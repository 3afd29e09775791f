//! Laws of a trace's corruptions, maps and effects, which hold for any weights.
//!
//! Tolerances: as in `laws`, sums in another order move a logit of size 10 by about 1e-5.

use std::sync::Arc;

use factscope::analysis::attribution_patching::{self, BasePoint, Windows};
use factscope::analysis::causal_trace::{
    self, CausalTrace, Component, Corrupted, Direction, Map, NoiseLevel, Severed,
};
use factscope::analysis::corruption::{Closeness, Corruption, NoiseEntry, NoiseShape, SubjectsOf};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Method as _, Metric,
    Positions, Reuse,
};
use factscope::intervention::NoiseRng;
use factscope::model::Donors;
use factscope::tokens::TokenizedPrompt;

use super::support::{
    assert_close, assert_far, engine, fixture, lab, load, logits_under, paris, seine, traced,
};

mod maps;

const LOGIT: f32 = 1e-4;
const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;

fn spec(component: Component, window: usize, corruption: Corruption) -> causal_trace::Spec {
    causal_trace::Spec {
        component,
        window,
        noise: NoiseLevel::Multiple { factor: 3.0, tokens: [5, 90, 300, 411].into() },
        rng: NoiseRng::Numpy,
        seed: 1,
        n_samples: if corruption.is_drawn() { 3 } else { 1 },
        direction: Direction::Denoise,
        sever: None,
        sever_layers: None,
        corruption,
        map: Map::Tokens,
    }
}

fn subjects(prompt: &TokenizedPrompt, n: u32) -> Arc<[Vec<u32>]> {
    let len = prompt.subject.as_ref().unwrap().len() as u32;
    (0..n).map(|nth| (0..len).map(|pos| (nth * 37 + pos * 101 + 11) % 600).collect()).collect()
}

fn noise(shape: NoiseShape, entry: NoiseEntry) -> Corruption {
    Corruption::Noise { shape, entry }
}

fn all_corruptions(prompt: &TokenizedPrompt) -> Vec<Corruption> {
    use NoiseShape::{Gaussian, GaussianPerDimension, Uniform};
    let shapes = [Gaussian, GaussianPerDimension, Uniform];
    let mut all: Vec<Corruption> = shapes.map(|it| noise(it, NoiseEntry::Added)).into();
    all.extend(shapes.map(|it| noise(it, NoiseEntry::Replaced)));
    all.extend([
        Corruption::NearestTokens { by: Closeness::Cosine },
        Corruption::NearestTokens { by: Closeness::Distance },
        Corruption::OtherSubjects { of: SubjectsOf::Relation, ids: subjects(prompt, 7) },
        Corruption::RandomTokens,
        Corruption::Counterpart { ids: subjects(prompt, 1)[0].as_slice().into() },
        Corruption::Zero,
        Corruption::Mean { tokens: [5, 90, 300].into() },
    ]);
    all
}

fn trace(prompt: &TokenizedPrompt, spec: &causal_trace::Spec) -> CausalTrace {
    traced(prompt, spec, Reuse::Exact).unwrap()
}

fn runs(trace: &CausalTrace) -> Vec<Measurement> {
    let cells = trace.restored.values().iter().flatten();
    [&trace.clean].into_iter().chain(&trace.corrupted).chain(cells).copied().collect()
}

fn readings(runs: &[Measurement], metric: Metric) -> Vec<f32> {
    runs.iter().map(|run| run.get(metric).unwrap()).collect()
}

/// In double precision, from the logits.
fn divergence(clean: &[f32], other: &[f32]) -> f32 {
    let log_probs = |logits: &[f32]| -> Vec<f64> {
        let sum: f64 = logits.iter().map(|&it| f64::from(it).exp()).sum();
        logits.iter().map(|&it| f64::from(it) - sum.ln()).collect()
    };
    let pairs = log_probs(clean).into_iter().zip(log_probs(other));
    pairs.map(|(p, q)| p.exp() * (p - q)).sum::<f64>() as f32
}

// Corruptions

#[test]
fn every_corruption_is_the_same_with_and_without_reuse() {
    for prompt in [paris(), seine()] {
        for corruption in all_corruptions(&prompt) {
            for (component, direction, sever) in [
                (Component::Hidden, Direction::Denoise, None),
                (Component::Mlp, Direction::Noise, None),
                (Component::Hidden, Direction::Denoise, Some(Severed::Mlp)),
                (Component::Attn, Direction::Noise, Some(Severed::Attn)),
            ] {
                let spec = causal_trace::Spec {
                    direction,
                    sever,
                    ..spec(component, 2, corruption.clone())
                };
                let what = format!("{spec:?}");
                let [exact, naive] =
                    [Reuse::Exact, Reuse::Off].map(|reuse| traced(&prompt, &spec, reuse).unwrap());
                for metric in [Metric::LogProb, Metric::Logit, Metric::AnswerProb, Metric::Kl] {
                    let [exact, naive] = [&exact, &naive].map(|it| readings(&runs(it), metric));
                    assert_close(&exact, &naive, LOGIT, &what);
                }
                assert_eq!(exact.corruptions, naive.corruptions);
                assert_eq!(exact.corruptions.len(), spec.n_samples);
                let corrupted = readings(&exact.corrupted, Metric::LogProb);
                assert_far(&corrupted, &vec![exact.clean.log_prob; corrupted.len()], &what);
            }
        }
    }
}

#[test]
fn a_prompt_with_other_tokens_is_that_prompt() {
    let model = load(&fixture("tiny"));
    let engine = engine("tiny");
    let tokenizer = &engine.info.tokenizer;
    let bos = tokenizer.bos().unwrap();
    assert!(!tokenizer.text_ids().contains(&bos));
    for prompt in [paris(), seine()] {
        let subject = prompt.subject.clone().unwrap();
        let answer = prompt.answer.clone().unwrap();
        for corruption in all_corruptions(&prompt) {
            let trace = trace(&prompt, &spec(Component::Mlp, 2, corruption));
            for (it, measured) in trace.corruptions.iter().zip(&trace.corrupted) {
                let Corrupted::Prompt { ids, tokens } = it else { continue };
                assert_eq!(ids.len(), prompt.n_pos());
                for pos in (0..prompt.n_pos()).filter(|pos| !subject.contains(pos)) {
                    assert_eq!(ids[pos], prompt.ids[pos]);
                }
                assert!(!ids.contains(&bos));
                let pieces: Vec<_> = ids.iter().map(|&id| tokenizer.readable(id)).collect();
                assert_eq!(*tokens, pieces);
                let logits = logits_under(&model, ids, &vec![], &Donors::new());
                let first = logits[answer.first() as usize];
                assert_close(&[measured.logit], &[first], LOGIT, "the logit of the answer");
                let clean = logits_under(&model, &prompt.ids, &vec![], &Donors::new());
                let kl = divergence(&clean, &logits);
                assert_close(&[measured.kl.unwrap()], &[kl], LOGIT, "the divergence");
            }
        }
    }
}

#[test]
fn without_noise_the_nearest_tokens_are_the_subjects_own() {
    for by in [Closeness::Cosine, Closeness::Distance] {
        let spec = causal_trace::Spec {
            noise: NoiseLevel::Std(0.0),
            ..spec(Component::Hidden, 1, Corruption::NearestTokens { by })
        };
        let prompt = seine();
        let trace = trace(&prompt, &spec);
        for it in &trace.corruptions {
            let Corrupted::Prompt { ids, .. } = it else { panic!("tokens were asked for") };
            assert_eq!(*ids, prompt.ids);
        }
        let clean = vec![trace.clean.log_prob; 3];
        assert_close(&readings(&trace.corrupted, Metric::LogProb), &clean, LOGIT, "no noise");
    }
}

#[test]
fn more_samples_keep_the_first_and_none_is_drawn_twice() {
    let prompt = paris();
    let drawn = |corruption: &Corruption, n_samples: usize| {
        let spec =
            causal_trace::Spec { n_samples, ..spec(Component::Hidden, 1, corruption.clone()) };
        trace(&prompt, &spec).corruptions
    };
    for corruption in all_corruptions(&prompt).iter().filter(|it| it.is_drawn()) {
        let (few, many) = (drawn(corruption, 2), drawn(corruption, 7));
        assert_eq!(few, many[..2]);
        if matches!(corruption, Corruption::OtherSubjects { .. }) {
            for (nth, it) in many.iter().enumerate() {
                assert!(!many[..nth].contains(it));
            }
        }
    }
}

#[test]
fn what_vectors_were_used_is_said() {
    let (model, prompt) = (load(&fixture("tiny")), paris());
    let subject = prompt.subject.clone().unwrap();
    let own = model.embeddings(&prompt.ids[subject.clone()]);
    let length = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>().sqrt();
    let vectors = |corruption: Corruption| {
        let trace = trace(&prompt, &spec(Component::Hidden, 1, corruption));
        let Corrupted::Vectors { norms, distances } = trace.corruptions[0].clone() else {
            panic!("vectors were asked for");
        };
        (norms, distances, trace.noise_std)
    };
    let n = subject.len();
    let d_model = model.config.d_model;
    let lengths: Vec<f32> = own.chunks(d_model).map(length).collect();
    let (norms, distances, noise_std) = vectors(Corruption::Zero);
    assert_eq!((norms, noise_std), (vec![0.0; n], 0.0));
    assert_close(&distances, &lengths, 1e-5, "zeros");

    let tokens = [5, 90, 300];
    let embeddings = model.embeddings(&tokens);
    let mean: Vec<f32> = (0..d_model)
        .map(|nth| embeddings.iter().skip(nth).step_by(d_model).sum::<f32>() / 3.0)
        .collect();
    let (norms, ..) = vectors(Corruption::Mean { tokens: tokens.into() });
    assert_close(&norms, &vec![length(&mean); n], 1e-5, "the mean");

    for shape in [NoiseShape::Gaussian, NoiseShape::GaussianPerDimension, NoiseShape::Uniform] {
        let (_, distances, noise_std) = vectors(noise(shape, NoiseEntry::Added));
        let (norms, ..) = vectors(noise(shape, NoiseEntry::Replaced));
        // The same noise, once on the embedding and once in its place.
        assert_close(&distances, &norms, 1e-4, "noise");
        // A chi distribution: its spread around √d σ is about σ / √2.
        let usual = noise_std as f32 * (d_model as f32).sqrt();
        let noise_std = noise_std as f32;
        assert!(norms.iter().all(|it| (it - usual).abs() < 4.0 * noise_std), "{norms:?} {usual}");
    }
}

/// Of dimension *d* the spread is that of the tokens' values there.
#[test]
fn noise_per_dimension_has_the_spread_of_each() {
    let model = load(&fixture("tiny"));
    let tokens: Vec<u32> = (0..200).collect();
    let level = NoiseLevel::Multiple { factor: 2.0, tokens: tokens.clone().into() };
    let stds = level.std_per_dimension(&model).unwrap();
    let (d_model, embeddings) = (model.config.d_model, model.embeddings(&tokens));
    assert_eq!(stds.len(), d_model);
    for (dimension, std) in stds.iter().enumerate() {
        let values = embeddings.iter().skip(dimension).step_by(d_model).map(|&x| f64::from(x));
        let mean = values.clone().sum::<f64>() / 200.0;
        let variance = values.map(|x| (x - mean).powi(2)).sum::<f64>() / 199.0;
        assert!((std - 2.0 * variance.sqrt()).abs() < 1e-9, "dimension {dimension}");
    }
}

/// The error of an estimate is of second order, whatever the corruption.
#[test]
fn small_corruptions_of_any_kind_are_estimated() {
    let prompt = seine();
    for shape in [NoiseShape::Uniform, NoiseShape::GaussianPerDimension] {
        for base in [BasePoint::Corrupted, BasePoint::Clean] {
            let tokens = (0..100).collect();
            let trace_spec = causal_trace::Spec {
                noise: NoiseLevel::Multiple { factor: 0.01, tokens },
                ..spec(Component::Attn, 1, noise(shape, NoiseEntry::Added))
            };
            let exact = trace(&prompt, &trace_spec);
            let estimate = estimate(&prompt, trace_spec, base, Metric::LogProb).unwrap();
            let scores = estimate.scores(Metric::LogProb).unwrap();
            let low = Measurement::mean(&exact.corrupted, Metric::LogProb).unwrap();
            let of = |cells: &mut dyn Iterator<Item = f32>| -> Vec<f32> {
                cells.map(|score| score - low).collect()
            };
            let exact = exact.restored.map(|it| Measurement::mean(it, Metric::LogProb).unwrap());
            let effects = of(&mut exact.values().iter().copied());
            let largest = effects.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
            let estimates = of(&mut scores.values().iter().copied());
            assert!(largest > 1e-3, "nothing to estimate: {largest}");
            assert_close(&estimates, &effects, 0.1 * largest, &format!("{shape:?} at {base:?}"));
        }
    }
}

fn estimate(
    prompt: &TokenizedPrompt,
    trace: causal_trace::Spec,
    base: BasePoint,
    metric: Metric,
) -> Result<attribution_patching::AttributionPatching, AnalysisError> {
    let spec =
        attribution_patching::Spec { trace, base, metric, windows: Windows::Held, n_verified: 2 };
    let spec = AnalysisSpec::AttributionPatching(spec);
    match engine("tiny").run(prompt, &spec, &AnalysisCtx::unwatched())? {
        AnalysisResult::AttributionPatching(found) => Ok(found),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_corruption_can_be_estimated_and_verified() {
    let prompt = paris();
    for corruption in all_corruptions(&prompt) {
        let spec = spec(Component::Hidden, 1, corruption);
        let exact = trace(&prompt, &spec);
        let found = estimate(&prompt, spec, BasePoint::Corrupted, Metric::LogProb).unwrap();
        assert_eq!(found.corruptions, exact.corruptions);
        let log_probs = |runs: &[Measurement]| readings(runs, Metric::LogProb);
        assert_close(
            &log_probs(&found.corrupted),
            &log_probs(&exact.corrupted),
            LOGIT,
            "corrupted",
        );
        assert_eq!(found.verified.len(), 2);
        for it in &found.verified {
            let cell = exact.restored.get(it.layer, it.pos).unwrap();
            let expected = Measurement::mean(cell, Metric::LogProb).unwrap();
            assert_close(&[it.patched], &[expected], LOGIT, "verified");
        }
    }
}

// What cannot be done

#[test]
fn a_corruption_or_map_that_makes_no_sense_is_an_error() {
    let prompt = paris();
    let n_subject = prompt.subject.as_ref().unwrap().len();
    let error = |spec: causal_trace::Spec| traced(&prompt, &spec, Reuse::Exact).unwrap_err();
    let hidden = |corruption| spec(Component::Hidden, 1, corruption);
    let longer: Vec<u32> = vec![1; n_subject + 1];
    let wrong = AnalysisError::OtherCount { n_subject, n_other: n_subject + 1 };
    let counterpart = Corruption::Counterpart { ids: longer.as_slice().into() };
    assert_eq!(error(hidden(counterpart)), wrong);
    let others = |ids| Corruption::OtherSubjects { of: SubjectsOf::All, ids };
    assert_eq!(error(hidden(others([longer].into()))), wrong);
    let few = AnalysisError::FewSubjects { n_found: 2, n_samples: 3 };
    assert_eq!(error(hidden(others(subjects(&prompt, 2)))), few);
    let unknown = AnalysisError::UnknownToken { id: 657, d_vocab: 657 };
    let counterpart = Corruption::Counterpart { ids: vec![657; n_subject].into() };
    assert_eq!(error(hidden(counterpart)), unknown);
    let many = causal_trace::Spec { n_samples: 2, ..hidden(Corruption::Zero) };
    assert_eq!(error(many), AnalysisError::SameEachTime);
    let per_dimension = noise(NoiseShape::GaussianPerDimension, NoiseEntry::Added);
    for noise in [NoiseLevel::Std(0.1), NoiseLevel::Multiple { factor: 3.0, tokens: [4].into() }] {
        let spec = causal_trace::Spec { noise, ..hidden(per_dimension.clone()) };
        assert_eq!(error(spec), AnalysisError::NoSpread);
    }
    let empty = Corruption::Mean { tokens: [].into() };
    assert!(matches!(error(hidden(empty)), AnalysisError::Zero { .. }));

    let mapped =
        |component, map| causal_trace::Spec { map, ..spec(component, 1, Corruption::default()) };
    let heads = Map::Heads { at: Positions::Last };
    assert_eq!(error(mapped(Component::Mlp, heads.clone())), AnalysisError::NoHeads);
    for widths in [vec![], vec![1, 0]] {
        let map = Map::Together { at: Positions::Subject, widths };
        assert!(matches!(error(mapped(Component::Mlp, map)), AnalysisError::Zero { .. }));
    }
    let far = Map::Together { at: Positions::Only(2..90), widths: vec![1] };
    let n_pos = prompt.n_pos();
    assert_eq!(error(mapped(Component::Mlp, far)), AnalysisError::NoPosition { pos: 89, n_pos });
    let estimated = |spec, metric| estimate(&prompt, spec, BasePoint::Clean, metric).unwrap_err();
    let heads = mapped(Component::Attn, heads);
    assert_eq!(estimated(heads, Metric::Prob), AnalysisError::NotEstimated);
    let plain = || hidden(Corruption::default());
    assert_eq!(estimated(plain(), Metric::Kl), AnalysisError::NoSlope(Metric::Kl));

    // The method itself has no tokenizer of its own.
    let model = load(&fixture("tiny"));
    let spec = hidden(Corruption::RandomTokens);
    let found = spec.run(&lab(&model, &prompt, &AnalysisCtx::unwatched()));
    assert_eq!(found, Err(AnalysisError::NoTokenizer));
}

#[test]
fn specs_are_read_as_they_are_written() {
    let prompt = paris();
    for corruption in all_corruptions(&prompt) {
        for map in [
            Map::Tokens,
            Map::Heads { at: Positions::Last },
            Map::Together { at: Positions::Subject, widths: vec![1, 4] },
        ] {
            let spec = causal_trace::Spec { map, ..spec(Component::Attn, 1, corruption.clone()) };
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<causal_trace::Spec>(&json).unwrap(), spec);
        }
    }
    // A reading of before there was one.
    let measured = trace(&prompt, &spec(Component::Mlp, 1, Corruption::default())).clean;
    let mut json = serde_json::to_value(measured).unwrap();
    assert!(json.as_object_mut().unwrap().remove("kl").is_some());
    let old: Measurement = serde_json::from_value(json).unwrap();
    assert_eq!(old, Measurement { kl: None, ..measured });
}
