//! Gemma 2 and 3: norms around attention and MLP, whose gains are 1 more than the file's, windows in
//! most layers, and in Gemma 2 caps on scores and logits.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::config::{Biases, NormPlaces, QkNorm, Scores, WindowedLayers};
use super::super::rotary::Pairs;
use super::super::tensor_names::{HeadNames, MatrixLayout, TensorNames};
use super::super::{ModelConfig, Nonlinearity, Unembedding};
use super::block_fields::{BlockFields, Defaults};
use super::layer_types::{layer_types, windowed_layers};
use super::rope::rotary_json;
use super::{Family, above_zero};

pub(super) const NAMES: TensorNames = TensorNames {
    // The others are those of Gemma 3's checkpoints that also see.
    prefixes: &["model.language_model.", "language_model.model.", "model.", "language_model."],
    unembedding: "lm_head.weight",
    embedding: "embed_tokens.weight",
    positions: "",
    final_norm: "norm",
    block: "layers",
    norms: ["input_layernorm", "pre_feedforward_layernorm"],
    norms_after: ["post_attention_layernorm", "post_feedforward_layernorm"],
    gains_less: 1.0,
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
    #[serde(flatten)]
    block: BlockFields,
    hidden_activation: Option<String>,
    query_pre_attn_scalar: Option<f64>,
    #[serde(default)]
    attn_logit_softcapping: CapField,
    #[serde(default)]
    final_logit_softcapping: CapField,
    use_bidirectional_attention: Option<bool>,
    sliding_window_pattern: Option<usize>,
}

/// A cap: absent for Hugging Face's default, `null` for none.
#[derive(Clone, Copy, Default)]
enum CapField {
    #[default]
    Absent,
    Given(Option<f64>),
}

impl<'de> Deserialize<'de> for CapField {
    fn deserialize<D: serde::Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        Option::deserialize(value).map(Self::Given)
    }
}

impl CapField {
    fn read(self, name: &str, default: Option<f64>) -> Result<Option<f64>, String> {
        let cap = match self {
            Self::Absent => default,
            Self::Given(cap) => cap,
        };
        cap.map(|cap| above_zero(name, cap)).transpose()
    }
}

pub(super) fn from_json(family: Family, text: &str) -> Result<ModelConfig, String> {
    let it: Fields = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let is_second = family == Family::Gemma2;
    if it.use_bidirectional_attention == Some(true) {
        return Err("`use_bidirectional_attention` is not supported".into());
    }
    let [score_cap, logit_cap] = if is_second { [Some(50.0), Some(30.0)] } else { [None; 2] };
    let score_cap = it.attn_logit_softcapping.read("attn_logit_softcapping", score_cap)?;
    let logit_cap = it.final_logit_softcapping.read("final_logit_softcapping", logit_cap)?;
    if !is_second && score_cap.is_some() {
        return Err("`attn_logit_softcapping` is not supported in Gemma 3, \
                    which has norms of queries and keys instead"
            .into());
    }
    let defaults = Defaults {
        n_heads: Some(8),
        n_kv_heads: Some(4),
        head_width: Some(256),
        n_ctx: Some(if is_second { 8192 } else { 131_072 }),
        d_vocab: Some(if is_second { 256_000 } else { 262_208 }),
        epsilon: 1e-6,
        unembedding: Unembedding::Tied,
    };
    let config = it.block.config(family, &defaults)?;
    let pattern = if is_second { 2 } else { it.sliding_window_pattern.unwrap_or(6) };
    ModelConfig::check_sizes([("sliding_window_pattern", pattern)])?;
    let layers = match &it.block.layer_types {
        Some(types) => windowed_layers(types, config.n_layers)?,
        None => Some(WindowedLayers::AllBut(pattern)),
    };
    let window = it.block.window(layers)?;
    if layers.is_some() && window.is_none() {
        return Err("`sliding_window` is null, but some layers see a window".into());
    }
    let scalar = above_zero("query_pre_attn_scalar", it.query_pre_attn_scalar.unwrap_or(256.0))?;
    let has_bias = it.block.attention_bias.unwrap_or(false);
    let (rotary, rotary_in_window) = if is_second {
        (it.block.rotary.read(config.d_head(), None, Pairs::Halves)?, None)
    } else {
        let rotary = &it.block.rotary;
        let [all, windowed] = rotary.read_by_layer_type(config.d_head(), Pairs::Halves)?;
        (all, Some(windowed))
    };
    Ok(ModelConfig {
        nonlinearity: match it.hidden_activation.as_deref() {
            None => Nonlinearity::GeluNew,
            Some(name) => Nonlinearity::of_field("hidden_activation", name)?,
        },
        scores: Scores { divisor: Some(scalar.sqrt()), divided_by_layer: false, cap: score_cap },
        norm_places: NormPlaces::Around,
        rotary: Some(rotary),
        rotary_in_window,
        qk_norm: (!is_second).then_some(QkNorm::EachHead),
        biases: Biases { heads: has_bias, attention: has_bias, mlp: false },
        window,
        embed_scale: Some((config.d_model as f64).sqrt()),
        logit_cap,
        ..config
    })
}

/// Reads the language model of a configuration that also describes what sees. The error says which
/// field is wrong.
pub(super) fn from_multimodal_json(text: &str) -> Result<ModelConfig, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut fields = match json.get("text_config") {
        Some(Value::Object(fields)) => fields.clone(),
        _ => return Err("it lacks the field `text_config`".into()),
    };
    if let Some(is_tied) = json.get("tie_word_embeddings") {
        fields.insert("tie_word_embeddings".into(), is_tied.clone());
    }
    from_json(Family::Gemma3, &Value::Object(fields).to_string())
}

/// The text of a `config.json`, as Hugging Face writes it.
pub(super) fn to_json(config: &ModelConfig) -> Value {
    let is_second = config.family == Family::Gemma2;
    let mut json = json!({
        "architectures": [if is_second { "Gemma2ForCausalLM" } else { "Gemma3ForCausalLM" }],
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
        "hidden_activation": match config.nonlinearity {
            Nonlinearity::GeluNew => "gelu_pytorch_tanh",
            other => other.name(),
        },
        "tie_word_embeddings": config.unembedding == Unembedding::Tied,
        "attention_bias": config.biases.attention,
        "query_pre_attn_scalar": config.score_divisor(0).powi(2),
        "attn_logit_softcapping": config.scores.cap,
        "final_logit_softcapping": config.logit_cap,
        "sliding_window": config.window.map(|it| it.n_keys),
        "layer_types": layer_types(config),
    });
    match (config.rotary, config.rotary_in_window) {
        (Some(all), Some(windowed)) => {
            json["rope_parameters"] = json!({
                "full_attention": rotary_json(&all),
                "sliding_attention": rotary_json(&windowed),
            });
        }
        (Some(all), None) => json["rope_parameters"] = rotary_json(&all),
        (None, _) => {}
    }
    json
}
