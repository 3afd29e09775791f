//! Why a dataset, or one record of it, cannot be used.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::columns::NEEDED;

/// What is said of a file that tells about a dataset in place of its facts.
pub(super) const DESCRIBES: &str = "describes the columns of a dataset (their types or how often a value occurs) \
                                    and has none of its facts; open the file with the facts";

/// Why a file as a whole cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error("cannot read the dataset: {source}: {path}")]
    Read { path: PathBuf, source: io::Error },

    #[error(
        "the name of the file, or of a folder that it lies in, is no UTF-8 text, so that no result could say where \
         its facts come from; rename it: {path}"
    )]
    Name { path: PathBuf },

    #[error("this is an address on the network; download the file, and name it here: {path}")]
    Address { path: PathBuf },

    #[error("this is a folder; name the file of facts in it: {path}")]
    Folder { path: PathBuf },

    #[error("this is {what}; {remedy}: {path}")]
    NotText { path: PathBuf, what: &'static str, remedy: &'static str },

    #[error("not UTF-8 text from byte {at} (line {line}) on; save it as UTF-8: {path}")]
    NotUtf8 { path: PathBuf, at: usize, line: usize },

    #[error("the dataset is not valid JSON: {fault}: {path}")]
    Json { path: PathBuf, fault: String },

    #[error("no facts were found: this is {what}; {remedy}: {path}")]
    OtherKind { path: PathBuf, what: &'static str, remedy: &'static str },

    #[error("the Parquet file cannot be read: {reason}: {path}")]
    Parquet { path: PathBuf, reason: String },

    #[error(
        "no facts were found: {reason}; expected a list of records (CounterFact, zsRE, PopQA, \
         known_1000.json, objects with {NEEDED}), one such object per line, a table by rows or by \
         columns as pandas writes it, or a relation file of LRE: {path}"
    )]
    NoFacts { path: PathBuf, reason: String },

    #[error("the table needs columns for {NEEDED}; it has {}: {path}", listed(columns))]
    Columns { path: PathBuf, columns: Vec<String> },

    #[error(
        "the rows of this table are named as its columns should be; turn it, in pandas with `df.T`: {path}"
    )]
    Turned { path: PathBuf },

    #[error("this table {DESCRIBES}: {path}")]
    Described { path: PathBuf },

    #[error(
        "{} be used: {}: {path}",
        if *n_records == 1 {
            "the only record cannot".to_owned()
        } else {
            format!("none of the {n_records} records can")
        },
        grouped(skipped, skipped_more)
    )]
    NoneUsable {
        path: PathBuf,
        n_records: usize,

        /// The first of them, at most ten thousand.
        skipped: Vec<RecordError>,

        /// How many more there are, by their reason.
        skipped_more: BTreeMap<String, usize>,
    },

    #[error("the dataset has no records: {path}")]
    Empty { path: PathBuf },
}

impl DatasetError {
    /// What is wrong if a file cannot be read.
    pub(super) fn reading(path: &Path) -> impl Fn(io::Error) -> Self {
        |source| {
            let path = path.to_owned();
            let is_address = path.to_str().is_some_and(|it| it.contains("://"));
            match source.kind() {
                _ if path.is_dir() => Self::Folder { path },
                io::ErrorKind::NotFound if is_address => Self::Address { path },
                _ => Self::Read { path, source },
            }
        }
    }
}

/// Why one record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct RecordError {
    pub place: RecordPlace,

    /// The id by which it would be named.
    pub id: String,
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

impl RecordPlace {
    /// The word for what records are counted in, and the record's number.
    pub fn parts(self) -> (&'static str, u64) {
        match self {
            Self::Index(index) => ("record", index as u64),
            Self::Line(line) => ("line", line),
        }
    }
}

impl std::fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, number) = self.parts();
        write!(f, "{what} {number}")
    }
}

/// How many records that cannot be used are kept with their reasons. A file may have millions.
pub(super) const N_LISTED: usize = 10_000;

/// A name that may be a whole file, for messages.
pub(super) fn short(name: &str) -> String {
    const N_CHARACTERS: usize = 60;
    match name.char_indices().nth(N_CHARACTERS) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}

/// The columns that a table has, for messages.
fn listed(columns: &[String]) -> String {
    const N_NAMED: usize = 20;
    let named: Vec<String> = columns.iter().take(N_NAMED).map(|it| short(it)).collect();
    match columns.len() {
        0 => "no columns".to_owned(),
        n if n > N_NAMED => format!("{} and {} more", named.join(", "), n - N_NAMED),
        _ => named.join(", "),
    }
}

/// Reasons and places that a sentence names before it counts the rest.
const N_REASONS: usize = 5;
const N_PLACES: usize = 10;

/// Counts a record behind those that are kept. Only reasons that one of these has are told apart, because a
/// file may have millions.
pub(super) fn count(
    more: &mut BTreeMap<String, usize>,
    kept: &[RecordError],
    RecordError { reason, .. }: RecordError,
) {
    if more.is_empty() {
        more.extend(kept.iter().map(|it| (it.reason.clone(), 0)));
        more.insert(String::new(), 0);
    }
    let reason = if more.contains_key(&reason) { reason } else { String::new() };
    *more.entry(reason).or_default() += 1;
}

/// The records that cannot be used in one line, those with the same reason together. `more`: how many
/// there are beside these, by their reason.
pub fn grouped(skipped: &[RecordError], more: &BTreeMap<String, usize>) -> String {
    let mut groups: Vec<(&str, Vec<RecordPlace>)> = Vec::new();
    for it in skipped {
        match groups.iter_mut().find(|(reason, _)| *reason == it.reason) {
            Some((_, places)) => places.push(it.place),
            None => groups.push((&it.reason, vec![it.place])),
        }
    }
    let n_beside = |reason: &str| more.get(reason).copied().unwrap_or(0);
    let named = groups.iter().take(N_REASONS).map(|(reason, places)| {
        let (what, _) = places[0].parts();
        let plural = if places.len() > 1 { "s" } else { "" };
        let numbers = places.iter().take(N_PLACES).map(|it| it.parts().1.to_string());
        let numbers = numbers.collect::<Vec<_>>().join(", ");
        let more = match places.len().saturating_sub(N_PLACES) + n_beside(reason) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("{what}{plural} {numbers}{more}: {reason}")
    });
    let others = groups.iter().skip(N_REASONS);
    let n_others: usize = others.map(|(reason, places)| places.len() + n_beside(reason)).sum();
    let n_more = n_others + n_beside("");
    let more = (n_more > 0).then(|| format!("and {n_more} more for other reasons"));
    named.chain(more).collect::<Vec<_>>().join("; ")
}
