//! What a built-in model was taught of each built-in fact: the planted truth.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use super::State;
use crate::builtin;
use crate::facts::{Dataset, Direction, Record};
use crate::ui::row::Row;
use crate::worker::Which;

/// In the first stage, as `factscope train` has split the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Taught {
    Both,
    Forward,
    Inverse,
    Never,
}

/// All that a model was taught of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Plan {
    pub group: Taught,

    /// The one layer whose MLP was taught the fact in a second stage, forward and inversely.
    #[serde(default)]
    pub planted: [Option<usize>; 2],
}

/// Which plans a filter lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    Group(Taught),

    /// Planted in the MLP of a layer.
    Planted(usize),
}

#[derive(Deserialize)]
struct Split {
    facts: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    case: String,

    #[serde(flatten)]
    plan: Plan,
}

/// By model and by fact.
static PLANS: LazyLock<BTreeMap<&str, BTreeMap<String, Plan>>> = LazyLock::new(|| {
    let plans = |split: &str| {
        let split: Split = serde_json::from_str(split).expect("checked by a test");
        split.facts.into_iter().map(|it| (it.case, it.plan)).collect()
    };
    builtin::ALL.into_iter().map(|it| (it.name, plans(it.split))).collect()
});

impl Taught {
    pub const ALL: [Self; 4] = [Self::Both, Self::Forward, Self::Inverse, Self::Never];

    pub fn text(self) -> &'static str {
        match self {
            Self::Both => "taught both ways",
            Self::Forward => "taught forward only",
            Self::Inverse => "taught inversely only",
            Self::Never => "never taught",
        }
    }
}

impl Plan {
    pub fn planted(&self, direction: Direction) -> Option<usize> {
        self.planted[direction as usize]
    }
}

impl Lesson {
    pub fn text(self) -> String {
        match self {
            Self::Group(taught) => taught.text().to_owned(),
            Self::Planted(layer) => format!("planted in MLP {layer}"),
        }
    }

    pub fn is_of(self, plan: &Plan) -> bool {
        match self {
            Self::Group(taught) => plan.group == taught,
            Self::Planted(layer) => plan.planted.contains(&Some(layer)),
        }
    }
}

impl State {
    /// For the list, when a model or a dataset has been opened.
    pub fn tell_taught(&mut self) {
        let records = self.facts.dataset.iter().flat_map(|dataset| &dataset.records);
        let plans: Vec<Option<Plan>> = records.map(|record| self.plan(record)).collect();
        let is_known = plans.iter().any(Option::is_some);
        self.facts.set_plans(if is_known { plans } else { Vec::new() });
    }

    /// What the main model was taught of a fact.
    fn plan(&self, record: &Record) -> Option<Plan> {
        self.plan_of(Which::Main, record)
    }

    /// Nothing for other models and other facts: there nobody knows.
    fn plan_of(&self, which: Which, record: &Record) -> Option<Plan> {
        let builtin = builtin::find(&self.info_of(which)?.dir)?;
        let is_bundled =
            self.facts.dataset_path()? == Path::new(Dataset::BUNDLED) && record.relation.is_some();
        PLANS[builtin.name].get(&record.id).copied().filter(|_| is_bundled)
    }

    /// What the model of a row was taught of its fact.
    pub fn plan_at(&self, row: Row) -> Option<Plan> {
        self.plan_of(self.which(row), self.record_at(row)?)
    }

    /// The layer whose MLP was taught the fact of a row.
    pub fn planted(&self, row: Row) -> Option<usize> {
        let key = self.key_of(row)?;
        self.plan_at(row)?.planted(key.direction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_fact_has_its_plan() {
        for record in Dataset::bundled().records {
            for builtin in builtin::ALL {
                assert!(PLANS[builtin.name].contains_key(&record.id), "{}", record.id);
            }
        }
    }

    #[test]
    fn only_the_second_model_has_planted_facts() {
        let n_planted =
            |name: &str| PLANS[name].values().filter(|plan| plan.planted != [None; 2]).count();
        assert_eq!(n_planted(builtin::FACTS.name), 0);
        assert!(n_planted(builtin::PLANTED.name) > 100);
    }
}
