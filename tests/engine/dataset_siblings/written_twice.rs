//! Files whose rows or records were written as texts once more, or that name their own delimiter.

use super::{asked, oslo, read, refused};

const FACTS: &str = r#"[{"subject": "Norway", "object": "Oslo", "relation": "P36"}]"#;

fn notes(name: &str, text: &str) -> String {
    read(name, text).unwrap().taken.notes.iter().cloned().collect::<Vec<_>>().join("; ")
}

#[test]
fn json_within_texts_of_json_is_read_and_told() {
    let twice = serde_json::to_string(FACTS).unwrap();
    let pretty = serde_json::to_string(&FACTS.replace(", ", ",\n")).unwrap();
    let line = serde_json::to_string(FACTS.trim_matches(['[', ']'])).unwrap();
    for (name, text) in [
        ("facts.json", twice.clone()),
        ("facts.json", format!("\u{feff}{pretty}\n")),
        ("facts.jsonl", format!("{line}\n\n{line}\n")),
    ] {
        assert_eq!(asked(name, &text)[0], oslo()[0], "{text}");
        assert!(notes(name, &text).contains("texts of JSON"), "{text}");
    }
    // A fault within is told, and what is no JSON within is still a table.
    let cut = serde_json::to_string(&FACTS[..FACTS.len() - 4]).unwrap();
    refused("facts.json", cut, &["not valid JSON"]);
    assert_eq!(
        asked("facts.csv", "\"subject\",\"object\",\"relation\"\nNorway,Oslo,P36\n"),
        oslo()
    );
}

#[test]
fn rows_in_quotation_marks_are_read_and_told() {
    let table =
        "\"subject,object,relation\"\n\"Norway,Oslo,P36\"\n\n\"Egypt,\"\"Cairo\"\",P36\"\r\n";
    let facts = asked("facts.csv", table);
    assert_eq!((facts[0].clone(), &*facts[1].1), (oslo()[0].clone(), "Cairo"));
    assert!(notes("facts.csv", table).contains("taken out of the quotation marks"));
    // A row that is left out is named by its line in the file.
    let torn = "\"subject,object,relation\"\n\n\"Norway,Oslo,P36\"\n\"Egypt,,P36\"\n";
    let skipped = read("facts.csv", torn).unwrap().skipped;
    assert!(skipped[0].to_string().starts_with("line 4: "), "{skipped:?}");
    // A table of one column is none.
    refused("facts.csv", "\"subject\"\n\"Norway\"\n", &["needs columns"]);
}

#[test]
fn a_table_names_its_delimiter() {
    for delimiter in ['^', '~', ';', '!', '\t'] {
        let of = |row: &str| row.replace('|', &delimiter.to_string());
        let text = of("sep=|\nsubject|object|relation\nNorway|Oslo|P36\n");
        assert_eq!(asked("facts.csv", &text), oslo(), "{text}");
        let text = of("\"SEP=|\"\r\nsubject|object|relation\r\nNorway|Oslo|P36\r\n");
        assert_eq!(asked("facts.csv", &text), oslo(), "{text}");
    }
    for first in ["sep=, ", "sep=;;;", "\"sep=;\";;"] {
        let of = |row: &str| row.replace('|', &first.trim_matches('"')[4..5]);
        let text = format!("{first}\n{}", of("subject|object|relation\nNorway|Oslo|P36\n"));
        assert_eq!(asked("facts.csv", &text), oslo(), "{text}");
    }
    // A name that is wrong is passed over.
    assert_eq!(asked("facts.csv", "sep=^\nsubject,object,relation\nNorway,Oslo,P36\n"), oslo());
}
