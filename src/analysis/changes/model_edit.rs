//! A change of the model, as every method can be run on it.

use serde::{Deserialize, Serialize};

use crate::analysis::{rank_one_edit, steering};
use crate::model::Processing;

/// A change of the model that every analysis can be run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelEdit {
    /// One matrix is changed; what its spec asks before and after is of no matter.
    RankOne(rank_one_edit::Spec),

    /// A direction is added. Where its positions are not all, they are those of the prompt that is
    /// asked.
    Steering(steering::Spec),

    /// The weights are rewritten, and no probability changes.
    Processing(Processing),
}
