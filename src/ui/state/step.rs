//! What a step back or forward changes, in a few words.

use serde_json::Value;

use super::history::Choices;
use super::{Settings, State};
use crate::ui::row::Row;
use crate::ui::studies;
use crate::ui::words::{direction_name, metric_name};

/// The most letters of a value that is told.
const N_LETTERS: usize = 24;

impl State {
    /// What would be taken back now. `None` if there is nothing.
    pub fn undoes(&self) -> Option<String> {
        let [before, after] = self.last_step()?;
        Some(self.told(&before, &after))
    }

    /// What would be done again now. `None` if there is nothing.
    pub fn redoes(&self) -> Option<String> {
        let [before, after] = self.next_step()?;
        Some(self.told(&before, &after))
    }

    /// The most telling of the differences.
    fn told(&self, before: &Choices, after: &Choices) -> String {
        let is_other = |is: fn(&Choices, &Choices) -> bool| !is(before, after);
        if is_other(|a, b| a.edits == b.edits) {
            return "the change of the model".to_owned();
        }
        if is_other(|a, b| a.typed == b.typed) {
            let is_removed = after.typed.len() < before.typed.len();
            return if is_removed { "the removal of a typed fact" } else { "a typed fact" }
                .to_owned();
        }
        if is_other(|a, b| a.selected == b.selected) {
            let record = after.selected.and_then(|id| self.facts.get(id));
            let prompt = record.map(|it| format!("the choice of “{}”", it.fact.prompt));
            return prompt.unwrap_or_else(|| "the choice of no fact".to_owned());
        }
        if is_other(|a, b| a.swept == b.swept) {
            let both = before.swept.as_ref().zip(after.swept.as_ref());
            let is_same = both.is_some_and(|(a, b)| (a.pane, &a.asked) == (b.pane, &b.asked));
            let told = if is_same { "how the fact of the sweep is read" } else { AS_SWEPT };
            return told.to_owned();
        }
        if is_other(|a, b| a.settings == b.settings) {
            return setting(&before.settings, &after.settings);
        }
        if is_other(|a, b| a.beside == b.beside) {
            return "what is kept beside".to_owned();
        }
        if is_other(|a, b| a.answers == b.answers) {
            return "the answer that is asked for".to_owned();
        }
        if is_other(|a, b| a.painted == b.painted) {
            return "painted edges".to_owned();
        }
        if is_other(|a, b| a.parts == b.parts) {
            return "the parts of the attribution".to_owned();
        }
        if is_other(|a, b| (a.row, a.asks) == (b.row, b.asks)) {
            let name = self.names()[usize::from(after.row == Row::Second)];
            return format!("the look at the {name}");
        }
        "what is picked out".to_owned()
    }
}

const AS_SWEPT: &str = "whether it is asked as the sweep asks";

/// The first setting that differs, with both values where they are short.
fn setting(before: &Settings, after: &Settings) -> String {
    let [before, after] = [before, after].map(|it| serde_json::to_value(it).unwrap_or(Value::Null));
    let mut path = Vec::new();
    let [before, after] = differing(&before, &after, &mut path);
    let mut words = path.iter().map(String::as_str);
    let of = match words.next() {
        Some("studies") => words.next().and_then(studies::title_of).unwrap_or("a study"),
        Some("trace") => "Causal trace",
        Some("attention") => "Attention",
        Some("attribution") => "Attribution",
        Some("metric" | "trace_metric" | "own_metrics") => "the metric",
        Some("ranges") => return "the ranges of colours".to_owned(),
        Some("bos") => "BOS",
        _ => "a setting",
    };
    let name = path.last().filter(|_| path.len() > 1);
    let name = name.map(|it| it.strip_prefix("n_").unwrap_or(it).replace('_', " "));
    let what = name.map_or_else(|| of.to_owned(), |name| format!("{of}, {name}"));
    let said = |value: &Value| match value {
        Value::String(text) => word(&path, text),
        _ => brief(value),
    };
    match (said(before), said(after)) {
        (Some(before), Some(after)) => format!("{what} {before} → {after}"),
        _ => what,
    }
}

/// Goes down to where two values first differ.
fn differing<'a>(before: &'a Value, after: &'a Value, path: &mut Vec<String>) -> [&'a Value; 2] {
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        for (key, value) in new {
            let Some(other) = old.get(key).filter(|it| *it != value) else { continue };
            path.push(key.clone());
            return differing(other, value, path);
        }
    }
    [before, after]
}

/// A choice in the words of its control.
fn word(path: &[String], value: &str) -> Option<String> {
    let read = || Value::String(value.to_owned());
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    match names[..] {
        ["metric" | "trace_metric", ..] | ["own_metrics", _] => {
            serde_json::from_value(read()).ok().map(|it| metric_name(it).to_owned())
        }
        ["trace", "direction"] => {
            serde_json::from_value(read()).ok().map(|it| direction_name(it).to_owned())
        }
        _ => brief(&read()),
    }
}

/// A value in few letters. `None` where it has more.
fn brief(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => "usual".to_owned(),
        Value::Bool(is_on) => if *is_on { "on" } else { "off" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(it) => it.to_string(),
        Value::Array(_) | Value::Object(_) => return None,
    };
    (text.chars().count() <= N_LETTERS).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Metric;
    use crate::analysis::causal_trace::Direction;
    use crate::tokens::Bos;

    #[test]
    fn a_setting_is_told_with_its_view_and_both_values() {
        let check = |change: fn(&mut Settings), expected: &str| {
            let mut after = Settings::default();
            change(&mut after);
            assert_eq!(setting(&Settings::default(), &after), expected);
        };
        check(|it| it.trace.seed = 7, "Causal trace, seed 1 → 7");
        check(|it| it.trace.n_samples = 3, "Causal trace, samples 10 → 3");
        check(|it| it.trace.own_window = Some(4), "Causal trace, own window usual → 4");
        check(|it| it.bos = Bos::On, "BOS off → on");
        check(|it| it.metric = Metric::Logit, "the metric Probability of first token → Logit");
        check(
            |it| it.trace.direction = Direction::Noise,
            "Causal trace, direction Restoring → Corrupting",
        );
    }
}
