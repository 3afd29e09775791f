//! Datasets of facts: CounterFact (Meng et al. 2022, appendix E) and ROME's `known_1000.json`.
//!
//! The format is told by content, record by record. A record that cannot be used is reported with
//! its index and reason; the rest load.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Catalogue, Fact, Inverse, InverseOrigin, Record};

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

    /// Not in CounterFact: the same fact asked from its answer, as our own `data/facts.json` has it.
    inverse: Option<Rewrite>,
}

#[derive(Deserialize)]
struct Rewrite {
    prompt: String,
    relation_id: Option<String>,
    target_new: Option<Target>,
    target_true: Target,
    subject: String,

    /// Not in CounterFact: all right answers, if there are several.
    #[serde(default)]
    answers: Vec<String>,
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
    /// Stands where others have a file: `--facts builtin`.
    pub const BUNDLED: &str = "builtin";

    pub fn load(path: &Path) -> Result<Self, DatasetError> {
        if path == Path::new(Self::BUNDLED) {
            return Ok(Self::bundled());
        }
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
            _ => {
                dataset.complete();
                Ok(dataset)
            }
        }
    }

    /// Writes the inverses that the file lacks from the catalogue, where it has the relation.
    fn complete(&mut self) {
        let catalogue = Catalogue::bundled();
        let mut subjects: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for record in &self.records {
            if let (Some(relation), Some(answer), Some(subject)) =
                (&record.relation, &record.fact.answer, record.fact.subject_text())
            {
                let all = subjects.entry((relation.clone(), answer.clone())).or_default();
                if !all.iter().any(|it| it == subject) {
                    all.push(subject.to_owned());
                }
            }
        }
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
            let mut answers =
                subjects.get(&(id.clone(), answer.clone())).cloned().unwrap_or_default();
            answers.retain(|it| it != subject);
            answers.insert(0, subject.to_owned());
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
        let text = include_str!("../../data/facts.json");
        Self::parse(text, PathBuf::from(Self::BUNDLED)).expect("checked by a test")
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
        let relation = it.requested_rewrite.relation_id.clone();
        let (fact, answers) = it.requested_rewrite.into_fact()?;
        let inverse = it.inverse.map(Rewrite::into_fact).transpose();
        let inverse = inverse.map_err(|reason| format!("its inverse: {reason}"))?;
        let record = checked(it.case_id, relation, fact)?;
        Ok(Record {
            answers,
            inverse: inverse.map(|(fact, answers)| Inverse {
                fact,
                answers,
                origin: InverseOrigin::File,
            }),
            ..record
        })
    } else if has("known_id") {
        let it: Known = serde_json::from_value(entry).map_err(|error| error.to_string())?;
        let fact = Fact::from_text(it.prompt.trim_end(), Some(&it.subject))
            .map_err(|error| error.to_string())?;
        checked(it.id, it.relation_id, Fact { answer: Some(it.attribute), ..fact })
    } else {
        Err("neither `requested_rewrite` (CounterFact) nor `known_id` (known_1000.json)".to_owned())
    }
}

impl Rewrite {
    /// The fact, and all its right answers.
    fn into_fact(self) -> Result<(Fact, Vec<String>), String> {
        let fact = Fact::from_template(&self.prompt, &self.subject)
            .ok_or_else(|| format!("the prompt “{}” has no `{{}}` for the subject", self.prompt))?;
        let answer = self.target_true.str;
        let mut answers = self.answers;
        answers.retain(|it| *it != answer);
        answers.insert(0, answer.clone());
        let foil = self.target_new.map(|target| target.str);
        Ok((Fact { answer: Some(answer), foil, ..fact }, answers))
    }
}

fn checked(id: u64, relation: Option<String>, fact: Fact) -> Result<Record, String> {
    if fact.subject_text().is_none_or(|subject| subject.trim().is_empty()) {
        return Err("the subject is empty".to_owned());
    }
    if fact.answer.as_deref().is_none_or(|answer| answer.trim().is_empty()) {
        return Err("the answer is empty".to_owned());
    }
    Ok(Record::new(id.to_string(), relation, fact))
}

#[cfg(test)]
mod tests {
    use super::super::Cardinality;
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
    fn the_bundled_facts_all_load_with_their_inverses() {
        let dataset = Dataset::bundled();
        assert!(dataset.skipped.is_empty(), "{:?}", dataset.skipped);
        assert!(dataset.records.len() >= 1000);
        let mut n_one_to_one = 0;
        for record in &dataset.records {
            let inverse = record.inverse.as_ref().unwrap();
            assert_eq!(inverse.origin, InverseOrigin::File);
            assert_eq!(inverse.fact.subject_text(), record.fact.answer.as_deref());
            assert_eq!(inverse.fact.answer.as_deref(), record.fact.subject_text());
            let is_one_to_one = record.cardinality == Some(Cardinality::OneToOne);
            n_one_to_one += usize::from(is_one_to_one);
            assert!(!is_one_to_one || inverse.answers.len() == 1, "{record:?}");
        }
        assert!(n_one_to_one >= 400);
    }

    #[test]
    fn an_inverse_is_taken_from_the_catalogue_if_the_file_has_none() {
        let other = GOOD.replace("Danielle Darrieux", "Edith Piaf").replace('7', "8");
        let dataset = parse(&format!("[{GOOD}, {other}]")).unwrap();
        let inverse = dataset.records[0].inverse.as_ref().unwrap();
        assert_eq!(inverse.origin, InverseOrigin::Generated);
        assert_eq!(inverse.fact.subject_text(), Some("French"));
        assert_eq!(inverse.answers, ["Danielle Darrieux", "Edith Piaf"]);
        // A relation that the catalogue does not have gives none.
        let unknown = GOOD.replace("P103", "P999999");
        assert_eq!(parse(&format!("[{unknown}]")).unwrap().records[0].inverse, None);
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
