//! One cell of a causal trace, opened: what the model says next in each run behind it.
//!
//! The runs are those of [`causal_trace`]: the clean one, the corrupted ones, and the ones with the
//! cell's activations exchanged; Meng et al. 2022, section 2. Probabilities of next tokens are means
//! over the samples, as ROME's `trace_with_patch` takes them. Here every run is done from its first
//! token on, for its whole distribution is read; the answer's probability is that of the map up to
//! rounding.

use std::ops::Range;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::analysis::causal_trace::{self, Corrupted, Map, Prepared};
use crate::analysis::sweep::{Asked, batches, row, step};
use crate::analysis::{AnalysisCtx, AnalysisError, Grid, Lab, Measurement, Method};
use crate::intervention::{Condition, SiteSet};
use crate::model::{Gpt2, Reference, Request, Row};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The trace whose cell it is. Its map is of single tokens.
    pub trace: causal_trace::Spec,

    /// Position of the token.
    pub pos: usize,

    /// The layer reported; around it, the trace's window is exchanged.
    pub layer: usize,

    /// How many of the likeliest tokens to list.
    pub n_top: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceCell {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The layers exchanged together.
    pub layers: Range<usize>,

    /// The standard deviation that the noise had, over all its values; 0 if the corruption has none.
    pub noise_std: f64,

    /// What each draw made of the prompt.
    pub corruptions: Vec<Corrupted>,

    pub clean: Measurement,

    /// With nothing exchanged, one per draw.
    pub corrupted: Vec<Measurement>,

    /// With the cell exchanged, one per draw.
    pub patched: Vec<Measurement>,

    /// The likeliest next tokens of each kind of run, likeliest first.
    pub top: Top,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Top {
    pub clean: Vec<NextToken>,
    pub corrupted: Vec<NextToken>,
    pub patched: Vec<NextToken>,
}

/// A possible next token, with its probability in each kind of run: a mean over samples, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextToken {
    pub id: u32,
    pub clean: f32,
    pub corrupted: f32,
    pub patched: f32,
}

impl TraceCell {
    /// The trace that it is of, without its map.
    pub fn as_trace(&self) -> causal_trace::CausalTrace {
        causal_trace::CausalTrace {
            spec: self.spec.trace.clone(),
            prompt: self.prompt.clone(),
            noise_std: self.noise_std,
            corruptions: self.corruptions.clone(),
            clean: self.clean,
            corrupted: self.corrupted.clone(),
            restored: Grid::new(self.prompt.n_pos(), Vec::new()),
        }
    }

    /// The run that is changed by the exchange: corrupted if it restores, else clean.
    pub fn start(&self, token: &NextToken) -> f32 {
        match self.spec.trace.direction {
            causal_trace::Direction::Denoise => token.corrupted,
            causal_trace::Direction::Noise => token.clean,
        }
    }

    /// How far the exchange moves a token's probability.
    pub fn change(&self, token: &NextToken) -> f32 {
        token.patched - self.start(token)
    }
}

impl Method for Spec {
    type Found = TraceCell;
    const NAME: &'static str = "trace cell";
    const VERB: &'static str = "Tracing";

