//! Models of the hub whose name holds a text.

use serde::Deserialize;

use super::HubError;
use super::client::Client;
use super::settings::Settings;
use super::tries::Watch;
use crate::task::{Progress, TaskCtx};

/// The most models that are asked for.
const MOST: usize = 20;

/// A model that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub name: String,

    /// `gpt2`, `llama`: what its configuration says. `None` if it has none.
    pub model_type: Option<String>,
    pub n_params: Option<u64>,
    pub licence: Option<String>,

    /// Its owners want their terms accepted first.
    pub is_gated: bool,

    /// In the last month.
    pub n_downloads: u64,
}

#[derive(Deserialize)]
struct FoundJson {
    id: String,
    #[serde(default)]
    downloads: u64,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    gated: serde_json::Value,
    #[serde(default)]
    config: serde_json::Value,
    #[serde(default)]
    safetensors: serde_json::Value,
}

/// Asks the hub for models that write text, the most downloaded first.
pub fn search(text: &str, settings: &Settings, ctx: &TaskCtx<'_>) -> Result<Vec<Found>, HubError> {
    if settings.is_offline {
        return Err(HubError::SearchOffline);
    }
    let client = Client::new(settings)?;
    let watch = Watch { ctx, say: &|_| (), progress: Progress { done: 0, total: 0 } };
    let endpoint = &settings.endpoint;
    let url = format!(
        "{endpoint}/api/models?search={}&filter=text-generation&sort=downloads&direction=-1&limit={MOST}\
         &expand=config&expand=downloads&expand=gated&expand=safetensors&expand=tags",
        encoded(text)
    );
    let answer = client.text(&url, None, &watch)?;
    let found: Vec<FoundJson> = serde_json::from_str(&answer).map_err(|error| HubError::NoHub {
        host: endpoint.clone(),
        reason: format!("its list of models: {error}"),
    })?;
    Ok(found.into_iter().map(Found::from).collect())
}

impl From<FoundJson> for Found {
    fn from(json: FoundJson) -> Self {
        let licence = json.tags.iter().find_map(|tag| tag.strip_prefix("license:"));
        Self {
            model_type: json.config["model_type"].as_str().map(str::to_owned),
            n_params: json.safetensors["total"].as_u64(),
            licence: licence.map(str::to_owned),
            // `false`, or `"auto"` or `"manual"`.
            is_gated: json.gated.is_string() || json.gated == true,
            n_downloads: json.downloads,
            name: json.id,
        }
    }
}

/// A text as a part of an address.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            encoded.push(char::from(byte));
        } else {
            _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
