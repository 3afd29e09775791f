//! Reads datasets of facts in the formats that researchers publish.
//!
//! JSON files may hold CounterFact (Meng et al. 2022, appendix E), ROME's `known_1000.json`, a
//! relation file of LRE (Hernandez et al. 2024), or flat objects, as a list or as one object per
//! line. CSV and Parquet files hold one fact per row. The format is told by content, record by
//! record. A record that cannot be used is reported with its place and reason; the rest load.

mod json;
mod row;
mod table;
#[cfg(feature = "parquet")]
mod parquet;
mod lre;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Catalogue, Fact, Inverse, InverseOrigin, Record};

/// The facts of one file.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    pub path: PathBuf,
    pub records: Vec<Record>,

    /// The records that could not be used, in file order.
    pub skipped: Vec<RecordError>,
}

/// Why a file as a whole cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error("cannot read the dataset: {source}: {path}")]
    Read { path: PathBuf, source: io::Error },

    #[error("this is {what}; {remedy}: {path}")]
    NotText { path: PathBuf, what: &'static str, remedy: &'static str },

    #[error("not UTF-8 text from byte {at} (line {line}) on; save it as UTF-8: {path}")]
    NotUtf8 { path: PathBuf, at: usize, line: usize },

    #[error("the dataset is not valid JSON: {source}: {path}")]
    Json { path: PathBuf, source: serde_json::Error },

    #[cfg(feature = "parquet")]
    #[error("the Parquet file cannot be read: {source}: {path}")]
    Parquet { path: PathBuf, source: ::parquet::errors::ParquetError },

    #[error(
        "expected a JSON list of records (CounterFact, known_1000.json, flat objects), one such \
         object per line, or a relation file of LRE: {path}"
    )]
    NotAList { path: PathBuf },

    #[error(
        "the table needs columns for {}; its first line has {}: {path}", row::NEEDED,
        if columns.is_empty() { "no columns".to_owned() } else { columns.join(", ") }
    )]
    Columns { path: PathBuf, columns: Vec<String> },

    #[error("none of the {n_records} records can be used; the first says: {first}: {path}")]
    NoneUsable { path: PathBuf, n_records: usize, first: RecordError },

    #[error("the dataset has no records: {path}")]
    Empty { path: PathBuf },
}

impl DatasetError {
    /// What is wrong if a file cannot be read.
    pub(super) fn reading(path: &Path) -> impl Fn(io::Error) -> Self {
        |source| Self::Read { path: path.to_owned(), source }
    }
}

/// Why one record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct RecordError {
    pub place: RecordPlace,
    pub reason: String,
}

/// Where a record stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordPlace {
    /// Its place in a list, counted from 0.
    Index(usize),

    /// Its first line in a text file, counted from 1.
    Line(u64),
}

