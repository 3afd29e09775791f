//! Facts are packed while nobody looks at them: a file of any kind takes memory in proportion to its bytes, and
//! what is unpacked is what was read.

use std::fmt::Write as _;
use std::fs;

use factscope::facts::{Dataset, Direction};

use crate::memory::peak_of;

/// What a reader may have in memory beside four times its file, in bytes: that of `docs/fuzzing.md`.
const BESIDES: usize = 64 << 20;

#[derive(Clone, Copy)]
enum Form {
    /// Lines of 14 bytes, of ten subjects, answers, prompts.
    Lines,

    /// A table whose subjects differ and whose answers are a few: each inverse has thousands of answers.
    Table,

    /// One id for all records.
    OneId,

    /// Records that are all odd in some way.
    Foils,
}

fn written(form: Form, n: usize) -> String {
    let mut text = String::new();
    text.push_str(match form {
        Form::Table => "s,o\n",
        Form::OneId => "[",
        Form::Lines | Form::Foils => "",
    });
    for nth in 0..n {
        let (s, o) = (nth % 10, nth % 7);
        _ = match form {
            Form::Lines => writeln!(text, r#"{{"s":{s},"o":{o}}}"#),
            Form::Table => writeln!(text, "{nth:x},{o}"),
            Form::OneId => write!(text, r#"{{"s":{s},"o":{o},"id":1}},"#),
            Form::Foils => {
                writeln!(text, r#"{{"s":{s},"o":[{o},"x"],"foil":{nth},"prompt":"{nth} {s} is"}}"#)
            }
        };
    }
    if let Form::OneId = form {
        text.pop();
        text.push(']');
    }
    text
}

/// Named after a relation, which has an inverse.
fn measured(form: Form, n: usize) -> (Dataset, usize, usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(if let Form::Table = form { "P36.csv" } else { "P36.jsonl" });
    let text = written(form, n);
    fs::write(&path, &text).unwrap();
    let (read, peak) = peak_of(|| Dataset::load(&path).unwrap());
    assert_eq!(read.records.len(), n);
    (read, peak, text.len())
}

#[test]
#[expect(clippy::print_stdout, reason = "the peaks are worth reading, with `--nocapture`")]
fn a_file_of_short_facts_takes_no_more_memory_than_any_other() {
    let forms = [
        ("lines", Form::Lines, 300_000),
        ("lines", Form::Lines, 1_000_000),
        ("table", Form::Table, 300_000),
        ("one id", Form::OneId, 300_000),
        ("foils", Form::Foils, 100_000),
    ];
    for (name, form, n) in forms {
        let (read, peak, n_bytes) = measured(form, n);
        let ((), beside) = peak_of(|| {
            // To look at a few of them unpacks these only.
            for nth in [0, n / 2, n - 1] {
                let record = &read.records[nth];
                assert!(record.fact(Direction::Inverse).is_some(), "{name}");
                assert_eq!(read.records.position(&record.id), Some(nth), "{name}");
            }
        });
        println!("{name}, {n} records, {n_bytes} bytes: {peak} bytes, and {beside} for three");
        assert!(peak <= 4 * n_bytes + BESIDES, "{name}: {peak} for {n_bytes}");
        assert!(beside < BESIDES, "{name}: {beside}");
    }
}

#[test]
fn what_is_unpacked_is_what_the_file_says() {
    let (read, ..) = measured(Form::Table, 1000);
    let record = &read.records[999];
    assert_eq!((&*record.id, &*record.fact.prompt), ("999", "The capital of 3e7 is"));
    assert_eq!(record.answers, ["5"]);
    let inverse = record.inverse.as_ref().unwrap();
    assert_eq!(inverse.fact.prompt, "5 is the capital of");
    let right: Vec<String> =
        (0..1000).filter(|it| it % 7 == 5).map(|it| format!("{it:x}")).collect();
    assert_eq!(*inverse.answers, *right);

    let (read, ..) = measured(Form::Lines, 1000);
    let record = &read.records[13];
    assert_eq!(record.fact.prompt, "The capital of 3 is");
    // Its own first, then those of the other records that ask the same, in the order of the file.
    assert_eq!(record.answers, ["6", "3", "2", "5", "1", "4", "0"]);
    assert_eq!(read.records.scan().nth(13).as_ref(), Some(record));

    let (read, ..) = measured(Form::OneId, 100);
    assert_eq!(&*read.records[70].id, "1@70");
    assert_eq!(read.records.repeated("1").len(), 100);
    assert!(read.records.repeated("2").is_empty());
    assert!(read.reading().contains("the id 1 occurs more than once"), "{}", read.reading());

    let (read, ..) = measured(Form::Foils, 1000);
    let record = &read.records[500];
    assert_eq!((record.fact.foil.as_deref(), &*record.fact.prompt), (Some("500"), "500 0 is"));
    assert_eq!(record.answers, ["3", "x"]);
}
