//! The two prompts that stand one above the other: the chosen fact, and its inverse or another fact
//! that is kept beside whatever is chosen.

use super::{FactId, FactKey, State};
use crate::analysis::comparison::Second;
use crate::facts::{Direction, Fact, Record};

/// A fact that is kept in the inverse's row, and which way it is asked there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    pub fact: FactId,
    pub direction: Direction,
}

/// What the two rows hold, to be shown again later.
#[derive(Clone, Debug)]
pub struct Rows {
    selected: FactId,
    beside: Option<Beside>,

    /// The row that was asked about.
    row: Direction,

    /// The words of both prompts: another dataset may have other facts at the same places.
    texts: [Option<String>; 2],
}

impl State {
    /// The ways the chosen fact can be asked: one or two. With a fact beside it they name the rows.
    pub fn directions(&self) -> impl Iterator<Item = Direction> + use<> {
        let [has_forward, has_inverse] =
            [Direction::Forward, Direction::Inverse].map(|it| self.fact_at(it).is_some());
        [(Direction::Forward, has_forward), (Direction::Inverse, has_inverse)]
            .into_iter()
            .filter_map(|(direction, is_there)| is_there.then_some(direction))
    }

    /// Which fact a row holds, and which way it is asked there.
    fn asked_at(&self, row: Direction) -> Option<Beside> {
        // Nothing stands beside nothing.
        let fact = self.selected?;
        let beside = self.beside.filter(|_| row == Direction::Inverse);
        Some(beside.unwrap_or(Beside { fact, direction: row }))
    }

    pub fn record_at(&self, row: Direction) -> Option<&Record> {
        self.facts.get(self.asked_at(row)?.fact)
    }

    pub fn fact_at(&self, row: Direction) -> Option<&Fact> {
        let Beside { fact, direction } = self.asked_at(row)?;
        self.facts.get(fact)?.fact(direction)
    }

    /// The right answers of the fact of a row.
    pub fn answers_at(&self, row: Direction) -> &[String] {
        self.asked_at(row)
            .and_then(|it| Some(self.facts.get(it.fact)?.answers(it.direction)))
            .unwrap_or_default()
    }

    /// Nothing if the chosen fact cannot be asked that way, and no other stands there.
    pub fn key_of(&self, row: Direction) -> Option<FactKey> {
        self.fact_at(row)?;
        let Beside { fact, direction } = self.asked_at(row)?;
        Some(FactKey::new(fact, direction, self.settings.bos))
    }

    /// What a row is called.
    pub fn name_of(&self, row: Direction) -> &'static str {
        match (row, self.beside) {
            (Direction::Forward, _) => "Fact",
            (Direction::Inverse, None) => "Inverse",
            (Direction::Inverse, Some(_)) => "Other fact",
        }
    }

    /// What the second row is.
    pub fn second(&self) -> Second {
        if self.beside.is_some() { Second::Fact } else { Second::Inverse }
    }

    /// What can be kept beside the facts that are chosen next: what is looked at.
    pub fn to_be_kept(&self) -> Option<Beside> {
        self.fact()?;
        self.asked_at(self.direction)
    }

    /// Nothing while no fact is chosen.
    pub fn rows(&self, key: FactKey) -> Option<Rows> {
        let row = self.directions().find(|row| self.key_of(*row) == Some(key))?;
        Some(Rows { selected: self.selected?, beside: self.beside, row, texts: self.row_texts() })
    }

    fn row_texts(&self) -> [Option<String>; 2] {
        [Direction::Forward, Direction::Inverse]
            .map(|row| self.fact_at(row).map(|fact| fact.prompt.clone()))
    }

    /// Chooses the same facts again. Whether they are still there; nothing changes if not.
    pub fn restore_rows(&mut self, rows: &Rows) -> bool {
        let before = (self.selected, self.beside, self.direction);
        (self.selected, self.beside, self.direction) = (Some(rows.selected), rows.beside, rows.row);
        let is_there = self.row_texts() == rows.texts;
        if !is_there {
            (self.selected, self.beside, self.direction) = before;
        }
        is_there
    }
}
