//! Corruptions of the subject's embeddings, which make the model lose the answer.
//!
//! All kinds keep the number of tokens, and everything before the subject. Those that replace
//! tokens give prompts that people can read:
//! - Noise, as in Meng et al. 2022: ROME's `trace_with_patch` with its `noise`, `uniform_noise` and
//!   `replace`. Noisy embeddings belong to no token, so the model may never have seen the like.
//! - The tokens whose embeddings are nearest to noisy embeddings.
//! - Other subjects, of the same relation or of any: resampling (Chan et al. 2022). Replacing the
//!   subject by a chosen one is *symmetric token replacement* (Zhang & Nanda 2024, "Towards Best
//!   Practices of Activation Patching"), which they prefer to noise.
//! - Random tokens, as a baseline.
//!
//! Noise may also be read from a file, to repeat another program's run exactly.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(in crate::analysis) use super::draws::Drawn;
pub use super::draws::Draws;
pub use super::given_noise::{GivenNoise, NoiseFile};
pub use super::noise_level::NoiseLevel;
use crate::analysis::AnalysisCtx;
pub use crate::model::Closeness;

/// A way to corrupt the subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Corruption {
    /// Noise on the embeddings. ROME adds Gaussian noise.
    Noise {
        /// The distribution of the noise.
        shape: NoiseShape,

        /// Whether the noise is added to the embeddings or replaces them.
        #[serde(default)]
        entry: NoiseEntry,
    },

    /// The noise of a file, added as it is, without regard to level, generator and seed.
    NoiseFile(NoiseFile),

    /// The tokens whose embeddings are nearest to the subject's embeddings with Gaussian noise
    /// added. Special tokens are never chosen. With little noise, the subject's own tokens may be.
    NearestTokens { by: Closeness },

    /// Other subjects with as many tokens, drawn without replacement.
    OtherSubjects { of: SubjectsOf, ids: Arc<[Vec<u32>]> },

    /// Random tokens, drawn independently. Special tokens are never drawn.
    RandomTokens,

    /// One other subject with as many tokens: symmetric token replacement.
    Counterpart { ids: Arc<[u32]> },

    /// Embeddings of zeros.
    Zero,

    /// The mean embedding of these tokens, such as those of all subjects of a dataset. A token
    /// counts as often as it is named.
    Mean { tokens: Arc<[u32]> },
}

/// The distribution of noise, whose size is the noise level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseShape {
    /// Gaussian, with one standard deviation for all dimensions, as in ROME.
    #[default]
    Gaussian,

    /// Gaussian, with a standard deviation for each dimension, measured without bias on the level's
    /// tokens.
    GaussianPerDimension,

    /// Uniform between minus and plus the level, ROME's `uniform_noise`.
    Uniform,
}

/// How noise enters the embeddings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseEntry {
    /// It is added to the embedding.
    #[default]
    Added,

    /// It replaces the embedding, ROME's `replace`.
    Replaced,
}

/// Where other subjects come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectsOf {
    /// Facts of the same relation.
    Relation,

    /// Any facts.
    All,
}

/// What the prompt became in one draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Corrupted {
    /// Another prompt.
    Prompt {
        ids: Vec<u32>,

        /// The text of each token. Empty if there was no tokenizer.
        tokens: Vec<String>,
    },

    /// Embeddings that belong to no token.
    Vectors {
        /// The norm of each token's embedding, in embedding units. `[token of the subject]`
        norms: Vec<f32>,

        /// The distance of each from the subject's own embedding, in embedding units.
        /// `[token of the subject]`
        distances: Vec<f32>,
    },
}

impl Default for Corruption {
    fn default() -> Self {
        Self::Noise { shape: NoiseShape::Gaussian, entry: NoiseEntry::Added }
    }
}

impl Corruption {
    /// Whether samples differ from each other.
    pub fn is_drawn(&self) -> bool {
        !matches!(self, Self::Counterpart { .. } | Self::Zero | Self::Mean { .. })
    }

    /// Whether the corruption draws noise, and so has a standard deviation.
    pub fn has_noise(&self) -> bool {
        self.has_drawn_noise() || matches!(self, Self::NoiseFile(_))
    }

    /// Whether it needs a [`NoiseLevel`] and a generator.
    pub fn has_drawn_noise(&self) -> bool {
        matches!(self, Self::Noise { .. } | Self::NearestTokens { .. })
    }
}

impl Corrupted {
    pub(in crate::analysis) fn prompt(ids: Vec<u32>, ctx: &AnalysisCtx<'_>) -> Self {
        let piece = |id: &u32| ctx.tokenizer.map(|it| it.readable(*id));
        Self::Prompt { tokens: ids.iter().filter_map(piece).collect(), ids }
    }
}
