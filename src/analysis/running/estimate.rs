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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_as_wide_as_theory_says() {
        assert_eq!(Estimate::of(&[]), None);
        let same = Estimate::of(&[3.0; 5]).unwrap();
        assert_eq!((same.n, same.mean, same.low, same.high), (5, 3.0, 3.0, 3.0));

        // Of 1, 2, 3 and 4 the variance is 5/3, and that of the mean a quarter of it.
        let it = Estimate::by_standard_error(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!((it.n, it.mean), (4, 2.5));
        assert!((it.standard_error() - (5.0_f64 / 12.0).sqrt()).abs() < 1e-12, "{it:?}");
        let one = Estimate::by_standard_error(&[2.0]).unwrap();
        assert!(one.mean == 2.0 && one.low.is_nan() && one.high.is_nan());
        assert_eq!(Estimate::by_standard_error(&[]), None);

        // A coin thrown 400 times: its mean has a standard error of 0.025.
        let coin: Vec<f64> = (0..400).map(|nth| f64::from(nth % 2)).collect();
        let it = Estimate::of(&coin).unwrap();
        assert!((it.mean - 0.5).abs() < 1e-12);
        assert!((it.high - 0.549).abs() < 0.006 && (it.low - 0.451).abs() < 0.006, "{it:?}");
        let by_error = Estimate::by_standard_error(&coin).unwrap();
        assert!((it.low - by_error.low).abs() < 0.006 && (it.high - by_error.high).abs() < 0.006);
    }
}
