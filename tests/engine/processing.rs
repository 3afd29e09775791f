//! Laws of weights that are processed as in TransformerLens, and of what is read from weights alone.
//!
//! The model is the fixture `tiny`. Tolerances: rewritten weights are rounded once more, and logits then
//! by up to 1e-4.

use std::collections::BTreeSet;

use factscope::analysis::circuit::{self, Circuit, CircuitReading};
use factscope::analysis::composition::{self, Composition, Mode};
use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::neuron_attribution::{self, Listing};
use factscope::analysis::residual_norms::{self, ResidualNorms};
use factscope::analysis::{AnalysisCtx, Method as _, ModelEdit, Needs, Positions, steering};
use factscope::intervention::Site;
use factscope::model::{Processing, ProcessingStep, Transformer};
use factscope::task::TaskCtx;
use factscope::tokens::TokenizedPrompt;
use factscope::worker::Engine;

use super::decompositions::all_specs;
use super::support::{
    assert_close, assert_far, engine, fixture, found, gpt2_sites, lab, load, logits, paris,
    paris_or,
};

const LOGIT: f32 = 1e-4;
const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;

/// Every processing of one step, TransformerLens' own choice, and all.
fn processings() -> Vec<Processing> {
    let single = ProcessingStep::ALL.map(|step| Processing(BTreeSet::from([step])));
    let mut all: Vec<Processing> = single.into_iter().collect();
    all.push(Processing::of_transformer_lens());
    all.push("all".parse().unwrap());
    all
}

fn processed(processing: &Processing) -> Transformer {
    load(&fixture("tiny")).process(processing, &TaskCtx::unwatched()).unwrap()
}

fn log_probs(model: &Transformer, ids: &[u32]) -> Vec<f32> {
    let logits = logits(&model.run_clean(ids, &BTreeSet::new()));
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|it| (it - max).exp()).sum();
    logits.iter().map(|it| it - max - sum.ln()).collect()
}
#[test]
fn processing_changes_no_probability_and_no_pattern() {
    let raw = load(&fixture("tiny"));
    let prompt = paris();
    let patterns: BTreeSet<Site> = (0..N_LAYERS).map(Site::Pattern).collect();
    let seen = |model: &Transformer| {
        let cache = model.run_clean(&prompt.ids, &patterns).cache;
        patterns.iter().flat_map(|&site| cache.activation(site).values).collect::<Vec<f32>>()
    };
    for processing in processings() {
        let model = processed(&processing);
        let what = processing.to_string();
        let found = log_probs(&model, &prompt.ids);
        assert_close(&found, &log_probs(&raw, &prompt.ids), LOGIT, &what);
        assert_close(&seen(&model), &seen(&raw), 1e-5, &what);
        // Twice is once.
        let twice = model.clone().process(&processing, &TaskCtx::unwatched()).unwrap();
        let outputs = |model: &Transformer| logits(&model.run_clean(&prompt.ids, &BTreeSet::new()));
        assert_close(&outputs(&twice), &outputs(&model), LOGIT, &what);
    }
}

#[test]
fn an_edited_model_is_processed_like_any_other_and_the_plain_one_stays() {
    let engine = engine("tiny");
    let prompt = paris_or(3);
    let ctx = AnalysisCtx::unwatched();
    let edits = [ModelEdit::Processing(Processing::of_transformer_lens())];
    let processed = engine.edited(&edits, &ctx).unwrap();
    assert_eq!(processed.edits, edits);
    let spec = logit_attribution::Spec { by: Parts::Heads };
    let logits = |engine: &Engine| -> Vec<f32> {
        let found = found!(engine, &prompt, LogitAttribution(spec));
        found.contributions.iter().map(|it| it.logit).chain([found.logit, found.sum()]).collect()
    };
    assert_close(
        &logits(&processed),
        &logits(&engine),
        LOGIT,
        "attribution is of processed weights",
    );
    let norms = |engine: &Engine| -> Vec<f32> {
        let found: ResidualNorms = found!(engine, &prompt, ResidualNorms(residual_norms::Spec));
        found.resid_post.values().to_vec()
    };
    assert_far(&norms(&processed), &norms(&engine), "residual norms without their means");
    // Weights are asked whatever the prompt is steered by.
    let steer = steering::Spec {
        direction: steering::Direction::Prompts { plus: vec![1], minus: vec![2] },
        layer: 1,
        positions: Positions::Subject,
        scale: 1.0,
        n_top: 1,
        asked: Vec::new(),
    };
    let at_the_end = steering::Spec { positions: Positions::Last, ..steer.clone() };
    let at_the_end = engine.edited(&[ModelEdit::Steering(at_the_end)], &ctx).unwrap();
    for listing in [Listing::Overall, Listing::PerLayer] {
        let spec = neuron_attribution::Spec { n_top: 2, listing };
        let found = found!(at_the_end, &prompt, NeuronAttribution(spec));
        assert_close(&[found.sum()], &[found.logit], LOGIT, "neurons of a steered model");
        let plain = found!(engine, &prompt, NeuronAttribution(spec));
        assert_far(&[found.logit], &[plain.logit], "steering");
    }
    let steered = engine.edited(&[ModelEdit::Steering(steer)], &ctx).unwrap();
    for spec in all_specs().into_iter().filter(|it| it.needs() == Needs::Weights) {
        let of = |engine: &Engine| engine.run(&TokenizedPrompt::empty(), &spec, &ctx).unwrap();
        assert_eq!(of(&steered), of(&engine));
    }
}

