//! The folder of a sweep: what is asked, the parts that are written, and the lock of the process that
//! writes them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::part::{self, Asked, FactNote};
use super::selection::Selection;
use crate::whole_file;

/// What a sweep asks. Two folders with the same manifest hold numbers that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The spec, with the fact that it was written for.
    pub spec: serde_json::Value,

    /// SHA-256 of it.
    pub spec_sha256: String,

    /// The name of the method.
    pub method: String,
    pub model: String,

    /// SHA-256 of the names and hashes of the model's weight files.
    pub model_sha256: String,

    /// The dataset's file, or `builtin`.
    pub facts: PathBuf,

    /// SHA-256 of the dataset's file.
    pub facts_sha256: String,

    /// Which facts are asked.
    pub selection: Selection,

    /// Which answer is measured, whether draws are shared, and what figures show.
    pub settings: serde_json::Value,

    /// How each place of the spec is bound to a fact, in words.
    pub bound: Vec<String>,

    /// How many facts are asked, each way counted.
    pub n_asked: usize,

    /// The shard that this folder holds, from 0, and how many there are. `None` for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<[usize; 2]>,
}

/// A folder that this process writes to. The lock ends with the process, however it ends.
#[derive(Debug)]
pub struct Folder {
    pub path: PathBuf,
    pub manifest: Manifest,

    /// The facts that are there already.
    pub found: Vec<FactNote>,
    n_parts: usize,
    _lock: File,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("another process is writing to this folder; wait for it, or name another: {path}")]
    InUse { path: PathBuf },

    #[error("{source}: {path}")]
    Io { path: PathBuf, source: io::Error },

    #[error(
        "there is no room for the next part ({source}); what was written is whole, and once there is room \
         the same sweep goes on from there: {}",
        path.display()
    )]
    Full { path: PathBuf, source: io::Error },

    #[error(
        "the folder holds a sweep that asks something else; not the same: {what}; name another \
         folder: {path}"
    )]
    Other { what: String, path: PathBuf },

    #[error("the folder has files that are not a sweep's; name an empty or a new one: {path}")]
    NotEmpty { path: PathBuf },

    #[error(
        "this is no folder of a sweep: it has no {}, which `factscope sweep SPEC.json --out DIR` \
         writes: {path}",
        Manifest::FILE
    )]
    NoSweep { path: PathBuf },

    #[error(
        "there is no such folder; name one that `factscope sweep SPEC.json --out DIR` wrote: {path}"
    )]
    Missing { path: PathBuf },

    #[error("this is a file, but numbers are written to a folder; name a folder: {path}")]
    NoFolder { path: PathBuf },

    #[error(
        "the file does not say what was asked, as that of a sweep does: {source}; put it back from a \
         copy, or name another folder: {path}"
    )]
    Json { path: PathBuf, source: serde_json::Error },

    #[error(
        "the part is of another sweep: its {column} is not that of {}; move it to the folder of its own: \
         {path}",
        Manifest::FILE
    )]
    Foreign { column: &'static str, path: PathBuf },

    #[error("{reason}; delete the file, and the facts in it are asked anew: {path}")]
    Part { path: PathBuf, reason: String },
}

impl FolderError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The name of the file that a process locks. Readers of Parquet folders pass over names that begin so.
const LOCK: &str = "_lock";

impl Manifest {
    /// The name of the file in the folder.
    pub const FILE: &str = "_sweep.json";

    /// The manifest of a folder.
    pub fn load(dir: &Path) -> Result<Self, FolderError> {
        let path = dir.join(Self::FILE);
        let bytes = fs::read(&path).map_err(|error| {
            let dir = dir.to_owned();
            match error.kind() {
                _ if dir.is_file() => FolderError::NoFolder { path: dir },
                io::ErrorKind::NotFound if !dir.exists() => FolderError::Missing { path: dir },
                io::ErrorKind::NotFound => FolderError::NoSweep { path: dir },
                _ => FolderError::io(&path)(error),
            }
        })?;
        serde_json::from_slice(&bytes).map_err(|source| FolderError::Json { path, source })
    }

    /// The manifest of a folder, or of the first shard in it.
    pub fn of_any(dir: &Path) -> Result<Self, FolderError> {
        let folders = super::read::folders(dir)?;
        Self::load(&folders[0])
    }

    /// Refuses a part that a sweep of another spec or model wrote.
    pub fn check(&self, part: &Path) -> Result<(), FolderError> {
        let found = part::foreign(part, &self.model_sha256, &self.spec_sha256);
        match found {
            Ok(None) => Ok(()),
            Ok(Some(column)) => Err(FolderError::Foreign { column, path: part.to_owned() }),
            Err(error) => {
                Err(FolderError::Part { path: part.to_owned(), reason: error.to_string() })
            }
        }
    }

