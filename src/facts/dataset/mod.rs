//! Reads datasets of facts in the forms that people have them.
//!
//! The forms differ in how records stand in the file (`json`, `table`, `parquet`) and in how columns
//! are called (`columns`); a record becomes a fact in one place (`row`). What a file is, is told by
//! its content. A record that cannot be used is left out with its place and reason; the rest load.

mod cell;
mod choices;
mod columns;
mod error;
mod groups;
mod ids;
mod json;
mod json_text;
mod kinds;
mod oddities;
mod packing;
mod records;
mod renamed;
mod row;
mod slots;
mod table;
mod taken;
#[cfg(feature = "parquet")]
mod parquet;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use self::columns::Row;
use self::error::N_LISTED;
use self::ids::{IdCount, Ids};
use self::oddities::Oddities;
use self::records::Packer;
use self::table::Why;
use super::{Catalogue, Record, Related};
use crate::packed;
use crate::whole_file;

pub(super) use cell::is_unseen;
pub use error::{DatasetError, RecordError, RecordPlace};
pub use records::Records;
pub use taken::{Part, Taken};

/// The facts of one file.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    pub path: PathBuf,

    /// No two have the same id.
    pub records: Records,

    /// The records that could not be used, in file order: the first ten thousand of them.
    pub skipped: Vec<RecordError>,

    /// How many more could not be used, by their reason; those whose reason none of the first has are under
    /// an empty one.
    pub skipped_more: BTreeMap<String, usize>,

    /// What the columns were taken for.
    pub taken: Taken,
}

/// A record, or why it is none.
type Entry = Result<Row, RecordError>;

/// Gives each record of a file to its argument, in file order, as often as it is called.
type Reader<'a> = dyn Fn(&mut dyn FnMut(Entry)) -> Result<(), DatasetError> + 'a;

/// A record as it is in its file.
#[derive(Debug, PartialEq)]
struct Given {
    place: RecordPlace,
    record: Record,
    related: Related,
}

/// Why a record cannot be named by an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCase {
    #[error("case {id} was left out: {error}")]
    LeftOut { id: String, error: RecordError },

    #[error("the id {id} occurs {} times; name one of its records: {}", ids.len(), ids.join(", "))]
    Repeated { id: String, ids: Vec<String> },

    #[error("there is no case {id}, but {same}, which is the same number")]
    SameNumber { id: String, same: String },

    #[error("there is no case {id}; the ids begin with {}", first.join(", "))]
    Unknown { id: String, first: Vec<String> },
}

impl Dataset {
    /// The name of the built-in facts, which stands in place of a file: `--facts builtin`.
    pub const BUNDLED: &str = "builtin";

    /// The file extensions that file dialogs offer. The format is told by content, not by these.
    pub const EXTENSIONS: &[&str] = &["json", "jsonl", "ndjson", "csv", "tsv", "txt", "parquet"];

    /// SHA-256 of the file, or of the facts that are part of the program.
    pub fn sha256(path: &Path) -> io::Result<String> {
        let digest = if path == Path::new(Self::BUNDLED) {
            Sha256::digest(packed::FACTS.as_bytes())
        } else {
            Sha256::digest(whole_file::read(path)?)
        };
        let mut hash = String::new();
        for byte in digest {
            _ = write!(hash, "{byte:02x}");
        }
        Ok(hash)
    }

    pub fn load(path: &Path) -> Result<Self, DatasetError> {
        if path == Path::new(Self::BUNDLED) {
            return Ok(Self::bundled());
        }
        if path.to_str().is_none() {
            return Err(DatasetError::Name { path: path.to_owned() });
        }
        let bytes = whole_file::read(path).map_err(DatasetError::reading(path))?;
        let path = path.to_owned();
        #[cfg(feature = "parquet")]
        if bytes.starts_with(PARQUET) {
            drop(bytes);
            return Self::load_parquet(&path);
        }
        let by_name = || kinds::by_name(&path);
        if let Some((what, remedy)) = kinds::other(&bytes, by_name) {
            return Err(DatasetError::NotText { path, what, remedy });
        }
        match kinds::text(&bytes) {
            Ok(text) => match kinds::of_git(&text) {
                Some((what, remedy)) => Err(DatasetError::NotText { path, what, remedy }),
                None => Self::parse(&text, path),
            },
            Err(_) if let Some((what, remedy)) = by_name() => {
                Err(DatasetError::NotText { path, what, remedy })
            }
            Err(_) if kinds::is_utf16(&bytes) => {
                let (what, remedy) =
                    ("UTF-16 text with a damaged character", "save it anew as UTF-8");
                Err(DatasetError::NotText { path, what, remedy })
            }
            Err(at) => {
                let line = bytes[..at].split(|byte| *byte == b'\n').count();
                Err(DatasetError::NotUtf8 { path, at, line })
            }
        }
    }

