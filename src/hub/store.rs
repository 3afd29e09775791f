//! A model's folder in the cache, written as `huggingface_hub` writes it, so that Python finds what is
//! downloaded here, and the other way round.
//!
//! Reference: `_hf_hub_download_to_cache_dir` and `_create_symlink` in `huggingface_hub` 2.4,
//! `file_download.py`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::get::{Stage, Wait};
use super::listing::RemoteFile;
use super::settings::Settings;
use super::tries::Watch;
use super::{HubError, HubName};
use crate::whole_file;

/// Where a model's files are.
pub(super) struct Store {
    cache: PathBuf,
    model: PathBuf,
    locks: PathBuf,
    has_links: bool,
}

/// While it lives, no other program downloads the same content: neither a factscope nor Python.
pub(super) struct Lock {
    /// `None`: the file system has no locks, so that nothing may be shared.
    pub file: Option<File>,
}

impl Store {
    pub fn new(settings: &Settings, name: &HubName) -> Self {
        let (cache, folder) = (settings.cache.clone(), name.folder());
        let (model, locks) = (cache.join(&folder), cache.join(".locks").join(&folder));
        Self { cache, model, locks, has_links: settings.has_links }
    }

    /// Where the content of a file is kept.
    pub fn blob(&self, file: &RemoteFile) -> PathBuf {
        self.model.join("blobs").join(file.hash.name())
    }

    /// Where it grows.
    pub fn part(&self, file: &RemoteFile) -> PathBuf {
        self.model.join("blobs").join(format!("{}.incomplete", file.hash.name()))
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.model.join("snapshots").join(commit)
    }

    /// Whether a snapshot has a file, at its full length.
    pub fn has(&self, commit: &str, file: &RemoteFile) -> bool {
        has_size(&self.snapshot(commit).join(&file.path), file.size)
    }

    /// Whether the content of a file is there, at its full length.
    pub fn has_blob(&self, file: &RemoteFile) -> bool {
        has_size(&self.blob(file), file.size)
    }

    /// The bytes that are there of a file, whole or in part.
    pub fn n_bytes(&self, file: &RemoteFile) -> u64 {
        if self.has_blob(file) {
            return file.size;
        }
        fs::metadata(self.part(file)).map_or(0, |it| it.len()).min(file.size)
    }

    /// Makes the folders of the cache.
    pub fn prepare(&self) -> Result<(), HubError> {
        for dir in [self.model.join("blobs"), self.model.join("snapshots"), self.locks.clone()] {
            fs::create_dir_all(&dir).map_err(|source| HubError::Write { path: dir, source })?;
        }
        // Backups leave out what has such a file: https://bford.info/cachedir/
        let tag = self.cache.join("CACHEDIR.TAG");
        if !tag.exists() {
            let text = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of \
                        Hugging Face's hub.\n";
            // A cache without it is as good.
            _ = fs::write(tag, text);
        }
        Ok(())
    }

    /// Waits until no other program downloads the file.
    pub fn lock(&self, file: &RemoteFile, watch: &mut Watch<'_>) -> Result<Lock, HubError> {
        let path = self.locks.join(format!("{}.lock", file.hash.name()));
        let fail = |source| HubError::Write { path: path.clone(), source };
        let before = watch.progress.done;
        let mut is_told = false;
        loop {
            let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let lock = lock.map_err(fail)?;
            match lock.try_lock() {
                // Python deletes a lock's file when it lets go: this may be one that nobody else sees.
                Ok(()) if is_at(&lock, &path) => {
                    if is_told {
                        watch.go_on();
                    }
                    return Ok(Lock { file: Some(lock) });
                }
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(_)) => return Ok(Lock { file: None }),
            }
            if !is_told {
                (watch.say)(Stage::Waiting(Wait::OtherWriter { file: file.path.clone() }));
                is_told = true;
            }
            // Its bytes are as good as ours.
            watch.progress.done = before + self.n_bytes(file);
            watch.wait(std::time::Duration::from_millis(200))?;
            watch.progress.done = before;
        }
    }

    /// Puts a file of the cache in its place in a snapshot. `is_new`: its content was not there before,
    /// so that nothing else points to it.
    pub fn place(&self, commit: &str, file: &RemoteFile, is_new: bool) -> Result<(), HubError> {
        if self.has(commit, file) {
            return Ok(());
        }
        let path = self.snapshot(commit).join(&file.path);
        let dir = path.parent().unwrap_or(&path);
        let place = || {
            fs::create_dir_all(dir)?;
            if self.has_links && whole_file::link(&target(file), &path).is_ok() {
                return Ok(());
            }
            // As Python does where links cannot be made: the snapshot holds the file itself.
            if is_new {
                return fs::rename(self.blob(file), &path);
            }
            let copy = whole_file::begin(&path)?;
            fs::copy(self.blob(file), &copy)?;
            copy.persist(&path).map(drop).map_err(|error| error.error)
        };
        place().map_err(|source: io::Error| HubError::Write { path: path.clone(), source })
    }

    /// Notes the commit of a branch or tag.
    pub fn note(&self, name: &HubName, commit: &str) -> Result<(), HubError> {
        let path = self.model.join("refs").join(name.revision());
        let is_noted = || fs::read_to_string(&path).is_ok_and(|it| it == commit);
        if name.revision() == commit || is_noted() {
            return Ok(());
        }
        let dir = path.parent().unwrap_or(&path);
        let note = || {
            fs::create_dir_all(dir)?;
            whole_file::write(&path, commit.as_bytes())
        };
        note().map_err(|source| HubError::Write { path: path.clone(), source })
    }
}

/// A file's content as its link in a snapshot names it, so that the cache can be moved.
fn target(file: &RemoteFile) -> PathBuf {
    let depth = 1 + file.path.split('/').count();
    let up: PathBuf = std::iter::repeat_n("..", depth).collect();
    up.join("blobs").join(file.hash.name())
}

fn has_size(path: &Path, size: u64) -> bool {
    fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() == size)
}

/// Whether an open file is the one that its name leads to.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |it: fs::Metadata| (it.dev(), it.ino());
    let (open, named) = (file.metadata().map(place), fs::metadata(path).map(place));
    open.is_ok_and(|open| named.is_ok_and(|named| open == named))
}

/// An open file cannot be deleted here.
#[cfg(not(unix))]
pub(super) fn is_at(_file: &File, _path: &Path) -> bool {
    true
}
