//! The two prompts that stand one above the other: the chosen fact, and its inverse, another fact
//! that is kept beside whatever is chosen, or the same fact in another model.

use super::{FactId, FactKey, State};
use crate::analysis::comparison::Second;
use crate::facts::{Direction, Fact, Record};
use crate::ui::row::Row;

/// A fact that is kept in the inverse's row, and which way it is asked there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    pub fact: FactId,
    pub direction: Direction,
}

impl State {
    /// The rows that hold a prompt: none, one or both.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<> {
        let is_there = Row::BOTH.map(|row| self.fact_at(row).is_some());
        Row::BOTH.into_iter().zip(is_there).filter_map(|(row, is_there)| is_there.then_some(row))
    }

    /// Which fact a row holds, and which way it is asked there.
    pub(super) fn asked_at(&self, row: Row) -> Option<Beside> {
        // Nothing stands beside nothing.
        let fact = self.selected?;
        if let Some(beside) = self.beside.filter(|_| row == Row::Second) {
            return Some(beside);
        }
        let direction = match row {
            _ if self.has_model_beside() => self.asked_of_both(),
            Row::First => Direction::Forward,
            Row::Second => Direction::Inverse,
        };
        Some(Beside { fact, direction })
    }

    /// Which way two models are asked the chosen fact.
    pub fn asked_of_both(&self) -> Direction {
        let asks = self.model_beside.asks;
        let record = self.selected.and_then(|fact| self.facts.get(fact));
        let can_be = record.is_some_and(|record| record.fact(asks).is_some());
        if can_be { asks } else { Direction::Forward }
    }

    pub fn record_at(&self, row: Row) -> Option<&Record> {
        self.facts.get(self.asked_at(row)?.fact)
    }

    pub fn fact_at(&self, row: Row) -> Option<&Fact> {
        let Beside { fact, direction } = self.asked_at(row)?;
        self.facts.get(fact)?.fact(direction)
    }

    /// The right answers of the fact of a row.
    pub fn answers_at(&self, row: Row) -> &[String] {
        self.asked_at(row)
            .and_then(|it| Some(self.facts.get(it.fact)?.answers(it.direction)))
            .unwrap_or_default()
    }

    /// `None` if the chosen fact cannot be asked that way, and no other stands there; and while it is not
    /// known which of several right answers it is asked for.
    pub fn key_of(&self, row: Row) -> Option<FactKey> {
        self.fact_at(row)?;
        let Beside { fact, direction } = self.asked_at(row)?;
        let answer = self.answer_of(fact, direction)?;
        let key = FactKey::new(self.which(row), fact, direction, self.settings.bos);
        Some(FactKey { answer, ..key })
    }

    /// What a row is called.
    pub fn name_of(&self, row: Row) -> &'static str {
        let [first, second] = if self.has_model_beside() && self.beside.is_none() {
            ["First model", "Second model"]
        } else {
            self.second().titles()
        };
        match row {
            Row::First => first,
            Row::Second => second,
        }
    }

    /// What both rows are called within a sentence.
    pub fn names(&self) -> [&'static str; 2] {
        if self.has_model_beside() && self.beside.is_none() {
            ["first model", "second model"]
        } else {
            self.second().names()
        }
    }

    /// What the second row is.
    pub fn second(&self) -> Second {
        if self.beside.is_some() { Second::Fact } else { Second::Inverse }
    }

    /// What can be kept beside the facts that are chosen next: what is looked at.
    pub fn to_be_kept(&self) -> Option<Beside> {
        self.fact()?;
        self.asked_at(self.row)
    }

    /// The row that asks a question, if one does now.
    pub fn row_of(&self, key: FactKey) -> Option<Row> {
        self.rows().find(|row| self.key_of(*row) == Some(key))
    }

    /// The words of both prompts.
    pub(super) fn row_texts(&self) -> [Option<String>; 2] {
        Row::BOTH.map(|row| self.fact_at(row).map(|fact| fact.prompt.clone()))
    }
}
