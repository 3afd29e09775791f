//! Datasets of facts: CounterFact (Meng et al. 2022, appendix E) and ROME's `known_1000.json`.
//!
//! The format is told by content, record by record. A record that cannot be used is reported with
//! its index and reason; the rest load.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Fact, Record};

/// The facts of one file.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    pub path: PathBuf,
    pub records: Vec<Record>,

    /// What could not be used, in file order.
    pub skipped: Vec<RecordError>,
}

/// The file cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error("cannot read the dataset: {source}: {path}")]
    Read { path: PathBuf, source: std::io::Error },

    #[error("the dataset is not valid JSON: {source}: {path}")]
    Json { path: PathBuf, source: serde_json::Error },

    #[error("expected a JSON list of records, as in CounterFact or ROME's known_1000.json: {path}")]
    NotAList { path: PathBuf },

    #[error("none of the {n_records} records can be used; the first says: {first}: {path}")]
    NothingUsable { path: PathBuf, n_records: usize, first: RecordError },

    #[error("the dataset has no records: {path}")]
    Empty { path: PathBuf },
}

/// One record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {index}: {reason}")]
pub struct RecordError {
    /// Position in the file's list, from 0.
    pub index: usize,
    pub reason: String,
}

#[derive(Deserialize)]
struct CounterFact {
    case_id: u64,
    requested_rewrite: Rewrite,
}

#[derive(Deserialize)]
struct Rewrite {
    prompt: String,
    relation_id: Option<String>,
    target_new: Option<Target>,
    target_true: Target,
    subject: String,
}

#[derive(Deserialize)]
struct Target {
    str: String,
}

#[derive(Deserialize)]
struct Known {
    #[serde(rename = "known_id")]
    id: u64,
    subject: String,
    attribute: String,
    prompt: String,
    relation_id: Option<String>,
}

impl Dataset {
    pub fn load(path: &Path) -> Result<Self, DatasetError> {
        let path = path.to_owned();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(DatasetError::Read { path, source }),
        };
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: PathBuf) -> Result<Self, DatasetError> {
        let json = match serde_json::from_str(text) {
            Ok(json) => json,
            Err(source) => return Err(DatasetError::Json { path, source }),
        };
        let Value::Array(entries) = json else {
            return Err(DatasetError::NotAList { path });
        };
        let n_records = entries.len();
        let mut dataset = Self { path, ..Self::default() };
        for (index, entry) in entries.into_iter().enumerate() {
            match record(entry) {
                Ok(record) => dataset.records.push(record),
                Err(reason) => dataset.skipped.push(RecordError { index, reason }),
            }
        }
        match dataset.skipped.first() {
            _ if n_records == 0 => Err(DatasetError::Empty { path: dataset.path }),
            Some(first) if dataset.records.is_empty() => Err(DatasetError::NothingUsable {
                first: first.clone(),
                path: dataset.path,
                n_records,
            }),
            _ => Ok(dataset),
        }
    }

    pub fn find(&self, id: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.id == id)
    }

    /// Every record's subject, repeated as often as it occurs, as ROME counts them.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.records.iter().filter_map(|record| record.fact.subject_text())
    }
}

fn record(entry: Value) -> Result<Record, String> {
    let has = |field: &str| entry.get(field).is_some();
    if has("requested_rewrite") {
        let it: CounterFact = serde_json::from_value(entry).map_err(|error| error.to_string())?;
        let rewrite = it.requested_rewrite;
        let fact = Fact::from_template(&rewrite.prompt, &rewrite.subject).ok_or_else(|| {
            format!("the prompt “{}” has no `{{}}` for the subject", rewrite.prompt)
        })?;
        let relation = rewrite.relation_id;
        let foil = rewrite.target_new.map(|target| target.str);
        checked(it.case_id, relation, Fact { answer: Some(rewrite.target_true.str), foil, ..fact })
    } else if has("known_id") {
        let it: Known = serde_json::from_value(entry).map_err(|error| error.to_string())?;
        let fact = Fact::from_text(it.prompt.trim_end(), Some(&it.subject))
            .map_err(|error| error.to_string())?;
        checked(it.id, it.relation_id, Fact { answer: Some(it.attribute), ..fact })
    } else {
        Err("neither `requested_rewrite` (CounterFact) nor `known_id` (known_1000.json)".to_owned())
    }
}

fn checked(id: u64, relation: Option<String>, fact: Fact) -> Result<Record, String> {
    if fact.subject_text().is_none_or(|subject| subject.trim().is_empty()) {
        return Err("the subject is empty".to_owned());
    }
    if fact.answer.as_deref().is_none_or(|answer| answer.trim().is_empty()) {
        return Err("the answer is empty".to_owned());
    }
    Ok(Record { id: id.to_string(), relation, fact })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"case_id": 7, "requested_rewrite": {"prompt": "The mother tongue of {} is",
        "relation_id": "P103", "target_new": {"str": "English"}, "target_true": {"str": "French"},
        "subject": "Danielle Darrieux"}}"#;

    fn parse(text: &str) -> Result<Dataset, DatasetError> {
        Dataset::parse(text, PathBuf::from("facts.json"))
    }

    #[test]
    fn a_bad_record_is_named_and_the_rest_load() {
        let dataset = parse(&format!(r#"[{{"case_id": 1}}, {GOOD}]"#)).unwrap();
        assert_eq!(dataset.records.len(), 1);
        assert_eq!(dataset.skipped[0].index, 0);
        let fact = &dataset.find("7").unwrap().fact;
        assert_eq!(fact.prompt, "The mother tongue of Danielle Darrieux is");
        assert_eq!(fact.subject_text(), Some("Danielle Darrieux"));
        assert_eq!(fact.foil.as_deref(), Some("English"));
    }

    #[test]
    fn known_facts_are_told_by_their_fields() {
        let dataset = parse(
            r#"[{"known_id": 0, "subject": "Vinson Massif", "attribute": "Antarctica",
                "prompt": "Vinson Massif is located in the continent of"}]"#,
        )
        .unwrap();
        assert_eq!(dataset.records[0].fact.answer.as_deref(), Some("Antarctica"));
        assert_eq!(dataset.records[0].fact.subject, Some(0..13));
    }

    #[test]
    fn files_of_no_use_say_why() {
        assert!(matches!(parse("{"), Err(DatasetError::Json { .. })));
        assert!(matches!(parse("{}"), Err(DatasetError::NotAList { .. })));
        assert!(matches!(parse("[]"), Err(DatasetError::Empty { .. })));
        assert!(matches!(parse("[1, 2]"), Err(DatasetError::NothingUsable { n_records: 2, .. })));
    }

    #[test]
    fn a_template_without_a_slot_is_reported() {
        let text = format!("[{}]", GOOD.replace("{}", "her"));
        let Err(DatasetError::NothingUsable { first, .. }) = parse(&text) else {
            panic!("the record must be refused");
        };
        assert!(first.reason.contains("`{}`"), "{first}");
    }
}