#[test]
fn centred_weights_write_with_mean_zero_and_centred_logits_have_mean_zero() {
    let prompt = paris();
    let sites = gpt2_sites(N_LAYERS);
    let is_written = |site: &Site| {
        matches!(
            site,
            Site::Embed
                | Site::PosEmbed
                | Site::ResidPre(_)
                | Site::AttnOut(_)
                | Site::ResidMid(_)
                | Site::MlpOut(_)
                | Site::ResidPost(_)
        )
    };
    let largest_mean = |model: &Transformer| -> f32 {
        let cache = model.run_clean(&prompt.ids, &sites).cache;
        let d_model = model.config.d_model;
        let means = sites.iter().filter(|it| is_written(it)).flat_map(|&site| {
            let values = cache.activation(site).values;
            let mean = |row: &[f32]| (row.iter().sum::<f32>() / d_model as f32).abs();
            values.chunks(d_model).map(mean).collect::<Vec<_>>()
        });
        means.fold(0.0, f32::max)
    };
    let centred = processed(&"center_writing_weights".parse().unwrap());
    assert!(largest_mean(&centred) < 1e-5);
    assert!(largest_mean(&load(&fixture("tiny"))) > 0.01);

    let mean_logit = |model: &Transformer| -> f32 {
        let logits = logits(&model.run_clean(&prompt.ids, &BTreeSet::new()));
        (logits.iter().sum::<f32>() / logits.len() as f32).abs()
    };
    let centred = processed(&"fold_ln,center_unembed".parse().unwrap());
    assert!(mean_logit(&centred) < 1e-4);
    assert!(mean_logit(&load(&fixture("tiny"))) > 0.01);
}

#[test]
fn a_refactored_head_has_the_same_circuits() {
    let model = load(&fixture("tiny"));
    let spec = |circuit, text: &str| circuit::Spec {
        layer: 1,
        head: 2,
        circuit,
        n_vectors: 2,
        n_tokens: 3,
        processing: text.parse().unwrap(),
    };
    let read = |spec: &circuit::Spec| -> CircuitReading {
        spec.run(&lab(&model, &TokenizedPrompt::empty(), &AnalysisCtx::unwatched())).unwrap()
    };
    let (plain, refactored) = ("fold_ln", "fold_ln,refactor_factored_attn_matrices");
    for kind in [Circuit::Ov, Circuit::Qk] {
        let (a, b) = (read(&spec(kind, plain)), read(&spec(kind, refactored)));
        assert!(a.singular_values.is_sorted_by(|a, b| a >= b));
        if kind == Circuit::Ov {
            assert_close(&a.singular_values, &b.singular_values, 1e-4, "singular values");
            let score = |it: &CircuitReading| it.copying.as_ref().unwrap().score;
            assert_close(&[score(&a)], &[score(&b)], 1e-4, "copying");
            assert!((-1.0..=1.0).contains(&score(&a)));
            let ids = |it: &CircuitReading| -> Vec<u32> {
                it.vectors[0].writes.positive.iter().map(|it| it.id).collect()
            };
            assert_eq!(ids(&a), ids(&b));
        } else {
            assert_eq!(a.copying, None);
        }
        for vector in &a.vectors {
            let scores = |ends: &[circuit::TokenScore]| -> Vec<f32> {
                ends.iter().map(|it| it.score).collect()
            };
            for ends in [&vector.reads, &vector.writes] {
                assert!(scores(&ends.positive).is_sorted_by(|a, b| a >= b));
                assert!(scores(&ends.negative).is_sorted_by(|a, b| a <= b));
            }
            let (high, low) =
                (scores(&vector.writes.positive)[0], scores(&vector.writes.negative)[0]);
            assert!(high >= -low, "the sign is chosen by the largest score");
        }
    }
}

#[test]
fn composition_is_between_nothing_and_all() {
    let model = load(&fixture("tiny"));
    let spec = composition::Spec {
        modes: vec![Mode::V, Mode::K],
        n_top: 9,
        processing: Processing::of_transformer_lens(),
    };
    let found: Composition =
        spec.run(&lab(&model, &TokenizedPrompt::empty(), &AnalysisCtx::unwatched())).unwrap();
    let n_all = N_LAYERS * N_HEADS;
    for of_mode in &found.modes {
        for (nth, score) in of_mode.scores.iter().enumerate() {
            let is_later = nth / n_all / N_HEADS < nth % n_all / N_HEADS;
            if is_later {
                // The norm of a product is at most the product of the norms.
                assert!(*score > 0.0 && *score <= 1.0, "{score}");
            } else {
                assert_eq!(*score, 0.0);
            }
        }
    }
    assert_eq!([found.modes[0].mode, found.modes[1].mode], [Mode::V, Mode::K]);
    let top = found.top();
    assert_eq!(top.len(), 9);
    assert!(top.is_sorted_by(|a, b| a.score >= b.score));
    let spec = composition::Spec { n_top: usize::MAX, ..found.spec.clone() };
    let all = Composition { spec, ..found }.top();
    assert_eq!(all.len(), 2 * N_HEADS * N_HEADS * N_LAYERS * (N_LAYERS - 1) / 2);
}

#[test]
fn an_untied_model_can_be_processed_and_names_are_read_back() {
    let folder = fixture("tiny-sharded");
    let raw = load(&folder);
    let model = load(&folder).process(&"all".parse().unwrap(), &TaskCtx::unwatched()).unwrap();
    let prompt = paris();
    let (a, b) = (log_probs(&model, &prompt.ids), log_probs(&raw, &prompt.ids));
    assert_close(&a, &b, LOGIT, "log probs");
    for processing in processings() {
        assert_eq!(processing.to_string().parse(), Ok(processing));
    }
    assert_eq!("none".parse(), Ok(Processing::default()));
    let wrong = "fold_ln,fold".parse::<Processing>().unwrap_err().to_string();
    assert!(wrong.contains("`fold`"), "{wrong}");
}
