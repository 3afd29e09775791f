//! Intervals and tests of many means at once, over the same facts: the bootstrap, sign flips and
//! relabellings with the maximum statistic, and whether the same parts matter for two ways of a fact.
//!
//! All draws follow from a seed, and do not depend on how many threads there are.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::analysis::largest::largest_by_size;
use crate::analysis::statistics::{ranks, spearman};

/// How often is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// How many samples the bootstrap draws.
    pub n_draws: usize,

    /// How often signs are flipped, labels exchanged or pairs drawn.
    pub n_permutations: usize,
    pub seed: u64,
}

impl Resampling {
    /// The most that can be drawn: so many tell p-values apart down to a millionth.
    pub const MOST: usize = 1_000_000;
}

impl Default for Resampling {
    fn default() -> Self {
        Self { n_draws: 2000, n_permutations: 1999, seed: 1 }
    }
}

/// A mean over facts, or the difference of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inference {
    /// How many facts, or questions that facts share, have a value; of two groups, both together.
    pub n: usize,
    pub mean: f64,

    /// The standard error of independent facts. NaN for a single one.
    pub error: f64,

    /// The ends of the 95 % interval of the percentile bootstrap over facts (Efron 1979).
    pub low: f64,
    pub high: f64,

    /// The p-value against zero, with the largest statistic of all cells as the measure, so that it
    /// holds for all of them together (Westfall & Young 1993; Nichols & Holmes 2002). NaN where there
    /// are too few facts.
    pub p: f64,
}

/// A question, with the values of all parts for each fact that asks it, both ways.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedQuestion {
    /// The relation that the question is of, by any number.
    pub relation: usize,
    pub pairs: Vec<[Vec<f64>; 2]>,
}

/// Whether the same parts matter for two ways of each fact. A question counts once, whatever the number
/// of facts that ask it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharedParts {
    /// How many questions are compared: those whose relation has another one.
    pub n: usize,

    /// How many facts ask them.
    pub n_facts: usize,

    /// The mean share of parts in both tops among those in either, of a fact and its own inverse.
    pub jaccard: f64,

    /// The mean share of parts in both tops among those in either, of a fact and the inverse of a fact of
    /// its relation that asks another question.
    pub jaccard_of_others: f64,

    /// The one-sided p-value: how often random pairs are at least as alike.
    pub jaccard_p: f64,

    /// The mean Spearman correlation of a fact and its own inverse, and of a fact and another's.
    pub spearman: f64,
    pub spearman_of_others: f64,
    pub spearman_p: f64,
}

/// The fewest facts whose signs are flipped: of five, 2 of 32 flips are as extreme as all of one sign, so
/// none could be significant. The statistic of a few facts is now and then very large, and would hide
/// what other cells show.
const FEWEST: f64 = 6.0;

/// The fewest facts in each of two groups whose labels are exchanged, for the same reason.
const FEWEST_OF_GROUP: f64 = 4.0;

/// The values of a cell, 0 where a fact has none, and whether it has.
struct Values {
    values: Vec<f64>,

    /// 1 or 0. Empty if all facts have a value.
    there: Vec<f64>,
}

impl Values {
    fn of(cell: &[f64]) -> Self {
        let values = cell.iter().map(|it| if it.is_nan() { 0.0 } else { *it }).collect();
        let is_whole = !cell.iter().any(|it| it.is_nan());
        let there = |it: &f64| f64::from(u8::from(!it.is_nan()));
        let there = if is_whole { Vec::new() } else { cell.iter().map(there).collect() };
        Self { values, there }
    }

    /// The weighted sum of the values, and of the weights of those that are there.
    fn sums(&self, weights: &[f64], total: f64) -> (f64, f64) {
        let sum = dot(&self.values, weights);
        (sum, if self.there.is_empty() { total } else { dot(&self.there, weights) })
    }

