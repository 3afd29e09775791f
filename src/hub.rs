//! Finds models that Python has already downloaded, by their names on Hugging Face's hub.
//!
//! The layout of the cache is that of `huggingface_hub`:
//! `models--ORG--NAME/snapshots/COMMIT/`, with the commit of a branch in `refs/BRANCH`.
//! Nothing is downloaded.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folder of `huggingface_hub`'s downloads: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else `hub`
/// in `~/.cache/huggingface`.
pub fn cache() -> Option<PathBuf> {
    let given = |name| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    given("HF_HUB_CACHE").or_else(|| Some(given("HF_HOME")?.join("hub"))).or_else(|| {
        let cache = given("XDG_CACHE_HOME").or_else(|| Some(dirs::home_dir()?.join(".cache")))?;
        Some(cache.join("huggingface").join("hub"))
    })
}

/// The folder of a model in a cache. `None` if `name` is not a hub name, or if the cache lacks the
/// model.
///
/// OpenAI's GPT-2 models may be named without their organisation: `gpt2-large`.
pub fn find(name: &str, cache: &Path) -> Option<PathBuf> {
    let is_part = |part: &str| {
        let is_sign = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
        !part.is_empty() && !part.starts_with('.') && part.chars().all(is_sign)
    };
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_part(part)) {
        return None;
    }
    let mut folders = vec![format!("models--{}", parts.join("--"))];
    if parts.len() == 1 {
        folders.push(format!("models--openai-community--{name}"));
    }
    folders.into_iter().find_map(|folder| snapshot(&cache.join(folder)))
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

/// The snapshot that the branch `main` points to; without that branch, the only snapshot, if there
/// is exactly one.
fn snapshot(model: &Path) -> Option<PathBuf> {
    let snapshots = model.join("snapshots");
    if let Ok(commit) = fs::read_to_string(model.join("refs").join("main")) {
        let dir = snapshots.join(commit.trim());
        if dir.join("config.json").is_file() {
            return Some(dir);
        }
    }
    let found = fs::read_dir(snapshots).ok()?.filter_map(|it| Some(it.ok()?.path()));
    let mut found = found.filter(|dir| dir.join("config.json").is_file());
    let first = found.next()?;
    found.next().is_none().then_some(first)
}
