//! The sizes of a GPT-2, and Hugging Face's `config.json`.

use serde::{Deserialize, Serialize};

/// The sizes of one member of the GPT-2 family.
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

    /// Reads the text of a `config.json`. The error says which field is wrong and what it should
    /// be.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let it: HfConfig = serde_json::from_str(text).map_err(|error| error.to_string())?;
        it.check()?;
        let config = Self {
            n_layers: it.n_layer,
            n_heads: it.n_head,
            d_model: it.n_embd,
            d_mlp: it.n_inner.unwrap_or_else(|| it.n_embd.saturating_mul(4)),
            n_ctx: it.n_positions.unwrap_or(1024),
            d_vocab: it.vocab_size,
            layer_norm_epsilon: it.layer_norm_epsilon.unwrap_or(1e-5),
            unembedding: match it.tie_word_embeddings {
                None | Some(true) => Unembedding::Tied,
                Some(false) => Unembedding::Separate,
            },
        };
        let sizes = [
            ("n_layer", config.n_layers),
            ("n_head", config.n_heads),
            ("n_embd", config.d_model),
            ("n_inner", config.d_mlp),
            ("n_positions", config.n_ctx),
            ("vocab_size", config.d_vocab),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(format!("`{name}` is 0"));
        }
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| *size > MAX_SIZE) {
            return Err(format!("`{name}` is {size}, which is larger than any GPT-2's"));
        }
        if !config.d_model.is_multiple_of(config.n_heads) {
            return Err(format!(
                "`n_embd` ({}) is not a multiple of `n_head` ({})",
                config.d_model, config.n_heads
            ));
        }
        Ok(config)
    }

    /// The text of a `config.json`, as Hugging Face writes it.
    pub fn to_json(self) -> String {
        let json = serde_json::json!({
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "activation_function": "gelu_new",
            "n_layer": self.n_layers,
            "n_head": self.n_heads,
            "n_embd": self.d_model,
            "n_inner": self.d_mlp,
            "n_positions": self.n_ctx,
            "n_ctx": self.n_ctx,
            "vocab_size": self.d_vocab,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "tie_word_embeddings": self.unembedding == Unembedding::Tied,
            "bos_token_id": self.d_vocab - 1,
            "eos_token_id": self.d_vocab - 1,
        });
        format!("{json:#}\n")
    }
}

/// The fields of a `config.json` that matter. `None` stands for Hugging Face's default.
#[derive(Deserialize)]
struct HfConfig {
    model_type: Option<String>,
    n_layer: usize,
    n_head: usize,
    n_embd: usize,
    n_inner: Option<usize>,
    n_positions: Option<usize>,
    vocab_size: usize,
    layer_norm_epsilon: Option<f64>,
    activation_function: Option<String>,
    tie_word_embeddings: Option<bool>,
    scale_attn_weights: Option<bool>,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    #[serde(default)]
    add_cross_attention: bool,
}

impl HfConfig {
    /// Refuses models whose forward pass differs from the one here.
    fn check(&self) -> Result<(), String> {
        if let Some(other) = self.model_type.as_deref().filter(|it| *it != "gpt2") {
            return Err(format!("`model_type` is `{other}`; only `gpt2` can be opened"));
        }
        let activation = self.activation_function.as_deref().unwrap_or("gelu_new");
        if !matches!(activation, "gelu_new" | "gelu_pytorch_tanh") {
            return Err(format!(
                "`activation_function` is `{activation}`; only GPT-2's `gelu_new` is supported"
            ));
        }
        if self.scale_attn_weights == Some(false) {
            return Err("`scale_attn_weights` is false; GPT-2 divides scores by √d_head".into());
        }
        if self.scale_attn_by_inverse_layer_idx {
            return Err("`scale_attn_by_inverse_layer_idx` is not supported".into());
        }
        if self.add_cross_attention {
            return Err("`add_cross_attention` is not supported".into());
        }
        Ok(())
    }
}
