//! Checks in the background that all weights are finite.
//!
//! Opening a memory-mapped file reads none of its gigabytes, so the check runs beside the first
//! analysis, and only a result that is to be shown waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Checkpoint, NotFinite};
use crate::task::{CancelToken, Cancelled};

/// A check that is running or has finished. Dropping it stops the check.
#[derive(Debug)]
pub struct NumberCheck(Arc<Shared>);

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
        let look = move |shared: &Shared| {
            let is_wanted = || !shared.is_abandoned.load(Ordering::Relaxed);
            shared.settle(checkpoint.check_mapped(&is_wanted));
        };
        let thread = thread::Builder::new().name("number check".to_owned());
        let for_here = look.clone();
        // If no thread can be started, the check runs at once on this one.
        if thread.spawn(move || look(&for_thread)).is_err() {
            for_here(&shared);
        }
        Self(shared)
    }

    /// A check that has already passed, for weights that were checked while they were read.
    pub(super) fn passed() -> Self {
        let shared = Shared::default();
        shared.settle(Ok(()));
        Self(Arc::new(shared))
    }

    /// The result, if the check has finished.
    pub fn verdict(&self) -> Option<Result<(), NotFinite>> {
        self.0.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the check has finished or `cancel` is set.
    pub fn wait(&self, cancel: &CancelToken) -> Result<Result<(), NotFinite>, Cancelled> {
        const POLL_INTERVAL: Duration = Duration::from_millis(20);
        let mut verdict = self.0.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(verdict) = &*verdict {
                return Ok(verdict.clone());
            }
            if cancel.is_cancelled() {
                return Err(Cancelled);
            }
            let waited = self.0.is_settled.wait_timeout(verdict, POLL_INTERVAL);
            (verdict, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for NumberCheck {
    fn drop(&mut self) {
        self.0.is_abandoned.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn settle(&self, verdict: Result<(), NotFinite>) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        self.is_settled.notify_all();
    }
}
