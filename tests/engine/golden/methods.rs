//! Methods give what TransformerLens, ROME's and Geva's code give.

use std::sync::Arc;

use factscope::analysis::attribution_patching::{self, Windows};
use factscope::analysis::causal_trace::{self, NoiseLevel};
use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Measurement, Metric, Reuse, attention_knockout,
    logit_lens, prediction,
};
use factscope::intervention::{NoiseRng, Site, SiteSet};
use factscope::worker::Engine;

use super::{
    EstimateCase, FIXTURES, GRADIENT, LOGIT, NOISE_STD, PROB, TraceCase, analyse, golden, largest,
    metric, tokenized,
};
use crate::support::{answer_of, assert_close, engine, fixture, load};

#[test]
fn predictions_are_hugging_faces() {
    for name in FIXTURES {
        let engine = engine(name);
        for case in golden(name).prompts {
            let prompt = tokenized(name, &case.text, None, case.bos);
            let spec = prediction::Spec { n_top: case.top.len() };
            let AnalysisResult::Prediction(it) =
                analyse(&engine, &prompt, &AnalysisSpec::Prediction(spec))
            else {
                panic!("not a prediction");
            };
            let found: Vec<u32> = it.top.iter().map(|candidate| candidate.id).collect();
            assert_eq!(found, case.top, "{name}: {}", case.text);
            let sum: f64 = case.hf_logits_last.iter().map(|&it| f64::from(it).exp()).sum();
            for candidate in it.top {
                let logit = case.hf_logits_last[candidate.id as usize];
                assert_close(&[candidate.logit], &[logit], LOGIT, "logit");
                let prob = (f64::from(logit).exp() / sum) as f32;
                assert_close(&[candidate.prob], &[prob], PROB, "probability");
            }
        }
    }
}

#[test]
fn attributions_are_transformer_lenses() {
    for name in FIXTURES {
        let engine = engine(name);
        for case in golden(name).attribution {
            let what = format!("{name}: {} by {}", case.text, case.by);
            let by = match case.by.as_str() {
                "layers" => Parts::Layers,
                "heads" => Parts::Heads,
                other => panic!("{other}"),
            };
            let mut prompt = tokenized(name, &case.text, None, case.bos);
            assert_eq!(prompt.ids, case.ids, "{what}");
            prompt.answer = Some(answer_of(&[case.answer_id]));
            prompt.foil = case.foil_id.map(|id| answer_of(&[id]));
            let spec = AnalysisSpec::LogitAttribution(logit_attribution::Spec { by });
            let AnalysisResult::LogitAttribution(found) = analyse(&engine, &prompt, &spec) else {
                panic!("not an attribution");
            };
            let labels: Vec<String> =
                found.contributions.iter().map(|it| it.component.to_string()).collect();
            assert_eq!(labels, case.labels, "{what}");
            let values: Vec<f32> = found.contributions.iter().map(|it| it.logit).collect();
            assert_close(&values, &case.values, LOGIT, &what);
            assert_close(&[found.unembed_bias], &[case.bias], LOGIT, &what);
            assert_close(&[found.logit], &[case.logit], LOGIT, &what);
            assert_close(&[found.sum()], &[case.logit], LOGIT, &what);
        }
    }
}

#[test]
fn the_logit_lens_is_transformer_lenses() {
    for name in FIXTURES {
        let (engine, model) = (engine(name), load(&fixture(name)));
        for case in golden(name).lens {
            let what = format!("{name}: {} (BOS: {})", case.text, case.bos);
            // Without an answer, the model's own first guess is the answer.
            let prompt = tokenized(name, &case.text, None, case.bos);
            let spec = AnalysisSpec::LogitLens(logit_lens::Spec::default());
            let AnalysisResult::LogitLens(lens) = analyse(&engine, &prompt, &spec) else {
                panic!("not a lens");
            };
            assert_eq!(lens.prompt.answer.as_ref().unwrap().ids, [case.answer_id], "{what}");
            assert_eq!(lens.cells.n_rows(), case.layers.len(), "{what}");
            for (layer, expected) in case.layers.iter().enumerate() {
                let cell = lens.cells.get(layer, case.ids.len() - 1).unwrap();
                assert_eq!(cell.top_token, expected.top_id, "{what}, layer {layer}");
                let found = [cell.top_prob, cell.answer_prob];
                assert_close(&found, &[expected.top_prob, expected.answer_prob], PROB, &what);
            }

            // The embeddings are not a layer; what reads the layers reads them as well.
            let cache = model.run_clean(&case.ids, &SiteSet::from([Site::ResidPre(0)])).cache;
            let resid = cache.get(Site::ResidPre(0)).clone();
            let [_, n_pos, _, d_model] = resid.dims();
            let resid = resid.narrow(1, n_pos - 1, 1).reshape([1, d_model]);
            let probs = burn::tensor::activation::softmax(model.unembed(resid), 1);
            let probs: Vec<f32> = probs.into_data().iter::<f32>().collect();
            let [top, answer] = [case.embeddings.top_id, case.answer_id];
            let found = [probs[top as usize], probs[answer as usize]];
            let expected = [case.embeddings.top_prob, case.embeddings.answer_prob];
            assert_close(&found, &expected, PROB, &what);
            assert!(probs.iter().all(|prob| *prob <= found[0]), "{what}");
        }
    }
}

