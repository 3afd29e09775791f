//! Whether the same components matter in two maps, with tests against chance.

use serde::{Deserialize, Serialize};

use super::Spec;
use crate::analysis::largest::largest_by_size;
use crate::analysis::statistics::{Permutations, ranks, spearman};

/// Whether the same components matter in two maps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// The components with the largest absolute values in each map, largest first, as indices into
    /// the map row by row.
    pub top: [Vec<usize>; 2],

    /// How many of these are in both maps.
    pub n_shared: usize,

    /// The share of components in both among those in either, 0 to 1.
    pub jaccard: f64,

    /// The tests in which all components are permuted.
    pub any_part: PValues,

    /// The tests in which only the components of each layer are permuted. `None` if a layer has
    /// only one.
    pub within_layers: Option<PValues>,
}

/// One-sided p-values, 0 to 1: how often chance gives maps that are at least as alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PValues {
    /// Of the number of shared components.
    pub jaccard: f64,

    /// Of Spearman's correlation. `None` if there is no correlation.
    pub spearman: Option<f64>,
}

/// The overlap of two maps with `n_columns` components in each layer.
pub(super) fn overlap(spec: &Spec, a: &[f64], b: &[f64], n_columns: usize) -> Overlap {
    let n = a.len();
    let top = [a, b].map(|values| largest_by_size(values, spec.n_top));
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
            // The sum of products of ranks grows with their correlation.
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
