//! Which facts of the dataset the open model knows, as far as that has been measured.

use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisResult;
use crate::facts::Direction;

/// How the model answers one fact, asked one way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    /// How many tokens are likelier than the answer's first; 0 is a fact that the model knows.
    pub rank: u32,

    /// Of the answer's first token, 0 to 1.
    pub prob: f32,

    pub n_answer_tokens: usize,
}

impl Recalled {
    /// As a prediction says it. `None` for other results, and for a prompt without an answer.
    pub fn of(result: &AnalysisResult) -> Option<Self> {
        let AnalysisResult::Prediction(it) = result else { return None };
        let answer = it.answer.as_ref()?;
        let n_answer_tokens = it.prompt.answer.as_ref().map_or(0, |it| it.ids.len());
        Some(Self { rank: answer.rank, prob: answer.prob, n_answer_tokens })
    }

    pub fn is_known(self) -> bool {
        self.rank == 0
    }
}

/// What has been measured, by the place of a fact in the dataset.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Recall {
    entries: Vec<[Entry; 2]>,

    /// All before it are measured or on their way.
    cursor: usize,
    n_measured: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Entry {
    #[default]
    Unmeasured,

    /// There is nothing to ask, or it cannot be asked.
    Nothing,
    Measured(Recalled),
}

impl Recall {
    /// Forgets everything: another dataset, model or BOS.
    pub fn reset(&mut self, n_facts: usize) {
        *self = Self { entries: vec![Default::default(); n_facts], ..Self::default() };
    }

    pub fn get(&self, nth: usize, direction: Direction) -> Option<Recalled> {
        match self.entries.get(nth)?[direction as usize] {
            Entry::Measured(recalled) => Some(recalled),
            Entry::Unmeasured | Entry::Nothing => None,
        }
    }

    /// Takes over what was measured before, if it is of as many facts. What was on its way then is
    /// asked again.
    pub fn adopt(&mut self, before: &Self) {
        if before.entries.len() == self.entries.len() {
            let answers = before.entries.iter().flatten();
            self.n_measured = answers.filter(|it| **it != Entry::Unmeasured).count();
            self.entries.clone_from(&before.entries);
            self.cursor = 0;
        }
    }

    /// The next question to ask, each once.
    pub fn take_next(&mut self) -> Option<(usize, Direction)> {
        loop {
            let (nth, is_inverse) = (self.cursor / 2, self.cursor % 2 == 1);
            let entry = self.entries.get(nth)?[usize::from(is_inverse)];
            self.cursor += 1;
            if entry == Entry::Unmeasured {
                return Some((
                    nth,
                    if is_inverse { Direction::Inverse } else { Direction::Forward },
                ));
            }
        }
    }

    /// `None`: it cannot be asked.
    pub fn set(&mut self, nth: usize, direction: Direction, recalled: Option<Recalled>) {
        if let Some(entry) = self.entries.get_mut(nth) {
            entry[direction as usize] = recalled.map_or(Entry::Nothing, Entry::Measured);
            self.n_measured += 1;
        }
    }

    /// Questions asked, and all there are.
    pub fn progress(&self) -> (usize, usize) {
        (self.n_measured, 2 * self.entries.len())
    }

    /// Known and measured facts, in one direction.
    pub fn count(&self, direction: Direction) -> (usize, usize) {
        let mut counts = (0, 0);
        for entry in &self.entries {
            if let Entry::Measured(recalled) = entry[direction as usize] {
                counts.0 += usize::from(recalled.is_known());
                counts.1 += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_asked_once() {
        let mut recall = Recall::default();
        recall.reset(2);
        let mut asked = Vec::new();
        while let Some(question) = recall.take_next() {
            asked.push(question);
        }
        let [forward, inverse] = [Direction::Forward, Direction::Inverse];
        assert_eq!(asked, [(0, forward), (0, inverse), (1, forward), (1, inverse)]);
    }

    #[test]
    fn what_was_measured_before_is_not_asked_again() {
        let mut before = Recall::default();
        before.reset(2);
        before.set(0, Direction::Inverse, None);
        let mut recall = Recall::default();
        recall.reset(2);
        recall.adopt(&before);
        let asked: Vec<_> = std::iter::from_fn(|| recall.take_next()).collect();
        assert_eq!(asked.len(), 3);
        assert!(!asked.contains(&(0, Direction::Inverse)));
        // Of another dataset.
        recall.reset(3);
        recall.adopt(&before);
        assert_eq!(recall.progress(), (0, 6));
    }

    #[test]
    fn what_cannot_be_asked_counts_as_done_and_not_as_unknown() {
        let mut recall = Recall::default();
        recall.reset(2);
        let recalled = Recalled { rank: 0, prob: 0.5, n_answer_tokens: 1 };
        recall.set(0, Direction::Forward, Some(recalled));
        recall.set(0, Direction::Inverse, None);
        recall.set(1, Direction::Forward, Some(Recalled { rank: 3, ..recalled }));
        assert_eq!(recall.progress(), (3, 4));
        assert_eq!(recall.count(Direction::Forward), (1, 2));
        assert_eq!(recall.count(Direction::Inverse), (0, 0));
        assert_eq!(recall.get(0, Direction::Inverse), None);
    }
}
