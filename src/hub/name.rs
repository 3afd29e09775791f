//! What a model is called on the hub: `gpt2-large`, `Qwen/Qwen2.5-1.5B`, `OWNER/NAME@REVISION`,
//! `OWNER/NAME:FILE.gguf`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The name of a model on the hub, or of one GGUF file there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubName {
    /// `OWNER/NAME`, or `NAME` alone.
    pub repo: String,

    /// A branch, a tag or a commit. `None` is the branch `main`.
    pub revision: Option<String>,

    /// A GGUF file. `None` is the model in Hugging Face's layout.
    pub file: Option<String>,
}

/// The text is no name of a model on the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a model on the hub is named NAME, OWNER/NAME, OWNER/NAME@REVISION or OWNER/NAME:FILE.gguf"
)]
pub struct NameError;

impl HubName {
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// What is named, in a snapshot of the model.
    pub(super) fn in_snapshot(&self, dir: PathBuf) -> PathBuf {
        match &self.file {
            Some(file) => dir.join(file),
            None => dir,
        }
    }

    /// The model's folder in a cache.
    pub fn folder(&self) -> String {
        format!("models--{}", self.repo.replace('/', "--"))
    }
}

impl FromStr for HubName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (text, file) = match text.split_once(':') {
            Some((text, file)) => (text, Some(file)),
            None => (text, None),
        };
        let (repo, revision) = match text.split_once('@') {
            Some((repo, revision)) => (repo, Some(revision)),
            None => (text, None),
        };
        let parts: Vec<&str> = repo.split('/').collect();
        // Two hyphens stand for the slash in a cache; the hub has no name with them.
        let is_repo =
            parts.len() <= 2 && parts.iter().all(|it| is_part(it)) && !repo.contains("--");
        let is_gguf = |file: &str| {
            let is_named = file.len() > 5 && file[file.len() - 5..].eq_ignore_ascii_case(".gguf");
            // `C:model.gguf` is a file on a drive.
            is_file_path(file) && is_named && parts.len() == 2
        };
        if !is_repo || !revision.is_none_or(is_file_path) || !file.is_none_or(is_gguf) {
            return Err(NameError);
        }
        let (revision, file) = (revision.map(str::to_owned), file.map(str::to_owned));
        Ok(Self { repo: repo.to_owned(), revision, file })
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        self.file.as_ref().map_or(Ok(()), |file| write!(f, ":{file}"))
    }
}

/// Whether a path with `/` stays in the folder that it is looked for in, on any system.
pub(super) fn is_file_path(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(is_part)
}

fn is_part(part: &str) -> bool {
    let is_sign = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.' | '+');
    !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && part.chars().all(is_sign)
}
