//! Progress and cancellation for work that may take minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that whoever started a task sets to stop it, and that the task looks at between steps.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far a task has come, in units that the task chooses (layers of a batch, bytes of a file).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

impl Progress {
    /// The finished share, 0 to 1. A task of no steps is complete.
    pub fn fraction(self) -> f32 {
        if self.total == 0 { 1.0 } else { self.done as f32 / self.total as f32 }
    }
}

/// The task was cancelled. This is no failure, and no message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// How a running task hears that it is cancelled, and reports its progress.
pub struct TaskCtx<'a> {
    pub cancel: CancelToken,
    pub report: &'a dyn Fn(Progress),
}

impl TaskCtx<'_> {
    /// For a task that reports to nobody and cannot be cancelled.
    pub fn unwatched() -> Self {
        Self { cancel: CancelToken::default(), report: &|_| () }
    }

    /// Reports progress, and fails if the task was cancelled. Tasks call this between steps.
    pub fn checkpoint(&self, progress: Progress) -> Result<(), Cancelled> {
        if self.cancel.is_cancelled() {
            return Err(Cancelled);
        }
        (self.report)(progress);
        Ok(())
    }
}
