//! Names for facts, and for the questions they are asked in.

use crate::experiment::Experiment;
use crate::facts::Direction;
use crate::tokens::Bos;
use crate::worker::Which;

/// Names a fact while its dataset is open. Typed facts come before those of the dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactId {
    Typed(usize),
    Record(usize),

    /// What an experiment asks about, which need not be in the list.
    Experiment,
}

/// A fact, asked of one model in one direction for one of its right answers, with or without BOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactKey {
    pub which: Which,
    pub fact: FactId,
    pub direction: Direction,
    pub has_bos: bool,

    /// The answer that is measured, as its place among all right answers.
    pub answer: usize,
}

impl FactKey {
    /// Of a fact that is asked for the first of its right answers.
    pub fn new(which: Which, fact: FactId, direction: Direction, bos: Bos) -> Self {
        Self { which, fact, direction, has_bos: bos == Bos::On, answer: 0 }
    }

    /// Of an experiment that is typed. It may be about no fact of the list.
    pub fn of_experiment(which: Which, experiment: &Experiment) -> Self {
        Self::new(which, FactId::Experiment, Direction::Forward, experiment.bos)
    }
}
