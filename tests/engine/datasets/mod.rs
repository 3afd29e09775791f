//! The forms in which people have facts: each is read right, or refused with a reason of its own.

use factscope::facts::Dataset;
use std::fs;

mod forms;
mod columns;
mod slots;
mod damage;

/// What the program reads from a file of this name, or why it does not.
fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Dataset, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let read = Dataset::load(&path).map_err(|error| error.to_string());
    read.map_err(|error| error.replace(dir.path().to_str().unwrap(), ""))
}

/// The prompts of a file with their answers.
#[track_caller]
fn asked(text: &str) -> Vec<(String, String)> {
    let dataset = read("facts", text).unwrap();
    assert!(dataset.skipped.is_empty(), "{:?}", dataset.skipped);
    let facts = dataset.records.into_iter().map(|it| it.fact);
    facts.map(|it| (it.prompt, it.answer.unwrap())).collect()
}

/// The one fact of a file.
#[track_caller]
fn only(text: &str) -> (String, String) {
    let mut all = asked(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Why a file is refused, or why its only record is.
#[track_caller]
fn refused(text: impl AsRef<[u8]>) -> String {
    read("facts", text).unwrap_err()
}

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no “{part}” in: {text}");
    }
}

fn fact(prompt: &str, answer: &str) -> (String, String) {
    (prompt.to_owned(), answer.to_owned())
}

/// What each form below says.
fn pair() -> Vec<(String, String)> {
    vec![fact("The capital of Chad is", "N'Djamena"), fact("The capital of Mali is", "Bamako")]
}