    #[cfg(feature = "parquet")]
    fn load_parquet(path: &Path) -> Result<Self, DatasetError> {
        let each = |add: &mut dyn FnMut(Entry)| {
            let file = std::fs::File::open(path).map_err(DatasetError::reading(path))?;
            parquet::each(file, add).map_err(|fault| match fault {
                parquet::Fault::Columns(columns) => {
                    DatasetError::Columns { path: path.to_owned(), columns }
                }
                parquet::Fault::Damaged(reason) => {
                    DatasetError::Parquet { path: path.to_owned(), reason }
                }
            })
        };
        Self::from_records(&each, Vec::new(), path.to_owned())
    }

    fn parse(text: &str, path: PathBuf) -> Result<Self, DatasetError> {
        if cell::trimmed(text).is_empty() {
            return Err(DatasetError::Empty { path });
        }
        let text = &*json_text::without_separators(text);
        let inner = json_text::within_texts(text);
        let is_within = inner.is_some();
        let text = inner.as_deref().unwrap_or(text);
        // A file that is named as another kind of text is told as that where it holds no facts.
        let otherwise = |error| match kinds::by_name(&path) {
            Some((what, remedy)) => DatasetError::OtherKind { path: path.clone(), what, remedy },
            None => error,
        };
        if !json_text::is_json(text) {
            let table = table::table(text).map_err(|it| {
                let path = path.clone();
                // What is called JSON, and has no columns either, was meant to be JSON.
                let is_meant = it.columns.len() < 2 && is_named_json(&path);
                let fault = json::Json::new(text).err().filter(|_| is_meant);
                otherwise(if let Some(fault) = fault {
                    DatasetError::Json { path, fault: fault.to_string() }
                } else {
                    match it.why {
                        Why::Turned => DatasetError::Turned { path },
                        Why::Described => DatasetError::Described { path },
                        Why::NoColumns => DatasetError::Columns { path, columns: it.columns },
                    }
                })
            })?;
            let each = |add: &mut dyn FnMut(Entry)| {
                table.each(add);
                Ok(())
            };
            return Self::from_records(&each, table.notes(), path.clone());
        }
        let json = json::Json::new(text).map_err(|fault| {
            otherwise(DatasetError::Json { path: path.clone(), fault: fault.to_string() })
        })?;
        let each = |add: &mut dyn FnMut(Entry)| {
            json.each(add).map_err(|fault| {
                otherwise(DatasetError::NoFacts { path: path.clone(), reason: fault.0 })
            })
        };
        let mut notes: Vec<String> = json.notes.iter().cloned().collect();
        if is_within {
            notes.push(
                "its JSON stands within texts of JSON, as where it was written twice".to_owned(),
            );
        }
        Self::from_records(&each, notes, path.clone())
    }

