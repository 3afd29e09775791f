//! Keys of a result's JSON that scripts read and the result does not have by that name: ROME's of a trace,
//! and what follows from what was found, such as sums and changes.
//!
//! A method needs none of them. Each is added to what the result says itself, or stands in its place.

use serde::Serialize;
use serde_json::{Value, json};

use super::inquiry::Inquiry;
use super::json::{Object, about_prompt, answer, pieces};
use crate::analysis::generation::Generation;
use crate::analysis::prediction::Prediction;
use crate::analysis::{AnalysisResult, Metric};
use crate::tokens::TokenizedPrompt;

mod traces;
mod logits;
mod heads;
mod patches;

/// Adds the keys of a result. Scripts read what other results say themselves.
pub(super) fn add(result: &AnalysisResult, inquiry: &Inquiry, json: &mut Object) {
    traces::add(result, inquiry, json);
    logits::add(result, json);
    heads::add(result, json);
    patches::add(result, inquiry, json);
    match result {
        AnalysisResult::Prediction(it) => prediction(it, inquiry, json),
        AnalysisResult::Comparison(it) => {
            beside(json, "recall", &it.recall, |json, it| put(json, "is_right", it.is_right()));
            let inverse = json.get("prompts").and_then(|it| it.get(1)).map(about_prompt);
            put(json, "inverse", inverse);
        }
        AnalysisResult::Generation(it) => generation(it, inquiry, json),
        _ => {}
    }
}

/// # Panics
///
/// If `value` is no JSON, which numbers, text and lists of them are.
fn put(json: &mut Object, key: &str, value: impl Serialize) {
    let value = serde_json::to_value(value).expect("numbers and text are JSON");
    json.insert(key.to_owned(), value);
}

fn rename(json: &mut Object, from: &str, to: &str) {
    if let Some(value) = json.remove(from) {
        json.insert(to.to_owned(), value);
    }
}

/// Changes each object of a list.
fn each(json: &mut Object, key: &str, mut change: impl FnMut(&mut Object)) {
    let list = json.get_mut(key).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&mut change);
}

/// Adds to each object of a list what is known of the same place in another list.
fn beside<T>(json: &mut Object, key: &str, of: &[T], mut add: impl FnMut(&mut Object, &T)) {
    let mut of = of.iter();
    each(json, key, |json| of.next().into_iter().for_each(|it| add(json, it)));
}

/// An object of all readings by the names that they have in files; null where there is none.
fn by_metric<T: Serialize>(value: impl Fn(Metric) -> Option<T>) -> Value {
    let of = |metric: Metric| (metric.key().to_owned(), json!(value(metric)));
    Value::Object(Metric::ALL.into_iter().map(of).collect())
}

/// Whether runs have this reading.
fn has(metric: Metric, prompt: &TokenizedPrompt) -> bool {
    metric != Metric::LogitDiff || prompt.foil.is_some()
}

/// The answer's readings by its first token, and as a whole.
fn prediction(it: &Prediction, inquiry: &Inquiry, json: &mut Object) {
    let (Some(asked), Some(score)) = (&it.prompt.answer, &it.answer) else { return };
    let whole = json!({ "prob": score.answer_log_prob.exp(), "log_prob": score.answer_log_prob });
    let Some(Value::Object(found)) = json.get_mut("answer") else { return };
    put(found, "id", asked.first());
    put(found, "token", &pieces(&asked.ids, inquiry)[0]);
    put(found, "whole", whole);
    if let Value::Object(asked) = answer(asked, inquiry) {
        found.extend(asked);
    }
}

/// The text of all tokens together, since characters may be split over tokens.
fn generation(it: &Generation, inquiry: &Inquiry, json: &mut Object) {
    let tokenizer = &inquiry.engine.info.tokenizer;
    let ids: Vec<u32> = it.tokens.iter().map(|token| token.id).collect();
    put(json, "text", &it.prompt.text);
    put(json, "continuation", tokenizer.readable_text(&ids));
    rename(json, "tokens", "written");
}
