//! The two rows of the window, one prompt above the other.

use serde::{Deserialize, Serialize};

/// A row of the window. Which fact stands in it, which way it is asked and of which model is up to
/// the state.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Row {
    /// The chosen fact.
    // Sessions of the first two formats name rows by the way a fact is asked.
    #[default]
    #[serde(alias = "forward")]
    First,

    /// Its inverse, another fact that is kept beside it, or the same fact in a second model.
    #[serde(alias = "inverse")]
    Second,
}

impl Row {
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// The row that stands beside this one.
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}