    /// Reads the records twice, so that none but the facts in them need to be kept: which columns hold
    /// ids is known when all have been seen.
    fn from_records(
        each: &Reader<'_>,
        notes: Vec<String>,
        path: PathBuf,
    ) -> Result<Self, DatasetError> {
        let (mut ids, mut n_records) = (IdCount::default(), 0);
        each(&mut |entry| {
            n_records += 1;
            if let Ok(row) = &entry {
                ids.add(row);
            }
        })?;
        let ids = Ids::of(ids);
        let default_relation = default_relation(&path);
        let mut dataset = Self { path, ..Self::default() };
        dataset.taken.notes = notes.into_iter().collect();
        let (mut packer, mut oddities) = (Packer::default(), Oddities::default());
        each(&mut |entry| {
            let read = entry.and_then(|it| {
                let read = row::record(&it, &ids, default_relation.as_deref(), &mut dataset.taken);
                let place = it.place;
                read.map(|(record, related)| Given { place, record, related })
                    .map_err(|reason| RecordError { place, id: it.given_id(), reason })
            });
            match read {
                Ok(given) => {
                    oddities.add(&given.record.fact);
                    packer.add(&given);
                }
                Err(error) if dataset.skipped.len() < N_LISTED => dataset.skipped.push(error),
                Err(error) => error::count(&mut dataset.skipped_more, &dataset.skipped, error),
            }
        })?;
        if n_records == 0 {
            return Err(DatasetError::Empty { path: dataset.path });
        }
        let (records, decided) = packer.finish();
        if records.is_empty() {
            let Self { path, skipped, skipped_more, .. } = dataset;
            return Err(DatasetError::NoneUsable { path, n_records, skipped, skipped_more });
        }
        dataset.records = records;
        dataset.taken.notes.extend(decided);
        dataset.taken.notes.extend(oddities.notes());
        Ok(dataset)
    }

    /// The facts that are part of the program.
    ///
    /// # Panics
    ///
    /// Never: a test reads them.
    pub fn bundled() -> Self {
        Self::parse(&packed::FACTS, PathBuf::from(Self::BUNDLED)).expect("checked by a test")
    }

    pub fn find(&self, id: &str) -> Option<&Record> {
        self.records.get(self.records.position(id)?)
    }

    /// The record with this id, or why there is none.
    pub fn case(&self, id: &str) -> Result<&Record, NoCase> {
        self.find(id).ok_or_else(|| {
            let id = id.to_owned();
            let ids = self.records.repeated(&id);
            if !ids.is_empty() {
                return NoCase::Repeated { id, ids };
            }
            if let Some(error) = self.skipped.iter().find(|it| it.id == id) {
                return NoCase::LeftOut { id, error: error.clone() };
            }
            if let Some(same) = self.records.same_number(&id) {
                return NoCase::SameNumber { id, same };
            }
            let first = self.records.iter().take(3).map(|it| it.id.clone()).collect();
            NoCase::Unknown { id, first }
        })
    }

    /// The prompts that the file gives beside a record.
    pub fn related_to(&self, id: &str) -> Related {
        self.records.position(id).map(|nth| self.records.related(nth)).unwrap_or_default()
    }

    /// How many records the file has, whether or not they can be used.
    pub fn n_records(&self) -> usize {
        self.records.len() + self.n_skipped()
    }

    /// How many records could not be used.
    pub fn n_skipped(&self) -> usize {
        self.skipped.len() + self.skipped_more.values().sum::<usize>()
    }

    /// What the file was taken for, in a sentence: the part of each column, how many records there
    /// are, and which were left out.
    pub fn reading(&self) -> String {
        let n_facts = self.records.len();
        let n_records = self.n_records();
        let plural = if n_records == 1 { "" } else { "s" };
        let left_out = match self.n_skipped() {
            0 => String::new(),
            n => format!("; {n} left out: {}", error::grouped(&self.skipped, &self.skipped_more)),
        };
        format!("{}; {n_facts} of {n_records} record{plural}{left_out}", self.taken)
    }

    /// Every record's subject, repeated as often as it occurs, as ROME counts subjects.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.records.iter().filter_map(|record| record.fact.subject_text())
    }
}

/// The first bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// Whether a file's name says that it holds JSON.
fn is_named_json(path: &Path) -> bool {
    let ending = path.extension().and_then(|it| it.to_str());
    ending.is_some_and(|it| {
        ["json", "jsonl", "ndjson"].iter().any(|json| it.eq_ignore_ascii_case(json))
    })
}

/// The relation that a file is named after, as `P36.jsonl` of `ParaRel` is, whose rows do not name
/// it.
fn default_relation(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    Some(Catalogue::bundled().get(stem)?.id.clone())
}
