//! GPT-NeoX and Pythia, whose MLPs read what attention reads, or, if `use_parallel_residual` is false,
//! what attention has written to.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::config::{Biases, Wiring};
use super::super::rotary::Pairs;
use super::super::tensor_names::{HeadNames, MatrixLayout, TensorNames};
use super::super::{ModelConfig, Nonlinearity, Unembedding};
use super::rope::{RotaryFields, Turned, rotary_json};
use super::{Family, above_zero};

pub(super) const NAMES: TensorNames = TensorNames {
    prefixes: &["gpt_neox."],
    unembedding: "embed_out.weight",
    embedding: "embed_in.weight",
    positions: "",
    final_norm: "final_layer_norm",
    block: "layers",
    norms: ["input_layernorm", "post_attention_layernorm"],
    norms_after: ["", ""],
    gains_less: 0.0,
    heads: HeadNames::ByHead("attention.query_key_value"),
    attention_output: "attention.dense",
    mlp: ["mlp.dense_h_to_4h", "", "mlp.dense_4h_to_h"],
    layout: MatrixLayout::OutFirst,
};

/// The fields of a `config.json` that matter.
#[derive(Deserialize)]
struct Fields {
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_size: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    vocab_size: usize,
    layer_norm_eps: f64,
    hidden_act: String,
    tie_word_embeddings: bool,
    attention_bias: bool,
    use_parallel_residual: bool,
    rotary_pct: Option<f64>,
    rotary_emb_base: Option<f64>,
    #[serde(flatten)]
    rotary: RotaryFields,
}

pub(super) fn from_json(json: Value) -> Result<ModelConfig, String> {
    let it: Fields = super::fields_of(json)?;
    ModelConfig::check_sizes([
        ("num_hidden_layers", it.num_hidden_layers),
        ("num_attention_heads", it.num_attention_heads),
        ("hidden_size", it.hidden_size),
        ("intermediate_size", it.intermediate_size),
        ("max_position_embeddings", it.max_position_embeddings),
        ("vocab_size", it.vocab_size),
    ])?;
    let heads = ("num_attention_heads", it.num_attention_heads);
    ModelConfig::check_multiple(("hidden_size", it.hidden_size), heads)?;
    let d_head = it.hidden_size / it.num_attention_heads;
    let share = it.rotary.partial_rotary_factor()?.or(it.rotary_pct).unwrap_or(0.25);
    let width = (d_head as f64 * share) as usize;
    if width < 2 || !width.is_multiple_of(2) || width > d_head {
        return Err(format!(
            "`rotary_pct` ({share}) of heads {d_head} wide are {width} dimensions, which are no pairs"
        ));
    }
    if let Some(base) = it.rotary_emb_base {
        above_zero("rotary_emb_base", base)?;
    }
    let has_bias = it.attention_bias;
    let turned = Turned { width, pairs: Pairs::Halves, n_ctx: it.max_position_embeddings };
    // As `transformers`, which takes no `rope_theta` beside it.
    let base = Some(it.rotary_emb_base.unwrap_or(10_000.0));
    Ok(ModelConfig {
        n_layers: it.num_hidden_layers,
        n_heads: it.num_attention_heads,
        d_model: it.hidden_size,
        d_mlp: it.intermediate_size,
        n_ctx: it.max_position_embeddings,
        d_vocab: it.vocab_size,
        layer_norm_epsilon: it.layer_norm_eps,
        unembedding: Unembedding::tied_if(it.tie_word_embeddings),
        nonlinearity: Nonlinearity::of_field("hidden_act", &it.hidden_act)?,
        family: Family::GptNeox,
        rotary: Some(it.rotary.read(turned, base)?),
        biases: Biases { heads: has_bias, attention: has_bias, mlp: true },
        wiring: if it.use_parallel_residual { Wiring::Parallel } else { Wiring::Sequential },
        ..ModelConfig::SMALL
    })
}

/// The text of a `config.json`, as Hugging Face writes it.
pub(super) fn to_json(config: &ModelConfig) -> Value {
    let mut json = json!({
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": config.family.name(),
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_mlp,
        "max_position_embeddings": config.n_ctx,
        "vocab_size": config.d_vocab,
        "layer_norm_eps": config.layer_norm_epsilon,
        "hidden_act": config.nonlinearity.name(),
        "tie_word_embeddings": config.unembedding == Unembedding::Tied,
        "attention_bias": config.biases.attention,
        "use_parallel_residual": config.wiring == Wiring::Parallel,
    });
    if let Some(rotary) = &config.rotary {
        let share = rotary.width as f64 / config.d_head() as f64;
        json["rope_parameters"] = rotary_json(rotary);
        json["rope_parameters"]["partial_rotary_factor"] = json!(share);
        json["rotary_pct"] = json!(share);
        json["rotary_emb_base"] = json!(rotary.base);
    }
    json
}
