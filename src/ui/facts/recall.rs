//! Which facts of the dataset the open model knows, as far as that has been measured.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisResult;
use crate::facts::Direction;
use crate::population::KnownBy;

/// How the model answers one fact, asked one way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    /// How many tokens are likelier than the first one of the likeliest right answer; 0 is its first guess.
    pub rank: u32,

    /// Of that token, 0 to 1.
    pub prob: f32,

    pub n_answer_tokens: usize,

    /// How many first tokens of the relation's answers are likelier. `None` without a relation, and where
    /// nobody has asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<u32>,

    /// The likeliest right answer, as its place among all right answers. `None` in older sessions, and
    /// where nobody has asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<u32>,

    /// How many tokens are likelier than the first one of the fact's own answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_rank: Option<u32>,
}

impl Recalled {
    /// As a prediction says it. `None` for other results, and for a prompt without an answer.
    pub fn of(result: &AnalysisResult) -> Option<Self> {
        let AnalysisResult::Prediction(it) = result else { return None };
        let measured = it.answer.as_ref()?;
        let n_answer_tokens = it.prompt.answer.as_ref().map_or(0, |it| it.ids.len());
        let (rank, prob) = (measured.rank, measured.prob);
        Some(Self { rank, prob, n_answer_tokens, choice: None, answer: None, own_rank: None })
    }

    /// `None` where that cannot be told.
    pub fn is_known(self, by: KnownBy) -> Option<bool> {
        match by {
            KnownBy::Rank(n) => Some((self.rank as usize) < n),
            KnownBy::Choice => Some(self.choice? == 0),
        }
    }
}

