//! A prompt with its answer as a run's tokens, checked for the model.

use crate::analysis::AnalysisError;
use crate::intervention::Condition;
use crate::model::{BatchRow, Transformer};
use crate::tokens::TokenizedPrompt;

/// A prompt followed by all but the last token of its answer, so that one pass scores the whole
/// answer.
pub(in crate::analysis) struct Asked {
    /// `[pos]`
    pub ids: Vec<u32>,

    /// How many of the tokens belong to the prompt.
    pub n_editable: usize,

    /// How many of the last positions predict a token of the answer.
    pub n_read: usize,
}

impl Asked {
    pub fn new(model: &Transformer, prompt: &TokenizedPrompt) -> Result<Self, AnalysisError> {
        let answer = prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?;
        let appended = &answer.ids[..answer.ids.len() - 1];
        let ids = [prompt.ids.as_slice(), appended].concat();
        let foil = prompt.foil.iter().flat_map(|foil| &foil.ids);
        check_ids(model, &ids, answer.ids.iter().chain(foil).copied())?;
        Ok(Self { ids, n_editable: prompt.n_pos(), n_read: answer.ids.len() })
    }
}

/// Checks that the model can take a prompt, and that its vocabulary has the prompt's and these
/// other tokens.
pub(in crate::analysis) fn check_ids(
    model: &Transformer,
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

/// The batch row of a prompt under a condition.
pub(in crate::analysis) fn row<'a>(asked: &'a Asked, condition: &'a Condition) -> BatchRow<'a> {
    BatchRow { ids: &asked.ids, n_editable: asked.n_editable, condition }
}