    fn n(&self) -> f64 {
        if self.there.is_empty() { self.values.len() as f64 } else { self.there.iter().sum() }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Resampling {
    /// The generator of a draw, which does not depend on the others.
    fn rng(&self, purpose: u64, draw: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(purpose << 32));
        rng.set_stream(draw as u64);
        rng
    }

    /// The mean of each cell. `cells`: by cell and fact, NaN where a fact has no value.
    pub fn means(&self, cells: &[Vec<f64>]) -> Vec<Inference> {
        let n_facts = cells.first().map_or(0, Vec::len);
        let all: Vec<Values> = cells.iter().map(|it| Values::of(it)).collect();
        let ends = self.intervals(&[&all]);

        let squares: Vec<f64> = all.iter().map(|it| dot(&it.values, &it.values)).collect();
        let t = |nth: usize, sum: f64| {
            let n = all[nth].n();
            if n < FEWEST {
                return 0.0;
            }
            statistic(sum / n, (squares[nth] - sum * sum / n) / (n - 1.0) / n)
        };
        let given: Vec<f64> =
            all.iter().enumerate().map(|(nth, it)| t(nth, it.values.iter().sum())).collect();
        let largest: Vec<f64> = (0..self.n_permutations)
            .into_par_iter()
            .map(|draw| {
                let mut rng = self.rng(1, draw);
                let signs: Vec<f64> =
                    (0..n_facts).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }).collect();
                let each = all.iter().enumerate().map(|(nth, it)| t(nth, dot(&it.values, &signs)));
                each.fold(0.0, f64::max)
            })
            .collect();
        let inference = |(nth, it): (usize, &Values)| {
            let n = it.n();
            let mean = it.values.iter().sum::<f64>() / n;
            let error = squared_error(cells[nth].iter().copied(), mean, n).sqrt();
            let p = if n < FEWEST { f64::NAN } else { p_value(given[nth], &largest) };
            let (low, high) = ends[nth];
            Inference { n: n as usize, mean, error, low, high, p }
        };
        all.iter().enumerate().map(inference).collect()
    }

    /// The difference of each cell's mean over one group of facts and that over another.
    pub fn differences(&self, cells: [&[Vec<f64>]; 2]) -> Vec<Inference> {
        let n_facts = cells.map(|it| it.first().map_or(0, Vec::len));
        let [a, b] = cells.map(|it| it.iter().map(|it| Values::of(it)).collect::<Vec<_>>());
        let ends = self.intervals(&[&a, &b]);

        let both: Vec<Values> = cells[0]
            .iter()
            .zip(cells[1])
            .map(|(a, b)| Values::of(&[a.as_slice(), b.as_slice()].concat()))
            .collect();
        let t = |it: &Values, of_a: &[f64]| {
            let of_b: f64 = it.values.len() as f64 - n_facts[0] as f64;
            let (sum_a, n_a) = it.sums(of_a, n_facts[0] as f64);
            let (sum, n) = (it.values.iter().sum::<f64>(), it.n());
            let (sum_b, n_b) = (sum - sum_a, n - n_a);
            if of_b < FEWEST_OF_GROUP || n_a < FEWEST_OF_GROUP || n_b < FEWEST_OF_GROUP {
                return 0.0;
            }
            let squares = |is_a: bool| -> f64 {
                let each = it.values.iter().zip(of_a);
                each.filter(|(_, a)| (**a > 0.5) == is_a).map(|(value, _)| value * value).sum()
            };
            let variance =
                |squares: f64, sum: f64, n: f64| (squares - sum * sum / n) / (n - 1.0) / n;
            let error = variance(squares(true), sum_a, n_a) + variance(squares(false), sum_b, n_b);
            statistic(sum_a / n_a - sum_b / n_b, error)
        };
        let own: Vec<f64> =
            (0..n_facts[0] + n_facts[1]).map(|nth| f64::from(u8::from(nth < n_facts[0]))).collect();
        let given: Vec<f64> = both.iter().map(|it| t(it, &own)).collect();
        let largest: Vec<f64> = (0..self.n_permutations)
            .into_par_iter()
            .map(|draw| {
                let mut rng = self.rng(3, draw);
                let mut labels = own.clone();
                shuffle(&mut labels, &mut rng);
                both.iter().map(|it| t(it, &labels)).fold(0.0, f64::max)
            })
            .collect();
        let inference = |nth: usize| {
            let side = |it: &Values, cell: &[f64]| {
                let n = it.n();
                let mean = it.values.iter().sum::<f64>() / n;
                (n, mean, squared_error(cell.iter().copied(), mean, n))
            };
            let (n_a, mean_a, error_a) = side(&a[nth], &cells[0][nth]);
            let (n_b, mean_b, error_b) = side(&b[nth], &cells[1][nth]);
            let is_tested = n_a >= FEWEST_OF_GROUP && n_b >= FEWEST_OF_GROUP;
            let p = if is_tested { p_value(given[nth], &largest) } else { f64::NAN };
            let (low, high) = ends[nth];
            let error = (error_a + error_b).sqrt();
            Inference { n: (n_a + n_b) as usize, mean: mean_a - mean_b, error, low, high, p }
        };
        (0..both.len()).map(inference).collect()
    }

    /// The ends of the bootstrap's interval of each cell: of the mean of one group of facts, or of that
    /// of the first less that of the second.
    fn intervals(&self, groups: &[&[Values]]) -> Vec<(f64, f64)> {
        /// How many means are drawn together, so that they take little memory.
        const TOGETHER: usize = 1 << 20;
        let together = (TOGETHER / self.n_draws.max(1)).max(1);
        let n_cells = groups.first().map_or(0, |it| it.len());
        let mut intervals = Vec::with_capacity(n_cells);
        for start in (0..n_cells).step_by(together) {
            let cells = start..(start + together).min(n_cells);
            let draw = |draw: usize| {
                let mut means = vec![0.0; cells.len()];
                for (purpose, (group, sign)) in groups.iter().zip([1.0, -1.0]).enumerate() {
                    let n_facts = group[cells.start].values.len();
                    let mut rng = self.rng(10 + purpose as u64, draw);
                    let mut counts = vec![0.0; n_facts];
                    for _ in 0..n_facts {
                        counts[rng.random_range(0..n_facts)] += 1.0;
                    }
                    for (mean, cell) in means.iter_mut().zip(&group[cells.clone()]) {
                        let (sum, n) = cell.sums(&counts, n_facts as f64);
                        *mean += sign * sum / n;
                    }
                }
                means
            };
            let drawn: Vec<Vec<f64>> = (0..self.n_draws).into_par_iter().map(draw).collect();
            let ends = |cell: usize| ends(drawn.iter().map(|it| it[cell]).collect());
            intervals.extend((0..cells.len()).map(ends));
        }
        intervals
    }

    /// Whether the same parts matter for the two ways of each fact, against random pairs of the same
    /// relation that do not share a question.
    pub fn shared_parts(&self, questions: &[SharedQuestion], n_top: usize) -> Option<SharedParts> {
        let n_of = |relation: usize| questions.iter().filter(|it| it.relation == relation).count();
        let kept: Vec<&SharedQuestion> =
            questions.iter().filter(|it| n_of(it.relation) > 1 && !it.pairs.is_empty()).collect();
        let n = kept.len();
        let n_parts = kept.first().map_or(0, |it| it.pairs[0][0].len());
        if n < 2 || n_parts < 2 {
            return None;
        }
        let way = |it: &Vec<f64>| Way::of(it, n_top);
        let ways: Vec<Vec<[Way; 2]>> = kept
            .iter()
            .map(|it| it.pairs.iter().map(|pair| pair.each_ref().map(way)).collect())
            .collect();
        let relation: Vec<usize> = kept.iter().map(|it| it.relation).collect();
        let plus = |sum: [f64; 2], it: [f64; 2]| [sum[0] + it[0], sum[1] + it[1]];
        let alike = |partner: &[usize]| -> [f64; 2] {
            let each = |nth: usize| {
                let (mine, others) = (&ways[nth], &ways[partner[nth]]);
                let inverses = others.iter().cycle();
                let sum = mine.iter().zip(inverses).map(|(fact, other)| fact[0].alike(&other[1]));
                sum.fold([0.0; 2], plus).map(|it| it / mine.len() as f64)
            };
            (0..n).map(each).fold([0.0; 2], plus).map(|it| it / n as f64)
        };
        let own: Vec<usize> = (0..n).collect();
        let given = alike(&own);
        let others: Vec<[f64; 2]> = (0..self.n_permutations)
            .into_par_iter()
            .map(|draw| alike(&partners(&relation, &mut self.rng(4, draw))))
            .collect();
        let of_others = |which: usize| {
            others.iter().map(|it| it[which]).sum::<f64>() / others.len().max(1) as f64
        };
        let p = |which: usize| {
            let drawn: Vec<f64> = others.iter().map(|it| it[which]).collect();
            p_value(given[which], &drawn)
        };
        Some(SharedParts {
            n,
            n_facts: ways.iter().map(Vec::len).sum(),
            jaccard: given[0],
            jaccard_of_others: of_others(0),
            jaccard_p: p(0),
            spearman: given[1],
            spearman_of_others: of_others(1),
            spearman_p: p(1),
        })
    }
}

