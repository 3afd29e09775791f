//! A mean with its 95 % confidence interval.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A mean with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number of values.
    pub n: usize,
    pub mean: f64,

    /// The lower end of the interval that holds the true mean with 95 % confidence.
    pub low: f64,

    /// The upper end of that interval.
    pub high: f64,
}

impl Estimate {
    /// How many samples the bootstrap draws.
    const N_DRAWS: usize = 2000;

    /// How many standard errors to either side hold 95 % of a normal distribution, rounded as in
    /// ROME.
    const Z: f64 = 1.96;

    /// The interval of the percentile bootstrap (Efron 1979), with a fixed seed. `None` without
    /// values.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len();
        let mean = |sum: f64| sum / n as f64;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut means: Vec<f64> = (0..Self::N_DRAWS)
            .map(|_| mean((0..n).map(|_| values[rng.random_range(0..n)]).sum()))
            .collect();
        means.sort_by(f64::total_cmp);
        let at = |share: f64| means[(share * (Self::N_DRAWS - 1) as f64).round() as usize];
        Some(Self { n, mean: mean(values.iter().sum()), low: at(0.025), high: at(0.975) })
    }

    /// The interval of ± 1.96 standard errors of independent values, which is fast enough for
    /// thousands of means. `None` without values; the ends are NaN for a single value.
    pub fn by_standard_error(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|it| (it - mean).powi(2)).sum();
        let error = if n > 1 { (squares / (n - 1) as f64 / n as f64).sqrt() } else { f64::NAN };
        Some(Self { n, mean, low: mean - Self::Z * error, high: mean + Self::Z * error })
    }

    /// The standard error of the mean, NaN if there is no interval.
    pub fn standard_error(&self) -> f64 {
        (self.high - self.low) / (2.0 * Self::Z)
    }
}
