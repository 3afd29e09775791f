//! The families of models: what each calls the fields of its configuration.

use serde::Deserialize;

use super::ModelConfig;

mod gpt2;

/// Reads a family's fields from a `config.json`.
type ReadConfig = fn(&str) -> Result<ModelConfig, String>;

/// The families that can be opened, by their `model_type`.
const FAMILIES: [(&str, ReadConfig); 1] = [(gpt2::MODEL_TYPE, gpt2::from_json)];

/// The `config.json` of a model, as Hugging Face writes it.
pub(super) fn to_json(config: &ModelConfig) -> serde_json::Value {
    gpt2::to_json(config)
}

/// Reads the text of a `config.json` of any family. One without a `model_type` is taken for a
/// GPT-2's, as OpenAI released it.
pub(super) fn from_json(text: &str) -> Result<ModelConfig, String> {
    #[derive(Deserialize)]
    struct OfAnyFamily {
        model_type: Option<String>,
    }
    let it: OfAnyFamily = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let wanted = it.model_type.as_deref().unwrap_or(gpt2::MODEL_TYPE);
    let Some((_, read)) = FAMILIES.iter().find(|(name, _)| *name == wanted) else {
        let known: Vec<_> = FAMILIES.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(format!(
            "`model_type` is `{wanted}`, which is not one of the families that can be opened: {}",
            known.join(", ")
        ));
    };
    read(text)
}
