//! A command as one line for a POSIX shell, put together flag by flag.

use std::fmt::Display;
use std::ops::Range;

use serde::Serialize;

/// The words of a command.
pub struct Line {
    words: Vec<String>,
}

impl Line {
    /// `factscope name`
    pub fn new(name: &str) -> Self {
        Self { words: vec!["factscope".to_owned(), name.to_owned()] }
    }

    /// The line as it is typed.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    /// `--name value`
    pub fn flag(mut self, name: &str, value: impl Display) -> Self {
        let value = value.to_string();
        if value.starts_with('-') {
            self.words.push(format!("{name}={}", quoted(&value)));
        } else {
            self.words.extend([name.to_owned(), quoted(&value)]);
        }
        self
    }

    /// `--name value`, if there is one.
    pub fn option(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.flag(name, value),
            None => self,
        }
    }

    /// `--name`, if it is so.
    pub fn switch(mut self, name: &str, is_on: bool) -> Self {
        self.words.extend(is_on.then(|| name.to_owned()));
        self
    }

    /// `--name case`, where the cases are called as in files.
    pub fn case(self, name: &str, case: impl Serialize) -> Option<Self> {
        Some(self.flag(name, key_of(case)?))
    }
}

/// The case of an enum as flags have it.
pub fn key_of(case: impl Serialize) -> Option<String> {
    Some(as_typed(serde_json::to_value(case).ok()?.as_str()?))
}

/// The name of a case as it is typed: `logit-diff` for `LogitDiff` or `logit_diff`.
pub fn as_typed(name: &str) -> String {
    let mut typed = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !typed.is_empty() {
            typed.push('-');
        }
        typed.extend(if c == '_' { vec!['-'] } else { c.to_lowercase().collect() });
    }
    typed
}

/// `1,3,10`
pub fn joined(items: &[impl Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// `2..5`
pub fn layers_as_typed(layers: &Range<usize>) -> String {
    format!("{}..{}", layers.start, layers.end)
}

/// A word as a POSIX shell reads it.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
