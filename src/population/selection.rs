//! Which facts of a dataset are asked, and which way.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::recall::{Known, KnownBy};
use crate::analysis::trace_average::Sample;
use crate::facts::{Dataset, Direction, NoCase};

/// Which facts of a dataset are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    pub ways: Ways,

    /// How many facts are drawn at random. `None` takes all, in file order.
    pub n: Option<usize>,

    /// The seed by which they are drawn. A larger draw begins with the same facts.
    pub seed: u32,

    /// The relation's id. `None` takes facts of all relations.
    pub relation: Option<String>,

    /// The ids of the facts. `None` takes facts of any id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<BTreeSet<String>>,

    /// What the model must know of a fact. `None` asks facts that it does not know too.
    pub known: Option<KnownWay>,

    /// By what the model knows an answer.
    pub known_by: KnownBy,

    /// The words in which facts are asked.
    #[serde(default, skip_serializing_if = "Wording::is_own")]
    pub wording: Wording,
}

/// The words in which facts are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wording {
    /// The dataset's own.
    #[default]
    Own,

    /// For each fact and way, the template in which the answer is recalled best: its own or one of its
    /// relation's in the catalogue.
    Best,
}

impl Wording {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// Which way facts are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ways {
    #[default]
    Forward,
    Inverse,
    Both,
}

/// Which ways the model must know a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KnownWay {
    Forward,
    Inverse,
    Both,
}

/// A fact that is asked one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    /// The record's index in the dataset.
    pub record: usize,
    pub direction: Direction,
}

/// All facts of a dataset, forward.
impl Default for Selection {
    fn default() -> Self {
        Self {
            ways: Ways::default(),
            n: None,
            seed: 1,
            relation: None,
            cases: None,
            known: None,
            known_by: KnownBy::default(),
            wording: Wording::default(),
        }
    }
}

impl Ways {
    pub fn directions(self) -> &'static [Direction] {
        match self {
            Self::Forward => &[Direction::Forward],
            Self::Inverse => &[Direction::Inverse],
            Self::Both => &Direction::ALL,
        }
    }
}

impl KnownWay {
    pub fn holds(self, known: Known) -> bool {
        match self {
            Self::Forward => known.forward,
            Self::Inverse => known.inverse,
            Self::Both => known.forward && known.inverse,
        }
    }

    /// What facts are called that are known so.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Inverse => "as an inverse",
            Self::Both => "both ways",
        }
    }
}

/// Why a selection chooses no fact.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::enum_variant_names, reason = "each names what is not there")]
pub enum SelectionError {
    #[error("{reason}: {path}")]
    NoCase { reason: NoCase, path: PathBuf },

    #[error("no fact is of the relation {relation}: {path}")]
    NoRelation { relation: String, path: PathBuf },

    #[error("the dataset has no fact: {0}")]
    NoFacts(PathBuf),
}

impl KnownWay {
    /// Why a fact is left out that is not known so.
    pub fn unknown_reason(self) -> String {
        format!("the model does not know it {}", self.name())
    }
}

impl Selection {
    /// All that is asked, which is at least one fact, and all cases that are named. Errors name `path`.
    pub fn check(&self, dataset: &Dataset, path: &Path) -> Result<Vec<Task>, SelectionError> {
        let path = || path.to_owned();
        for case in self.cases.iter().flatten() {
            let named = dataset.case(case);
            named.map_err(|reason| SelectionError::NoCase { reason, path: path() })?;
        }
        let tasks = self.tasks(dataset);
        if tasks.is_empty() {
            return Err(match self.relation.clone() {
                Some(relation) => SelectionError::NoRelation { relation, path: path() },
                None => SelectionError::NoFacts(path()),
            });
        }
        Ok(tasks)
    }

    /// All that is asked, both ways of a fact after each other.
    pub fn tasks(&self, dataset: &Dataset) -> Vec<Task> {
        let places: HashMap<&str, usize> =
            dataset.records.iter().enumerate().map(|(nth, it)| (&*it.id, nth)).collect();
        let is_meant = |nth: &usize| {
            let record = &dataset.records[*nth];
            (self.relation.is_none() || record.relation == self.relation)
                && self.cases.as_ref().is_none_or(|it| it.contains(&record.id))
        };
        let records: Vec<usize> = match self.n {
            None => (0..dataset.records.len()).filter(is_meant).collect(),
            Some(n_facts) => {
                // A larger draw begins with the same facts, so those of other ids can be passed over.
                let (relation, seed, direction) =
                    (self.relation.clone(), self.seed, Direction::Forward);
                let all = dataset.records.len();
                let drawn = if self.cases.is_some() { all } else { n_facts };
                let sample = Sample { relation, direction, n_facts: drawn, seed };
                let drawn = sample.draw(&dataset.records);
                drawn.iter().map(|it| places[&*it.id]).filter(is_meant).take(n_facts).collect()
            }
        };
        let task = |record| {
            self.ways.directions().iter().map(move |&direction| Task { record, direction })
        };
        records.into_iter().flat_map(task).collect()
    }
}

/// The places of a list of so many, in an order whose beginnings are spread evenly over it: steps of the golden
/// ratio, and each place once.
pub(super) fn evenly_spaced(n: usize) -> impl Iterator<Item = usize> {
    let gcd = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let golden = (n as f64 * 0.618_034).round() as usize;
    // A step that shares no divisor with the length comes to every place.
    let step = (golden.max(1)..=n.max(1)).find(|step| gcd(*step, n) == 1).unwrap_or(1);
    (0..n).map(move |nth| nth * step % n)
}
