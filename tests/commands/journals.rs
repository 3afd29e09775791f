//! A long survey of recall goes on where it was stopped.

use std::fs;

use tempfile::TempDir;

use crate::support::{complaint, json, program, stdout};

const RECALL: [&str; 5] = ["recall", "--relation", "capital", "--n", "3"];

fn recall(more: &[&str]) -> Vec<String> {
    RECALL.iter().chain(more).map(|it| (*it).to_owned()).collect()
}

#[test]
fn recall_goes_on_from_any_place_where_it_was_stopped() {
    let whole = json(&[&RECALL[..], &["--json"]].concat());
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("recall.jsonl");
    let asked = recall(&["--json", "--journal", path.to_str().unwrap()]);
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    assert_eq!(json(&asked), whole);
    let written = fs::read(&path).unwrap();
    let lines: Vec<&[u8]> = written.split_inclusive(|&it| it == b'\n').collect();
    // What is asked, and three facts both ways.
    assert_eq!(lines.len(), 1 + 6);

    // As if it had been stopped within the first line, a later one, and between two.
    for n_left in
        [0, 10, lines[0].len(), lines[0].len() + 7, lines[..4].concat().len(), written.len() - 1]
    {
        fs::write(&path, &written[..n_left]).unwrap();
        assert_eq!(json(&asked), whole, "{n_left} bytes");
        assert_eq!(fs::read(&path).unwrap(), written, "{n_left} bytes");
    }

    // What is there is not asked again: a guess that no model made is still there.
    let text = String::from_utf8(lines[..3].concat()).unwrap();
    let guess = text.find("\"guess\":\"").unwrap() + "\"guess\":\"".len();
    fs::write(&path, [&text[..guess], "unheard of", &text[guess..]].concat()).unwrap();
    let told = program(&asked).output().unwrap();
    assert!(String::from_utf8_lossy(&told.stdout).contains("unheard of"));
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("2 facts, each way counted, were asked before"), "{told}");
}

#[test]
fn a_journal_of_something_else_is_left_as_it_is() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("recall.jsonl");
    let path = path.to_str().unwrap();
    stdout(&[&RECALL[..], &["--journal", path]].concat());
    let written = fs::read(path).unwrap();
    let with = |more: &[&str]| complaint(&[&RECALL[..], &["--journal", path], more].concat());
    let told = with(&["--own-words"]);
    assert!(told.contains("not the same: wordings") && told.contains(path), "{told}");
    let told = with(&["--bos"]);
    assert!(told.contains("not the same: bos"), "{told}");
    assert_eq!(fs::read(path).unwrap(), written);
    // Other facts of the same dataset can be asked with it.
    stdout(&["recall", "--relation", "capital", "--n", "4", "--journal", path]);
    assert!(fs::read(path).unwrap().starts_with(&written));

    for other in ["no journal", "no journal\n", "{\"a\": 1}\n", "[1, 2,\n 3]\n", "\n"] {
        fs::write(path, other).unwrap();
        let told = with(&[]);
        assert!(told.contains("name another file") && told.contains(path), "{told}");
        assert_eq!(fs::read_to_string(path).unwrap(), other);
    }
    let torn = [&written[..], b"{\"record\": 1\n"].concat();
    fs::write(path, &torn).unwrap();
    let told = with(&[]);
    assert!(told.contains("line 8 is no line of a journal"), "{told}");
    assert_eq!(fs::read(path).unwrap(), torn);
}
