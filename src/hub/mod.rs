//! Models on Hugging Face's hub: found in the cache that Python's `huggingface_hub` shares, and
//! downloaded into it.
//!
//! The layout of the cache is that of `huggingface_hub`: contents by their hash in
//! `models--ORG--NAME/blobs/`, links to them in `models--ORG--NAME/snapshots/COMMIT/`, and the commit
//! of a branch in `models--ORG--NAME/refs/BRANCH`.

use std::path::{Path, PathBuf};
use std::{env, fs};

pub use name::{HubName, NameError};

mod name;
#[cfg(feature = "hub")]
mod settings;
#[cfg(feature = "hub")]
mod address;
#[cfg(feature = "hub")]
mod connection;
#[cfg(feature = "hub")]
mod client;
#[cfg(feature = "hub")]
mod refusal;
#[cfg(feature = "hub")]
mod tries;
#[cfg(feature = "hub")]
mod listing;
#[cfg(feature = "hub")]
mod known;
#[cfg(feature = "hub")]
mod search;
#[cfg(feature = "hub")]
mod part;
#[cfg(feature = "hub")]
mod store;
#[cfg(feature = "hub")]
mod get;
#[cfg(feature = "hub")]
mod amount;
#[cfg(feature = "hub")]
mod error;

#[cfg(feature = "hub")]
pub use amount::{count, size};
#[cfg(feature = "hub")]
pub use error::HubError;
#[cfg(feature = "hub")]
pub use get::{Stage, Wait, get};
#[cfg(feature = "hub")]
pub use known::{ASKED, Cached, KNOWN, Known};
#[cfg(feature = "hub")]
pub use search::{Found, search};
#[cfg(feature = "hub")]
pub use settings::{Patience, Settings, Token};

/// The file that every model folder has.
const CONFIG: &str = "config.json";

/// The weights of a model, the most wanted first: a file, or else the index that names its parts.
const WEIGHTS: [(&str, &str); 2] = [
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
];

/// The folder of `huggingface_hub`'s downloads: `HF_HUB_CACHE`, else `hub` in `HF_HOME`.
pub fn cache() -> Option<PathBuf> {
    // The second is the older name of the first.
    let named = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"].into_iter().find_map(given);
    named.map(PathBuf::from).or_else(|| Some(home()?.join("hub")))
}

/// The folder of all that Hugging Face's programs keep: `HF_HOME`, else `~/.cache/huggingface`.
fn home() -> Option<PathBuf> {
    given("HF_HOME").map(PathBuf::from).or_else(|| {
        let cache = given("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(dirs::home_dir()?.join(".cache")))?;
        Some(cache.join("huggingface"))
    })
}

/// An environment variable that says something.
fn given(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|it| !it.is_empty())
}

/// The folder of a model in a cache, or the file where the name asks for one. `None` if `name` is not
/// a hub name, or if the cache lacks the model.
///
/// OpenAI's GPT-2 models may be named without their organisation: `gpt2-large`.
pub fn find(name: &str, cache: &Path) -> Option<PathBuf> {
    let name: HubName = name.parse().ok()?;
    let mut folders = vec![name.folder()];
    if !name.repo.contains('/') {
        folders.push(format!("models--openai-community--{}", name.repo));
    }
    folders.into_iter().find_map(|folder| {
        let dir = snapshot(&cache.join(folder), &name)?;
        Some(name.in_snapshot(dir))
    })
}

/// The folder in the user's own cache of the model that `path` names. `None` if a file or folder of
/// that name exists, which is then meant instead.
pub fn find_unless_folder(path: &Path) -> Option<PathBuf> {
    if path.exists() {
        return None;
    }
    find(path.to_str()?, &cache()?)
}

/// The name of the model that a folder in a cache holds: `openai-community/gpt2-large`.
pub fn name_of(dir: &Path) -> Option<String> {
    let snapshots = dir.parent()?;
    if snapshots.file_name()? != "snapshots" {
        return None;
    }
    let folder = snapshots.parent()?.file_name()?.to_str()?;
    Some(folder.strip_prefix("models--")?.replacen("--", "/", 1))
}

/// What a cache calls the model in one of its folders, with its commit, or a file there. `None` if the
/// cache would find another one, or none, by that name.
pub fn name_in(cache: &Path, found: &Path) -> Option<HubName> {
    let is_snapshot =
        |it: &&Path| it.parent().and_then(Path::file_name).is_some_and(|it| it == "snapshots");
    let snapshot = found.ancestors().find(is_snapshot)?;
    let file = found.strip_prefix(snapshot).ok()?.to_str()?.replace('\\', "/");
    let name = HubName {
        repo: name_of(snapshot)?,
        revision: Some(snapshot.file_name()?.to_str()?.to_owned()),
        file: Some(file).filter(|it| !it.is_empty()),
    };
    // Links are not followed: a file in a snapshot is one to what several snapshots share.
    let is_it = find(&name.to_string(), cache)? == found;
    is_it.then_some(name)
}

/// What a spec calls a model, so that it also runs on another machine: a model in the user's own cache
/// by its name with its commit, any other by where it lies.
pub fn called(model: &Path) -> PathBuf {
    let name = cache().and_then(|cache| name_in(&cache, model));
    name.map_or_else(|| model.to_owned(), |it| it.to_string().into())
}

/// Whether a model in a cache has all its weights and a vocabulary: Python may have downloaded a part
/// of it only.
pub fn is_complete(found: &Path) -> bool {
    let has = |name: &str| found.join(name).is_file();
    let has_weights = || {
        WEIGHTS.iter().any(|(single, index)| {
            has(single)
                || fs::read_to_string(found.join(index)).is_ok_and(|text| {
                    weight_parts(&text).is_ok_and(|it| it.iter().all(|it| has(it)))
                })
        })
    };
    let has_vocabulary =
        || ["tokenizer.json", "vocab.json", "tokenizer.model"].iter().any(|name| has(name));
    found.is_file() || (has(CONFIG) && has_weights() && has_vocabulary())
}

/// The files that an index of weights names, or what is wrong with it.
fn weight_parts(index: &str) -> Result<Vec<String>, String> {
    let json: serde_json::Value = serde_json::from_str(index).map_err(|it| it.to_string())?;
    let map = json["weight_map"].as_object().ok_or("it has no `weight_map`")?;
    let mut parts: Vec<String> =
        map.values().filter_map(|it| Some(it.as_str()?.to_owned())).collect();
    parts.sort_unstable();
    parts.dedup();
    match parts.iter().find(|part| !name::is_file_path(part)) {
        _ if parts.is_empty() => Err("its `weight_map` names no file".to_owned()),
        Some(part) => Err(format!("it names `{part}`, which is no file of a model")),
        None => Ok(parts),
    }
}

/// The snapshot that a revision points to; without the branch `main`, the only snapshot, if there is
/// exactly one.
fn snapshot(model: &Path, name: &HubName) -> Option<PathBuf> {
    let snapshots = model.join("snapshots");
    let wanted = name.file.as_deref().unwrap_or(CONFIG);
    let is_it = |dir: &PathBuf| dir.join(wanted).is_file();
    let revision = name.revision();
    if let Ok(commit) = fs::read_to_string(model.join("refs").join(revision)) {
        let dir = snapshots.join(commit.trim());
        if is_it(&dir) {
            return Some(dir);
        }
    }
    if name.revision.is_some() {
        return Some(snapshots.join(revision)).filter(is_it);
    }
    let found = fs::read_dir(snapshots).ok()?.filter_map(|it| Some(it.ok()?.path()));
    let mut found = found.filter(is_it);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}