/// What a way of a fact is compared by.
struct Way {
    /// The parts with the largest absolute values, in order of their index.
    top: Vec<usize>,
    ranks: Vec<f64>,
}

impl Way {
    fn of(values: &[f64], n_top: usize) -> Self {
        let mut top = largest_by_size(values, n_top);
        top.sort_unstable();
        Self { top, ranks: ranks(values) }
    }

    /// The share of parts in both tops among those in either, and Spearman's correlation, 0 where
    /// there is none.
    fn alike(&self, other: &Self) -> [f64; 2] {
        let n_shared = self.top.iter().filter(|it| other.top.binary_search(it).is_ok()).count();
        let n_either = self.top.len() + other.top.len() - n_shared;
        let jaccard = n_shared as f64 / n_either.max(1) as f64;
        [jaccard, spearman(&self.ranks, &other.ranks).unwrap_or(0.0)]
    }
}

/// For each question another one of its relation, drawn at random.
fn partners(relation: &[usize], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..relation.len()).collect();
    shuffle(&mut order, rng);
    order.sort_by_key(|&nth| relation[nth]);
    let mut partner = vec![0; relation.len()];
    for alike in order.chunk_by(|&a, &b| relation[a] == relation[b]) {
        for (nth, &question) in alike.iter().enumerate() {
            partner[question] = alike[(nth + 1) % alike.len()];
        }
    }
    partner
}

fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.random_range(0..=last));
    }
}

/// The size of a mean in its standard errors. Infinite for values that are all the same.
fn statistic(mean: f64, squared_error: f64) -> f64 {
    if mean == 0.0 { 0.0 } else { mean.abs() / squared_error.max(0.0).sqrt() }
}

fn squared_error(cell: impl Iterator<Item = f64>, mean: f64, n: f64) -> f64 {
    let squares: f64 = cell.filter(|it| !it.is_nan()).map(|it| (it - mean).powi(2)).sum();
    if n < 2.0 { f64::NAN } else { squares / (n - 1.0) / n }
}

/// (1 + b) / (1 + n), where b of n draws are at least the given one (Phipson & Smyth 2010).
fn p_value(given: f64, drawn: &[f64]) -> f64 {
    // Sums of the same values in another order differ by rounding.
    let given = given * (1.0 - 1e-9 * given.signum());
    let n_alike = drawn.iter().filter(|it| **it >= given).count();
    (1 + n_alike) as f64 / (1 + drawn.len()) as f64
}

/// The 2.5 % and 97.5 % points of some draws.
fn ends(mut drawn: Vec<f64>) -> (f64, f64) {
    // A draw may have no fact that has a value.
    drawn.retain(|it| it.is_finite());
    drawn.sort_by(f64::total_cmp);
    let Some(last) = drawn.len().checked_sub(1) else { return (f64::NAN, f64::NAN) };
    let at = |share: f64| drawn[(share * last as f64).round() as usize];
    (at(0.025), at(0.975))
}
