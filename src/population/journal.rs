//! The journal of a survey: a file with what was found of each fact, a line each, so that a survey that was
//! stopped goes on.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::selection::Task;
use super::survey::Entry;
use crate::facts::Direction;

/// The facts that were asked before, and the file that takes those that are asked now. Its lock ends with
/// the process, however that ends.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    found: BTreeMap<(usize, Direction), AskedOf>,
}

/// What was found of a fact asked one way, in all wordings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct AskedOf {
    pub entries: Vec<Entry>,

    /// Why wordings could not be asked.
    pub left_out: Vec<String>,
}

/// A line of the file below the first, which says what is asked.
#[derive(Serialize, Deserialize)]
struct Line {
    /// The place of the record in the dataset, from 0.
    record: usize,
    direction: Direction,
    #[serde(flatten)]
    asked: AskedOf,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{source}: {}", path.display())]
    Io { path: PathBuf, source: io::Error },

    #[error("another process is writing to this file; wait for it, or name another: {}", path.display())]
    InUse { path: PathBuf },

    #[error(
        "the file holds what was found by asking something else; not the same: {what}; name another file: {}",
        path.display()
    )]
    Other { what: String, path: PathBuf },

    #[error("line {line} is no line of a journal: {reason}; name another file: {}", path.display())]
    Line { line: usize, reason: String, path: PathBuf },
}

impl Journal {
    /// Opens a file to write to, which is made if there is none. `asked`: an object that says all that
    /// numbers depend on, but for the fact; what is there must be of the same. A line that was not written to
    /// its end is taken off.
    pub fn open(path: &Path, asked: &Value) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
        let file = file.map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::InUse { path: path.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let mut journal = Self { path: path.to_owned(), file, found: BTreeMap::new() };
        let n_whole = journal.read(asked)?;
        journal.file.set_len(n_whole).map_err(io)?;
        journal.file.seek(SeekFrom::End(0)).map_err(io)?;
        if n_whole == 0 {
            journal.write(asked)?;
        }
        Ok(journal)
    }

    /// Reads all lines that are whole. Returns how many bytes these are.
    fn read(&mut self, asked: &Value) -> Result<u64, JournalError> {
        let mut n_whole = 0;
        let mut reader = BufReader::new(&self.file);
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let n = reader.read_until(b'\n', &mut bytes);
            let n = n.map_err(|source| JournalError::Io { path: self.path.clone(), source })?;
            let no_line = |error: serde_json::Error| JournalError::Line {
                line,
                reason: error.to_string(),
                path: self.path.clone(),
            };
            if bytes.last() != Some(&b'\n') {
                // A file of something else is not a line that was not written to its end.
                let first = asked.to_string();
                if line == 1 && !first.as_bytes().starts_with(&bytes) {
                    let reason = "it does not say what was asked";
                    return Err(JournalError::Line {
                        line,
                        reason: reason.to_owned(),
                        path: self.path.clone(),
                    });
                }
                break;
            }
            if line == 1 {
                let found: Value = serde_json::from_slice(&bytes).map_err(no_line)?;
                let what = difference(asked, &found);
                if !what.is_empty() {
                    let what = what.join(", ");
                    return Err(JournalError::Other { what, path: self.path.clone() });
                }
            } else {
                let Line { record, direction, asked } =
                    serde_json::from_slice(&bytes).map_err(no_line)?;
                self.found.insert((record, direction), asked);
            }
            n_whole += n as u64;
        }
        Ok(n_whole)
    }

    /// How many facts it holds, each way counted.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What was found of a fact before.
    pub(super) fn get(&self, Task { record, direction }: Task) -> Option<&AskedOf> {
        self.found.get(&(record, direction))
    }

    /// Adds what was found of a fact.
    pub(super) fn add(
        &mut self,
        Task { record, direction }: Task,
        asked: AskedOf,
    ) -> Result<(), JournalError> {
        self.write(&Line { record, direction, asked: asked.clone() })?;
        self.found.insert((record, direction), asked);
        Ok(())
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), JournalError> {
        let written = serde_json::to_vec(line).map_err(io::Error::other).and_then(|mut bytes| {
            bytes.push(b'\n');
            self.file.write_all(&bytes)
        });
        written.map_err(|source| JournalError::Io { path: self.path.clone(), source })
    }
}

/// The fields in which what a file was begun with differs from what is asked.
fn difference(asked: &Value, found: &Value) -> Vec<String> {
    let [asked, found] = [asked, found].map(|it| it.as_object().cloned().unwrap_or_default());
    let keys: std::collections::BTreeSet<&String> = asked.keys().chain(found.keys()).collect();
    keys.into_iter().filter(|key| asked.get(*key) != found.get(*key)).cloned().collect()
}
