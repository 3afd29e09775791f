//! Checks in the background that all weights are finite, and at each result that their files are still
//! as they were.
//!
//! Opening a memory-mapped file reads none of its gigabytes, so the check runs beside the first
//! analysis, and only a result that is to be shown waits for it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Checkpoint, NotFinite};
use crate::task::{CancelToken, Cancelled};

/// A check that is running or has finished. Dropping it stops the check.
#[derive(Debug)]
pub struct NumberCheck {
    shared: Arc<Shared>,

    /// The files that numbers are read from. `None` if all were read when the model was opened.
    checkpoint: Option<Arc<Checkpoint>>,
}

/// Why what a model says cannot be given out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitWeights {
    #[error(transparent)]
    NotFinite(#[from] NotFinite),

    #[error("the weight file has changed while the model was open; open the model again: {0}")]
    Changed(PathBuf),
}

#[derive(Debug, Default)]
struct Shared {
    /// The result, once there is one.
    verdict: Mutex<Option<Result<(), NotFinite>>>,

    /// Wakes those who wait for the verdict.
    is_settled: Condvar,

    /// Whether the check was dropped.
    is_abandoned: AtomicBool,
}

impl NumberCheck {
    /// Starts the check on a new thread.
    pub(super) fn start(checkpoint: Arc<Checkpoint>) -> Self {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let of_thread = Arc::clone(&checkpoint);
        let look = move |shared: &Shared| {
            let is_wanted = || !shared.is_abandoned.load(Ordering::Relaxed);
            shared.settle(of_thread.check_mapped(&is_wanted));
        };
        let thread = thread::Builder::new().name("number check".to_owned());
        let for_here = look.clone();
        // If no thread can be started, the check runs at once on this one.
        if thread.spawn(move || look(&for_thread)).is_err() {
            for_here(&shared);
        }
        Self { shared, checkpoint: Some(checkpoint) }
    }

    /// A check that has already passed, for weights that were checked while they were read.
    pub(super) fn passed() -> Self {
        let shared = Shared::default();
        shared.settle(Ok(()));
        Self { shared: Arc::new(shared), checkpoint: None }
    }

    /// The result, if the check has finished.
    pub fn verdict(&self) -> Option<Result<(), UnfitWeights>> {
        let verdict = self.shared.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone();
        verdict.map(|it| self.with_files(it))
    }

    /// A verdict on numbers, and that the files still hold them.
    fn with_files(&self, verdict: Result<(), NotFinite>) -> Result<(), UnfitWeights> {
        if let Some(path) = self.checkpoint.as_ref().and_then(|it| it.changed_file()) {
            return Err(UnfitWeights::Changed(path.to_owned()));
        }
        Ok(verdict?)
    }

    /// Waits until the check has finished or `cancel` is set.
    pub fn wait(&self, cancel: &CancelToken) -> Result<Result<(), UnfitWeights>, Cancelled> {
        const POLL_INTERVAL: Duration = Duration::from_millis(20);
        let mut verdict = self.shared.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(verdict) = &*verdict {
                return Ok(self.with_files(verdict.clone()));
            }
            if cancel.is_cancelled() {
                return Err(Cancelled);
            }
            let waited = self.shared.is_settled.wait_timeout(verdict, POLL_INTERVAL);
            (verdict, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for NumberCheck {
    fn drop(&mut self) {
        self.shared.is_abandoned.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn settle(&self, verdict: Result<(), NotFinite>) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        self.is_settled.notify_all();
    }
}
