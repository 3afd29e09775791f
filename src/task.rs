//! Progress and cancellation for work that may take minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared between the one who started a task and the one who runs it.
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

/// How far a task has come, in steps of its own size (layers of a batch, bytes of a file).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

impl Progress {
    /// 0 to 1. An empty task is complete.
    pub fn fraction(self) -> f32 {
        if self.total == 0 { 1.0 } else { self.done as f32 / self.total as f32 }
    }
}

/// The task was cancelled. Not a failure: nobody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// What a running task may say to the outside world.
pub struct TaskCtx<'a> {
    pub cancel: CancelToken,
    pub report: &'a dyn Fn(Progress),
}

impl TaskCtx<'_> {
    /// A task nobody watches and nobody can stop.
    pub fn unwatched() -> Self {
        Self { cancel: CancelToken::default(), report: &|_| () }
    }

    /// Call between steps: reports progress, and stops the task if it was cancelled.
    pub fn checkpoint(&self, progress: Progress) -> Result<(), Cancelled> {
        if self.cancel.is_cancelled() {
            return Err(Cancelled);
        }
        (self.report)(progress);
        Ok(())
    }
}
