//! Opens one cell of a causal trace: the next tokens that the model predicts in each run behind the
//! cell.
//!
//! The runs are those of [`causal_trace`]: the clean one, the corrupted ones, and those with the
//! cell's activations exchanged (Meng et al. 2022, section 2). Probabilities of next tokens are
//! means over samples, as in ROME's `trace_with_patch`. Every run starts at its first token,
//! because its whole distribution is read; the answer's probability equals the map's up to
//! rounding.

use std::ops::Range;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::analysis::causal_trace::{self, Corrupted, Map, Prepared};
use crate::analysis::error::{at_least_one, index_below};
use crate::analysis::largest::largest;
use crate::analysis::sweep::{Asked, batches, row, rows_at_once, step_when_done};
use crate::analysis::{
    About, AnalysisError, Grid, Lab, Measurement, Method, PromptOf, Sizes, sources,
};
use crate::intervention::{Condition, SiteSet};
use crate::model::{BatchRow, Reference, Request};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The trace that the cell belongs to, whose map must be of single tokens.
    pub trace: causal_trace::Spec,

    /// The cell's token position.
    pub pos: usize,

    /// The cell's layer, around which the trace's window is exchanged.
    pub layer: usize,

    /// How many of the likeliest tokens to list.
    pub n_top: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceCell {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The layers that are exchanged together.
    pub layers: Range<usize>,

    /// The standard deviation of the noise over all its values, in embedding units. 0 without
    /// noise.
    pub noise_std: f64,

    /// What the prompt became in each draw.
    pub corruptions: Vec<Corrupted>,

    /// The measurement of the clean run.
    pub clean: Measurement,

    /// The measurements of the corrupted runs, one for each draw.
    pub corrupted: Vec<Measurement>,

    /// The measurements with the cell exchanged, one for each draw.
    pub patched: Vec<Measurement>,

    /// The likeliest next tokens of each kind of run.
    pub top: Top,
}

/// The likeliest next tokens of each kind of run, likeliest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Top {
    pub clean: Vec<NextToken>,
    pub corrupted: Vec<NextToken>,
    pub patched: Vec<NextToken>,
}

/// A possible next token, with its probability in each kind of run, 0 to 1, as a mean over samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextToken {
    pub id: u32,
    pub clean: f32,
    pub corrupted: f32,
    pub patched: f32,
}

impl TraceCell {
    /// The trace that the cell belongs to, without its map.
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

    /// A token's probability in the run that the exchange changes: the corrupted run when
    /// denoising, else the clean run.
    pub fn start(&self, token: &NextToken) -> f32 {
        match self.spec.trace.direction {
            causal_trace::Direction::Denoise => token.corrupted,
            causal_trace::Direction::Noise => token.clean,
        }
    }

    /// The change of a token's probability by the exchange.
    pub fn change(&self, token: &NextToken) -> f32 {
        token.patched - self.start(token)
    }
}

impl Method for Spec {
    type Found = TraceCell;
    const NAME: &'static str = "trace cell";
    const ABOUT: About = About {
        text: "The runs behind one cell of a causal trace: what the model says next in the \
               clean run, in the corrupted ones, and with the cell's states exchanged.",
        sources: &[sources::MENG_2022],
    };
    const VERB: &'static str = "Tracing";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<TraceCell, AnalysisError> {
        let &Lab { model, prompt, .. } = lab;
        let Self { ref trace, pos, layer, n_top } = *self;
        let (n_layers, n_pos, n_samples) = (model.config.n_layers, prompt.n_pos(), trace.n_samples);
        if trace.map != Map::Tokens {
            return Err(AnalysisError::NotOfTokens { done: "opened" });
        }
        index_below("layer", layer, n_layers)?;
        if pos >= n_pos {
            return Err(AnalysisError::NoPosition { pos, n_pos });
        }
        at_least_one("the number of tokens listed", n_top)?;
        let asked = Asked::new(model, prompt)?;
        let prepared = causal_trace::prepare(lab, trace, &asked)?;
        let Prepared { noise_std, conditions, .. } = &prepared;
        let reference = Reference::of(&prepared.clean);
        let clean = Measurement::read(model, &prepared.clean, prompt, Some(&reference))?[0];
        let clean_probs = mean_probs(&prepared.clean);

        let first = n_samples * (1 + layer * n_pos + pos);
        let total = (2 * n_samples * n_layers) as u64;
        let runs = CellRuns { lab: *lab, asked: &asked, prepared: &prepared, reference };
        let mut progress = Progress { done: 0, total };
        let (corrupted, corrupted_probs) = runs.of(&conditions[..n_samples], &mut progress)?;
        let (patched, patched_probs) =
            runs.of(&conditions[first..first + n_samples], &mut progress)?;

        let likeliest = |probs: &[f64]| -> Vec<NextToken> {
            let token = |id: usize| NextToken {
                id: id as u32,
                clean: clean_probs[id] as f32,
                corrupted: corrupted_probs[id] as f32,
                patched: patched_probs[id] as f32,
            };
            largest(probs, n_top).into_iter().map(token).collect()
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

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        // Of the conditions of a whole trace those of one cell are run, and none is parted.
        let n_rows = rows_at_once(sizes.config, sizes.n_pos).min(self.trace.n_samples);
        let conditions = self.trace.sweep_size(sizes).conditions() / 2;
        (self.trace.donors_memory(sizes).saturating_add(conditions))
            .saturating_add(sizes.passing(n_rows, sizes.n_pos))
            .saturating_add(self.trace.draws().memory(sizes))
    }

    fn check(&self) -> Result<(), AnalysisError> {
        self.trace.check()
    }
}

/// What the runs behind a cell have in common.
struct CellRuns<'a> {
    lab: Lab<'a>,
    asked: &'a Asked,
    prepared: &'a Prepared,

    /// The clean run's distribution.
    reference: Reference,
}

impl CellRuns<'_> {
    /// The measurement of each run, and the mean probability of each next token, `[d_vocab]`.
    fn of(
        &self,
        conditions: &[Condition],
        progress: &mut Progress,
    ) -> Result<(Vec<Measurement>, Vec<f64>), AnalysisError> {
        let Self { lab: Lab { model, prompt, .. }, asked, prepared, ref reference } = *self;
        let mut measured = Vec::with_capacity(conditions.len());
        let mut mean = vec![0.0; model.config.d_vocab];
        for batch in batches(conditions.len(), asked.ids.len(), model) {
            let rows: Vec<BatchRow<'_>> =
                conditions[batch].iter().map(|it| row(asked, it)).collect();
            let request = Request {
                rows: &rows,
                donors: &prepared.donors,
                capture: &SiteSet::new(),
                past: None,
                n_read: asked.n_read,
            };
            let run = model
                .run(&request, &mut |_| step_when_done(&self.lab, progress, rows.len() as u64))?;
            // This comes first because it reports a device that could not take the pass.
            measured.extend(Measurement::read(model, &run.logits, prompt, Some(reference))?);
            let share = rows.len() as f64 / conditions.len() as f64;
            for (sum, prob) in mean.iter_mut().zip(mean_probs(&run.logits)) {
                *sum += share * prob;
            }
        }
        Ok((measured, mean))
    }
}

/// The mean probability of each token after the prompt, over all rows.
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
