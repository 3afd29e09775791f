//! Which facts are listed, and in which order.

use super::Lesson;
use crate::facts::Cardinality;
use crate::population::KnownBy;

/// Which facts are listed besides what is searched for, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Forward,
    Inverse,
    Both,
    Neither,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    File,

    /// Likeliest answer first; what is not measured comes last.
    Probability,

    /// Best rank first.
    Rank,
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
}
