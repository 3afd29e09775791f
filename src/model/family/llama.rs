//! Llama, and the families that differ from it in biases, windows and norms only: Mistral, Qwen 2,
//! Qwen 3 and `OLMo` 2.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::config::{Biases, NormPlaces, QkNorm, Window, WindowedLayers};
use super::super::tensor_names::{HeadNames, MatrixLayout, TensorNames};
use super::super::{ModelConfig, Nonlinearity};
use super::Family;
use super::block_fields::BlockFields;
use super::layer_types::{layer_types, windowed_layers};
use super::rope::rotary_json;

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

/// The fields of a `config.json` that matter. `None` stands for a field that the family does not have.
#[derive(Deserialize)]
struct Fields {
    #[serde(flatten)]
    block: BlockFields,
    hidden_act: String,
    mlp_bias: Option<bool>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
}

pub(super) fn from_json(family: Family, json: Value) -> Result<ModelConfig, String> {
    let it: Fields = super::fields_of(json)?;
    let config = it.block.config(family)?;
    let has_windows = match family {
        Family::Mistral => it.block.sliding_window.is_some(),
        Family::Qwen2 | Family::Qwen3 => it.use_sliding_window == Some(true),
        _ => false,
    };
    let layers = match (&it.block.layer_types, it.max_window_layers) {
        // A Mistral whose layers differ is read as a Ministral by `transformers`, too.
        (Some(types), _) if matches!(family, Family::Mistral | Family::Qwen2 | Family::Qwen3) => {
            let layers = windowed_layers(types, config.n_layers)?;
            if layers.is_some() && !(has_windows && it.block.sliding_window.is_some()) {
                return Err("`layer_types` has `sliding_attention`, but `use_sliding_window` is not true, or \
                            `sliding_window` is null"
                    .into());
            }
            layers
        }
        (_, first) => Some(WindowedLayers::From(first.unwrap_or(0))),
    };
    let window = it.block.window(layers.filter(|_| has_windows))?;
    let turned = it.block.turned(&config);
    Ok(ModelConfig {
        nonlinearity: Nonlinearity::of_field("hidden_act", &it.hidden_act)?,
        norm_places: match family {
            Family::Olmo2 => NormPlaces::After,
            _ => NormPlaces::Before,
        },
        rotary: Some(it.block.rotary.read(turned, None)?),
        qk_norm: match family {
            Family::Qwen3 => Some(QkNorm::EachHead),
            Family::Olmo2 => Some(QkNorm::AllHeads),
            _ => None,
        },
        biases: it.biases(family),
        window,
        ..config
    })
}

impl Fields {
    fn biases(&self, family: Family) -> Biases {
        let has_bias = self.block.attention_bias.unwrap_or(false);
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
    let own = json!({
        "hidden_act": config.nonlinearity.name(),
        "mlp_bias": config.biases.mlp,
        "use_sliding_window": config.window.is_some(),
        "max_window_layers": first_in_window.unwrap_or(config.n_layers),
    });
    let mut json = BlockFields::to_json(config, architecture, own);
    // Without the list, all layers of a Mistral have the window.
    let is_told =
        |it: Window| config.family != Family::Mistral || it.layers != WindowedLayers::From(0);
    if config.window.is_some_and(is_told) {
        json["layer_types"] = json!(layer_types(config));
    }
    if let Some(rotary) = &config.rotary {
        json["rope_parameters"] = rotary_json(rotary);
        json["rope_theta"] = json!(rotary.base);
    }
    json
}