    /// The manifest of the whole that a shard is of.
    pub fn of_all(&self) -> Self {
        Self { shard: None, ..self.clone() }
    }

    /// The fields in which another differs. `None` if there are none.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let [a, b] = [self, other].map(|it| serde_json::to_value(it).unwrap_or_default());
        let fields = a.as_object()?.iter().filter(|(key, value)| b.get(key) != Some(value));
        let fields: Vec<&str> = fields.map(|(key, _)| &**key).collect();
        (!fields.is_empty()).then(|| fields.join(", "))
    }
}

/// The parts of a sweep's folder, in order.
pub fn parts(dir: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(dir).map_err(FolderError::io(dir))? {
        let path = entry.map_err(FolderError::io(dir))?.path();
        if is_part(&path) {
            parts.push(path);
        }
    }
    parts.sort();
    Ok(parts)
}

fn is_part(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    name.starts_with("part-") && name.ends_with(".parquet")
}

/// The facts of a part.
pub fn notes(path: &Path) -> Result<Vec<FactNote>, FolderError> {
    part::notes(path)
        .map_err(|error| FolderError::Part { path: path.to_owned(), reason: error.to_string() })
}

impl Folder {
    /// Opens a folder to write to, which is made if there is none. What is there must be of the same
    /// sweep, and is gone on with.
    pub fn open(path: &Path, manifest: Manifest) -> Result<Self, FolderError> {
        if path.is_file() {
            return Err(FolderError::NoFolder { path: path.to_owned() });
        }
        fs::create_dir_all(path).map_err(FolderError::io(path))?;
        let known = match Manifest::load(path) {
            Ok(known) => Some(known),
            Err(FolderError::NoSweep { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(what) = known.as_ref().and_then(|it| manifest.difference(it)) {
            return Err(FolderError::Other { what, path: path.to_owned() });
        }
        let is_ours = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            name == LOCK || name.to_string_lossy().starts_with(".factscope-")
        };
        let mut entries = fs::read_dir(path).map_err(FolderError::io(path))?.flatten();
        if known.is_none() && entries.any(|it| !is_ours(&it)) {
            return Err(FolderError::NotEmpty { path: path.to_owned() });
        }
        let lock = lock(path)?;
        // What a process left that was ended while it wrote.
        for entry in fs::read_dir(path).map_err(FolderError::io(path))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(".factscope-") {
                fs::remove_file(entry.path()).map_err(FolderError::io(&entry.path()))?;
            }
        }
        if known.is_none() {
            let file = path.join(Manifest::FILE);
            let text = serde_json::to_vec_pretty(&manifest);
            let text = text.map_err(|source| FolderError::Json { path: file.clone(), source })?;
            whole_file::write(&file, &text).map_err(FolderError::io(&file))?;
        }
        let parts = parts(path)?;
        let mut found = Vec::new();
        for part in &parts {
            manifest.check(part)?;
            found.extend(notes(part)?);
        }
        let n_parts = parts.last().and_then(|it| number_of(it)).unwrap_or(0);
        Ok(Self { path: path.to_owned(), manifest, found, n_parts, _lock: lock })
    }

    /// Writes a part, whole or not at all.
    pub fn write(&mut self, facts: &[Asked]) -> Result<u64, FolderError> {
        if facts.is_empty() {
            return Ok(0);
        }
        let Manifest { model_sha256, spec_sha256, .. } = &self.manifest;
        let bytes = part::to_bytes(facts, model_sha256, spec_sha256).map_err(|error| {
            FolderError::Part { path: self.path.clone(), reason: error.to_string() }
        })?;
        self.add(&bytes, facts.iter().map(|it| it.note.clone()).collect())?;
        Ok(bytes.len() as u64)
    }

    /// Writes a part that is there as bytes.
    pub(super) fn add(&mut self, bytes: &[u8], facts: Vec<FactNote>) -> Result<(), FolderError> {
        let path = self.path.join(format!("part-{:06}.parquet", self.n_parts + 1));
        whole_file::write(&path, bytes).map_err(|source| {
            if is_full(&source) {
                FolderError::Full { path: self.path.clone(), source }
            } else {
                FolderError::Io { path, source }
            }
        })?;
        self.n_parts += 1;
        self.found.extend(facts);
        Ok(())
    }
}

/// Whether a file could not be written for want of room: on the disk, of the user's share, or of what one
/// file may take.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The number in the name of a part.
fn number_of(part: &Path) -> Option<usize> {
    part.file_stem()?.to_str()?.strip_prefix("part-")?.parse().ok()
}

fn lock(dir: &Path) -> Result<File, FolderError> {
    let path = dir.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(FolderError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(FolderError::Io { path, source }),
    }
}
