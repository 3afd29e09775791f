//! The questions that facts ask. Inverses of a many-to-one relation ask one and the same question, which
//! counts once: the numbers of its facts are averaged before anything is told from them.

use std::collections::HashMap;
use std::hash::Hash;

use super::read::{Numbers, Population};

/// Facts, or pairs of a fact and its inverse, that ask the same question, by their places in a list.
pub(super) type Question = Vec<usize>;

impl Population {
    /// Facts by the question that they ask: the same words, asked the same way.
    pub(super) fn questions(&self, facts: &[usize]) -> Vec<Question> {
        together(facts.iter().map(|&nth| [self.asked(nth)]))
    }

    /// Facts and their inverses by the questions that they ask. Pairs that share one either way belong
    /// together, and so do those that are joined by others.
    pub(super) fn questions_of_pairs(&self, pairs: &[[usize; 2]]) -> Vec<Question> {
        together(pairs.iter().map(|pair| pair.map(|nth| self.asked(nth))))
    }

    /// What a fact asks.
    fn asked(&self, nth: usize) -> [&str; 2] {
        let fact = &self.facts[nth];
        [&fact.direction, &fact.prompt]
    }
}

impl Numbers {
    /// The mean of each cell over the facts of each question, NaN where none has a value. `value`: that of
    /// an item of the questions, from the values of all facts.
    pub(super) fn by_question(
        &self,
        questions: &[Question],
        value: impl Fn(&[f64], usize) -> f64,
    ) -> Vec<Vec<f64>> {
        let mean = |values: &[f64], question: &Question| {
            let there = question.iter().map(|&nth| value(values, nth)).filter(|it| !it.is_nan());
            let (n, sum) = there.fold((0.0, 0.0), |(n, sum), it| (n + 1.0, sum + it));
            sum / n
        };
        let cell = |values: &Vec<f64>| questions.iter().map(|it| mean(values, it)).collect();
        self.values.iter().map(cell).collect()
    }
}

/// The places of items that share a key, each place once, in the order of the first of each.
fn together<K: Hash + Eq, const N: usize>(keys: impl Iterator<Item = [K; N]>) -> Vec<Question> {
    let mut firsts: HashMap<K, usize> = HashMap::new();
    // Of each item an earlier one that it belongs to, or itself.
    let mut earlier: Vec<usize> = Vec::new();
    let root = |earlier: &[usize], mut nth: usize| {
        while earlier[nth] != nth {
            nth = earlier[nth];
        }
        nth
    };
    for (nth, keys) in keys.enumerate() {
        earlier.push(nth);
        for key in keys {
            let [a, b] = [*firsts.entry(key).or_insert(nth), nth].map(|it| root(&earlier, it));
            earlier[a.max(b)] = a.min(b);
        }
    }
    let mut places: Vec<Question> = vec![Vec::new(); earlier.len()];
    for nth in 0..earlier.len() {
        places[root(&earlier, nth)].push(nth);
    }
    places.retain(|it| !it.is_empty());
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_a_key_is_together() {
        let alone = together([[1], [2], [1], [3]].into_iter());
        assert_eq!(alone, [vec![0, 2], vec![1], vec![3]]);
        // The last item joins the first two, which share nothing themselves.
        let pairs = [["a", "x"], ["b", "y"], ["c", "z"], ["b", "x"]];
        assert_eq!(together(pairs.into_iter()), [vec![0, 1, 3], vec![2]]);
        assert!(together(std::iter::empty::<[u8; 1]>()).is_empty());
    }
}
