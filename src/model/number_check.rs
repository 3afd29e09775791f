//! That every number of the weights is finite: looked at once, beside whatever else is done.
//!
//! Opening a mapped file touches none of its three gigabytes, so the check need not be waited for
//! until there is a result to show.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;

use super::Checkpoint;
use crate::task::{CancelToken, Cancelled};

/// A number of the weights that nothing can be computed with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tensor `{tensor}` holds {value} at element {index}: {path}")]
pub struct NotFinite {
    pub tensor: String,
    pub index: usize,

    /// `NaN`, `inf` or `-inf`.
    pub value: String,
    pub path: PathBuf,
}

/// A check under way, or done. It ends early when this is dropped.
#[derive(Debug)]
pub struct NumberCheck(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    verdict: Mutex<Option<Result<(), NotFinite>>>,
    is_there: Condvar,
    is_unwanted: AtomicBool,
}

impl NotFinite {
    /// `values`: of which one is not finite.
    pub(super) fn find(tensor: &str, values: &[f32], path: &Path) -> Self {
        let index = values.iter().position(|value| !value.is_finite()).unwrap_or_default();
        let (tensor, path) = (tensor.to_owned(), path.to_owned());
        Self { tensor, index, value: values[index].to_string(), path }
    }
}

impl NumberCheck {
    /// Begins to look, in a thread of its own.
    pub(super) fn start(checkpoint: Arc<Checkpoint>) -> Self {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let look = move |shared: &Shared| {
            let goes_on = || !shared.is_unwanted.load(Ordering::Relaxed);
            shared.settle(checkpoint.look_at_mapped(&goes_on));
        };
        let thread = thread::Builder::new().name("number check".to_owned());
        let for_here = look.clone();
        // Where no thread is to be had it is done here and now.
        if thread.spawn(move || look(&for_thread)).is_err() {
            for_here(&shared);
        }
        Self(shared)
    }

    /// Nothing is left to look at.
    pub(super) fn passed() -> Self {
        let shared = Shared::default();
        shared.settle(Ok(()));
        Self(Arc::new(shared))
    }

    /// What it found, if it has ended.
    pub fn verdict(&self) -> Option<Result<(), NotFinite>> {
        self.0.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for its end.
    pub fn wait(&self, cancel: &CancelToken) -> Result<Result<(), NotFinite>, Cancelled> {
        const LOOK_UP: Duration = Duration::from_millis(20);
        let mut verdict = self.0.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(verdict) = &*verdict {
                return Ok(verdict.clone());
            }
            if cancel.is_cancelled() {
                return Err(Cancelled);
            }
            let waited = self.0.is_there.wait_timeout(verdict, LOOK_UP);
            (verdict, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for NumberCheck {
    fn drop(&mut self) {
        self.0.is_unwanted.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn settle(&self, found: Result<(), NotFinite>) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        self.is_there.notify_all();
    }
}

/// Whether all of these `f32` are finite, on all cores.
pub(super) fn is_finite(bytes: &[u8]) -> bool {
    const EXPONENT: u32 = f32::INFINITY.to_bits();
    bytes.par_chunks(1 << 18).all(|bytes| {
        let (numbers, _) = bytes.as_chunks::<4>();
        // The largest exponent rather than a search, so that many are looked at together.
        let largest = numbers
            .iter()
            .fold(0, |largest, bytes| largest.max(u32::from_le_bytes(*bytes) & EXPONENT));
        largest < EXPONENT
    })
}
