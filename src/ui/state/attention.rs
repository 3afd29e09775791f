use serde::{Deserialize, Serialize};

/// How one head's attention is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttentionSettings {
    pub drawing: Drawing,

    /// Of [`Drawing::Lines`]: the least weight, 0 to 1, that is drawn.
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
        Self { drawing: Drawing::Map, threshold: 0.05 }
    }
}
