//! The sizes of a model, and the choices of its parts.

use serde::{Deserialize, Serialize};

use super::{Nonlinearity, family};

/// The sizes of a model, and what its blocks are made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    pub n_layers: usize,

    /// Attention heads per layer.
    pub n_heads: usize,

    /// The width of the residual stream.
    pub d_model: usize,

    /// Neurons per MLP.
    pub d_mlp: usize,

    /// The most tokens that a prompt may have.
    pub n_ctx: usize,

    /// Tokens in the vocabulary.
    pub d_vocab: usize,

    /// The ε that layer norms add to the variance.
    pub layer_norm_epsilon: f64,

    /// Where the unembedding matrix comes from.
    pub unembedding: Unembedding,

    /// The function between the two matrices of an MLP.
    #[serde(default)]
    pub nonlinearity: Nonlinearity,

    /// How attention scores follow from queries and keys.
    #[serde(default)]
    pub scores: Scores,
}

/// How attention scores follow from the products of queries and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// What the products are divided by. `None`: `√d_head`
    pub divisor: Option<f64>,

    /// Whether the products are also divided by the layer's number, counted from 1, as in Stanford
    /// CRFM's models.
    pub divided_by_layer: bool,
}

/// Where the unembedding matrix comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unembedding {
    /// `W_U` is the token embedding, as in the released models.
    Tied,

    /// `W_U` is `lm_head.weight`.
    Separate,
}

/// The largest size that is read: far above any model's, and small enough that products of sizes
/// fit in 64 bits.
const MAX_SIZE: usize = 1 << 24;

impl ModelConfig {
    /// 124 M parameters.
    pub const SMALL: Self = Self::released(12, 12, 768);

    /// 355 M parameters.
    pub const MEDIUM: Self = Self::released(24, 16, 1024);

    /// 774 M parameters.
    pub const LARGE: Self = Self::released(36, 20, 1280);

    /// 1,558 M parameters.
    pub const XL: Self = Self::released(48, 25, 1600);

    const fn released(n_layers: usize, n_heads: usize, d_model: usize) -> Self {
        Self {
            n_layers,
            n_heads,
            d_model,
            d_mlp: 4 * d_model,
            n_ctx: 1024,
            d_vocab: 50_257,
            layer_norm_epsilon: 1e-5,
            unembedding: Unembedding::Tied,
            nonlinearity: Nonlinearity::GeluNew,
            scores: Scores { divisor: None, divided_by_layer: false },
        }
    }

    /// The width of a head's queries, keys and values.
    pub fn d_head(&self) -> usize {
        self.d_model / self.n_heads
    }

    /// The number of parameters, which counts a tied unembedding once.
    pub fn n_params(&self) -> u64 {
        let (d, d_mlp) = (self.d_model, self.d_mlp);
        let attention = 4 * d * d + 4 * d;
        let mlp = 2 * d * d_mlp + d_mlp + d;
        let block = attention + mlp + 4 * d;
        let n_vocab_matrices = match self.unembedding {
            Unembedding::Tied => 1,
            Unembedding::Separate => 2,
        };
        (n_vocab_matrices * self.d_vocab * d + self.n_ctx * d + self.n_layers * block + 2 * d)
            as u64
    }

    /// What the products of a layer's queries and keys are divided by.
    pub fn score_divisor(&self, layer: usize) -> f64 {
        let divisor = self.scores.divisor.unwrap_or_else(|| (self.d_head() as f64).sqrt());
        if self.scores.divided_by_layer { divisor * (layer + 1) as f64 } else { divisor }
    }

    /// Reads the text of a `config.json`. The error says which field is wrong and what it should
    /// be.
    pub fn from_json(text: &str) -> Result<Self, String> {
        family::from_json(text)
    }

    /// The text of a `config.json`, as Hugging Face writes it.
    pub fn to_json(&self) -> String {
        format!("{:#}\n", family::to_json(self))
    }

    /// Refuses sizes that no model has. Each comes with the name of its field.
    pub(super) fn check_sizes(
        &self,
        sizes: impl IntoIterator<Item = (&'static str, usize)>,
    ) -> Result<(), String> {
        for (name, size) in sizes {
            if size == 0 {
                return Err(format!("`{name}` is 0"));
            }
            if size > MAX_SIZE {
                return Err(format!("`{name}` is {size}, which is larger than any model's"));
            }
        }
        Ok(())
    }
}
