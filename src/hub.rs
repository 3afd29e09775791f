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

#[cfg(test)]
mod tests {
    use super::*;

    fn add(cache: &Path, folder: &str, commit: &str) -> PathBuf {
        let dir = cache.join(folder).join("snapshots").join(commit);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("config.json"), "{}").unwrap();
        dir
    }

    #[test]
    fn a_model_is_found_by_its_name_and_named_by_its_folder() {
        let cache = tempfile::tempdir().unwrap();
        let large = add(cache.path(), "models--openai-community--gpt2-large", "32b71b1");
        for name in ["gpt2-large", "openai-community/gpt2-large"] {
            assert_eq!(find(name, cache.path()), Some(large.clone()), "{name}");
        }
        assert_eq!(name_of(&large).unwrap(), "openai-community/gpt2-large");
        for name in ["gpt2", "someone/gpt2-large", "", "../gpt2-large", "a/b/c", ".", "/gpt2-large"]
        {
            assert_eq!(find(name, cache.path()), None, "{name}");
        }
        assert_eq!(name_of(Path::new("/models/gpt2-large")), None);
    }

    #[test]
    fn of_several_downloads_main_is_meant_and_nothing_is_guessed() {
        let cache = tempfile::tempdir().unwrap();
        add(cache.path(), "models--me--mine", "aaa");
        let newer = add(cache.path(), "models--me--mine", "bbb");
        assert_eq!(find("me/mine", cache.path()), None);
        let refs = cache.path().join("models--me--mine/refs");
        fs::create_dir_all(&refs).unwrap();
        fs::write(refs.join("main"), "bbb\n").unwrap();
        assert_eq!(find("me/mine", cache.path()), Some(newer));
    }
}
