//! Facts as JSON: CounterFact's records, those of ROME's `known_1000.json`, and flat objects.

use serde::Deserialize;
use serde_json::Value;

use super::super::{Fact, Inverse, InverseOrigin, Record};
use super::{Entry, RecordPlace, asked, checked, lre, row};

/// A record of CounterFact, whose format our own `data/facts.json` extends.
#[derive(Deserialize)]
struct CounterFact {
    case_id: u64,
    requested_rewrite: Rewrite,

    /// The inverse of the fact, which asks from its answer. Only in `data/facts.json`.
    inverse: Option<Rewrite>,
}

/// The fact within a record of CounterFact; their edits rewrite it from `target_true` to
/// `target_new`.
#[derive(Deserialize)]
struct Rewrite {
    /// With one `{}` for the subject.
    prompt: String,
    relation_id: Option<String>,
    target_new: Option<Target>,
    target_true: Target,
    subject: String,

    /// All right answers, if there are several. Only in `data/facts.json`.
    #[serde(default)]
    answers: Vec<String>,
}

#[derive(Deserialize)]
struct Target {
    str: String,
}

/// A record of ROME's `known_1000.json`.
#[derive(Deserialize)]
struct Known {
    #[serde(rename = "known_id")]
    id: u64,
    subject: String,
    attribute: String,
    prompt: String,
    relation_id: Option<String>,
}

/// The entries of a JSON list, of JSON Lines, of an LRE relation file, or of a single record.
/// `None` if the text is JSON but none of these.
pub(super) fn entries(
    text: &str,
    default_relation: Option<&str>,
) -> Result<Option<Vec<Entry>>, serde_json::Error> {
    Ok(match serde_json::from_str(text) {
        Ok(Value::Array(entries)) => {
            let entries = entries.into_iter().enumerate().map(|(index, entry)| {
                (RecordPlace::Index(index), record(entry, index, default_relation))
            });
            Some(entries.collect())
        }
        Ok(json) if lre::is_relation(&json) => Some(lre::records(json)?),
        Ok(json) if is_record(&json) => {
            Some(vec![(RecordPlace::Line(1), record(json, 0, default_relation))])
        }
        Ok(_) => None,
        Err(error) => Some(lines(text, default_relation).ok_or(error)?),
    })
}

/// The records of JSON Lines. `None` if not even the first line is JSON.
fn lines(text: &str, relation: Option<&str>) -> Option<Vec<Entry>> {
    let filled = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let mut found = Vec::new();
    for (index, (line, number)) in filled.enumerate() {
        let record = match serde_json::from_str(line) {
            Ok(entry) => record(entry, index, relation),
            Err(_) if found.is_empty() => return None,
            Err(error) => Err(format!("not valid JSON: {error}")),
        };
        found.push((RecordPlace::Line(number), record));
    }
    Some(found)
}

/// Whether an object has the fields of one of the formats that [`record`] reads.
fn is_record(json: &Value) -> bool {
    json.get("requested_rewrite").is_some() || json.get("known_id").is_some() || is_flat(json)
}

/// Whether an object's fields can be read as a row of a table.
fn is_flat(json: &Value) -> bool {
    let Some(fields) = json.as_object() else { return false };
    row::is_table(&fields.keys().map(String::as_str).collect::<Vec<_>>())
}

/// The record that one JSON value holds, told by its fields. A flat record without an id gets
/// `index`.
pub(super) fn record(entry: Value, index: usize, relation: Option<&str>) -> Result<Record, String> {
    let has = |field: &str| entry.get(field).is_some_and(|it| !it.is_null());
    if has("requested_rewrite") {
        let it: CounterFact = serde_json::from_value(entry).map_err(|error| error.to_string())?;
        let relation = it.requested_rewrite.relation_id.clone();
        let (fact, answers) = it.requested_rewrite.into_fact()?;
        let inverse = it.inverse.map(Rewrite::into_fact).transpose();
        let inverse = inverse.map_err(|reason| format!("its inverse: {reason}"))?;
        let record = checked(it.case_id.to_string(), relation, fact)?;
        Ok(Record {
            answers,
            inverse: inverse.map(|(fact, answers)| Inverse {
                fact,
                answers: answers.into(),
                origin: InverseOrigin::File,
            }),
            ..record
        })
    } else if has("known_id") {
        let it: Known = serde_json::from_value(entry).map_err(|error| error.to_string())?;
        let fact = Fact::from_text(it.prompt.trim_end(), Some(&it.subject))
            .map_err(|error| error.to_string())?;
        checked(it.id.to_string(), it.relation_id, Fact { answer: Some(it.attribute), ..fact })
    } else if let Some(fields) = entry.as_object()
        && is_flat(&entry)
    {
        row::record(fields, index.to_string(), relation)
    } else {
        Err(format!(
            "it has neither `requested_rewrite` (CounterFact), nor `known_id` (known_1000.json), nor \
             {}",
            row::NEEDED
        ))
    }
}

impl Rewrite {
    /// The fact, and all its right answers, its own first.
    fn into_fact(self) -> Result<(Fact, Vec<String>), String> {
        let answer = self.target_true.str;
        let fact = asked(&self.prompt, &self.subject, &answer)?;
        let mut answers = self.answers;
        answers.retain(|it| *it != answer);
        answers.insert(0, answer);
        let foil = self.target_new.map(|target| target.str);
        Ok((Fact { foil, ..fact }, answers))
    }
}
