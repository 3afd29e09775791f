//! The two prompts that stand one above the other: the chosen fact, and its inverse, another fact
//! that is kept beside whatever is chosen, or the same fact in another model.

use std::path::PathBuf;

use super::{FactId, FactKey, State};
use crate::analysis::comparison::Second;
use crate::facts::{Direction, Fact, Record};
use crate::ui::row::Row;
use crate::worker::Which;

/// A fact that is kept in the inverse's row, and which way it is asked there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    pub fact: FactId,
    pub direction: Direction,
}

/// What the two rows hold, to be shown again later.
#[derive(Clone, Debug)]
pub struct Standing {
    selected: FactId,
    beside: Option<Beside>,
    asks: Direction,

    /// The model that was open beside the main one.
    model_beside: Option<PathBuf>,

    /// The row that was asked about.
    row: Row,

    /// The words of both prompts: another dataset may have other facts at the same places.
    texts: [Option<String>; 2],
}

impl State {
    /// The rows that hold a prompt: none, one or both.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<> {
        let is_there = Row::BOTH.map(|row| self.fact_at(row).is_some());
        Row::BOTH.into_iter().zip(is_there).filter_map(|(row, is_there)| is_there.then_some(row))
    }

    /// Which fact a row holds, and which way it is asked there.
    fn asked_at(&self, row: Row) -> Option<Beside> {
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

    /// Nothing if the chosen fact cannot be asked that way, and no other stands there.
    pub fn key_of(&self, row: Row) -> Option<FactKey> {
        self.fact_at(row)?;
        let Beside { fact, direction } = self.asked_at(row)?;
        Some(FactKey::new(self.which(row), fact, direction, self.settings.bos))
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

    /// Nothing while no fact is chosen.
    pub fn standing(&self, key: FactKey) -> Option<Standing> {
        let row = self.rows().find(|row| self.key_of(*row) == Some(key))?;
        Some(Standing {
            selected: self.selected?,
            beside: self.beside,
            asks: self.model_beside.asks,
            model_beside: self.model_of(Which::Beside).dir().cloned(),
            row,
            texts: self.row_texts(),
        })
    }

    fn row_texts(&self) -> [Option<String>; 2] {
        Row::BOTH.map(|row| self.fact_at(row).map(|fact| fact.prompt.clone()))
    }

    /// Chooses the same facts again. The error says to the user what is not there any more; nothing
    /// changes then.
    pub fn restore_rows(&mut self, rows: &Standing) -> Result<(), String> {
        if self.model_of(Which::Beside).dir() != rows.model_beside.as_ref() {
            let text = match &rows.model_beside {
                Some(dir) => format!("It was asked with {} open beside", dir.display()),
                None => "It was asked with no second model open; close that first".to_owned(),
            };
            return Err(text);
        }
        let before = (self.selected, self.beside, self.row, self.model_beside.asks);
        (self.selected, self.beside, self.row, self.model_beside.asks) =
            (Some(rows.selected), rows.beside, rows.row, rows.asks);
        if self.row_texts() == rows.texts {
            return Ok(());
        }
        (self.selected, self.beside, self.row, self.model_beside.asks) = before;
        Err("Its fact is not in the list any more".to_owned())
    }
}
