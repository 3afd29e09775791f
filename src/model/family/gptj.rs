//! GPT-J, whose attention and MLP read through one norm.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::config::{Biases, Wiring};
use super::super::rotary::{Pairs, RotaryConfig, RotaryScaling};
use super::super::tensor_names::{HeadNames, MatrixLayout, TensorNames};
use super::super::{ModelConfig, Nonlinearity, Unembedding};
use super::Family;

pub(super) const NAMES: TensorNames = TensorNames {
    positions: "",
    norms: ["ln_1", "ln_1"],
    heads: HeadNames::Apart {
        maps: ["attn.q_proj", "attn.k_proj", "attn.v_proj"],
        norms: ["", ""],
    },
    attention_output: "attn.out_proj",
    mlp: ["mlp.fc_in", "", "mlp.fc_out"],
    layout: MatrixLayout::OutFirst,
    ..super::gpt2::NAMES
};

/// The fields of a `config.json` that matter.
#[derive(Deserialize)]
struct Fields {
    n_layer: usize,
    n_head: usize,
    n_embd: usize,
    n_inner: Option<usize>,
    n_positions: usize,
    vocab_size: usize,
    rotary_dim: usize,
    layer_norm_epsilon: f64,
    activation_function: String,
    tie_word_embeddings: bool,
}

pub(super) fn from_json(json: Value) -> Result<ModelConfig, String> {
    let it: Fields = super::fields_of(json)?;
    let d_mlp = it.n_inner.unwrap_or_else(|| it.n_embd.saturating_mul(4));
    let width = it.rotary_dim;
    ModelConfig::check_sizes([
        ("n_layer", it.n_layer),
        ("n_head", it.n_head),
        ("n_embd", it.n_embd),
        ("n_inner", d_mlp),
        ("n_positions", it.n_positions),
        ("vocab_size", it.vocab_size),
        ("rotary_dim", width),
    ])?;
    ModelConfig::check_multiple(("n_embd", it.n_embd), ("n_head", it.n_head))?;
    let d_head = it.n_embd / it.n_head;
    if !width.is_multiple_of(2) || width > d_head {
        return Err(format!("`rotary_dim` ({width}) is odd, or more than a head's {d_head}"));
    }
    Ok(ModelConfig {
        n_layers: it.n_layer,
        n_heads: it.n_head,
        d_model: it.n_embd,
        d_mlp,
        n_ctx: it.n_positions,
        d_vocab: it.vocab_size,
        layer_norm_epsilon: it.layer_norm_epsilon,
        unembedding: Unembedding::tied_if(it.tie_word_embeddings),
        nonlinearity: Nonlinearity::of_field("activation_function", &it.activation_function)?,
        family: Family::Gptj,
        rotary: Some(RotaryConfig {
            base: 10_000.0,
            width,
            pairs: Pairs::Neighbours,
            scaling: RotaryScaling::Unscaled,
        }),
        biases: Biases { heads: false, attention: false, mlp: true },
        wiring: Wiring::Parallel,
        has_unembed_bias: true,
        ..ModelConfig::SMALL
    })
}

/// The text of a `config.json`, as Hugging Face writes it.
pub(super) fn to_json(config: &ModelConfig) -> Value {
    json!({
        "architectures": ["GPTJForCausalLM"],
        "model_type": config.family.name(),
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_embd": config.d_model,
        "n_inner": config.d_mlp,
        "n_positions": config.n_ctx,
        "vocab_size": config.d_vocab,
        "rotary_dim": config.rotary.map(|it| it.width),
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "activation_function": config.nonlinearity.name(),
        "tie_word_embeddings": config.unembedding == Unembedding::Tied,
    })
}
