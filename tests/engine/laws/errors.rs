//! What a method refuses, and what it says then.

use factscope::analysis::ablation::{Part, Replacement};
use factscope::analysis::causal_trace::{self, Component, NoiseLevel};
use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Method as _, Positions, attention,
    logit_lens, prediction,
};
use factscope::intervention::{Site, SiteSet};
use factscope::tokens::TokenizedPrompt;

use crate::support::{answer_of, engine, fixture, lab, load};

use super::{N_HEADS, ablation_spec, ids, paris, to_last, trace_spec};

// What cannot be done

#[test]
fn what_cannot_be_done_is_an_error() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, spec: &AnalysisSpec| {
        engine.run(prompt, spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    let specs = || {
        [
            AnalysisSpec::CausalTrace(trace_spec(Component::Hidden, 2, 1)),
            AnalysisSpec::Prediction(prediction::Spec { n_top: 1 }),
            AnalysisSpec::Ablation(ablation_spec(Part::Heads, Positions::All, Replacement::Zero)),
            AnalysisSpec::AttentionKnockout(to_last(2)),
            AnalysisSpec::LogitAttribution(logit_attribution::Spec { by: Parts::Layers }),
            AnalysisSpec::LogitLens(logit_lens::Spec::default()),
            AnalysisSpec::Attention(attention::Spec::all_heads(0..1)),
        ]
    };
    for spec in specs() {
        let mut long = paris();
        long.ids = ids(65, 1);
        assert_eq!(error(&long, &spec), AnalysisError::TooLong { n_pos: 65, n_ctx: 64 });
        let mut unknown = paris();
        unknown.ids[3] = 657;
        let unknown_token = AnalysisError::UnknownToken { id: 657, d_vocab: 657 };
        assert_eq!(error(&unknown, &spec), unknown_token);
        // Also if the model is asked for an answer first.
        unknown.answer = None;
        assert_eq!(error(&unknown, &spec), unknown_token);
    }
    for spec in &specs()[..6] {
        let mut prompt = paris();
        prompt.answer = Some(answer_of(&[u32::MAX]));
        let unknown_token = AnalysisError::UnknownToken { id: u32::MAX, d_vocab: 657 };
        assert_eq!(error(&prompt, spec), unknown_token);
    }
    let mut full = paris();
    full.ids = ids(64, 1);
    for spec in specs() {
        assert!(engine.run(&full, &spec, &AnalysisCtx::unwatched()).is_ok(), "{spec:?}");
    }
    full.answer = Some(answer_of(&[1, 2]));
    for spec in &specs()[..4] {
        assert_eq!(error(&full, spec), AnalysisError::TooLong { n_pos: 65, n_ctx: 64 });
    }

    let attention = AnalysisSpec::Attention(attention::Spec::all_heads(2..5));
    let out_of_range = AnalysisError::OutOfRange { what: "layer", index: 4, n: 4 };
    assert_eq!(error(&paris(), &attention), out_of_range);
}

#[test]
fn a_trace_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, spec: causal_trace::Spec| {
        engine.run(prompt, &AnalysisSpec::CausalTrace(spec), &AnalysisCtx::unwatched()).unwrap_err()
    };
    let spec = trace_spec(Component::Mlp, 2, 3);
    let mut no_subject = paris();
    no_subject.subject = None;
    assert_eq!(error(&no_subject, spec.clone()), AnalysisError::NoSubject);
    let is_zero = |error: AnalysisError, says: &str| {
        assert!(error.to_string().contains(says), "{error}");
        assert!(matches!(error, AnalysisError::Zero { .. }), "{error:?}");
    };
    is_zero(error(&paris(), causal_trace::Spec { n_samples: 0, ..spec.clone() }), "samples");
    is_zero(error(&paris(), causal_trace::Spec { window: 0, ..spec.clone() }), "window");
    let noise = NoiseLevel::Multiple { factor: 3.0, tokens: [].into() };
    is_zero(error(&paris(), causal_trace::Spec { noise, ..spec.clone() }), "tokens");
    let noise = NoiseLevel::Multiple { factor: 3.0, tokens: [1, 999].into() };
    let unknown = AnalysisError::UnknownToken { id: 999, d_vocab: 657 };
    assert_eq!(error(&paris(), causal_trace::Spec { noise, ..spec }), unknown);
}

#[test]
fn without_an_answer_the_methods_themselves_are_errors() {
    let model = load(&fixture("tiny"));
    let mut prompt = paris();
    prompt.answer = None;
    let ctx = AnalysisCtx::unwatched();
    let spec = trace_spec(Component::Mlp, 2, 3);
    let trace = spec.run(&lab(&model, &prompt, &ctx));
    assert_eq!(trace, Err(AnalysisError::NoAnswer));
    let lens = logit_lens::Spec::default().run(&lab(&model, &prompt, &ctx));
    assert_eq!(lens, Err(AnalysisError::NoAnswer));
    let spec = logit_attribution::Spec { by: Parts::Heads };
    let attribution = spec.run(&lab(&model, &prompt, &ctx));
    assert_eq!(attribution, Err(AnalysisError::NoAnswer));
}

#[test]
fn shown_attention_is_the_models() {
    let engine = engine("tiny");
    let prompt = paris();
    let n_pos = prompt.n_pos();
    let spec = AnalysisSpec::Attention(attention::Spec::all_heads(1..3));
    let AnalysisResult::Attention(it) =
        engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap()
    else {
        panic!("not attention");
    };
    let model = load(&fixture("tiny"));
    let sites = SiteSet::from([Site::Pattern(1), Site::Pattern(2)]);
    let cache = model.run_clean(&prompt.ids, &sites).cache;
    for layer in [1, 2] {
        let expected = cache.activation(Site::Pattern(layer)).values;
        for (head, expected) in expected.chunks(n_pos * n_pos).enumerate() {
            assert_eq!(it.pattern(layer, head), Some(expected));
        }
        assert_eq!(it.pattern(layer, N_HEADS), None);
    }
    assert_eq!((it.pattern(0, 0), it.pattern(3, 0)), (None, None));
}
