//! Files that describe the columns of a dataset and have none of its facts.

use super::super::columns::{self, OF_SUMMARY};
use super::super::error::DESCRIBES;
use super::super::json_text::View;
use super::Fault;

/// The fields that a description of a column may have: Hugging Face's and a JSON Schema's.
const OF_FEATURES: &[&str] = &["dtype", "_type", "id", "names", "length", "feature", "decode"];
const OF_SCHEMA: &[&str] = &[
    "type",
    "description",
    "title",
    "format",
    "pattern",
    "default",
    "examples",
    "enum",
    "items",
    "minLength",
    "maxLength",
    "$ref",
    "anyOf",
];

/// Refuses an object whose fields for subject and answer all describe a column.
pub(super) fn refuse(document: View<'_>) -> Result<(), Fault> {
    let of_fact = || {
        let is_of_fact = |name: &str| columns::is_subject(name) || columns::is_answer(name);
        document.fields().filter(move |(name, _)| is_of_fact(name)).map(|(_, it)| it)
    };
    let kinds = [
        (OF_FEATURES, &["dtype", "_type"][..]),
        (OF_SCHEMA, &["type", "$ref"]),
        (OF_SUMMARY, &["count"]),
    ];
    let is_described = kinds.iter().any(|(all, needed)| {
        let describes = |it: View<'_>| {
            it.is_object()
                && needed.iter().any(|name| it.get(name).is_some())
                && it.fields().all(|(name, _)| all.contains(&&*name))
        };
        of_fact().next().is_some() && of_fact().all(describes)
    });
    if is_described {
        return Err(Fault(format!("it {DESCRIBES}")));
    }
    Ok(())
}
