//! Laws of what is read off one run, and of models that should be the same.

use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Method as _, Reuse, logit_lens, prediction, sweep,
};
use factscope::intervention::{Edit, Intervention, SiteSet, Span};
use factscope::model::{
    ComputeDevice, Donors, FloatType, ModelConfig, Transformer, Unembedding,
    write_random_checkpoint,
};
use factscope::task::TaskCtx;
use factscope::tokens::TokenizedPrompt;

use crate::support::{
    answer_of, assert_close, engine, fixture, gpt2_sites, lab, load, load_on, logits, prompt,
};

use super::{LOGIT, N_HEADS, N_LAYERS, PROB, noise, paris};

// Methods

#[test]
fn attributions_add_up_to_the_logit() {
    let engine = engine("tiny");
    for (text, subject) in [("Paris is the capital of", "Paris"), ("The Seine is in", "Seine")] {
        for by in [Parts::Layers, Parts::Heads] {
            for foil in [None, Some(answer_of(&[67, 12]))] {
                let mut prompt = prompt(text, subject, None);
                prompt.answer = Some(answer_of(&[300, 4]));
                prompt.foil = foil;
                let spec = AnalysisSpec::LogitAttribution(logit_attribution::Spec { by });
                let AnalysisResult::LogitAttribution(it) =
                    engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap()
                else {
                    panic!("not an attribution");
                };
                // About 25 parts of size 1, each a sum of 32 products.
                assert_close(&[it.sum()], &[it.logit], LOGIT, &format!("{text}, {by:?}"));
                let n_parts = match by {
                    Parts::Layers => 2 + 2 * N_LAYERS,
                    Parts::Heads => N_LAYERS * (N_HEADS + 1) + 3,
                };
                assert_eq!(it.contributions.len(), n_parts);
            }
        }
    }
}

#[test]
fn the_lens_after_the_last_layer_is_the_model() {
    let engine = engine("tiny");
    let mut prompt = paris();
    let AnalysisResult::LogitLens(lens) = engine
        .run(
            &prompt,
            &AnalysisSpec::LogitLens(logit_lens::Spec::default()),
            &AnalysisCtx::unwatched(),
        )
        .unwrap()
    else {
        panic!("not a lens");
    };
    let n_pos = prompt.n_pos();
    assert_eq!((lens.cells.n_rows(), lens.cells.n_columns()), (N_LAYERS, n_pos));
    for pos in (0..n_pos).rev() {
        prompt.ids.truncate(pos + 1);
        let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 1 });
        let AnalysisResult::Prediction(it) =
            engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap()
        else {
            panic!("not a prediction");
        };
        let cell = lens.cells.get(N_LAYERS - 1, pos).unwrap();
        let answer = it.answer.unwrap();
        assert_eq!(cell.top_token, it.top[0].id);
        assert_eq!(cell.answer_rank, answer.rank);
        let found = [cell.top_prob, cell.answer_prob];
        assert_close(&found, &[it.top[0].prob, answer.prob], PROB, &format!("position {pos}"));
        let log_prob = cell.answer_log_prob.unwrap();
        assert_close(&[log_prob], &[answer.prob.ln()], LOGIT, &format!("position {pos}"));
    }
}

#[test]
fn an_answer_of_several_tokens_is_as_likely_as_its_tokens_one_by_one() {
    let model = load(&fixture("tiny"));
    let answer = [507, 12, 300, 67];
    let mut whole = paris();
    whole.answer = Some(answer_of(&answer));
    let measure = |prompt: &TokenizedPrompt| {
        let spec = prediction::Spec { n_top: 0 };
        let ctx = AnalysisCtx::unwatched();
        spec.run(&lab(&model, prompt, &ctx)).unwrap().answer.unwrap()
    };
    let found = measure(&whole);
    let mut log_prob = 0.0;
    for nth in 0..answer.len() {
        let mut part = paris();
        part.ids.extend(&answer[..nth]);
        part.answer = Some(answer_of(&[answer[nth]]));
        log_prob += measure(&part).log_prob;
    }
    // Four log-probabilities of size 5.
    assert_close(&[found.answer_log_prob], &[log_prob], LOGIT, "the answer");
    let first = measure(&paris());
    assert_close(&[found.log_prob], &[first.log_prob], LOGIT, "its first token");
    assert_close(&[found.prob], &[first.prob], PROB, "its first token");
    assert_eq!(found.rank, first.rank);
}

