//! Logit lens: what would the model say if it stopped after this layer?
//!
//! nostalgebraist 2020, "interpreting GPT: the logit lens". The final layer norm is recomputed on
//! each layer's own residual stream, as TransformerLens does since 2.18; older versions reused the
//! last layer's scale.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::sweep::check_ids;
use super::{AnalysisCtx, AnalysisError, Grid};
use crate::intervention::{Site, SiteSet};
use crate::model::{Gpt2, log_sum_exp};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogitLens {
    pub prompt: TokenizedPrompt,

    /// After each block. (layer, position)
    pub cells: Grid<LensCell>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LensCell {
    /// The likeliest next token.
    pub top_token: u32,

    /// Its probability, 0 to 1.
    pub top_prob: f32,

    /// Probability of the answer's first token, 0 to 1. At the last position the model's belief,
    /// elsewhere how far the answer can be read already.
    pub answer_prob: f32,

    /// How many tokens are likelier than the answer's first.
    pub answer_rank: u32,
}

pub fn logit_lens(
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    ctx: &AnalysisCtx<'_>,
) -> Result<LogitLens, AnalysisError> {
    let answer = prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?;
    check_ids(model, &prompt.ids, answer.ids.iter().copied())?;
    let n_layers = model.config.n_layers;
    let (n_pos, d_vocab, d_model) = (prompt.n_pos(), model.config.d_vocab, model.config.d_model);
    let capture: SiteSet = (0..n_layers).map(Site::ResidPost).collect();
    let run = model.run_clean(&prompt.ids, &capture);

    let mut cells = Vec::with_capacity(n_layers * n_pos);
    for layer in 0..n_layers {
        ctx.task.checkpoint(Progress { done: layer as u64, total: n_layers as u64 })?;
        // One layer at a time: logits of all layers at once would be large.
        let resid = run.cache.get(Site::ResidPost(layer)).clone().reshape([n_pos, d_model]);
        let logits = model.unembed(resid);
        let sum = log_sum_exp(logits.clone());
        let (top, token) = logits.clone().max_dim_with_indices(1);
        let answer = logits.clone().narrow(1, answer.first() as usize, 1);
        let rank = logits.greater(answer.clone().expand([n_pos, d_vocab])).int().sum_dim(1).float();
        let readings = vec![token.float(), (top - sum.clone()).exp(), (answer - sum).exp(), rank];
        let values: Vec<f32> = Tensor::cat(readings, 1).into_data().iter::<f32>().collect();
        cells.extend(values.as_chunks::<4>().0.iter().map(
            |&[token, top_prob, answer_prob, rank]| LensCell {
                top_token: token as u32,
                top_prob,
                answer_prob,
                answer_rank: rank as u32,
            },
        ));
    }
    Ok(LogitLens { prompt: prompt.clone(), cells: Grid::new(n_pos, cells) })
}
