//! Correlations, ranks, random draws, and permutation tests.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The correlations of two lists of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// The number of pairs.
    pub n: usize,

    /// Pearson's correlation, −1 to 1. `None` if one list does not vary.
    pub pearson: Option<f64>,

    /// Spearman's correlation, that of the ranks, where equal numbers share their mean rank, −1 to 1.
    /// `None` if one list does not vary.
    pub spearman: Option<f64>,
}

impl Correlation {
    /// The correlations of pairs of numbers, such as an estimate and a measurement.
    pub fn of_pairs(pairs: impl IntoIterator<Item = (f32, f32)>) -> Self {
        let (a, b): (Vec<f64>, Vec<f64>) =
            pairs.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).unzip();
        Self::of(&a, &b)
    }

    pub(in crate::analysis) fn of(a: &[f64], b: &[f64]) -> Self {
        Self { n: a.len(), pearson: pearson(a, b), spearman: spearman(a, b) }
    }
}

/// Pearson's correlation, −1 to 1. `None` if either side does not vary.
pub(in crate::analysis) fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "values come in pairs");
    let (a, b) = (centred(a), centred(b));
    let (aa, bb) = (dot(&a, &a), dot(&b, &b));
    (aa > 0.0 && bb > 0.0).then(|| (dot(&a, &b) / (aa * bb).sqrt()).clamp(-1.0, 1.0))
}

/// Spearman's correlation, which is Pearson's of the ranks. `None` if either side does not vary.
pub(in crate::analysis) fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

/// The rank of each value, from 1 for the smallest. Equal values share the mean of their ranks.
pub(in crate::analysis) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for alike in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let place = (2 * first + alike.len() + 1) as f64 / 2.0;
        for &index in alike {
            ranks[index] = place;
        }
        first += alike.len();
    }
    ranks
}

/// A permutation test of whether values are as alike by chance. The p-value of a statistic is (1 +
/// b) / (1 + n), where b of n permutations give at least the statistic of the given order (Phipson
/// & Smyth 2010).
///
/// # Panics
///
/// If `block` does not divide the number of values.
pub(in crate::analysis) struct Permutations {
    /// The number of permutations.
    pub n: usize,
    pub seed: u64,

    /// The number of neighbouring values that are permuted among themselves.
    pub block: usize,
}

impl Permutations {
    /// The p-value of each statistic. `statistics` computes them for an order of the indices.
    pub fn p_values<const N: usize>(
        &self,
        n_values: usize,
        statistics: impl Fn(&[usize]) -> [f64; N],
    ) -> [f64; N] {
        assert!(n_values.is_multiple_of(self.block), "blocks must be whole");
        let mut order: Vec<usize> = (0..n_values).collect();
        // Sums of the same products in another order differ by rounding.
        let given = statistics(&order).map(|it| it - 1e-9);
        let mut n_alike = [0; N];
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        for _ in 0..self.n {
            for block in order.chunks_mut(self.block) {
                for last in (1..block.len()).rev() {
                    block.swap(last, rng.random_range(0..=last));
                }
            }
            for (n, (drawn, given)) in n_alike.iter_mut().zip(statistics(&order).iter().zip(given))
            {
                *n += usize::from(*drawn >= given);
            }
        }
        n_alike.map(|n| (1 + n) as f64 / (1 + self.n) as f64)
    }
}

/// Keeps at most `most` random items, in the order of drawing. A larger draw begins with the same
/// items.
pub(in crate::analysis) fn draw<T>(from: &mut Vec<T>, most: usize, mut rng: ChaCha8Rng) {
    let n = most.min(from.len());
    for nth in 0..n {
        let other = rng.random_range(nth..from.len());
        from.swap(nth, other);
    }
    from.truncate(n);
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    // Values that differ only by rounding count as equal.
    let size = values.iter().fold(0.0_f64, |max, it| max.max(it.abs()));
    let centred: Vec<f64> = values.iter().map(|it| it - mean).collect();
    let varies = centred.iter().any(|it| it.abs() > 1e-12 * size);
    if varies { centred } else { vec![0.0; values.len()] }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 5 things in 120 orders, the one of the given order: p = 1/120.
    #[test]
    fn p_values_are_what_counting_gives() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0];
        let statistic = |order: &[usize]| {
            let moved: Vec<f64> = order.iter().map(|&at| a[at]).collect();
            [pearson(&a, &moved).unwrap(), -pearson(&a, &moved).unwrap()]
        };
        let all = Permutations { n: 20_000, seed: 1, block: 5 };
        let [same, opposite] = all.p_values(5, statistic);
        // Four standard errors.
        assert!((same - 1.0 / 120.0).abs() < 4.0 * (1.0 / 120.0 / 20_000.0_f64).sqrt(), "{same}");
        assert_eq!(opposite, 1.0);
        assert_eq!(all.p_values(5, statistic), [same, opposite]);
        assert_ne!(Permutations { seed: 2, ..all }.p_values(5, statistic)[0], same);
        // Where nothing can change places, chance always does as well.
        let none = Permutations { n: 99, seed: 1, block: 1 };
        assert_eq!(none.p_values(5, statistic), [1.0, 1.0]);
    }
}
