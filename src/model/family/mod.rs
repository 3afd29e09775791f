//! The families of models: what each calls the fields of its configuration and its tensors.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ModelConfig;
use super::rotary::RotaryScaling;
use super::tensor_names::TensorNames;

mod block_fields;
mod class_fields;
mod gemma;
mod gpt2;
mod gptj;
mod layer_types;
mod llama;
mod neox;
mod published;
mod rope;

/// A family of models, by its `model_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    #[default]
    Gpt2,
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    Olmo2,
    Gemma2,
    Gemma3,
    GptNeox,
    Gptj,
}

impl Family {
    const ALL: [Self; 10] = [
        Self::Gpt2,
        Self::Llama,
        Self::Mistral,
        Self::Qwen2,
        Self::Qwen3,
        Self::Olmo2,
        Self::Gemma2,
        Self::Gemma3,
        Self::GptNeox,
        Self::Gptj,
    ];

    /// The `model_type` in configurations of Hugging Face.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt2",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Olmo2 => "olmo2",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3_text",
            Self::GptNeox => "gpt_neox",
            Self::Gptj => "gptj",
        }
    }

    /// The field of the ε that norms add.
    fn epsilon(self) -> &'static str {
        match self {
            Self::Gpt2 | Self::Gptj => "layer_norm_epsilon",
            Self::GptNeox => "layer_norm_eps",
            _ => "rms_norm_eps",
        }
    }

    /// The names of the family's tensors.
    pub(super) fn names(self) -> &'static TensorNames {
        match self {
            Self::Gpt2 => &gpt2::NAMES,
            Self::GptNeox => &neox::NAMES,
            Self::Gptj => &gptj::NAMES,
            Self::Gemma2 | Self::Gemma3 => &gemma::NAMES,
            Self::Llama | Self::Mistral | Self::Qwen2 | Self::Qwen3 | Self::Olmo2 => &llama::NAMES,
        }
    }

    /// Reads the fields of a `config.json` of this family, none of which is missing.
    fn read(self, fields: Map<String, Value>) -> Result<ModelConfig, String> {
        let json = Value::Object(fields);
        match self {
            Self::Gpt2 => gpt2::from_json(json),
            Self::GptNeox => neox::from_json(json),
            Self::Gptj => gptj::from_json(json),
            Self::Gemma2 | Self::Gemma3 => gemma::from_json(self, json),
            Self::Llama | Self::Mistral | Self::Qwen2 | Self::Qwen3 | Self::Olmo2 => {
                llama::from_json(self, json)
            }
        }
    }
}

/// The names that `transformers` takes for those of GPT-2 and GPT-J, as its `attribute_map` says.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("num_hidden_layers", "n_layer"),
    ("num_attention_heads", "n_head"),
    ("hidden_size", "n_embd"),
    ("max_position_embeddings", "n_positions"),
];

/// Gives the fields that a configuration has by [`OTHER_NAMES`] their own.
fn by_own_names(fields: &mut Map<String, Value>) -> Result<(), String> {
    for (other, own) in OTHER_NAMES {
        let Some(value) = fields.remove(other).filter(|it| !it.is_null()) else { continue };
        match fields.get(own) {
            Some(known) if *known != value => {
                return Err(format!(
                    "`{own}` is {known} and `{other}` is {value}, which are names of one size"
                ));
            }
            _ => _ = fields.insert(own.to_owned(), value),
        }
    }
    Ok(())
}

/// The fields of a configuration as a family's reader takes them.
fn fields_of<T: DeserializeOwned>(json: Value) -> Result<T, String> {
    serde_json::from_value(json).map_err(|error| error.to_string())
}

/// The `config.json` of a model, as Hugging Face writes it.
pub(super) fn to_json(config: &ModelConfig) -> Value {
    let mut json = match config.family {
        Family::Gpt2 => gpt2::to_json(config),
        Family::GptNeox => neox::to_json(config),
        Family::Gptj => gptj::to_json(config),
        Family::Gemma2 | Family::Gemma3 => gemma::to_json(config),
        Family::Llama | Family::Mistral | Family::Qwen2 | Family::Qwen3 | Family::Olmo2 => {
            llama::to_json(config)
        }
    };
    let mut rotaries = [config.rotary, config.rotary_in_window].into_iter().flatten();
    let original = rotaries.find_map(|it| match it.scaling {
        RotaryScaling::Dynamic { original_n_ctx, .. } => Some(original_n_ctx),
        _ => None,
    });
    if let Some(original) = original {
        json["max_position_embeddings"] = original.into();
    }
    json
}

/// The `model_type` of Gemma 3's models that also see, whose language model is read.
const MULTIMODAL: &str = "gemma3";

/// Reads the text of a `config.json` of any family. One without a `model_type` is taken for a
/// GPT-2's, as OpenAI released it.
pub(super) fn from_json(text: &str) -> Result<ModelConfig, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Object(fields) = json else {
        return Err("it must hold fields in braces, as `{ \"model_type\": … }`".into());
    };
    if fields.contains_key("_diffusers_version") {
        return Err(
            "it is of a part of a pipeline of diffusers, which makes pictures; open a language \
                    model"
                .into(),
        );
    }
    if let Some(method) = fields.get("quantization_config").filter(|it| !it.is_null()) {
        let method = method["quant_method"].as_str().unwrap_or("a method without a name");
        return Err(format!(
            "`quantization_config` says that the weights are quantised by {method}, which cannot be \
             read; open the model before it was quantised, or take the field away if the weights are \
             plain"
        ));
    }
    of_any_family(&fields).map_err(|error| in_plain_words(&error, &fields))
}

