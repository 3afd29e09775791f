//! Datasets on the command line: what their columns are taken for, and which records are left out.

use std::fs;

use tempfile::TempDir;

use crate::support::{TINY, complaint, factscope, json, stdout};

/// A table with two facts, a record without an answer, and one with too few cells.
fn table(dir: &TempDir) -> String {
    let path = dir.path().join("facts.csv");
    let text = "sub,sub_label,obj_label,relation\n/m/0a,Lyon,France,P17\n/m/0b,Paris,,P17\n\
        Rome,Italy\n/m/0c,Oslo,Norway,P17\n";
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn commands_say_what_the_columns_of_a_dataset_are_taken_for() {
    let dir = TempDir::new().unwrap();
    let facts = table(&dir);
    let predict = ["predict", "--model", TINY, "--device", "cpu", "--facts", &facts, "--case", "0"];
    let told = factscope(&predict);
    let told = String::from_utf8(told.stderr).unwrap();
    for part in [
        "subject = `sub_label`, answer = `obj_label`, template from the relation",
        "`sub` holds ids, not names",
        "2 of 4 records; 2 left out: line 3: the object, which is the answer, is empty; line 4: ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(told.matches("sub_label").count(), 1, "{told}");
    let quiet = factscope(&[&predict[..], &["--quiet"]].concat());
    assert!(quiet.stderr.is_empty(), "{}", String::from_utf8_lossy(&quiet.stderr));
    let builtin =
        ["predict", "--model", TINY, "--device", "cpu", "--facts", "builtin", "--case", "2"];
    assert!(factscope(&builtin).stderr.is_empty());

    let found = json(&[&predict[..], &["--json"]].concat());
    let dataset = &found["datasets"][0];
    assert_eq!(dataset["columns"]["subject"]["sub_label"], 2);
    assert_eq!(dataset["columns"]["template"]["from the relation"], 2);
    assert_eq!((&dataset["n_records"], &dataset["n_facts"]), (&4.into(), &2.into()));
    let left_out = dataset["left_out"].as_array().unwrap();
    assert_eq!(left_out.len(), 2);
    assert_eq!(left_out[0]["line"], 3);
    assert!(left_out[1]["reason"].as_str().unwrap().contains("2 cells"), "{dataset}");
}

#[test]
fn an_average_says_which_records_it_cannot_use() {
    let dir = TempDir::new().unwrap();
    let facts = table(&dir);
    let average = [
        "average",
        "--model",
        TINY,
        "--device",
        "cpu",
        "--facts",
        &facts,
        "--kind",
        "mlp",
        "--samples",
        "1",
        "--keep-unknown",
        "--json",
    ];
    let output = factscope(&average);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("2 of 4 records; 2 left out: line 3"), "{told}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["datasets"][0]["left_out"][0]["line"], 3);
}

#[test]
fn a_case_that_cannot_be_used_says_why() {
    let dir = TempDir::new().unwrap();
    let facts = table(&dir);
    let ask = |facts: &str, case: &str| {
        complaint(&[
            "predict", "--model", TINY, "--device", "cpu", "--facts", facts, "--case", case,
        ])
    };
    let told = ask(&facts, "1");
    assert!(told.contains("case 1 was left out: line 3: the object"), "{told}");
    let twice = dir.path().join("twice.csv");
    fs::write(&twice, "id,subject,object,relation\n1,Lyon,France,P17\n1,Oslo,Norway,P17\n")
        .unwrap();
    let twice = twice.to_str().unwrap();
    let told = ask(twice, "1");
    assert!(told.contains("the id 1 occurs 2 times; name one of its records: 1@2, 1@3"), "{told}");
    let one = ["predict", "--model", TINY, "--device", "cpu", "--facts", twice, "--case", "1@3"];
    assert!(stdout(&one).contains("Oslo"));
    let gone = ask("nowhere.json", "1");
    assert_eq!(gone.matches("No such file").count(), 1, "{gone}");
}

/// The reader of Parquet panics at some damaged files.
#[cfg(feature = "parquet")]
#[test]
fn a_damaged_parquet_file_is_one_line_of_complaint() {
    use std::sync::Arc;

    use parquet::data_type::ByteArrayType;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    let dir = TempDir::new().unwrap();
    let path = dir.path().join("facts.parquet");
    let schema = "message facts { required binary subject (UTF8); required binary object (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for text in ["Lyon", "France"] {
        let mut column = group.next_column().unwrap().unwrap();
        let values = [text.as_bytes().to_vec().into()];
        column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    let whole = writer.into_inner().unwrap();
    // The text of the first page is said to be longer than the page.
    let at = whole.windows(8).position(|it| it == b"\x04\0\0\0Lyon").unwrap();
    let mut damaged = whole;
    damaged[at] = 0x7f;
    fs::write(&path, damaged).unwrap();
    let facts = path.to_str().unwrap();
    let told = complaint(&[
        "predict", "--model", TINY, "--device", "cpu", "--facts", facts, "--case", "0",
    ]);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("the Parquet file cannot be read"), "{told}");
}
