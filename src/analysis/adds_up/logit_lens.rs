//! Logit lens: reads the prediction that the model would make if it stopped after each layer.
//!
//! nostalgebraist 2020, "interpreting GPT: the logit lens". The final layer norm is recomputed on
//! each layer's residual stream, as in TransformerLens since 2.18; or it has the last layer's
//! scale, as in older versions and in direct logit attribution.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

pub use crate::analysis::accumulated_resid::LensScale;
use crate::analysis::largest::largest;
use crate::analysis::memory::{floats, in_all_layers};
use crate::analysis::prediction::Candidate;
use crate::analysis::sweep::check_ids;
use crate::analysis::{About, AnalysisError, Grid, Lab, Method, PromptOf, Sizes, sources};
use crate::intervention::{Site, SiteSet};
use crate::model::log_sum_exp;
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The scale of the final layer norm.
    #[serde(default)]
    pub scale: LensScale,

    /// How many of the likeliest tokens are listed for each cell.
    #[serde(default)]
    pub n_top: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogitLens {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The reading after each layer. `[layer, position]`
    pub cells: Grid<LensCell>,

    /// The likeliest tokens after each layer, as many as the spec asks for. `[layer, position]`
    pub top: Grid<Vec<Candidate>>,
}

/// The reading after one layer at one position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LensCell {
    /// The likeliest next token.
    pub top_token: u32,

    /// Its probability, 0 to 1.
    pub top_prob: f32,

    /// The probability of the answer's first token, 0 to 1. At positions before the last it shows
    /// how far the answer can already be read there.
    pub answer_prob: f32,

    /// The natural logarithm of that probability, which is finite where the probability is below the smallest
    /// number. `None` in older sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_log_prob: Option<f32>,

    /// The rank of the answer's first token, counted from 0, the most likely token.
    pub answer_rank: u32,
}

/// How many tokens' logits are there at once.
const N_AT_ONCE: usize = 128;

/// How many arrays of the size of these logits are there at once: the logits, those read back, and what
/// ranks the answer among them.
const LOGITS_AT_ONCE: usize = 5;

impl Method for Spec {
    type Found = LogitLens;
    const NAME: &'static str = "logit lens";
    const ABOUT: About = About {
        text: "What the model would say if it stopped after each layer: the final layer norm \
               and the unembedding read the residual stream there.",
        sources: &[sources::NOSTALGEBRAIST_2020],
    };
    const VERB: &'static str = "Reading the layers";
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<LogitLens, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let answer = prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?;
        check_ids(model, &prompt.ids, answer.ids.iter().copied())?;
        let n_layers = model.config.n_layers;
        let (n_pos, d_vocab) = (prompt.n_pos(), model.config.d_vocab);
        let capture: SiteSet = (0..n_layers).map(Site::ResidPost).collect();
        let run = model.run_clean(&prompt.ids, &capture);

        let final_scale = model.final_scale(run.cache.stream(Site::ResidPost(n_layers - 1)));
        let mut cells = Vec::with_capacity(n_layers * n_pos);
        let mut top_tokens = Vec::with_capacity(n_layers * n_pos);
        for layer in 0..n_layers {
            ctx.task.checkpoint(Progress { done: layer as u64, total: n_layers as u64 })?;
            let states = run.cache.stream(Site::ResidPost(layer));
            // The logits of all tokens at once would take much memory.
            for first in (0..n_pos).step_by(N_AT_ONCE) {
                let n = N_AT_ONCE.min(n_pos - first);
                let resid = states.clone().narrow(0, first, n);
                let logits = match self.scale {
                    LensScale::Own => model.unembed(resid),
                    LensScale::Final => {
                        let scale = final_scale.clone().narrow(0, first, n);
                        model.unembed_at_scale(resid, scale)
                    }
                };
                let sum = log_sum_exp(logits.clone());
                let (top, token) = logits.clone().max_dim_with_indices(1);
                let answer = logits.clone().narrow(1, answer.first() as usize, 1);
                top_tokens.extend(candidates(&logits, &sum, self.n_top));
                let rank =
                    logits.greater(answer.clone().expand([n, d_vocab])).int().sum_dim(1).float();
                let answer = answer - sum.clone();
                let readings =
                    vec![token.float(), (top - sum).exp(), answer.clone().exp(), answer, rank];
                let values = Tensor::cat(readings, 1).into_data();
                let values: Vec<f32> = values.iter::<f32>().collect();
                cells.extend(values.as_chunks::<5>().0.iter().map(
                    |&[token, top_prob, answer_prob, answer_log_prob, rank]| LensCell {
                        top_token: token as u32,
                        top_prob,
                        answer_prob,
                        answer_log_prob: Some(answer_log_prob),
                        answer_rank: rank as u32,
                    },
                ));
            }
        }
        Ok(LogitLens {
            spec: *self,
            prompt: prompt.clone(),
            cells: Grid::new(n_pos, cells),
            top: Grid::new(n_pos, top_tokens),
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let states = in_all_layers(sizes.config, Site::ResidPost);
        let n_rows = N_AT_ONCE.min(sizes.n_pos);
        let logits = floats(LOGITS_AT_ONCE * n_rows * sizes.config.d_vocab);
        sizes.pass(&states).max(sizes.kept(&states, 1) + logits)
    }
}

/// The likeliest tokens at each position, from the logits `[pos, d_vocab]` and the logarithms of
/// the sums of their exponentials `[pos, 1]`.
fn candidates(logits: &Tensor<2>, sum: &Tensor<2>, n_top: usize) -> Vec<Vec<Candidate>> {
    let [n_pos, d_vocab] = logits.dims();
    if n_top == 0 {
        return vec![Vec::new(); n_pos];
    }
    let sums: Vec<f32> = sum.clone().into_data().iter::<f32>().collect();
    let logits: Vec<f32> = logits.clone().into_data().iter::<f32>().collect();
    let rows = logits.chunks(d_vocab).zip(sums);
    let row = |(logits, sum): (&[f32], f32)| {
        let candidate = |id: usize| {
            let logit = logits[id];
            Candidate { id: id as u32, logit, prob: (logit - sum).exp() }
        };
        largest(logits, n_top).into_iter().map(candidate).collect()
    };
    rows.map(row).collect()
}
