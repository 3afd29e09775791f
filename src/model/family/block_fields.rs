//! The fields of a `config.json` that Llama, Gemma and their like have in common.

use serde::Deserialize;

use super::super::config::{NormChoice, Window, WindowedLayers};
use super::super::{ModelConfig, Unembedding};
use super::Family;
use super::layer_types::WindowField;
use super::rope::RotaryFields;

/// `None` stands for Hugging Face's default.
#[derive(Deserialize)]
pub(super) struct BlockFields {
    num_hidden_layers: usize,
    num_attention_heads: Option<usize>,
    num_key_value_heads: Option<usize>,
    hidden_size: usize,
    head_dim: Option<usize>,
    intermediate_size: usize,
    max_position_embeddings: Option<usize>,
    vocab_size: Option<usize>,
    rms_norm_eps: Option<f64>,
    tie_word_embeddings: Option<bool>,
    pub attention_bias: Option<bool>,
    #[serde(default)]
    sliding_window: WindowField,
    pub layer_types: Option<Vec<String>>,
    #[serde(flatten)]
    pub rotary: RotaryFields,
}

/// What a family's fields are where the file does not give them. `None` stands for a field that it must
/// give, unless said otherwise.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    pub n_heads: Option<usize>,

    /// `None`: as many as there are heads.
    pub n_kv_heads: Option<usize>,

    /// `None`: the heads share the width out.
    pub head_width: Option<usize>,
    pub n_ctx: Option<usize>,
    pub d_vocab: Option<usize>,
    pub epsilon: f64,
    pub unembedding: Unembedding,
}

impl BlockFields {
    /// A configuration with all that the families have in common.
    pub fn config(&self, family: Family, defaults: &Defaults) -> Result<ModelConfig, String> {
        let must = |name: &str, given: Option<usize>, default: Option<usize>| {
            given.or(default).ok_or_else(|| format!("it lacks the field `{name}`"))
        };
        let n_heads = must("num_attention_heads", self.num_attention_heads, defaults.n_heads)?;
        let n_kv_heads = self.num_key_value_heads.or(defaults.n_kv_heads).unwrap_or(n_heads);
        let head_width = self.head_dim.or(defaults.head_width);
        let n_ctx = must("max_position_embeddings", self.max_position_embeddings, defaults.n_ctx)?;
        let d_vocab = must("vocab_size", self.vocab_size, defaults.d_vocab)?;
        ModelConfig::check_sizes([
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", n_heads),
            ("num_key_value_heads", n_kv_heads),
            ("hidden_size", self.hidden_size),
            ("head_dim", head_width.unwrap_or(1)),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", n_ctx),
            ("vocab_size", d_vocab),
        ])?;
        let check_multiple = |[what, of]: [&str; 2], one: usize, other: usize| {
            let fault = || format!("`{what}` ({one}) is not a multiple of `{of}` ({other})");
            one.is_multiple_of(other).then_some(()).ok_or_else(fault)
        };
        check_multiple(["num_attention_heads", "num_key_value_heads"], n_heads, n_kv_heads)?;
        if head_width.is_none() {
            check_multiple(["hidden_size", "num_attention_heads"], self.hidden_size, n_heads)?;
        }
        let head_width = head_width.unwrap_or(self.hidden_size / n_heads);
        if !head_width.is_multiple_of(2) {
            return Err(format!(
                "heads are {head_width} wide; rotary positions need an even width"
            ));
        }
        Ok(ModelConfig {
            n_layers: self.num_hidden_layers,
            n_heads,
            d_model: self.hidden_size,
            d_mlp: self.intermediate_size,
            n_ctx,
            d_vocab,
            layer_norm_epsilon: self.rms_norm_eps.unwrap_or(defaults.epsilon),
            unembedding: match self.tie_word_embeddings {
                None => defaults.unembedding,
                Some(true) => Unembedding::Tied,
                Some(false) => Unembedding::Separate,
            },
            family,
            key_heads: Some(n_kv_heads),
            head_width: Some(head_width),
            norm: NormChoice::Rms,
            is_gated: true,
            ..ModelConfig::SMALL
        })
    }

    /// The window that queries see in these layers. `None` if there are none, or they see all keys.
    pub fn window(&self, layers: Option<WindowedLayers>) -> Result<Option<Window>, String> {
        let n_keys = self.sliding_window.n_keys();
        ModelConfig::check_sizes([("sliding_window", n_keys.unwrap_or(1))])?;
        Ok(n_keys.zip(layers).map(|(n_keys, layers)| Window { n_keys, layers }))
    }
}
