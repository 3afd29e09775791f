//! Notices logits that are not finite, as those of finite weights whose products are too large.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::cpu::{View, vectorized};
use super::{DeviceFailed, Transformer};

/// What is known of all logits that a model and its copies have computed.
#[derive(Debug, Default)]
pub(super) struct LogitWatch {
    /// Whether logits on the CPU were not finite.
    has_failed: AtomicBool,

    /// The sum of all logits on a device with a queue, which is asked for when all are there. It is
    /// finite only if they are.
    sum: Mutex<Option<Tensor<1>>>,
}

impl LogitWatch {
    /// Takes note of new logits. `[rows, d_vocab]`
    pub fn note(&self, logits: &Tensor<2>) {
        /// So small that finite logits have a finite sum.
        const SCALE: f32 = 1e-12;
        if let Some(view) = View::of(logits) {
            const EXPONENT: u32 = f32::INFINITY.to_bits();
            // Taking the largest exponent has no branch, so that many numbers are compared at once.
            let is_finite = |part: &[f32]| {
                let exponents = part.iter().map(|it| it.to_bits() & EXPONENT);
                vectorized(|| exponents.fold(0, u32::max)) < EXPONENT
            };
            if !view.values().par_chunks(1 << 16).all(is_finite) {
                self.has_failed.store(true, Ordering::Relaxed);
            }
            return;
        }
        let new = (logits.clone() * SCALE).sum();
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = Some(match sum.take() {
            Some(sum) => sum + new,
            None => new,
        });
    }
}

impl Transformer {
    /// A copy of the model that takes note of its own logits only.
    pub fn watched(&self) -> Self {
        Self { logit_watch: Arc::default(), ..self.clone() }
    }

    /// Whether all logits that the model and its copies have computed are finite. Waits for those that
    /// a device still computes.
    pub fn has_finite_logits(&self) -> Result<bool, DeviceFailed> {
        if self.logit_watch.has_failed.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let sum = self.logit_watch.sum.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(sum) = sum else { return Ok(true) };
        let data = sum.try_into_data().map_err(|error| DeviceFailed(error.to_string()))?;
        Ok(data.iter::<f32>().all(f32::is_finite))
    }

    /// Whether a logit is known, without waiting, not to be finite.
    pub fn has_failed_logits(&self) -> bool {
        self.logit_watch.has_failed.load(Ordering::Relaxed)
    }
}