#[test]
fn traces_are_romes() {
    for name in FIXTURES {
        let engine = engine(name);
        for case in golden(name).traces {
            check_trace(name, &engine, &case);
        }
    }
}

fn check_trace(name: &str, engine: &Engine, case: &TraceCase) {
    let what = format!(
        "{name}: {} ({}, BOS: {}), {:?} over {}, severed {:?}, {:?}",
        case.text, case.subject, case.bos, case.kind, case.window, case.sever, case.direction
    );
    let tokenizer = &engine.info.tokenizer;
    // ROME tokenizes each subject by itself.
    let subjects = case.noise_subjects.iter().map(|subject| tokenizer.encode(subject).unwrap());
    let tokens: Arc<[u32]> = subjects.flatten().map(|token| token.id).collect();
    let mut prompt = tokenized(name, &case.text, Some(case.subject_bytes), case.bos);
    assert_eq!(prompt.ids, case.ids, "{what}");
    let [begin, end] = case.subject_range;
    assert_eq!(prompt.subject, Some(begin..end), "{what}");
    if !case.answer_is_likeliest {
        prompt.answer = Some(answer_of(&[case.answer_id]));
    }
    let spec = causal_trace::Spec {
        component: case.kind,
        window: case.window,
        noise: NoiseLevel::Multiple { factor: 3.0, tokens },
        rng: NoiseRng::Numpy,
        seed: case.seed,
        n_samples: case.samples,
        direction: case.direction,
        sever: case.sever,
        sever_layers: None,
        corruption: causal_trace::Corruption::default(),
        map: causal_trace::Map::default(),
    };
    let AnalysisResult::CausalTrace(trace) =
        analyse(engine, &prompt, &AnalysisSpec::CausalTrace(spec))
    else {
        panic!("not a trace");
    };

    assert_eq!(trace.prompt.answer.as_ref().unwrap().ids, [case.answer_id], "{what}");
    assert_eq!(trace.is_top_answer(), case.answer_is_likeliest, "{what}");
    for expected in [case.noise_std, 3.0 * case.embedding_std] {
        let error = (trace.noise_std - expected).abs() / expected;
        assert!(error < NOISE_STD, "{what}: the noise is off by {error:e}");
    }
    let score = |runs: &[Measurement]| {
        assert_eq!(runs.len(), case.samples, "{what}");
        Measurement::mean(runs, Metric::Prob).unwrap()
    };
    assert_close(&[trace.clean.prob], &[case.high_score], PROB, &what);
    assert_close(&[score(&trace.corrupted)], &[case.low_score], PROB, &what);
    assert_eq!(trace.restored.n_columns(), case.scores.len(), "{what}");
    for (pos, expected) in case.scores.iter().enumerate() {
        assert_eq!(trace.restored.n_rows(), expected.len(), "{what}");
        let found: Vec<f32> = (0..expected.len())
            .map(|layer| score(trace.restored.get(layer, pos).unwrap()))
            .collect();
        assert_close(&found, expected, PROB, &what);
    }
}

#[test]
fn ablations_are_transformer_lenses() {
    let engine = engine("tiny");
    for case in golden("tiny").ablations {
        let what = format!("{:?}", case.spec);
        let prompt = tokenized("tiny", &case.text, Some(case.subject_bytes), false);
        assert_eq!(prompt.ids, case.ids, "{what}");
        for reuse in [Reuse::Exact, Reuse::Off] {
            let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
            let spec = AnalysisSpec::Ablation(case.spec.clone());
            let Ok(AnalysisResult::Ablation(found)) = engine.run(&prompt, &spec, &ctx) else {
                panic!("not an ablation");
            };
            assert_eq!(found.prompt.answer.as_ref().unwrap().ids, [case.answer_id], "{what}");
            assert_close(&[found.clean.prob], &[case.clean_prob], PROB, &what);
            assert_eq!(found.ablated.n_rows(), case.probs.len(), "{what}");
            for (row, (probs, logits)) in
                found.ablated.rows().zip(case.probs.iter().zip(&case.logits))
            {
                let row: Vec<_> = row.iter().map(|it| it.unwrap()).collect();
                assert_close(&row.iter().map(|it| it.prob).collect::<Vec<_>>(), probs, PROB, &what);
                let found: Vec<_> = row.iter().map(|it| it.logit).collect();
                assert_close(&found, logits, LOGIT, &what);
            }
        }
    }
}

