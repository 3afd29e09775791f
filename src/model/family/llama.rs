//! Llama, and the families that differ from it in biases, windows and norms only: Mistral, Qwen 2,
//! Qwen 3 and `OLMo` 2.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::config::{Biases, NormChoice, NormPlaces, QkNorm, Window, WindowedLayers};
use super::super::rotary::Pairs;
use super::super::tensor_names::{HeadNames, MatrixLayout, TensorNames};
use super::super::{ModelConfig, Nonlinearity, Unembedding};
use super::Family;
use super::layer_types::{WindowField, layer_types, windowed_layers};
use super::rope::{RotaryFields, rotary_json};

pub(super) const NAMES: TensorNames = TensorNames {
    prefixes: &["model."],
    unembedding: "lm_head.weight",
    embedding: "embed_tokens.weight",
    positions: "",
    final_norm: "norm",
    block: "layers",
    norms: ["input_layernorm", "post_attention_layernorm"],
    norms_after: ["post_attention_layernorm", "post_feedforward_layernorm"],
    gains_less: 0.0,
    heads: HeadNames::Apart {
        maps: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        norms: ["self_attn.q_norm", "self_attn.k_norm"],
    },
    attention_output: "self_attn.o_proj",
    mlp: ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"],
    layout: MatrixLayout::OutFirst,
};

/// The fields of a `config.json` that matter. `None` stands for Hugging Face's default.
#[derive(Deserialize)]
struct Fields {
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    hidden_size: usize,
    head_dim: Option<usize>,
    intermediate_size: usize,
    max_position_embeddings: usize,
    vocab_size: usize,
    rms_norm_eps: Option<f64>,
    hidden_act: Option<String>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    #[serde(default)]
    sliding_window: WindowField,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    #[serde(flatten)]
    rotary: RotaryFields,
}

pub(super) fn from_json(family: Family, text: &str) -> Result<ModelConfig, String> {
    let it: Fields = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let n_heads = it.num_attention_heads;
    let first_in_window = match family {
        Family::Mistral => Some(0),
        Family::Qwen2 | Family::Qwen3 if it.use_sliding_window == Some(true) => {
            Some(it.max_window_layers.unwrap_or(28))
        }
        _ => None,
    };
    let window = match (first_in_window, it.sliding_window.n_keys()) {
        (Some(first), Some(n_keys)) => {
            let layers = match &it.layer_types {
                Some(types) if family != Family::Mistral => {
                    windowed_layers(types, it.num_hidden_layers)?
                }
                _ => Some(WindowedLayers::From(first)),
            };
            layers.map(|layers| Window { n_keys, layers })
        }
        _ => None,
    };
    let n_kv_heads = it.num_key_value_heads.unwrap_or(match family {
        Family::Mistral => 8,
        Family::Qwen2 | Family::Qwen3 => 32,
        _ => n_heads,
    });
    let head_width = match (it.head_dim, family) {
        (None, Family::Qwen3) => Some(128),
        (given, _) => given,
    };
    let sizes = [
        ("num_hidden_layers", it.num_hidden_layers),
        ("num_attention_heads", n_heads),
        ("num_key_value_heads", n_kv_heads),
        ("hidden_size", it.hidden_size),
        ("head_dim", head_width.unwrap_or(1)),
        ("intermediate_size", it.intermediate_size),
        ("max_position_embeddings", it.max_position_embeddings),
        ("vocab_size", it.vocab_size),
        ("sliding_window", window.map_or(1, |it| it.n_keys)),
    ];
    ModelConfig::check_sizes(sizes)?;
    let check_multiple = |[what, of]: [&str; 2], one: usize, other: usize| {
        let fault = || format!("`{what}` ({one}) is not a multiple of `{of}` ({other})");
        one.is_multiple_of(other).then_some(()).ok_or_else(fault)
    };
    check_multiple(["num_attention_heads", "num_key_value_heads"], n_heads, n_kv_heads)?;
    if head_width.is_none() {
        check_multiple(["hidden_size", "num_attention_heads"], it.hidden_size, n_heads)?;
    }
    let head_width = head_width.unwrap_or(it.hidden_size / n_heads);
    if !head_width.is_multiple_of(2) {
        return Err(format!("heads are {head_width} wide; rotary positions need an even width"));
    }
    Ok(ModelConfig {
        n_layers: it.num_hidden_layers,
        n_heads,
        d_model: it.hidden_size,
        d_mlp: it.intermediate_size,
        n_ctx: it.max_position_embeddings,
        d_vocab: it.vocab_size,
        layer_norm_epsilon: it.rms_norm_eps.unwrap_or(match family {
            Family::Olmo2 => 1e-5,
            _ => 1e-6,
        }),
        unembedding: match it.tie_word_embeddings {
            Some(true) => Unembedding::Tied,
            None | Some(false) => Unembedding::Separate,
        },
        nonlinearity: match it.hidden_act.as_deref() {
            None => Nonlinearity::Silu,
            Some(name) => Nonlinearity::of_field("hidden_act", name)?,
        },
        family,
        key_heads: Some(n_kv_heads),
        head_width: Some(head_width),
        norm: NormChoice::Rms,
        norm_places: match family {
            Family::Olmo2 => NormPlaces::After,
            _ => NormPlaces::Before,
        },
        rotary: Some(it.rotary.read(head_width, None, Pairs::Halves)?),
        is_gated: true,
        qk_norm: match family {
            Family::Qwen3 => Some(QkNorm::EachHead),
            Family::Olmo2 => Some(QkNorm::AllHeads),
            _ => None,
        },
        biases: it.biases(family),
        window,
        ..ModelConfig::SMALL
    })
}

impl Fields {
    fn biases(&self, family: Family) -> Biases {
        let has_bias = self.attention_bias.unwrap_or(false);
        let mlp = self.mlp_bias.unwrap_or(false);
        match family {
            Family::Qwen2 => Biases { heads: true, attention: false, mlp: false },
            Family::Mistral => Biases { heads: false, attention: false, mlp: false },
            Family::Qwen3 | Family::Olmo2 => {
                Biases { heads: has_bias, attention: has_bias, mlp: false }
            }
            _ => Biases { heads: has_bias, attention: has_bias, mlp },
        }
    }
}

/// The text of a `config.json`, as Hugging Face writes it.
pub(super) fn to_json(config: &ModelConfig) -> Value {
    let architecture = match config.family {
        Family::Mistral => "MistralForCausalLM",
        Family::Qwen2 => "Qwen2ForCausalLM",
        Family::Qwen3 => "Qwen3ForCausalLM",
        Family::Olmo2 => "Olmo2ForCausalLM",
        _ => "LlamaForCausalLM",
    };
    let first_in_window = config.window.map(|it| match it.layers {
        WindowedLayers::From(first) => first,
        WindowedLayers::AllBut(_) | WindowedLayers::Listed(_) => 0,
    });
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
        "hidden_act": config.nonlinearity.name(),
        "tie_word_embeddings": config.unembedding == Unembedding::Tied,
        "attention_bias": config.biases.attention,
        "mlp_bias": config.biases.mlp,
        "sliding_window": config.window.map(|it| it.n_keys),
        "use_sliding_window": config.window.is_some(),
        "max_window_layers": first_in_window.unwrap_or(config.n_layers),
    });
    if config.window.is_some() && config.family != Family::Mistral {
        json["layer_types"] = json!(layer_types(config));
    }
    if let Some(rotary) = &config.rotary {
        json["rope_parameters"] = rotary_json(rotary);
        json["rope_theta"] = json!(rotary.base);
    }
    json
}