impl std::fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(index) => write!(f, "record {index}"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// A record or the reason why it cannot be used, with its place in the file.
type Entry = (RecordPlace, Result<Record, String>);

/// What an inverse asks: a relation, and the object that takes the subject's place.
type InverseQuestion = (String, String);

impl Dataset {
    /// The name of the built-in facts, which stands in place of a file: `--facts builtin`.
    pub const BUNDLED: &str = "builtin";

    /// The file extensions that file dialogs offer. The format is told by content, not by these.
    pub const EXTENSIONS: &[&str] = &["json", "jsonl", "ndjson", "csv", "tsv", "txt", "parquet"];

    /// SHA-256 of the file, or of the facts that are part of the program.
    pub fn sha256(path: &Path) -> io::Result<String> {
        let digest = if path == Path::new(Self::BUNDLED) {
            Sha256::digest(BUNDLED_FACTS)
        } else {
            Sha256::digest(fs::read(path)?)
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
        let bytes = fs::read(path).map_err(DatasetError::reading(path))?;
        let path = path.to_owned();
        #[cfg(feature = "parquet")]
        if bytes.starts_with(PARQUET) {
            return Self::load_parquet(path);
        }
        for (magic, what, remedy) in OTHER_FILES {
            if bytes.starts_with(magic) {
                return Err(DatasetError::NotText { path, what, remedy });
            }
        }
        match str::from_utf8(&bytes) {
            Ok(text) => Self::parse(text, path),
            Err(error) => {
                let at = error.valid_up_to();
                let line = 1 + bytes[..at].split(|byte| *byte == b'\n').count().saturating_sub(1);
                Err(DatasetError::NotUtf8 { path, at, line })
            }
        }
    }

    #[cfg(feature = "parquet")]
    fn load_parquet(path: PathBuf) -> Result<Self, DatasetError> {
        let file = fs::File::open(&path).map_err(DatasetError::reading(&path))?;
        let rows = match parquet::rows(file) {
            Ok(rows) => rows,
            Err(source) => return Err(DatasetError::Parquet { path, source }),
        };
        let default_relation = default_relation(&path);
        let found = rows.into_iter().enumerate().map(|(index, row)| {
            let record = row.and_then(|row| json::record(row, index, default_relation.as_deref()));
            (RecordPlace::Index(index), record)
        });
        Self::from_entries(found.collect(), path)
    }

    fn parse(text: &str, path: PathBuf) -> Result<Self, DatasetError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let relation = default_relation(&path);
        let relation = relation.as_deref();
        if text.trim().is_empty() {
            return Err(DatasetError::Empty { path });
        }
        if !text.trim_start().starts_with(['[', '{']) {
            return match table::records(text, relation) {
                Ok(found) => Self::from_entries(found, path),
                Err(columns) => Err(DatasetError::Columns { path, columns }),
            };
        }
        let found = match json::entries(text, relation) {
            Ok(Some(found)) => found,
            Ok(None) => return Err(DatasetError::NotAList { path }),
            Err(source) => return Err(DatasetError::Json { path, source }),
        };
        Self::from_entries(found, path)
    }

    fn from_entries(entries: Vec<Entry>, path: PathBuf) -> Result<Self, DatasetError> {
        let n_records = entries.len();
        let mut dataset = Self { path, ..Self::default() };
        for (place, record) in entries {
            match record {
                Ok(record) => dataset.records.push(record),
                Err(reason) => dataset.skipped.push(RecordError { place, reason }),
            }
        }
        match dataset.skipped.first() {
            _ if n_records == 0 => Err(DatasetError::Empty { path: dataset.path }),
            Some(first) if dataset.records.is_empty() => Err(DatasetError::NoneUsable {
                first: first.clone(),
                path: dataset.path,
                n_records,
            }),
            _ => {
                dataset.share_answers();
                dataset.add_inverses();
                Ok(dataset)
            }
        }
    }

    /// Gives every record all answers that the file has for its prompt.
    fn share_answers(&mut self) {
        let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for record in &self.records {
            let all = answers.entry(record.fact.prompt.clone()).or_default();
            all.extend(record.answers.iter().cloned());
        }
        for record in &mut self.records {
            for answer in &answers[&record.fact.prompt] {
                if !record.answers.contains(answer) {
                    record.answers.push(answer.clone());
                }
            }
        }
    }

    /// Adds the inverses that the file lacks, and the cardinalities, from the catalogue's
    /// relations.
    fn add_inverses(&mut self) {
        let catalogue = Catalogue::bundled();
        let question = |record: &Record| -> Option<InverseQuestion> {
            Some((record.relation.clone()?, record.fact.answer.clone()?))
        };
        let mut subjects: BTreeMap<InverseQuestion, Vec<String>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for record in &self.records {
            if let (Some(question), Some(subject)) = (question(record), record.fact.subject_text())
                && seen.insert((question.clone(), subject))
            {
                subjects.entry(question).or_default().push(subject.to_owned());
            }
        }
        drop(seen);
        let subjects: BTreeMap<InverseQuestion, Arc<[String]>> =
            subjects.into_iter().map(|(question, all)| (question, all.into())).collect();
        for record in &mut self.records {
            let Some(id) = &record.relation else { continue };
            let Some(relation) = catalogue.get(id) else { continue };
            record.cardinality = record.cardinality.or(Some(relation.cardinality));
            let (Some(answer), Some(subject)) = (&record.fact.answer, record.fact.subject_text())
            else {
                continue;
            };
            let (None, Some(template)) = (&record.inverse, relation.inverse.first()) else {
                continue;
            };
            let all = question(record).and_then(|it| subjects.get(&it).cloned());
            let answers = all.unwrap_or_else(|| [subject.to_owned()].into());
            record.inverse = Fact::from_template(template, answer).map(|fact| Inverse {
                fact: Fact { answer: Some(subject.to_owned()), ..fact },
                answers,
                origin: InverseOrigin::Generated,
            });
        }
    }

    /// The facts that are part of the program.
    ///
    /// # Panics
    ///
    /// Never: a test reads them.
    pub fn bundled() -> Self {
        Self::parse(BUNDLED_FACTS, PathBuf::from(Self::BUNDLED)).expect("checked by a test")
    }

    pub fn find(&self, id: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.id == id)
    }

    /// Every record's subject, repeated as often as it occurs, as ROME counts subjects.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.records.iter().filter_map(|record| record.fact.subject_text())
    }
}

const BUNDLED_FACTS: &str = include_str!("../../../data/facts.json");

/// The first bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// Files that people pick by mistake: first bytes, what the file is, and what to do.
const OTHER_FILES: [(&[u8], &str, &str); 8] = [
    (PARQUET, "a Parquet file, which takes the feature `parquet`", "save it as JSON or CSV"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (b"ARROW1", "an Arrow file", "save it with `to_parquet` or `to_csv`"),
    (b"\x80\x04", "a Python pickle, which could run code", "save it as JSON or CSV"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
];

/// The relation that a file is named after, as `P36.jsonl` of `ParaRel` is, whose rows do not name
/// it.
fn default_relation(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    Some(Catalogue::bundled().get(stem)?.id.clone())
}

/// A fact from a template with `{}` for the subject. The error says that there is none.
fn asked(template: &str, subject: &str, answer: &str) -> Result<Fact, String> {
    let fact = Fact::from_template(template, subject)
        .ok_or_else(|| format!("the template “{template}” has no `{{}}` for the subject"))?;
    Ok(Fact { answer: Some(answer.to_owned()), ..fact })
}

/// A record without an inverse, if subject and answer have text.
fn checked(id: String, relation: Option<String>, fact: Fact) -> Result<Record, String> {
    if fact.subject_text().is_none_or(|subject| subject.trim().is_empty()) {
        return Err("the subject is empty".to_owned());
    }
    if fact.answer.as_deref().is_none_or(|answer| answer.trim().is_empty()) {
        return Err("the answer is empty".to_owned());
    }
    Ok(Record::new(id, relation, fact))
}
