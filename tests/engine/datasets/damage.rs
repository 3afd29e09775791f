//! Records and files that cannot be read.

use factscope::facts::Dataset;
use factscope::facts::NoCase;
use factscope::facts::RecordPlace;
use std::fs;

use super::{holds, read};

#[test]
fn a_record_that_is_left_out_is_named_with_the_reason() {
    let text = "subject,object,relation\nChad,N'Djamena,P36\nMali,,P36\nPeru,,P36\na,b\n\
        Ghana,Accra,P999999\n,,\n";
    let dataset = read("facts.csv", text).unwrap();
    let reading = dataset.reading();
    holds(
        &reading,
        &[
            "subject = `subject`, answer = `object`, template from the relation, relation = `relation`",
            "1 of 6 records; 5 left out",
            "lines 3, 4: the object, which is the answer, is empty",
            "line 5: the row has 2 cells and the header 3",
            "line 6: there is no column `template`",
            "line 7: the row is empty",
        ],
    );
    let Err(NoCase::LeftOut { error, .. }) = dataset.case("2") else {
        panic!("Peru has no answer")
    };
    assert_eq!(error.place, RecordPlace::Line(4));
    let error = dataset.case("17").unwrap_err().to_string();
    holds(&error, &["there is no case 17", "begin with 0"]);
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    for end in ["\n", "\r\n", "\r"] {
        let text =
            ["subject;object;relation", "Chad;\"N'\nDjamena\";P36", "", "Mali;;P36"].join(end);
        let dataset = read("facts.csv", &text).unwrap();
        // The cell of two lines has a line end of its own.
        assert_eq!(dataset.skipped[0].place, RecordPlace::Line(5), "{end:?}");
    }
}

/// As many cities as a country has: each record knows some of the others' answers, not all of all.
#[test]
fn a_prompt_with_many_answers_is_read_in_bounded_time_and_memory() {
    let rows = (0..2_000)
        .map(|nth| format!("France,City{nth},A city in {{}} is\nFrance,City7,A city in {{}} is\n"));
    let text = format!("subject,object,template\n{}", rows.collect::<String>());
    let dataset = read("facts.csv", &text).unwrap();
    let answers = &dataset.records[3_000].answers;
    assert_eq!((answers[0].as_str(), answers.len()), ("City1500", 101));
    assert!(answers.contains(&"City7".to_owned()));
    holds(&dataset.reading(), &["the first 100 are shared"]);
}

/// Whatever is wrong with a file, reading it comes to an end with facts or with an error.
#[test]
fn damage_is_an_error_and_no_fault() {
    let files = [
        r#"[{"case_id": 1, "requested_rewrite": [{"prompt": "{} is", "target_true": {"str": "x"},
            "subject": "Chad"}], "inverse": {"prompt": "{} was", "subject": "x"}}]"#,
        r#"{"name": "capital", "prompt_templates": ["[X] is [Y]"], "samples": [{"subject": "Chad",
            "object": ["x", NaN]}]}"#,
        "{\"columns\": [\"s\", \"o\"], \"data\": [[\"a\", \"b\"]]}\n{\"s\": {\"0\": \"a\"}, \"o\": {}}",
        "sep=;\nsubject;object;template\nChad;\"['x', \"\"y\"\"]\";{} is\n/m/0a;;%s\n",
    ];
    let pieces = [
        "{", "}", "[", "]", "\"", "'", ",", ":", "\n", "\r", "{}", "[X]", "NaN", "\\", "\u{feff}",
        "\u{200b}", "0", "null", "subject", "e\u{301}",
    ];
    let mut random = 1_u32;
    let mut below = |n: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % n
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts");
    for nth in 0..600 {
        let mut text: Vec<char> = files[nth % files.len()].chars().collect();
        for _ in 0..=below(4) {
            let at = below(text.len());
            let piece = pieces[below(pieces.len())].chars();
            let end = at + below(text.len() - at).min(below(12));
            text.splice(at..end, piece);
        }
        fs::write(&path, text.iter().collect::<String>()).unwrap();
        if let Ok(dataset) = Dataset::load(&path) {
            assert!(!dataset.records.is_empty());
            for record in &dataset.records {
                assert!(record.fact.is_whole() && record.fact.subject_text().is_some());
                assert!(dataset.case(&record.id).is_ok());
            }
        }
    }
}

/// A pipe that nobody writes to, and a device without an end, would be read for ever.
#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_in_the_place_of_a_file_is_refused() {
    use std::path::Path;
    use std::process::Command;
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("facts.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), Path::new("/dev/zero")] {
        for error in [
            Dataset::load(path).unwrap_err().to_string(),
            factscope::session::Session::load(path).err().unwrap().to_string(),
            factscope::text_file::read(path).unwrap_err(),
        ] {
            assert!(error.contains("a pipe or a device"), "{error}");
        }
    }
}

#[test]
fn a_file_that_is_called_json_and_is_neither_that_nor_a_table_is_told_where() {
    let error = read("facts.json", "this is { not json\n").unwrap_err();
    holds(&error, &["JSON", "line 1"]);
    // A table is read whatever it is called.
    let table = "subject,object,relation\nChad,N'Djamena,P36\n";
    assert_eq!(read("facts.json", table).unwrap().records.len(), 1);
    let error = read("facts.csv", "this is { not json\n").unwrap_err();
    holds(&error, &["the table needs columns"]);
}
