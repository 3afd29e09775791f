//! Reads datasets of facts in the forms that people have them.
//!
//! The forms differ in how records stand in the file (`json`, `table`, `parquet`) and in how columns
//! are called (`columns`); a record becomes a fact in one place (`row`). What a file is, is told by
//! its content. A record that cannot be used is left out with its place and reason; the rest load.

mod cell;
mod columns;
mod error;
mod json;
mod json_text;
mod kinds;
mod row;
mod slots;
mod table;
mod taken;
#[cfg(feature = "parquet")]
mod parquet;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use self::columns::{IdCount, Ids, Row};
use self::error::N_LISTED;
use super::{Catalogue, Fact, Inverse, InverseOrigin, Record, Related};
use crate::packed;
use crate::whole_file;

pub(super) use cell::is_unseen;
pub use error::{DatasetError, RecordError, RecordPlace};
pub use taken::{Part, Taken};

/// The facts of one file.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    pub path: PathBuf,

    /// No two have the same id.
    pub records: Vec<Record>,

    /// The prompts beside each record. Empty where no record has any.
    pub related: Arc<[Related]>,

    /// The records that could not be used, in file order: the first ten thousand of them.
    pub skipped: Vec<RecordError>,

    /// How many more could not be used, by their reason; those whose reason none of the first has are under
    /// an empty one.
    pub skipped_more: BTreeMap<String, usize>,

    /// What the columns were taken for.
    pub taken: Taken,

    /// The ids that the file gives to several records, with the ids that these have here.
    pub repeated: BTreeMap<String, Vec<String>>,
}

/// A record, or why it is none.
type Entry = Result<Row, RecordError>;

/// Gives each record of a file to its argument, in file order, as often as it is called.
type Records<'a> = dyn Fn(&mut dyn FnMut(Entry)) -> Result<(), DatasetError> + 'a;

/// What an inverse asks: a relation, and the object that takes the subject's place.
type InverseQuestion = (String, String);