/// An error of reading fields, with the name of the field if one alone has the value that is wrong.
fn in_plain_words(error: &str, fields: &Map<String, Value>) -> String {
    let parts = error.strip_prefix("invalid ").and_then(|it| it.split_once(", expected "));
    let Some((found, wanted)) = parts else {
        return error.replace("missing field", "it lacks the field");
    };
    // serde calls `null` so where it has read all fields before.
    let found = found.replace("unit value", "null");
    let is_found = |value: &Value| {
        let kind = match value {
            Value::Number(it) if it.is_f64() => format!("floating point `{it}`"),
            Value::Number(it) => format!("integer `{it}`"),
            Value::String(it) => format!("string {it:?}"),
            Value::Bool(it) => format!("boolean `{it}`"),
            Value::Null => "null".to_owned(),
            Value::Array(_) => "sequence".to_owned(),
            Value::Object(_) => "map".to_owned(),
        };
        found.ends_with(&format!(": {kind}"))
    };
    let inner = fields.values().filter_map(Value::as_object).flatten();
    let wrong: Vec<_> = fields.iter().chain(inner).filter(|(_, value)| is_found(value)).collect();
    let wanted = match wanted.split(" at line ").next().unwrap_or(wanted) {
        "usize" => "a whole number of at least 0",
        "f64" => "a number",
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        other => other,
    };
    match wrong.as_slice() {
        [(name, value)] => format!("`{name}` is {value}, but must be {wanted}"),
        _ => format!("a field has an invalid {found}, but must be {wanted}"),
    }
}

/// What a model is that goes on with no text, and so is none of [`Family`]. `None` if its
/// configuration does not tell.
fn other_kind(model_type: &str, fields: &Map<String, Value>) -> Option<&'static str> {
    const ENCODERS: [&str; 5] = ["bert", "mpnet", "electra", "deberta", "xlm"];
    const ENCODER: &str = "it is an encoder, which reads a text as a whole and does not go on with it, so \
                           there is no next token to ask about; open a model that goes on with a text";
    let says = |field: &str| fields.get(field) == Some(&Value::Bool(true));
    if says("is_encoder_decoder") {
        return Some(
            "it is an encoder with a decoder, which turns a text into another one; open a model that goes \
             on with a text",
        );
    }
    let is_encoder = ENCODERS.iter().any(|it| model_type.contains(it)) && !says("is_decoder");
    is_encoder.then_some(ENCODER)
}

fn of_any_family(fields: &Map<String, Value>) -> Result<ModelConfig, String> {
    let wanted = match fields.get("model_type") {
        None | Some(Value::Null) => Family::Gpt2.name(),
        Some(Value::String(name)) => name,
        Some(other) => {
            return Err(format!("`model_type` is {other}, but must be a text in quotes"));
        }
    };
    let known = Family::ALL.into_iter().find(|it| it.name() == wanted);
    let is_multimodal = wanted == MULTIMODAL;
    let Some(family) = known.or_else(|| is_multimodal.then_some(Family::Gemma3)) else {
        let known = Family::ALL.map(Family::name).into_iter().chain([MULTIMODAL]);
        let known: Vec<String> = known.map(|it| format!("`{it}`")).collect();
        let known = known.join(", ");
        let other = other_kind(wanted, fields).map_or_else(String::new, |it| format!("; {it}"));
        return Err(format!(
            "`model_type` is `{wanted}`, which is not one of the families that can be opened: \
             {known}{other}"
        ));
    };
    let mut fields = if is_multimodal { gemma::of_text(fields)? } else { fields.clone() };
    if matches!(family, Family::Gpt2 | Family::Gptj) {
        by_own_names(&mut fields)?;
    }
    family.fill_in(&mut fields)?;
    let mut config = family.read(fields)?;
    let rotaries = [config.rotary, config.rotary_in_window].into_iter().flatten();
    if let Some(stretched) = rotaries.filter_map(|it| it.stretched_n_ctx()).max() {
        config.n_ctx = stretched;
    }
    at_least_zero(family.epsilon(), config.layer_norm_epsilon)?;
    Ok(config)
}

/// Whether a configuration gives a field, under one of its names.
pub(super) fn gives(text: &str, field: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return false };
    let inner = fields.get("text_config").and_then(Value::as_object);
    let other = OTHER_NAMES.iter().find(|(_, own)| *own == field).map(|it| it.0);
    let has = |fields: &Map<String, Value>| {
        [Some(field), other].into_iter().flatten().any(|it| fields.contains_key(it))
    };
    has(inner.unwrap_or(&fields))
}

/// A number that must be above 0. The error says the field's name.
fn above_zero(name: &str, value: f64) -> Result<f64, String> {
    if value as f32 > 0.0 && (value as f32).is_finite() {
        return Ok(value);
    }
    Err(format!("`{name}` is {value}, but must be above 0 and below {LARGEST}"))
}

/// As [`above_zero`], of a number that may be 0.
fn at_least_zero(name: &str, value: f64) -> Result<f64, String> {
    if value >= 0.0 && (value as f32).is_finite() {
        return Ok(value);
    }
    Err(format!("`{name}` is {value}, but must be at least 0 and below {LARGEST}"))
}

/// What no number of a configuration reaches, since models compute in 32 bits.
const LARGEST: &str = "3.4e38";
