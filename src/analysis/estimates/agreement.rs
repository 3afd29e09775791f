//! How well estimates agree with measurements.

use serde::{Deserialize, Serialize};

use crate::analysis::statistics::{pearson, spearman};

/// The correlations of estimates with measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The number of pairs.
    pub n: usize,

    /// The correlation of the numbers, −1 to 1. `None` if one side does not vary.
    pub pearson: Option<f64>,

    /// The correlation of their ranks, −1 to 1, where equal numbers share their mean rank. `None`
    /// if one side does not vary.
    pub spearman: Option<f64>,
}

impl Agreement {
    /// The agreement of pairs of an estimate and a measurement.
    pub fn of(pairs: &[(f32, f32)]) -> Self {
        let (a, b): (Vec<f64>, Vec<f64>) =
            pairs.iter().map(|&(a, b)| (f64::from(a), f64::from(b))).unzip();
        Self { n: pairs.len(), pearson: pearson(&a, &b), spearman: spearman(&a, &b) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_are_those_of_numpy() {
        let pairs = [(1.0, 2.0), (2.0, 1.0), (3.0, 5.0), (3.0, 30.0)];
        let it = Agreement::of(&pairs);
        // numpy.corrcoef of [1, 2, 3, 3] and [2, 1, 5, 30], and of their ranks.
        assert!((it.pearson.unwrap() - 0.594_080_616).abs() < 1e-6, "{it:?}");
        assert!((it.spearman.unwrap() - 0.737_864_787).abs() < 1e-6, "{it:?}");
        assert_eq!(Agreement::of(&[(1.0, 2.0), (1.0, 3.0)]).pearson, None);
        assert_eq!(Agreement::of(&[]), Agreement { n: 0, pearson: None, spearman: None });
    }
}
