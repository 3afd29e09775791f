//! A change of the model that every method can run on.

use serde::{Deserialize, Serialize};

use crate::analysis::{rank_one_edit, steering};
use crate::model::Processing;

/// A change of the model that every method can run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelEdit {
    /// One matrix is changed. The prompts that the spec asks before and after do not matter here.
    RankOne(rank_one_edit::Spec),

    /// A direction is added. Its positions, unless they are all, are those of the prompt that is
    /// asked.
    Steering(steering::Spec),

    /// The weights are processed, which changes no probability.
    Processing(Processing),
}
