//! Facts that a person types, with their inverses.

use crate::facts::{Fact, Inverse, InverseOrigin, Record};

/// What the ids of typed facts begin with.
pub const TYPED: &str = "typed";

/// A fact as it is typed, and the same fact asked from its answer if that is typed too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedFact {
    pub fact: Fact,
    pub inverse: Option<Fact>,
}

impl TypedFact {
    /// A record without an id, which the list gives it.
    pub fn into_record(self) -> Record {
        let inverse = self.inverse.map(|fact| Inverse {
            answers: fact.answer.iter().cloned().collect(),
            fact,
            origin: InverseOrigin::File,
        });
        Record { inverse, ..Record::new("", None, self.fact) }
    }
}
