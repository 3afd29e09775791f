//! What the built-in model was taught of each built-in fact: the planted truth.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use super::State;
use crate::builtin;
use crate::facts::{Dataset, Record};

/// As `factscope train` has split the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Taught {
    Both,
    Forward,
    Inverse,
    Never,
}

#[derive(Deserialize)]
struct Split {
    facts: Vec<Plan>,
}

#[derive(Deserialize)]
struct Plan {
    case: String,
    group: Taught,
}

static BY_CASE: LazyLock<BTreeMap<String, Taught>> = LazyLock::new(|| {
    let split: Split = serde_json::from_str(builtin::FACTS.split).expect("checked by a test");
    split.facts.into_iter().map(|plan| (plan.case, plan.group)).collect()
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

impl State {
    /// For the list, when a model or a dataset has been opened.
    pub fn tell_taught(&mut self) {
        let records = self.facts.dataset.iter().flat_map(|dataset| &dataset.records);
        let taught: Vec<Option<Taught>> = records.map(|record| self.taught(record)).collect();
        let is_known = taught.iter().any(Option::is_some);
        self.facts.set_taught(if is_known { taught } else { Vec::new() });
    }

    /// Nothing for other models and other facts: there nobody knows.
    pub fn taught(&self, record: &Record) -> Option<Taught> {
        let is_builtin = self.info()?.dir == Path::new(builtin::FACTS.name)
            && self.facts.dataset_path()? == Path::new(Dataset::BUNDLED)
            && record.relation.is_some();
        BY_CASE.get(&record.id).copied().filter(|_| is_builtin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_fact_has_its_plan() {
        for record in Dataset::bundled().records {
            assert!(BY_CASE.contains_key(&record.id), "{}", record.id);
        }
    }
}
