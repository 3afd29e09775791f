//! The fields of a `config.json` that Llama, Gemma and their like have in common.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::config::{NormChoice, Window, WindowedLayers};
use super::super::rotary::Pairs;
use super::super::{ModelConfig, Unembedding};
use super::Family;
use super::rope::{RotaryFields, Turned};

/// `None` stands for a field that is `null`, or that the family does not have.
#[derive(Deserialize)]
pub(super) struct BlockFields {
    num_hidden_layers: usize,
    num_attention_heads: usize,

    /// `None`: as many as there are heads.
    num_key_value_heads: Option<usize>,
    hidden_size: usize,

    /// `None`: the heads share the width out.
    head_dim: Option<usize>,
    intermediate_size: usize,
    max_position_embeddings: usize,
    vocab_size: usize,
    rms_norm_eps: f64,
    tie_word_embeddings: bool,
    pub attention_bias: Option<bool>,

    /// How many keys a query sees. `None`: all before it.
    pub sliding_window: Option<usize>,
    pub layer_types: Option<Vec<String>>,
    #[serde(flatten)]
    pub rotary: RotaryFields,
}

impl BlockFields {
    /// A configuration with all that the families have in common.
    pub fn config(&self, family: Family) -> Result<ModelConfig, String> {
        let n_heads = self.num_attention_heads;
        let n_kv_heads = self.num_key_value_heads.unwrap_or(n_heads);
        ModelConfig::check_sizes([
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", n_heads),
            ("num_key_value_heads", n_kv_heads),
            ("hidden_size", self.hidden_size),
            ("head_dim", self.head_dim.unwrap_or(1)),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("vocab_size", self.vocab_size),
        ])?;
        let heads = ("num_attention_heads", n_heads);
        ModelConfig::check_multiple(heads, ("num_key_value_heads", n_kv_heads))?;
        if self.head_dim.is_none() {
            ModelConfig::check_multiple(("hidden_size", self.hidden_size), heads)?;
        }
        let head_width = self.head_dim.unwrap_or(self.hidden_size / n_heads);
        if !head_width.is_multiple_of(2) {
            return Err(format!(
                "heads are {head_width} wide (`head_dim`); rotary positions need an even width"
            ));
        }
        Ok(ModelConfig {
            n_layers: self.num_hidden_layers,
            n_heads,
            d_model: self.hidden_size,
            d_mlp: self.intermediate_size,
            n_ctx: self.max_position_embeddings,
            d_vocab: self.vocab_size,
            layer_norm_epsilon: self.rms_norm_eps,
            unembedding: Unembedding::tied_if(self.tie_word_embeddings),
            family,
            key_heads: Some(n_kv_heads),
            head_width: Some(head_width),
            norm: NormChoice::Rms,
            is_gated: true,
            ..ModelConfig::SMALL
        })
    }

    /// The fields as Hugging Face writes them, with `own`, those that only this family has.
    pub fn to_json(config: &ModelConfig, architecture: &str, own: Value) -> Value {
        let mut json = json!({
            "architectures": [architecture],
            "model_type": config.family.name(),
            "num_hidden_layers": config.n_layers,
            "num_attention_heads": config.n_heads,
            "num_key_value_heads": config.n_kv_heads(),
            "hidden_size": config.d_model,
            "head_dim": config.d_head(),
            "intermediate_size": config.d_mlp,
            "max_position_embeddings": config.n_ctx,
            "vocab_size": config.d_vocab,
            "rms_norm_eps": config.layer_norm_epsilon,
            "tie_word_embeddings": config.unembedding == Unembedding::Tied,
            "attention_bias": config.biases.attention,
            "sliding_window": config.window.map(|it| it.n_keys),
        });
        if let (Value::Object(all), Value::Object(own)) = (&mut json, own) {
            all.extend(own);
        }
        json
    }

    /// What positions turn of the heads.
    pub fn turned(&self, config: &ModelConfig) -> Turned {
        let n_ctx = self.max_position_embeddings;
        Turned { width: config.d_head(), pairs: Pairs::Halves, n_ctx }
    }

    /// The window that queries see in these layers. `None` if there are none, or they see all keys.
    pub fn window(&self, layers: Option<WindowedLayers>) -> Result<Option<Window>, String> {
        let n_keys = self.sliding_window;
        ModelConfig::check_sizes([("sliding_window", n_keys.unwrap_or(1))])?;
        Ok(n_keys.zip(layers).map(|(n_keys, layers)| Window { n_keys, layers }))
    }
}
