//! One prompt under many conditions. The only loop over forward passes in the program.

use super::{AnalysisError, Measurement};
use crate::intervention::{Condition, SiteSet};
use crate::model::{Donors, Gpt2, Request, Row};
use crate::task::{Progress, TaskCtx};
use crate::tokens::TokenizedPrompt;

/// Token rows per forward pass. Enough for the matrix products to run at full speed (they level
/// off near 500 rows), few enough that GPT-2-large's activations stay below 200 MB and that a
/// cancel is heard within a second on two cores.
const TOKENS_PER_BATCH: usize = 1024;

/// Returns one measurement per condition, in order. `on_batch` is told of each as it comes, with
/// the index of its first.
///
/// # Panics
///
/// If the prompt has no answer.
pub fn sweep(
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    conditions: &[Condition],
    donors: &Donors,
    ctx: &TaskCtx<'_>,
    on_batch: &mut dyn FnMut(usize, &[Measurement]),
) -> Result<Vec<Measurement>, AnalysisError> {
    let asked = Asked::new(model, prompt)?;
    let batch_size = (TOKENS_PER_BATCH / asked.ids.len()).max(1);
    let n_layers = model.config.n_layers as u64;
    let total = conditions.len().div_ceil(batch_size) as u64 * n_layers;

    let mut measurements = Vec::with_capacity(conditions.len());
    for (nth, batch) in conditions.chunks(batch_size).enumerate() {
        let before = nth as u64 * n_layers;
        ctx.checkpoint(Progress { done: before, total })?;
        let rows: Vec<_> = batch
            .iter()
            .map(|condition| Row { ids: &asked.ids, n_editable: prompt.n_pos(), condition })
            .collect();
        let request = Request {
            rows: &rows,
            donors,
            capture: &SiteSet::new(),
            past: None,
            n_read: asked.n_read,
        };
        let run = model.run(&request, &mut |layer| {
            // A queue that runs ahead could not be stopped.
            model.wait();
            ctx.checkpoint(Progress { done: before + layer as u64 + 1, total })
        })?;
        let start = measurements.len();
        measurements.extend(Measurement::read(&run.logits, prompt));
        on_batch(start, &measurements[start..]);
    }
    Ok(measurements)
}

/// A prompt with all but the last token of its answer, so that one pass scores them all.
pub(super) struct Asked {
    /// `[pos]`
    pub ids: Vec<u32>,

    /// At how many positions, counted from the end, a token of the answer is predicted.
    pub n_read: usize,
}

impl Asked {
    pub fn new(model: &Gpt2, prompt: &TokenizedPrompt) -> Result<Self, AnalysisError> {
        let answer = prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?;
        let appended = &answer.ids[..answer.ids.len() - 1];
        let ids = [prompt.ids.as_slice(), appended].concat();
        let foil = prompt.foil.iter().flat_map(|foil| &foil.ids);
        check_ids(model, &ids, answer.ids.iter().chain(foil).copied())?;
        Ok(Self { ids, n_read: answer.ids.len() })
    }
}

/// That the model can take a prompt, and knows these further tokens.
pub(super) fn check_ids(
    model: &Gpt2,
    ids: &[u32],
    others: impl Iterator<Item = u32>,
) -> Result<(), AnalysisError> {
    let (n_ctx, d_vocab) = (model.config.n_ctx, model.config.d_vocab);
    if ids.len() > n_ctx {
        return Err(AnalysisError::TooLong { n_pos: ids.len(), n_ctx });
    }
    let mut all = ids.iter().copied().chain(others);
    match all.find(|&id| id as usize >= d_vocab) {
        Some(id) => Err(AnalysisError::UnknownToken { id, d_vocab }),
        None => Ok(()),
    }
}