#[test]
fn knockouts_are_gevas() {
    let engine = engine("tiny");
    for case in golden("tiny").knockouts {
        let what = format!("{} (BOS: {}), window {}", case.text, case.bos, case.spec.window);
        let prompt = tokenized("tiny", &case.text, Some(case.subject_bytes), case.bos);
        assert_eq!(prompt.ids, case.ids, "{what}");
        assert_eq!(case.spec.edges[..3], attention_knockout::Edges::to_last(), "{what}");
        for reuse in [Reuse::Exact, Reuse::Off] {
            let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
            let spec = AnalysisSpec::AttentionKnockout(case.spec.clone());
            let Ok(AnalysisResult::AttentionKnockout(found)) = engine.run(&prompt, &spec, &ctx)
            else {
                panic!("not a knockout");
            };
            assert_eq!(found.prompt.answer.as_ref().unwrap().ids, [case.answer_id], "{what}");
            assert_close(&[found.clean.prob], &[case.base_score], PROB, &what);
            assert_eq!(found.cut.n_rows(), case.scores.len(), "{what}");
            for (nth, expected) in case.scores.iter().enumerate() {
                let row = found.cut.rows().nth(nth).unwrap();
                let probs: Vec<f32> = row.iter().map(|it| it.unwrap().prob).collect();
                let what = format!("{what}: {:?}", case.spec.edges[nth]);
                assert_close(&probs, expected, PROB, &what);
                for (layer, score) in expected.iter().enumerate() {
                    // The notebook's "relative diff", less its percent sign.
                    let change = (score - case.base_score) / case.base_score;
                    let found = found.relative_change(nth, layer, Metric::Prob).unwrap();
                    assert_close(&[found], &[change], PROB / case.base_score, &what);
                }
            }
        }
    }
}

#[test]
fn estimates_are_those_of_pytorchs_gradients() {
    for name in FIXTURES {
        let engine = engine(name);
        for case in golden(name).estimates {
            check_estimate(name, &engine, &case);
        }
    }
}

fn check_estimate(name: &str, engine: &Engine, case: &EstimateCase) {
    let what = format!(
        "{name}: {} at the {:?} run, {:?} over {}",
        case.metric, case.base, case.kind, case.window
    );
    let mut prompt = tokenized(name, &case.text, Some(case.subject_bytes), false);
    assert_eq!(prompt.ids, case.ids, "{what}");
    prompt.answer = Some(answer_of(&case.answer_ids));
    prompt.foil = Some(answer_of(&[case.foil_id]));
    let metric = metric(&case.metric);
    let spec = attribution_patching::Spec {
        trace: causal_trace::Spec {
            component: case.kind,
            window: case.window,
            noise: NoiseLevel::Std(case.noise_std),
            rng: NoiseRng::Numpy,
            seed: case.seed,
            n_samples: case.samples,
            sever: None,
            sever_layers: None,
            direction: causal_trace::Direction::Denoise,
            corruption: causal_trace::Corruption::default(),
            map: causal_trace::Map::default(),
        },
        base: case.base,
        metric,
        windows: Windows::Added,
        n_verified: 0,
    };
    let AnalysisResult::AttributionPatching(found) =
        analyse(engine, &prompt, &AnalysisSpec::AttributionPatching(spec))
    else {
        panic!("not attribution patching");
    };
    assert_close(&[found.clean.get(metric).unwrap()], &[case.high_score], LOGIT, &what);
    let low = Measurement::mean(&found.corrupted, metric).unwrap();
    assert_close(&[low], &[case.low_score], LOGIT, &what);

    let scores = found.scores(metric).unwrap();
    let by_token: Vec<f32> =
        (0..prompt.n_pos()).flat_map(|pos| scores.rows().map(move |layer| layer[pos])).collect();
    let expected = case.scores.concat();
    let effects: Vec<f32> = expected.iter().map(|score| score - case.low_score).collect();
    assert_close(&by_token, &expected, GRADIENT * largest(&effects), &what);

    let heads = found.heads.last().unwrap().values();
    let expected = case.last_head_effects.concat();
    assert_close(heads, &expected, GRADIENT * largest(&expected), &what);
}
