//! Puts the shards of a sweep together into one folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{Folder, FolderError, Manifest, notes, parts};
use super::selection::Task;

/// Why shards cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error(transparent)]
    Folder(#[from] FolderError),

    #[error("there is nothing to merge; name the folders of shards")]
    Nothing,

    #[error("case {case} is in two of the folders; each fact must be in one: {path}")]
    Twice { case: String, path: PathBuf },

    #[error("{source}: {path}")]
    Io { path: PathBuf, source: std::io::Error },
}

/// Copies the parts of all folders, which must hold shards of the same sweep, to another, and returns
/// that. What is there already from an earlier merge is left.
pub fn merge(folders: &[PathBuf], out: &Path) -> Result<Folder, MergeError> {
    let first = folders.first().ok_or(MergeError::Nothing)?;
    let manifest = Manifest::load(first)?.of_all();
    for path in folders {
        if let Some(what) = manifest.difference(&Manifest::load(path)?.of_all()) {
            return Err(FolderError::Other { what, path: path.clone() }.into());
        }
    }
    let mut merged = Folder::open(out, manifest)?;
    let mut seen: BTreeSet<Task> = BTreeSet::new();
    for folder in folders {
        for part in parts(folder)? {
            merged.manifest.check(&part)?;
            let facts = notes(&part)?;
            if let Some(twice) = facts.iter().find(|it| !seen.insert(it.task())) {
                return Err(MergeError::Twice { case: twice.case.clone(), path: part });
            }
            let is_there = facts.iter().any(|it| merged.found.contains(it));
            if !is_there {
                let bytes = fs::read(&part)
                    .map_err(|source| MergeError::Io { path: part.clone(), source })?;
                merged.add(&bytes, facts)?;
            }
        }
    }
    Ok(merged)
}
