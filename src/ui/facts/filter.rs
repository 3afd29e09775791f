//! Which facts are listed, and in which order.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Lesson, Plan, Recalled};
use crate::facts::{Cardinality, Record};
use crate::population::KnownBy;
use crate::tokens::Flags;

/// Which facts are listed besides what is searched for, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a check box")]
pub struct Filter {
    pub relation: Option<String>,
    pub cardinality: Option<Cardinality>,
    pub has_inverse: bool,
    pub is_one_token: bool,

    /// The answer, asked forward, does not stand in the prompt.
    pub no_leak: bool,

    /// No other answer of the relation starts with the answer's first token, asked forward.
    pub no_collision: bool,
    pub known: Option<Known>,

    /// By what a fact counts as known, in the list and in its filter.
    pub known_by: KnownBy,

    /// What a built-in model was taught of it.
    pub lesson: Option<Lesson>,
    pub order: Order,
}

/// What the model knows of a fact. Facts that are not measured yet match none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Known {
    Forward,
    Inverse,
    Both,
    Neither,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    #[default]
    File,

    /// Likeliest answer first; what is not measured comes last.
    Probability,

    /// Best rank first.
    Rank,
}

/// A fact of the dataset, and what is known of it so far.
pub(super) struct Told<'a> {
    /// Looked at only where it must be.
    pub record: &'a dyn Fn() -> &'a Record,

    /// Asked forward and inversely.
    pub recalled: [Option<Recalled>; 2],
    pub flags: Option<&'a [Option<Flags>; 2]>,
    pub plan: Option<Plan>,
}

impl Filter {
    pub(super) fn passes(&self, it: &Told<'_>) -> bool {
        let flagged = |test: fn(&Flags) -> bool| {
            it.flags.is_none_or(|[forward, _]| forward.as_ref().is_some_and(test))
        };
        let knows = it.recalled.map(|it| it?.is_known(self.known_by));
        (self.relation.is_none() || self.relation == (it.record)().relation)
            && (self.cardinality.is_none() || self.cardinality == (it.record)().cardinality)
            && (!self.has_inverse || (it.record)().inverse.is_some())
            && (!self.is_one_token || it.recalled[0].is_some_and(|it| it.n_answer_tokens == 1))
            && self.lesson.is_none_or(|lesson| it.plan.is_some_and(|plan| lesson.is_of(&plan)))
            && (!self.no_leak || !flagged(|it| it.leaks))
            && (!self.no_collision || !flagged(|it| it.collides_with.is_some()))
            && match self.known {
                None => true,
                Some(Known::Forward) => knows[0] == Some(true),
                Some(Known::Inverse) => knows[1] == Some(true),
                Some(Known::Both) => knows == [Some(true); 2],
                Some(Known::Neither) => knows == [Some(false); 2],
            }
    }
}

impl Known {
    pub const ALL: [Self; 4] = [Self::Forward, Self::Inverse, Self::Both, Self::Neither];

    pub fn text(self) -> &'static str {
        match self {
            Self::Forward => "Known forward",
            Self::Inverse => "Known inversely",
            Self::Both => "Known both ways",
            Self::Neither => "Known neither way",
        }
    }
}

impl Order {
    pub const ALL: [Self; 3] = [Self::File, Self::Probability, Self::Rank];

    pub fn text(self) -> &'static str {
        match self {
            Self::File => "As in the file",
            Self::Probability => "By probability",
            Self::Rank => "By rank",
        }
    }

    /// Which of two facts, asked forward, comes first.
    pub(super) fn compare(self, a: Option<Recalled>, b: Option<Recalled>) -> Ordering {
        match (a, b, self) {
            (Some(a), Some(b), Self::Probability) => b.prob.total_cmp(&a.prob),
            (Some(a), Some(b), Self::Rank) => a.rank.cmp(&b.rank),
            (Some(_), Some(_), Self::File) => Ordering::Equal,
            (a, b, _) => b.is_some().cmp(&a.is_some()),
        }
    }
}
