//! One fact as a row of named columns: a row of a table, or a flat JSON object.

use serde_json::{Map, Value};

use super::super::{Catalogue, Fact, Inverse, InverseOrigin, Record};

// The names that a column may have, as `plain` writes them.
const SUBJECT: &[&str] = &["subject", "sub", "sub_label", "s", "head"];
const OBJECT: &[&str] =
    &["object", "obj", "obj_label", "o", "answer", "target", "target_true", "attribute", "tail"];
const TEMPLATE: &[&str] = &["template", "prompt", "base_prompt", "fact", "sentence"];
const RELATION: &[&str] =
    &["relation_id", "relation", "predicate_id", "predicate", "rel", "fact_type"];
const INVERSE: &[&str] = &["inverse_template", "inverse_prompt", "inverse", "inv_fact"];
const FOIL: &[&str] = &["foil", "target_new", "target_false", "counterfactuals"];
const INVERSE_FOIL: &[&str] = &["inverse_foil", "inv_counterfactuals"];
const ID: &[&str] = &["id", "case_id", "known_id", "uuid"];

const SUBJECT_SLOTS: &[&str] = &["{}", "{subject}", "[X]"];
const OBJECT_SLOTS: &[&str] = &["{object}", "{obj}", "[Y]"];

/// The columns that [`is_table`] requires, for messages.
pub(super) const NEEDED: &str = "a `subject` and an `object` (or `answer`, `target_true`)";

/// Whether rows with these columns can be facts.
pub(super) fn is_table(columns: &[&str]) -> bool {
    let has = |names: &[&str]| columns.iter().any(|it| names.contains(&plain(it).as_str()));
    has(SUBJECT) && has(OBJECT)
}

/// A column's name in small letters, with underscores for spaces and hyphens.
fn plain(column: &str) -> String {
    column.trim().to_lowercase().replace([' ', '-'], "_")
}

/// Finds cells by any of the names that their column may have.
struct Row<'a>(&'a Map<String, Value>);

impl Row<'_> {
    /// The texts in the first cell of these names that is not empty.
    fn texts(&self, names: &[&str]) -> Vec<String> {
        let find = |name: &&str| self.0.iter().find(|(column, _)| plain(column) == **name);
        let mut cells = names.iter().filter_map(find).map(|(_, value)| texts(value));
        cells.find(|texts| !texts.is_empty()).unwrap_or_default()
    }

    fn text(&self, names: &[&str]) -> Option<String> {
        self.texts(names).into_iter().next()
    }
}

/// The fact in a row. `default_id` and `default_relation` serve rows that name none.
pub(super) fn record(
    row: &Map<String, Value>,
    default_id: String,
    default_relation: Option<&str>,
) -> Result<Record, String> {
    let row = Row(row);
    let subject = row.text(SUBJECT).ok_or("the subject is empty")?;
    let answers = row.texts(OBJECT);
    let answer = answers.first().cloned().ok_or("the object, which is the answer, is empty")?;
    let catalogue = Catalogue::bundled();
    let relation = row.text(RELATION).or_else(|| default_relation.map(str::to_owned));
    let relation = relation.map(|it| catalogue.find(&it).map_or(it, |found| found.id.clone()));
    let known = relation.as_deref().and_then(|id| catalogue.get(id));
    let template = row.text(TEMPLATE).or_else(|| known?.forward.first().cloned()).ok_or_else(
        || match &relation {
            Some(id) => format!(
                "there is no column `template`, and the program has no template for the relation \
                     “{id}”"
            ),
            None => "there is neither a column `template` nor a column `relation` with a relation \
                     that the program has templates for"
                .to_owned(),
        },
    )?;
    let fact = asked(&template, &subject, &answer)?;
    let fact = Fact { foil: row.text(FOIL), ..fact };
    let inverse = match row.text(INVERSE) {
        None => None,
        Some(template) => {
            let fact = asked(&template, &answer, &subject)
                .map_err(|reason| format!("its inverse: {reason}"))?;
            Some(Inverse {
                fact: Fact { foil: row.text(INVERSE_FOIL), ..fact },
                answers: [subject].into(),
                origin: InverseOrigin::File,
            })
        }
    };
    let record = Record::new(row.text(ID).unwrap_or(default_id), relation, fact);
    Ok(Record { answers, inverse, ..record })
}

/// A fact from a template with slots, or from a prompt that contains the subject.
///
/// For an inverse, the caller swaps the roles: the template's `{subject}` takes the object.
fn asked(template: &str, subject: &str, answer: &str) -> Result<Fact, String> {
    let mut before = template.trim();
    if let Some((start, slot)) = find_slot(before, OBJECT_SLOTS) {
        let after = &before[start + slot.len()..];
        if after.chars().any(char::is_alphanumeric) || find_slot(after, SUBJECT_SLOTS).is_some() {
            return Err(format!(
                "the answer's slot must come last in “{template}”: a prompt ends where the answer \
                 starts"
            ));
        }
        before = before[..start].trim_end();
    }
    let fact = if let Some((start, slot)) = find_slot(before, SUBJECT_SLOTS) {
        let template = format!("{}{{}}{}", &before[..start], &before[start + slot.len()..]);
        super::asked(&template, subject, answer)?
    } else {
        Fact::from_text(before, Some(subject)).map_err(|error| {
            format!("{error}; write the subject into the prompt, or `{{}}` in its place")
        })?
    };
    Ok(Fact { answer: Some(answer.to_owned()), ..fact })
}

/// The first of some slots in a text, with its byte.
fn find_slot<'a>(text: &str, slots: &[&'a str]) -> Option<(usize, &'a str)> {
    slots.iter().filter_map(|slot| Some((text.find(slot)?, *slot))).min()
}

/// The texts in a cell, which may hold a list, or a list as Python prints it.
fn texts(value: &Value) -> Vec<String> {
    let texts = match value {
        Value::String(text) => {
            match text.trim().strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                Some(inside) => python_strings(inside),
                None => vec![text.clone()],
            }
        }
        Value::Array(values) => return values.iter().flat_map(texts).collect(),
        // CounterFact's `{"str": "Paris", "id": "Q90"}`.
        Value::Object(fields) => return fields.get("str").map(texts).unwrap_or_default(),
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    };
    let texts = texts.into_iter().map(|text| text.trim().to_owned());
    texts.filter(|text| !text.is_empty()).collect()
}

/// The quoted parts of `'a', "b's"`. Without quotes, the whole text in its brackets.
fn python_strings(inside: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = inside;
    while let Some(start) = rest.find(['\'', '"']) {
        let quote = &rest[start..=start];
        let Some((text, after)) = rest[start + 1..].split_once(quote) else { break };
        found.push(text.to_owned());
        rest = after;
    }
    if found.is_empty() { vec![format!("[{inside}]")] } else { found }
}
