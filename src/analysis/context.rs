//! What a method is given beside its settings: progress and cancelling, earlier results, and
//! helpers.

use std::sync::Arc;

use crate::analysis::{AnalysisResult, NoiseReader, Reuse};
use crate::model::Transformer;
use crate::task::{Cancelled, Progress, TaskCtx};
use crate::tokens::Tokenizer;

/// What a running method reports to, and may use.
pub struct AnalysisCtx<'a> {
    pub task: TaskCtx<'a>,

    /// Called with the part of the result that is there so far.
    pub partial: &'a dyn Fn(AnalysisResult),

    /// Whether conditions share computations. The numbers differ only by rounding.
    pub reuse: Reuse,

    /// Earlier results of the same model, whole or partial. A method takes over what they already
    /// have, unless nothing is to be reused.
    pub earlier: &'a [Arc<AnalysisResult>],

    /// What becomes of a run that needs more memory than there is. [`Engine::run`](crate::worker::Engine::run)
    /// looks at it.
    pub memory: Memory,

    /// Chooses tokens and shows them. [`Engine::run`](crate::worker::Engine::run) sets its own.
    pub tokenizer: Option<&'a Tokenizer>,

    /// Reads a noise file. [`Engine::run`](crate::worker::Engine::run) sets its own.
    pub read_noise: &'a NoiseReader,
}

/// What becomes of a run that needs more memory than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It is refused before it begins.
    Checked,

    /// It is begun, because a person has said so.
    Unchecked,
}

impl AnalysisCtx<'_> {
    /// For a run that reports to nobody and cannot be cancelled.
    pub fn unwatched() -> Self {
        Self {
            task: TaskCtx::unwatched(),
            partial: &|_| (),
            reuse: Reuse::Exact,
            earlier: &[],
            memory: Memory::Checked,
            tokenizer: None,
            read_noise: &|_| Err("this run reads no files".to_owned()),
        }
    }

    /// The context of a part of the work, whose progress is reported to `report`.
    pub fn reporting<'b>(&'b self, report: &'b dyn Fn(Progress)) -> AnalysisCtx<'b> {
        AnalysisCtx { task: TaskCtx { cancel: self.task.cancel.clone(), report }, ..*self }
    }

    /// The context of a part whose progress is reported and whose unfinished results are not shown.
    pub(in crate::analysis) fn quiet<'b>(
        &'b self,
        report: &'b dyn Fn(Progress),
    ) -> AnalysisCtx<'b> {
        AnalysisCtx { partial: &|_| (), ..self.reporting(report) }
    }

    /// Fails if the run was cancelled. Waits for the device first, because one that works far ahead
    /// through its queue could not be stopped.
    pub(in crate::analysis) fn check_cancelled(
        &self,
        model: &Transformer,
    ) -> Result<(), Cancelled> {
        model.wait();
        if self.task.cancel.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}