    fn run(&self, lab: &Lab<'_>) -> Result<TraceCell, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let Self { ref trace, pos, layer, n_top } = *self;
        let (n_layers, n_pos, n_samples) = (model.config.n_layers, prompt.n_pos(), trace.n_samples);
        if trace.map != Map::Tokens {
            return Err(AnalysisError::NotOneToken);
        }
        if layer >= n_layers {
            return Err(AnalysisError::OutOfRange { what: "layer", index: layer, n: n_layers });
        }
        if pos >= n_pos {
            return Err(AnalysisError::NoPosition { pos, n_pos });
        }
        if n_top == 0 {
            return Err(AnalysisError::Zero { what: "the number of tokens listed" });
        }
        let asked = Asked::new(model, prompt)?;
        let prepared = causal_trace::prepare(model, prompt, trace, &asked, ctx)?;
        let Prepared { noise_std, conditions, .. } = &prepared;
        let reference = Reference::of(&prepared.clean);
        let clean = Measurement::read(model, &prepared.clean, prompt, Some(&reference))?[0];
        let clean_probs = mean_probs(&prepared.clean);

        let first = n_samples * (1 + layer * n_pos + pos);
        let total = (2 * n_samples * n_layers) as u64;
        let mut runs = Runs { model, prompt, asked: &asked, prepared: &prepared, ctx, reference };
        let mut progress = Progress { done: 0, total };
        let (corrupted, corrupted_probs) = runs.of(&conditions[..n_samples], &mut progress)?;
        let (patched, patched_probs) =
            runs.of(&conditions[first..first + n_samples], &mut progress)?;

        let likeliest = |probs: &[f64]| -> Vec<NextToken> {
            let mut order: Vec<u32> = (0..probs.len() as u32).collect();
            // Equally likely ones in the order of their ids.
            order.sort_by(|&a, &b| probs[b as usize].total_cmp(&probs[a as usize]));
            let at = |probs: &[f64], id: u32| probs[id as usize] as f32;
            let listed = order.into_iter().take(n_top);
            listed
                .map(|id| NextToken {
                    id,
                    clean: at(&clean_probs, id),
                    corrupted: at(&corrupted_probs, id),
                    patched: at(&patched_probs, id),
                })
                .collect()
        };
        Ok(TraceCell {
            spec: self.clone(),
            prompt: prompt.clone(),
            layers: trace.layers(layer, n_layers),
            noise_std: *noise_std,
            corruptions: prepared.corruptions.clone(),
            clean,
            corrupted,
            patched,
            top: Top {
                clean: likeliest(&clean_probs),
                corrupted: likeliest(&corrupted_probs),
                patched: likeliest(&patched_probs),
            },
        })
    }

    fn prompt(found: &TraceCell) -> Option<&TokenizedPrompt> {
        Some(&found.prompt)
    }
}

struct Runs<'a> {
    model: &'a Gpt2,
    prompt: &'a TokenizedPrompt,
    asked: &'a Asked,
    prepared: &'a Prepared,
    ctx: &'a AnalysisCtx<'a>,

    /// The clean run.
    reference: Reference,
}

impl Runs<'_> {
    /// Each run measured, and the probabilities of next tokens, their mean. `[d_vocab]`
    fn of(
        &mut self,
        conditions: &[Condition],
        progress: &mut Progress,
    ) -> Result<(Vec<Measurement>, Vec<f64>), AnalysisError> {
        let Self { model, prompt, asked, prepared, ctx, ref reference } = *self;
        let mut measured = Vec::with_capacity(conditions.len());
        let mut mean = vec![0.0; model.config.d_vocab];
        for batch in batches(conditions.len(), asked.ids.len(), model) {
            let rows: Vec<Row<'_>> = conditions[batch].iter().map(|it| row(asked, it)).collect();
            let request = Request {
                rows: &rows,
                donors: &prepared.donors,
                capture: &SiteSet::new(),
                past: None,
                n_read: asked.n_read,
            };
            let run = model.run(&request, &mut |_| {
                // A queue that runs ahead could not be stopped.
                model.wait();
                step(ctx, progress, rows.len() as u64)
            })?;
            // First, for it tells when a device could not take the pass.
            measured.extend(Measurement::read(model, &run.logits, prompt, Some(reference))?);
            let share = rows.len() as f64 / conditions.len() as f64;
            for (sum, prob) in mean.iter_mut().zip(mean_probs(&run.logits)) {
                *sum += share * prob;
            }
        }
        Ok((measured, mean))
    }
}

/// Of the token after the prompt, over all rows.
///
/// # Shapes
///
/// - `logits`: `[batch, answer tokens, d_vocab]`
/// - result: `[d_vocab]`
fn mean_probs(logits: &Tensor<3>) -> Vec<f64> {
    let [n_rows, _, d_vocab] = logits.dims();
    let next: Vec<f32> = logits.clone().narrow(1, 0, 1).into_data().iter::<f32>().collect();
    let mut mean = vec![0.0; d_vocab];
    for row in next.chunks(d_vocab) {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| f64::from(logit - max).exp();
        let sum: f64 = row.iter().map(|&logit| weight(logit)).sum();
        for (mean, &logit) in mean.iter_mut().zip(row) {
            *mean += weight(logit) / sum / n_rows as f64;
        }
    }
    mean
}
