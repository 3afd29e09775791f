use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A mean, and how far to trust it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub n: usize,
    pub mean: f64,

    /// 95 % of the means of samples drawn anew from the values lie between these.
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// How many samples are drawn.
    const N_DRAWS: usize = 2000;

    /// The percentile bootstrap (Efron 1979), the same for the same values. Nothing for no values.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_as_wide_as_theory_says() {
        assert_eq!(Estimate::of(&[]), None);
        let same = Estimate::of(&[3.0; 5]).unwrap();
        assert_eq!((same.n, same.mean, same.low, same.high), (5, 3.0, 3.0, 3.0));

        // A coin thrown 400 times: its mean has a standard error of 0.025.
        let coin: Vec<f64> = (0..400).map(|nth| f64::from(nth % 2)).collect();
        let it = Estimate::of(&coin).unwrap();
        assert!((it.mean - 0.5).abs() < 1e-12);
        assert!((it.high - 0.549).abs() < 0.006 && (it.low - 0.451).abs() < 0.006, "{it:?}");
    }
}
