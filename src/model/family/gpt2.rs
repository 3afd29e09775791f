//! GPT-2, and those who changed its activation or the scale of its attention scores: Cerebras-GPT,
//! Stanford CRFM's models.

use serde::Deserialize;
use serde_json::Value;

use super::super::config::Scores;
use super::super::tensor_names::{HeadNames, MatrixLayout, TensorNames};
use super::super::{ModelConfig, Nonlinearity, Unembedding};

pub(super) const NAMES: TensorNames = TensorNames {
    prefixes: &["transformer."],
    unembedding: "lm_head.weight",
    embedding: "wte.weight",
    positions: "wpe.weight",
    final_norm: "ln_f",
    block: "h",
    norms: ["ln_1", "ln_2"],
    norms_after: ["", ""],
    gains_less: 0.0,
    heads: HeadNames::Joined("attn.c_attn"),
    attention_output: "attn.c_proj",
    mlp: ["mlp.c_fc", "", "mlp.c_proj"],
    layout: MatrixLayout::InFirst,
};

/// The fields of a `config.json` that matter.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the file has them so")]
struct Fields {
    n_layer: usize,
    n_head: usize,
    n_embd: usize,
    n_inner: Option<usize>,
    n_positions: usize,
    vocab_size: usize,
    layer_norm_epsilon: f64,
    activation_function: String,
    tie_word_embeddings: bool,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    add_cross_attention: bool,
}

pub(super) fn from_json(json: Value) -> Result<ModelConfig, String> {
    let it: Fields = super::fields_of(json)?;
    if it.add_cross_attention {
        return Err("`add_cross_attention` is not supported".into());
    }
    let config = ModelConfig {
        n_layers: it.n_layer,
        n_heads: it.n_head,
        d_model: it.n_embd,
        d_mlp: it.n_inner.unwrap_or_else(|| it.n_embd.saturating_mul(4)),
        n_ctx: it.n_positions,
        d_vocab: it.vocab_size,
        layer_norm_epsilon: it.layer_norm_epsilon,
        unembedding: Unembedding::tied_if(it.tie_word_embeddings),
        nonlinearity: Nonlinearity::of_field("activation_function", &it.activation_function)?,
        scores: Scores {
            divisor: if it.scale_attn_weights { None } else { Some(1.0) },
            divided_by_layer: it.scale_attn_by_inverse_layer_idx,
            cap: None,
        },
        ..ModelConfig::SMALL
    };
    ModelConfig::check_sizes([
        ("n_layer", config.n_layers),
        ("n_head", config.n_heads),
        ("n_embd", config.d_model),
        ("n_inner", config.d_mlp),
        ("n_positions", config.n_ctx),
        ("vocab_size", config.d_vocab),
    ])?;
    ModelConfig::check_multiple(("n_embd", config.d_model), ("n_head", config.n_heads))?;
    Ok(config)
}

/// The text of a `config.json`, as Hugging Face writes it.
pub(super) fn to_json(config: &ModelConfig) -> Value {
    serde_json::json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": config.family.name(),
        "activation_function": config.nonlinearity.name(),
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_embd": config.d_model,
        "n_inner": config.d_mlp,
        "n_positions": config.n_ctx,
        "n_ctx": config.n_ctx,
        "vocab_size": config.d_vocab,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "tie_word_embeddings": config.unembedding == Unembedding::Tied,
        "scale_attn_weights": config.scores.divisor.is_none(),
        "scale_attn_by_inverse_layer_idx": config.scores.divided_by_layer,
        "bos_token_id": config.d_vocab - 1,
        "eos_token_id": config.d_vocab - 1,
    })
}
