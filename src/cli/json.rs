//! The JSON of a result: what was found as it is kept in sessions, what every result says beside it, and
//! the keys that scripts read.
//!
//! Ranks count from 0 here, as in Python: 0 is the likeliest token. Where people read, they count from 1.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::inquiry::Inquiry;
use super::machine::Machine;
use super::script_keys;
use crate::analysis::{AnalysisResult, AnalysisSpec};
use crate::facts::Dataset;
use crate::figure::program;
use crate::tokens::{Answer, Tokenizer};
use crate::worker::ModelInfo;

pub(super) type Object = Map<String, Value>;

/// A result, and where its numbers come from. A key that the result has itself is left to it.
pub(super) fn document(
    result: &AnalysisResult,
    spec: &AnalysisSpec,
    inquiry: &Inquiry,
) -> anyhow::Result<Value> {
    let engine = &inquiry.engine;
    let mut found = of_one_method(serde_json::to_value(result)?);
    let asked = found.get("prompt").or_else(|| found.get("prompts")?.get(0)).cloned();
    script_keys::add(result, inquiry, &mut found);
    let mut head = Object::new();
    head.extend(asked.iter().flat_map(about_prompt));
    head.insert("spec".to_owned(), of_one_method(serde_json::to_value(spec)?).into());
    head.insert("method".to_owned(), result.name().into());
    head.insert("program".to_owned(), program().into());
    head.insert("model".to_owned(), provenance(&engine.info, &inquiry.machine)?);
    head.insert("device".to_owned(), json!(engine.info.device));
    let datasets = &inquiry.machine.datasets;
    let about: Vec<Value> = datasets
        .all()
        .iter()
        .map(|it| about_dataset(it, datasets.hash(&it.path).as_deref()))
        .collect();
    if !about.is_empty() {
        head.insert("datasets".to_owned(), about.into());
    }
    if !engine.edits.is_empty() {
        head.insert("edits".to_owned(), json!(engine.edits));
    }
    for (key, value) in head {
        found.entry(key).or_insert(value);
    }
    let mut json = Value::Object(found);
    spell_out(&mut json, &engine.info.tokenizer);
    Ok(json)
}

/// The content of an enum over all methods, `{ "LogitLens": { … } }`; empty where a method has no
/// settings.
fn of_one_method(json: Value) -> Object {
    let Value::Object(methods) = json else { return Object::new() };
    match methods.into_iter().next() {
        Some((_, Value::Object(found))) => found,
        _ => Object::new(),
    }
}

/// A prompt by the keys that scripts know. `prompt`: a `TokenizedPrompt` as JSON.
pub(super) fn about_prompt(prompt: &Value) -> Object {
    let answer = |it: &Value| match it {
        Value::Null => Value::Null,
        it => json!({ "text": it["text"], "ids": it["ids"], "tokens": it["pieces"] }),
    };
    let subject = match &prompt["subject"] {
        Value::Null => Value::Null,
        it => json!([it["start"], it["end"]]),
    };
    let keys = [
        ("answer", answer(&prompt["answer"])),
        ("foil", answer(&prompt["foil"])),
        ("tokens", prompt["pieces"].clone()),
        ("ids", prompt["ids"].clone()),
        ("subject_range", subject),
        ("bos", prompt["bos"].clone()),
    ];
    keys.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

/// A dataset, what its columns were taken for, and which of its records cannot be used.
fn about_dataset(dataset: &Dataset, sha256: Option<&str>) -> Value {
    let left_out = dataset.skipped.iter().map(|it| {
        let (place, number) = it.place.parts();
        json!({ place: number, "id": it.id, "reason": it.reason })
    });
    json!({
        "path": dataset.path,
        "sha256": sha256,
        "n_records": dataset.n_records(),
        "n_facts": dataset.records.len(),
        "columns": dataset.taken.columns,
        "notes": dataset.taken.notes,
        "left_out": left_out.collect::<Vec<_>>(),
    })
}

/// Grids as rows, and tokens beside their ids.
fn spell_out(json: &mut Value, tokenizer: &Tokenizer) {
    match json {
        Value::Array(all) => all.iter_mut().for_each(|it| spell_out(it, tokenizer)),
        Value::Object(object) => {
            object.values_mut().for_each(|it| spell_out(it, tokenizer));
            let id =
                object.get("id").and_then(Value::as_u64).filter(|_| !object.contains_key("token"));
            if let Some(id) = id {
                object.insert("token".to_owned(), tokenizer.readable(id as u32).into());
            }
            if let (2, Some(n), Some(Value::Array(values))) = (
                object.len(),
                object.get("n_columns").and_then(Value::as_u64),
                object.get("values"),
            ) {
                *json = values.chunks(n as usize).map(<[Value]>::to_vec).collect();
            }
        }
        _ => {}
    }
}

/// The model's name and the hashes of its weights, for every JSON file.
pub(super) fn provenance(info: &ModelInfo, machine: &Machine) -> anyhow::Result<Value> {
    let hashes = weights_sha256(info, machine)?;
    Ok(json!({ "name": info.name, "weights_sha256": hashes }))
}

/// The SHA-256 of each weight file. Weights of some gigabytes take a while to hash.
pub(super) fn weights_sha256(
    info: &ModelInfo,
    machine: &Machine,
) -> anyhow::Result<BTreeMap<String, String>> {
    Ok(machine.watched("Hashing the weights", |task| info.hash.get(&task).cloned())?)
}

/// The text of each token.
pub(super) fn pieces(ids: &[u32], inquiry: &Inquiry) -> Vec<String> {
    ids.iter().map(|&id| inquiry.engine.info.tokenizer.readable(id)).collect()
}

/// The text of all tokens of an answer.
pub(super) fn answer(answer: &Answer, inquiry: &Inquiry) -> Value {
    json!({ "text": answer.text, "ids": answer.ids, "tokens": pieces(&answer.ids, inquiry) })
}
