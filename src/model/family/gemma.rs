//! Gemma 2 and 3: norms around attention and MLP, whose gains are 1 more than the file's, windows in
//! most layers, and in Gemma 2 caps on scores and logits.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::config::{Biases, NormPlaces, QkNorm, Scores, WindowedLayers};
use super::super::tensor_names::TensorNames;
use super::super::{ModelConfig, Nonlinearity};
use super::block_fields::BlockFields;
use super::layer_types::{layer_types, windowed_layers};
use super::rope::rotary_json;
use super::{Family, above_zero};

pub(super) const NAMES: TensorNames = TensorNames {
    // The others are those of Gemma 3's checkpoints that also see.
    prefixes: &["model.language_model.", "language_model.model.", "model.", "language_model."],
    norms: ["input_layernorm", "pre_feedforward_layernorm"],
    gains_less: 1.0,
    ..super::llama::NAMES
};

/// The fields of a `config.json` that matter. `None` stands for a cap that there is not, or a field that
/// the family does not have.
#[derive(Deserialize)]
struct Fields {
    #[serde(flatten)]
    block: BlockFields,
    hidden_activation: String,
    query_pre_attn_scalar: f64,
    attn_logit_softcapping: Option<f64>,
    final_logit_softcapping: Option<f64>,
    use_bidirectional_attention: Option<bool>,
    sliding_window_pattern: Option<usize>,
}

pub(super) fn from_json(family: Family, json: Value) -> Result<ModelConfig, String> {
    let it: Fields = super::fields_of(json)?;
    let is_second = family == Family::Gemma2;
    if it.use_bidirectional_attention == Some(true) {
        return Err("`use_bidirectional_attention` is not supported".into());
    }
    let cap = |name, cap: Option<f64>| cap.map(|cap| above_zero(name, cap)).transpose();
    let score_cap = cap("attn_logit_softcapping", it.attn_logit_softcapping)?;
    let logit_cap = cap("final_logit_softcapping", it.final_logit_softcapping)?;
    if !is_second && score_cap.is_some() {
        return Err("`attn_logit_softcapping` is not supported in Gemma 3, \
                    which has norms of queries and keys instead"
            .into());
    }
    let config = it.block.config(family)?;
    let pattern = it.sliding_window_pattern.filter(|_| !is_second).unwrap_or(2);
    ModelConfig::check_sizes([("sliding_window_pattern", pattern)])?;
    let layers = match &it.block.layer_types {
        Some(types) => windowed_layers(types, config.n_layers)?,
        None => Some(WindowedLayers::AllBut(pattern)),
    };
    let window = it.block.window(layers)?;
    if layers.is_some() && window.is_none() {
        return Err("`sliding_window` is null, but some layers see a window".into());
    }
    let scalar = above_zero("query_pre_attn_scalar", it.query_pre_attn_scalar)?;
    let has_bias = it.block.attention_bias.unwrap_or(false);
    let turned = it.block.turned(&config);
    let (rotary, rotary_in_window) = if is_second {
        (it.block.rotary.read(turned, None)?, None)
    } else {
        let [all, windowed] = it.block.rotary.read_by_layer_type(turned)?;
        (all, Some(windowed))
    };
    Ok(ModelConfig {
        nonlinearity: Nonlinearity::of_field("hidden_activation", &it.hidden_activation)?,
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

/// The fields of the language model of a configuration that also describes what sees. The error says
/// which field is wrong.
pub(super) fn of_text(fields: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let Some(Value::Object(of_text)) = fields.get("text_config") else {
        return Err("it lacks the field `text_config`".into());
    };
    let mut of_text = of_text.clone();
    if let Some(is_tied) = fields.get("tie_word_embeddings") {
        of_text.insert("tie_word_embeddings".into(), is_tied.clone());
    }
    Ok(of_text)
}

/// The text of a `config.json`, as Hugging Face writes it.
pub(super) fn to_json(config: &ModelConfig) -> Value {
    let is_second = config.family == Family::Gemma2;
    let architecture = if is_second { "Gemma2ForCausalLM" } else { "Gemma3ForCausalLM" };
    let own = json!({
        "hidden_activation": match config.nonlinearity {
            Nonlinearity::GeluNew => "gelu_pytorch_tanh",
            other => other.name(),
        },
        "query_pre_attn_scalar": config.score_divisor(0).powi(2),
        "attn_logit_softcapping": config.scores.cap,
        "final_logit_softcapping": config.logit_cap,
        "layer_types": layer_types(config),
    });
    let mut json = BlockFields::to_json(config, architecture, own);
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