/// What is appended to score the rest of an answer is beyond any intervention, and nothing before
/// it may look at it.
#[test]
fn an_answers_first_token_does_not_depend_on_the_rest() {
    let model = load(&fixture("tiny"));
    let short = paris();
    let mut long = paris();
    long.answer = Some(answer_of(&[507, 12, 300]));
    for site in gpt2_sites(N_LAYERS) {
        for edit in [Edit::Set(0.3), Edit::Scale(1.5), noise(0.5, 1)] {
            let what = format!("{edit:?} at {site}");
            let conditions = [vec![Intervention::at(site, Span::All, edit)]];
            let measure = |prompt: &TokenizedPrompt| {
                [Reuse::Off, Reuse::Exact].map(|reuse| {
                    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
                    let donors = Donors::new();
                    let found =
                        sweep(&lab(&model, prompt, &ctx), &conditions, &donors, &mut |_| ());
                    found.unwrap()[0].log_prob
                })
            };
            assert_close(&measure(&long), &measure(&short), LOGIT, &what);
        }
    }
}

#[test]
fn a_vocabulary_in_pieces_is_the_same_model() {
    for name in ["tiny", "tiny-sharded"] {
        let whole = load(&fixture(name));
        assert_eq!(whole.n_vocabulary_shards(), 1);
        let row_bytes = whole.config.d_model as u64 * 4;
        for (max_binding_bytes, n_shards) in
            [(row_bytes * 100, 7), (row_bytes * 219 + 1, 3), (row_bytes * 656, 2), (1, 657)]
        {
            let device = ComputeDevice {
                max_binding_bytes: Some(max_binding_bytes),
                ..ComputeDevice::cpu()
            };
            let split = load_on(&fixture(name), &device);
            assert_eq!(split.n_vocabulary_shards(), n_shards, "{name}");
            let ids = [656, 0, 99, 100, 101, 656, 219, 218, 7];
            let what = format!("{name} in {n_shards}");
            // The embeddings are copied, so to the bit.
            assert_eq!(split.embeddings(&ids), whole.embeddings(&ids), "{what}");
            let found = logits(&split.run_clean(&ids, &SiteSet::new()));
            let expected = logits(&whole.run_clean(&ids, &SiteSet::new()));
            assert_close(&found, &expected, LOGIT, &what);

            let mut prompt = paris();
            prompt.foil = Some(answer_of(&[656]));
            let spec = logit_attribution::Spec { by: Parts::Heads };
            let attribute = |model: &Transformer| {
                let ctx = AnalysisCtx::unwatched();
                let it = spec.run(&lab(model, &prompt, &ctx));
                it.unwrap().contributions.iter().map(|it| it.logit).collect::<Vec<_>>()
            };
            assert_close(&attribute(&split), &attribute(&whole), LOGIT, &what);
        }
    }
}

#[test]
fn a_written_random_model_is_the_one_made_in_memory() {
    let config = ModelConfig {
        n_layers: 2,
        n_heads: 3,
        d_model: 24,
        d_mlp: 40,
        n_ctx: 16,
        d_vocab: 50,
        unembedding: Unembedding::Separate,
        ..ModelConfig::SMALL
    };
    let dir = tempfile::tempdir().unwrap();
    write_random_checkpoint(&config, 9, FloatType::F32, dir.path(), &TaskCtx::unwatched()).unwrap();
    let read = load(dir.path());
    assert_eq!(read.config, config);
    let made = Transformer::random(&config, 9, &ComputeDevice::cpu());
    let ids = [3, 1, 4, 1, 49, 0];
    let of = |model: &Transformer| logits(&model.run_clean(&ids, &SiteSet::new()));
    assert_close(&of(&read), &of(&made), 0.0, "the same seed");
    assert_ne!(of(&made), of(&Transformer::random(&config, 10, &ComputeDevice::cpu())));
}
