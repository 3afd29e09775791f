//! How alike two maps are, and whether chance is as alike.

use serde::{Deserialize, Serialize};

use super::Spec;
use crate::analysis::statistics::{Permutations, largest, pearson, ranks, spearman};

/// How alike two lists of numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likeness {
    pub n: usize,

    /// Nothing where one of them is all the same.
    pub pearson: Option<f64>,
    pub spearman: Option<f64>,
}

/// Whether the same parts matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// The parts of largest size, the largest first, as places in the map, row by row.
    pub top: [Vec<usize>; 2],

    /// How many are in both.
    pub n_shared: usize,

    /// Of the parts in either, the share in both: 0 to 1.
    pub jaccard: f64,

    /// How often chance is as alike or more, if any part may stand for any other.
    pub any_part: PValues,

    /// The same, if only those of a layer may. Nothing where a layer is one part.
    pub within_layers: Option<PValues>,
}

/// One-sided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PValues {
    pub jaccard: f64,

    /// Nothing where the correlation is none.
    pub spearman: Option<f64>,
}

impl Likeness {
    pub(super) fn of(a: &[f64], b: &[f64]) -> Self {
        Self { n: a.len(), pearson: pearson(a, b), spearman: spearman(a, b) }
    }
}

/// `n_columns`: parts per layer.
pub(super) fn overlap(spec: &Spec, a: &[f64], b: &[f64], n_columns: usize) -> Overlap {
    let n = a.len();
    let top = [largest(a, spec.n_top), largest(b, spec.n_top)];
    let in_top = top.each_ref().map(|top| {
        let mut is_in = vec![false; n];
        for &at in top {
            is_in[at] = true;
        }
        is_in
    });
    let n_shared = |order: &[usize]| -> usize {
        let both = in_top[0].iter().zip(order).filter(|(is_in, at)| **is_in && in_top[1][**at]);
        both.count()
    };
    let jaccard = |n_shared: usize| {
        let n_either = 2 * top[0].len() - n_shared;
        n_shared as f64 / n_either as f64
    };
    let rank_correlation = spearman(a, b);
    let (a, b) = (ranks(a), ranks(b));
    let products = |order: &[usize]| -> f64 { a.iter().zip(order).map(|(a, at)| a * b[*at]).sum() };
    let test = |block: usize| {
        let permutations = Permutations { n: spec.n_permutations, seed: spec.seed, block };
        let [shared, products] = permutations
            // Each grows with what it stands for: shared parts, and the correlation of ranks.
            .p_values(n, |order| [n_shared(order) as f64, products(order)]);
        PValues { jaccard: shared, spearman: rank_correlation.map(|_| products) }
    };
    let order: Vec<usize> = (0..n).collect();
    let n_shared = n_shared(&order);
    Overlap {
        n_shared,
        jaccard: jaccard(n_shared),
        any_part: test(n),
        within_layers: (n_columns > 1).then(|| test(n_columns)),
        top,
    }
}
