use serde::{Deserialize, Serialize};

use crate::analysis::statistics::{pearson, spearman};

/// How well estimates go with what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// How many pairs of numbers.
    pub n: usize,

    /// Correlation of the numbers. Nothing where one side does not vary.
    pub pearson: Option<f64>,

    /// Correlation of their ranks; equal numbers share the mean of theirs.
    pub spearman: Option<f64>,
}

impl Agreement {
    /// Of pairs of an estimate and what was measured.
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
