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
