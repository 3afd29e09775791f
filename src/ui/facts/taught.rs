//! What a built-in model was taught of each built-in fact: the planted truth.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::builtin;
use crate::facts::{Direction, Record};

/// In the first stage, as `factscope train` has split the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Taught {
    Both,
    Forward,
    Inverse,
    Never,
}

/// All that a model was taught of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub group: Taught,

    /// The one layer whose MLP was taught the fact in a second stage, forward and inversely.
    #[serde(default)]
    pub planted: [Option<usize>; 2],
}

/// Which plans a filter lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    builtin::ALL.into_iter().map(|it| (it.name, plans((it.split)()))).collect()
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

/// What a built-in model was taught of a built-in fact. `model`: its name
pub fn plan_of(model: &str, record: &Record) -> Option<Plan> {
    PLANS[model].get(&record.id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Dataset;

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