/// Why a record cannot be named by an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCase {
    #[error("case {id} was left out: {error}")]
    LeftOut { id: String, error: RecordError },

    #[error("the id {id} occurs {} times; name one of its records: {}", ids.len(), ids.join(", "))]
    Repeated { id: String, ids: Vec<String> },

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
            Ok(text) => Self::parse(&text, path),
            Err(_) if let Some((what, remedy)) = by_name() => {
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
            let file = fs::File::open(path).map_err(DatasetError::reading(path))?;
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
        // A file that is named as another kind of text is told as that where it holds no facts.
        let otherwise = |error| match kinds::by_name(&path) {
            Some((what, remedy)) => DatasetError::OtherKind { path: path.clone(), what, remedy },
            None => error,
        };
        if !json_text::is_json(text) {
            let table = table::table(text).map_err(|columns| {
                otherwise(DatasetError::Columns { path: path.clone(), columns })
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
        Self::from_records(&each, json.notes.iter().cloned().collect(), path.clone())
    }

    /// Reads the records twice, so that none but the facts in them need to be kept: which columns hold
    /// ids is known when all have been seen.
    fn from_records(
        each: &Records<'_>,
        notes: Vec<String>,
        path: PathBuf,
    ) -> Result<Self, DatasetError> {
        let (mut ids, mut n_records, mut n_filled) = (IdCount::default(), 0, 0);
        each(&mut |entry| {
            n_records += 1;
            if let Ok(row) = &entry {
                ids.add(row);
                n_filled += usize::from(!row.is_empty());
            }
        })?;
        let ids = Ids::of(ids);
        let default_relation = default_relation(&path);
        let mut dataset = Self { path, ..Self::default() };
        dataset.taken.notes = notes.into_iter().collect();
        // A list that grows as it is filled would lie in memory twice.
        dataset.records.reserve_exact(n_filled);
        let (mut related, mut places) = (Vec::new(), Vec::with_capacity(n_filled));
        each(&mut |entry| {
            let read = entry.and_then(|it| {
                let read = row::record(&it, &ids, default_relation.as_deref(), &mut dataset.taken);
                let place = it.place;
                read.map(|read| (place, read)).map_err(|reason| RecordError {
                    place,
                    id: it.given_id(),
                    reason,
                })
            });
            match read {
                Ok((place, (record, beside))) => {
                    dataset.records.push(record);
                    // Most files have no prompts beside their records.
                    if beside != Related::default() || !related.is_empty() {
                        related.resize(dataset.records.len() - 1, Related::default());
                        related.push(beside);
                    }
                    places.push(place);
                }
                Err(error) if dataset.skipped.len() < N_LISTED => dataset.skipped.push(error),
                Err(error) => error::count(&mut dataset.skipped_more, &dataset.skipped, error),
            }
        })?;
        if n_records == 0 {
            return Err(DatasetError::Empty { path: dataset.path });
        }
        if dataset.records.is_empty() {
            let Self { path, skipped, skipped_more, .. } = dataset;
            return Err(DatasetError::NoneUsable { path, n_records, skipped, skipped_more });
        }
        dataset.records.shrink_to_fit();
        if !related.is_empty() {
            related.resize(dataset.records.len(), Related::default());
        }
        dataset.related = related.into();
        dataset.tell_ids_apart(&places);
        dataset.share_answers();
        dataset.add_inverses();
        Ok(dataset)
    }

    /// Gives records whose ids occur several times ids of their own, with their place: `1@7` is the
    /// one in line 7.
    fn tell_ids_apart(&mut self, places: &[RecordPlace]) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for record in &self.records {
            *counts.entry(&record.id).or_default() += 1;
        }
        let repeated: BTreeSet<String> =
            counts.iter().filter(|(_, n)| **n > 1).map(|(id, _)| (*id).to_owned()).collect();
        if repeated.is_empty() {
            return;
        }
        let mut given: BTreeSet<String> = self.records.iter().map(|it| it.id.clone()).collect();
        for (record, place) in self.records.iter_mut().zip(places) {
            if repeated.contains(&record.id) {
                let mut own = format!("{}@{}", record.id, place.parts().1);
                // Another record may be called so.
                while given.contains(&own) {
                    own.push('\'');
                }
                given.insert(own.clone());
                let id = std::mem::replace(&mut record.id, own.clone());
                self.repeated.entry(id).or_default().push(own);
            }
        }
        if let Some((id, ids)) = self.repeated.first_key_value() {
            let what = match places[0] {
                RecordPlace::Line(_) => "line",
                RecordPlace::Index(_) => "place in the file",
            };
            let first = ids.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let n = self.repeated.len();
            let those =
                if n == 1 { format!("the id {id} occurs") } else { format!("{n} ids occur") };
            self.taken.notes.insert(format!(
                "{those} more than once, and the records are told apart by their {what}: {first}"
            ));
        }
    }

    /// Gives every record the answers that the file has for its prompt, at most [`N_ANSWERS`] of
    /// others' beside its own.
    fn share_answers(&mut self) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for record in &self.records {
            *counts.entry(&record.fact.prompt).or_default() += 1;
        }
        let mut answers: BTreeMap<String, Vec<String>> = counts
            .into_iter()
            .filter(|(_, n)| *n > 1)
            .map(|(prompt, _)| (prompt.to_owned(), Vec::new()))
            .collect();
        let mut seen = BTreeSet::new();
        let mut is_cut = false;
        for record in &self.records {
            let Some(all) = answers.get_mut(&record.fact.prompt) else { continue };
            for answer in &record.answers {
                if seen.insert((&*record.fact.prompt, &**answer)) {
                    is_cut |= all.len() == N_ANSWERS;
                    all.extend((all.len() < N_ANSWERS).then(|| answer.clone()));
                }
            }
        }
        drop(seen);
        for record in &mut self.records {
            let Some(all) = answers.get(&record.fact.prompt) else { continue };
            let n_own = record.answers.len();
            for answer in all {
                if !record.answers[..n_own].contains(answer) {
                    record.answers.push(answer.clone());
                }
            }
        }
        if is_cut {
            let note =
                format!("of the right answers to a prompt, the first {N_ANSWERS} are shared");
            self.taken.notes.insert(note);
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
            record.inverse = Fact::from_template(template, answer).map(|fact| {
                let fact = Fact { answer: Some(subject.to_owned()), ..fact };
                Inverse { fact, answers, origin: InverseOrigin::Generated }.into()
            });
        }
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
        self.records.iter().find(|record| record.id == id)
    }

    /// The record with this id, or why there is none.
    pub fn case(&self, id: &str) -> Result<&Record, NoCase> {
        self.find(id).ok_or_else(|| {
            let id = id.to_owned();
            if let Some(ids) = self.repeated.get(&id) {
                return NoCase::Repeated { ids: ids.clone(), id };
            }
            if let Some(error) = self.skipped.iter().find(|it| it.id == id) {
                return NoCase::LeftOut { id, error: error.clone() };
            }
            let first = self.records.iter().take(3).map(|it| it.id.clone()).collect();
            NoCase::Unknown { id, first }
        })
    }

    /// The prompts that the file gives beside a record.
    pub fn related_to(&self, id: &str) -> Related {
        let nth = self.records.iter().position(|record| record.id == id);
        nth.and_then(|nth| self.related.get(nth)).cloned().unwrap_or_default()
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

/// How many of the right answers that other records have for its prompt a record is given. Without an
/// end, ten thousand records of one prompt would hold a hundred million answers.
const N_ANSWERS: usize = 100;

/// The first bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// The relation that a file is named after, as `P36.jsonl` of `ParaRel` is, whose rows do not name
/// it.
fn default_relation(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    Some(Catalogue::bundled().get(stem)?.id.clone())
}
