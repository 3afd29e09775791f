//! Tables that lie on their side, and rows that are no records.

use super::{asked, oslo, read, refused};

#[test]
fn a_table_whose_rows_are_named_as_columns_should_be_is_told() {
    let says = &["turn it, in pandas with `df.T`"];
    for (name, text) in [
        ("f.csv", ",0,1\nsubject,Norway,Egypt\nobject,Oslo,Cairo\nrelation,P36,P36\n"),
        ("f.tsv", "subject\tNorway\tEgypt\nobject\tOslo\tCairo\nrelation\tP36\tP36\n"),
        ("f.csv", ",0\nid,7\nsubject,Norway\nobject,Oslo\n"),
        (
            "f.json",
            r#"{"columns": [0, 1], "index": ["subject", "object"], "data": [["Norway", "Egypt"],
            ["Oslo", "Cairo"]]}"#,
        ),
        // The other orients of pandas: values, records and table with the index, list.
        ("f.json", r#"[["subject", "Norway", "Egypt"], ["object", "Oslo", "Cairo"]]"#),
        (
            "f.json",
            r#"[{"index": "subject", "0": "Norway", "1": "Egypt"},
            {"index": "object", "0": "Oslo", "1": "Cairo"}]"#,
        ),
        (
            "f.jsonl",
            "{\"index\": \"subject\", \"0\": \"Norway\"}\n{\"index\": \"object\", \"0\": \"Oslo\"}\n",
        ),
        (
            "f.json",
            r#"{"schema": {"fields": [{"name": "index", "type": "string"}]}, "data":
            [{"index": "subject", "0": "Norway"}, {"index": "object", "0": "Oslo"}]}"#,
        ),
        ("f.json", r#"{"index": ["subject", "object"], "0": ["Norway", "Oslo"]}"#),
        (
            "f.json",
            r#"{"index": {"0": "subject", "1": "object"}, "0": {"0": "Norway", "1": "Oslo"}}"#,
        ),
    ] {
        refused(name, text, says);
    }
    refused(
        "f.json",
        r#"[["subject", "Norway"], ["object", "Oslo"]]"#,
        &["write it with `to_json(path, orient=\"records\")`"],
    );
    refused("f.json", r#"[["Norway", "Oslo"], ["Egypt", "Cairo"]]"#, &["`orient=\"records\"`"]);
    // By index, pandas writes of such a table what it writes of another by columns.
    let index =
        r#"{"subject": {"0": "Norway"}, "object": {"0": "Oslo"}, "relation": {"0": "P36"}}"#;
    assert_eq!(asked("f.json", index), oslo());
    let other = read("f.csv", "subject,prompt\nNorway,x\n").unwrap_err();
    assert!(other.contains("the table needs columns"), "{other}");
}

#[test]
fn a_row_of_types_is_no_fact() {
    for types in [
        "string,string,string",
        "STRING,VARCHAR(20),VARCHAR(200)",
        "object,object,object",
        "str,int64,text",
    ] {
        let file =
            format!("subject,object,template\n{types}\nNorway,Oslo,The capital of {{}} is\n");
        assert_eq!(asked("f.csv", &file), oslo(), "{types}");
        let reading = read("f.csv", &file).unwrap().reading();
        assert!(reading.contains("passed over the row of types"), "{reading}");
        assert!(reading.ends_with("1 of 1 record"), "{reading}");
    }
    let fact = "subject,object,template\nstring,text,A {} is\n";
    assert_eq!(asked("f.csv", fact)[0].0, "A string is");
    let later = "subject,object,template\nNorway,Oslo,The capital of {} is\nobject,text,An {} is\n";
    assert_eq!(asked("f.csv", later).len(), 2);
}

#[test]
fn damaged_text_of_windows_and_names_without_an_encoding_are_told() {
    let text = "subject,object,relation\nNorway,Oslo,P36\n";
    let wide = |text: &str| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    assert_eq!(asked("f.csv", wide(text)), oslo());
    for end in [&b"x"[..], b"\x00\xd8"] {
        refused(
            "f.csv",
            [&wide(text), end].concat(),
            &["UTF-16 text with a damaged character", "as UTF-8"],
        );
    }
    refused("f.csv", "subject,object,relation\nNorway,Oslo,P36\n".replace("Os", "\0"), &["NUL"]);
}

/// A result says where its facts come from, in JSON, which has no other than UTF-8 text.
#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_name_is_no_text_is_refused_before_it_is_asked() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(std::ffi::OsStr::from_bytes(b"f\xff.csv"));
    std::fs::write(&path, "subject,object,relation\nNorway,Oslo,P36\n").unwrap();
    let error = factscope::facts::Dataset::load(&path).unwrap_err().to_string();
    assert!(error.contains("rename it") && error.contains(".csv"), "{error}");
}

#[test]
fn the_names_of_the_columns_are_no_fact_where_they_come_again() {
    // As of files that were put behind each other; the file's name tells the relation.
    let table = "subject,object\nNorway,Oslo\nsubject,object\nEgypt,Cairo\n";
    let dataset = read("P36.csv", table).unwrap();
    assert_eq!((dataset.records.len(), dataset.n_skipped()), (2, 1));
    assert!(dataset.skipped[0].reason.contains("repeats the names of the columns"));
    // A comma behind the names is no column that rows must fill.
    for table in [
        "subject,object,relation,\nNorway,Oslo,P36\n",
        "subject,object,relation,,\nNorway,Oslo,P36,\n",
        "#subject,object,relation\nNorway,Oslo,P36\n",
    ] {
        assert_eq!(asked("f.csv", table), oslo(), "{table}");
    }
    refused("f.csv", "subject,object,relation,\nNorway,Oslo\n", &["the row has 2 cells"]);
}
