//! How the attention view draws a head.

use crate::analysis::attention::Weighting;
use serde::{Deserialize, Serialize};

/// How one head's attention is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttentionSettings {
    pub drawing: Drawing,

    /// What is asked for and shown of a query and a key.
    pub weighting: Weighting,

    /// Of [`Drawing::Lines`]: the least weight that is drawn, 0 to 1, as a share of the scale's end.
    pub threshold: f32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drawing {
    /// Queries down, keys across.
    #[default]
    Map,

    /// From every query at the left to the keys at the right.
    Lines,
}

impl Default for AttentionSettings {
    fn default() -> Self {
        Self { drawing: Drawing::Map, weighting: Weighting::Pattern, threshold: 0.05 }
    }
}
