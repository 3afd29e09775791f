//! Kinds of input that a reader could get wrong without a word, each in the several forms that people
//! have: read right, or refused with a reason of its own.

use factscope::facts::Dataset;
use std::fs;

mod cells;
mod choices;
mod columns;
mod ids;
mod oddities;
mod turned;
mod slots;
mod summaries;
mod told;
mod bounded;
mod wrapped;
mod written_twice;

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Dataset, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    Dataset::load(&path).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(name: &str, bytes: impl AsRef<[u8]>, says: &[&str]) {
    let error = read(name, bytes).unwrap_err();
    for part in says {
        assert!(error.contains(part), "no “{part}” in: {error}");
    }
}

/// The prompt and the answer of each fact.
#[track_caller]
fn asked(name: &str, bytes: impl AsRef<[u8]>) -> Vec<(String, String)> {
    let facts = read(name, bytes).unwrap().records.into_iter().map(|it| it.fact);
    facts.map(|it| (it.prompt, it.answer.unwrap())).collect()
}

fn oslo() -> Vec<(String, String)> {
    vec![("The capital of Norway is".to_owned(), "Oslo".to_owned())]
}