/// What has been measured, by the place of a fact in the dataset.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Recall {
    entries: Vec<[Entry; 2]>,

    /// A fact: all before it are measured or on their way.
    cursor: usize,
    n_measured: usize,

    /// The questions that were given away and not answered yet.
    #[serde(skip)]
    on_the_way: BTreeSet<(usize, Direction)>,
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
    /// asked again, and so is what `lacks` says that an older session has not asked for.
    pub fn adopt(&mut self, before: &Self, lacks: impl Fn(usize, Direction, Recalled) -> bool) {
        if before.entries.len() != self.entries.len() {
            return;
        }
        self.entries.clone_from(&before.entries);
        for (nth, entry) in self.entries.iter_mut().enumerate() {
            for direction in Direction::ALL {
                let entry = &mut entry[direction as usize];
                if matches!(*entry, Entry::Measured(it) if lacks(nth, direction, it)) {
                    *entry = Entry::Unmeasured;
                }
            }
        }
        let answers = self.entries.iter().flatten();
        self.n_measured = answers.filter(|it| **it != Entry::Unmeasured).count();
        self.cursor = 0;
    }

    /// The question whether a fact is known one way, if it is still to be asked and not on its way.
    pub fn take(&mut self, nth: usize, direction: Direction) -> bool {
        self.is_open(nth, direction) && self.on_the_way.insert((nth, direction))
    }

    /// Whether a question has no answer yet.
    pub fn is_open(&self, nth: usize, direction: Direction) -> bool {
        self.entries.get(nth).is_some_and(|it| it[direction as usize] == Entry::Unmeasured)
    }

    /// The next question to ask about these facts.
    pub fn take_of(&mut self, facts: &[usize]) -> Option<(usize, Direction)> {
        let questions =
            facts.iter().flat_map(|nth| Direction::ALL.map(|direction| (*nth, direction)));
        let is_next = |&(nth, direction): &(usize, Direction)| {
            self.is_open(nth, direction) && !self.on_the_way.contains(&(nth, direction))
        };
        let next = questions.into_iter().find(is_next)?;
        self.on_the_way.insert(next);
        Some(next)
    }

    /// The next question to ask, each once.
    pub fn take_next(&mut self) -> Option<(usize, Direction)> {
        while self.cursor < self.entries.len() {
            if let Some(next) = self.take_of(&[self.cursor]) {
                return Some(next);
            }
            self.cursor += 1;
        }
        None
    }

    /// A question was not asked after all.
    pub fn put_back(&mut self, nth: usize, direction: Direction) {
        self.on_the_way.remove(&(nth, direction));
        self.cursor = self.cursor.min(nth);
    }

    /// `None`: it cannot be asked.
    pub fn set(&mut self, nth: usize, direction: Direction, recalled: Option<Recalled>) {
        self.on_the_way.remove(&(nth, direction));
        self.n_measured += usize::from(self.is_open(nth, direction));
        if let Some(entry) = self.entries.get_mut(nth) {
            entry[direction as usize] = recalled.map_or(Entry::Nothing, Entry::Measured);
        }
    }

    /// Questions that have no answer yet.
    pub fn n_open(&self) -> usize {
        let (n_measured, n) = self.progress();
        n - n_measured
    }

    /// Questions asked, and all there are.
    pub fn progress(&self) -> (usize, usize) {
        (self.n_measured, 2 * self.entries.len())
    }

    /// Known facts and those that are measured, in one direction.
    pub fn count(&self, direction: Direction, by: KnownBy) -> (usize, usize) {
        let mut counts = (0, 0);
        for entry in &self.entries {
            if let Entry::Measured(recalled) = entry[direction as usize] {
                let Some(is_known) = recalled.is_known(by) else { continue };
                counts.0 += usize::from(is_known);
                counts.1 += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Recalled {
        let (answer, own_rank) = (Some(0), Some(2));
        Recalled { rank: 2, prob: 0.1, n_answer_tokens: 1, choice: Some(0), answer, own_rank }
    }

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
    fn what_is_seen_comes_first_and_what_was_put_back_comes_again() {
        let mut recall = Recall::default();
        recall.reset(3);
        let [forward, inverse] = [Direction::Forward, Direction::Inverse];
        let seen = [recall.take_of(&[2]), recall.take_of(&[2]), recall.take_of(&[2])];
        assert_eq!(seen, [Some((2, forward)), Some((2, inverse)), None]);
        assert_eq!(
            [recall.take_next(), recall.take_next()],
            [Some((0, forward)), Some((0, inverse))]
        );
        recall.set(0, inverse, None);
        recall.put_back(0, forward);
        recall.put_back(2, inverse);
        let rest: Vec<_> = std::iter::from_fn(|| recall.take_next()).collect();
        assert_eq!(rest, [(0, forward), (1, forward), (1, inverse), (2, inverse)]);
        assert_eq!(recall.n_open(), 5, "none of them is answered");
    }

    #[test]
    fn what_was_measured_before_is_not_asked_again() {
        let mut before = Recall::default();
        before.reset(2);
        before.set(0, Direction::Inverse, None);
        let mut recall = Recall::default();
        recall.reset(2);
        recall.adopt(&before, |_, _, _| true);
        let asked: Vec<_> = std::iter::from_fn(|| recall.take_next()).collect();
        assert_eq!(asked.len(), 3);
        assert!(!asked.contains(&(0, Direction::Inverse)));
        // Of another dataset.
        recall.reset(3);
        recall.adopt(&before, |_, _, _| true);
        assert_eq!(recall.progress(), (0, 6));
    }

    #[test]
    fn what_an_older_session_has_not_asked_for_is_asked_again() {
        let mut before = Recall::default();
        before.reset(3);
        let old = Recalled { choice: None, ..known() };
        before.set(0, Direction::Forward, Some(old));
        before.set(1, Direction::Forward, Some(old));
        before.set(2, Direction::Forward, Some(Recalled { choice: Some(0), ..old }));
        let mut recall = Recall::default();
        recall.reset(3);
        recall.adopt(&before, |nth, _, it| nth != 1 && it.choice.is_none());
        let is_open = |nth| recall.is_open(nth, Direction::Forward);
        assert_eq!([0, 1, 2].map(is_open), [true, false, false], "the second has no relation");
        assert_eq!(recall.progress(), (2, 6));
    }

    #[test]
    fn a_fact_is_known_by_first_guess_by_rank_or_by_choice() {
        let it = known();
        for (by, is_known) in [
            (KnownBy::FIRST, false),
            (KnownBy::Rank(2), false),
            (KnownBy::Rank(3), true),
            (KnownBy::Choice, true),
        ] {
            assert_eq!(it.is_known(by), Some(is_known), "{by}");
        }
        let alone = Recalled { choice: None, ..it };
        assert_eq!(alone.is_known(KnownBy::Choice), None);
        assert_eq!(alone.is_known(KnownBy::TEN), Some(true));
    }

    #[test]
    fn what_cannot_be_asked_counts_as_done_and_not_as_unknown() {
        let mut recall = Recall::default();
        recall.reset(2);
        let recalled = Recalled { rank: 0, ..known() };
        recall.set(0, Direction::Forward, Some(recalled));
        recall.set(0, Direction::Inverse, None);
        recall.set(1, Direction::Forward, Some(Recalled { rank: 3, ..recalled }));
        assert_eq!(recall.progress(), (3, 4));
        assert_eq!(recall.count(Direction::Forward, KnownBy::FIRST), (1, 2));
        assert_eq!(recall.count(Direction::Inverse, KnownBy::FIRST), (0, 0));
        assert_eq!(recall.get(0, Direction::Inverse), None);
    }
}
