//! Which right answer a fact is asked for: of several the one that the model finds likeliest, unless a
//! person has chosen another.
//!
//! The list says by the likeliest right answer whether a fact is known, and sweeps measure it. Whatever
//! is asked of a fact in the window is of the same answer, or says which other one it is of.

use std::collections::BTreeMap;

use super::{FactId, Recalled, State};
use crate::facts::{Direction, Fact};
use crate::ui::row::Row;

/// Places among the right answers of facts, by which way they are asked.
pub type Places = BTreeMap<(FactId, Direction), usize>;

/// The answers that facts with several right ones are asked for.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// What a person has chosen.
    pub chosen: Places,

    /// The likeliest ones, as the model found them when the facts were first looked at. They stay where
    /// the model is changed, so that what is found before and after can be compared.
    pub settled: Places,
}

impl Answers {
    /// Forgets what is of the dataset's facts.
    pub fn forget_records(&mut self) {
        for places in [&mut self.chosen, &mut self.settled] {
            places.retain(|(fact, _), _| !matches!(fact, FactId::Record(_)));
        }
    }
}

impl State {
    /// The answer that a fact is asked for, as its place among the right ones. `None` while the model has
    /// not said which of several it finds likeliest.
    pub fn answer_of(&self, fact: FactId, direction: Direction) -> Option<usize> {
        let record = self.facts.get(fact)?;
        if record.answers(direction).len() < 2 {
            return Some(0);
        }
        let key = (fact, direction);
        let known = self.answers.chosen.get(&key).or_else(|| self.answers.settled.get(&key));
        let own = || self.stored.is_some().then(|| self.own_answer(fact, direction)).flatten();
        known.copied().or_else(own)
    }

    /// The place of the fact's own answer among the right ones.
    pub fn own_answer(&self, fact: FactId, direction: Direction) -> Option<usize> {
        let record = self.facts.get(fact)?;
        let own = record.fact(direction)?.answer.as_ref()?;
        record.answers(direction).iter().position(|it| it == own)
    }

    /// The fact of a row, with the answer that it is asked for. `None` while that is not known.
    pub fn asked_fact(&self, row: Row) -> Option<Fact> {
        let (key, fact) = (self.key_of(row)?, self.fact_at(row)?);
        let answer = self.answers_at(row).get(key.answer).cloned().or_else(|| fact.answer.clone());
        Some(Fact { answer, ..fact.clone() })
    }

    /// Whether a person has chosen which of several right answers the fact of a row is asked for.
    pub fn has_chosen_answer(&self, row: Row) -> bool {
        self.asked_at(row).is_some_and(|it| {
            let has_several = self.answers_at(row).len() > 1;
            has_several && self.answers.chosen.contains_key(&(it.fact, it.direction))
        })
    }

    /// The likeliest right answer of a row's fact in the main model, where that is another one than what
    /// is asked for.
    pub fn likelier_at(&self, row: Row) -> Option<(&str, Recalled)> {
        let key = self.key_of(row)?;
        let recalled = self.recalled(key.fact, key.direction)?;
        let likeliest = recalled.answer? as usize;
        let text = self.answers_at(row).get(likeliest)?;
        (likeliest != key.answer).then_some((&**text, recalled))
    }

    /// The facts on screen whose likeliest right answer is not known yet.
    pub fn unsettled(&self) -> Vec<(FactId, Direction)> {
        let asked = Row::BOTH.into_iter().filter_map(|row| self.asked_at(row));
        asked
            .map(|it| (it.fact, it.direction))
            .filter(|&(fact, direction)| {
                let record = self.facts.get(fact);
                let is_asked = record.is_some_and(|it| it.fact(direction).is_some());
                is_asked && self.answer_of(fact, direction).is_none()
            })
            .collect()
    }

    /// Whether the model is asked for the likeliest right answer of something on screen.
    pub fn is_settling(&self) -> bool {
        self.stored.is_none() && self.info().is_some() && !self.unsettled().is_empty()
    }

    /// Whether something was asked that waits for what is to be known before.
    pub fn has_waiting(&self) -> bool {
        !self.trace_waits.is_empty() || !self.study_waits.is_empty()
    }

    /// Gives up what was asked and still waits.
    pub fn stop_waiting(&mut self) {
        self.trace_waits.clear();
        self.study_waits.clear();
    }

    /// From now on a fact is asked for this answer, which a person has chosen.
    pub fn ask_for(&mut self, fact: FactId, direction: Direction, answer: usize) {
        let key = (fact, direction);
        // The likeliest one needs no choice.
        if self.answers.settled.get(&key) == Some(&answer) {
            self.answers.chosen.remove(&key);
        } else {
            self.answers.chosen.insert(key, answer);
        }
    }

    /// From now on a fact is asked for this answer, unless it is asked for one already.
    pub fn settle_answer(&mut self, fact: FactId, direction: Direction, answer: usize) {
        self.answers.settled.entry((fact, direction)).or_insert(answer);
    }
}
