//! What stands in one cell of a table.

use factscope::facts::RecordPlace;
use serde_json::json;

use super::{asked, oslo, read, refused};

#[test]
fn a_quotation_mark_out_of_place_does_not_swallow_other_rows() {
    let head = "subject,object,prompt\nPeru,Lima,The capital of Peru is\n";
    for (row, reason) in [
        (
            "Ghana,Accra,\"The capital of Ghana is\nMali,Bamako,The capital of Mali is\n",
            "lines 3 to 4 were taken for one row, because a quotation mark in line 3 is never closed",
        ),
        ("\"Ghana,Accra,The capital of Ghana is\n", "never closed"),
        ("\"He said \\\"hi\\\"\",x,He said hi to\n", "behind its closing mark"),
        ("\"Ghana\" land,Accra,The capital of Ghana land is\n", "behind its closing mark"),
    ] {
        let dataset = read("facts.csv", format!("{head}{row}")).unwrap();
        assert_eq!(dataset.records.len(), 1, "{row}");
        assert_eq!(dataset.skipped[0].place, RecordPlace::Line(3));
        assert!(dataset.skipped[0].reason.contains(reason), "{}", dataset.skipped[0]);
    }
    // Doubled marks, marks within a word and line ends within a cell are as they should be.
    let rows =
        "\"A \"\"B\"\" C\",x,\"A \"\"B\"\" C\n is\"\n5\" pipe,y,A 5\" pipe is\nPeru,\"Lima\"\r\n";
    let dataset = read("facts.csv", format!("{head}{rows}")).unwrap();
    assert_eq!(dataset.records[1].fact.prompt, "A \"B\" C\n is");
    assert_eq!(dataset.records[2].fact.prompt, "A 5\" pipe is");
    assert!(dataset.skipped[0].reason.contains("2 cells"), "{}", dataset.skipped[0]);
}

#[test]
fn rows_that_an_open_quotation_mark_swallows_are_counted() {
    let row = |nth: u32| format!("Land {nth},Town {nth},The capital of Land {nth} is\n");
    let head = format!("subject,object,prompt\n{}", row(0));
    let rest: String = (1..=10_000).map(row).collect();
    let never = format!("{head}\"Egypt,Cairo,The capital of Egypt is\n{rest}");
    let dataset = read("facts.csv", never).unwrap();
    assert_eq!((dataset.records.len(), dataset.n_skipped()), (1, 10_001));
    let reading = dataset.reading();
    let says = "and 9991 more: lines 3 to 10003 were taken for one row, because a quotation mark in line 3 ";
    assert!(reading.contains(says), "{reading}");
    // A later mark closes the cell: before a comma, where all looks as it should, or within a word.
    for closes in
        ["Mali,Bamako,The capital of Mali is\",x,y\n", "Mali,\"Bamako\",The capital of Mali is\n"]
    {
        let rows: String = (1..=20).map(row).collect();
        let open =
            format!("{head}\"Egypt,Cairo,The capital of Egypt is\n{rows}{closes}{}", row(30));
        let dataset = read("facts.csv", open).unwrap();
        assert_eq!((dataset.records.len(), dataset.n_skipped()), (2, 22), "{}", dataset.reading());
        assert_eq!(dataset.skipped[21].place, RecordPlace::Line(24));
        assert!(dataset.reading().contains("lines 3 to 24"), "{}", dataset.reading());
    }
    // A text of several lines with commas of its own is a text.
    let text = format!(
        "{head}Mali,Bamako,\"One, two,\nthree,\nfour, five, six\nThe capital of Mali is\"\n"
    );
    assert_eq!(read("facts.csv", text).unwrap().records.len(), 2);
}

#[test]
fn the_line_below_a_header_of_markdown_is_no_record() {
    let table = "| subject | object | template |\n|---|:--|---|\n| Norway | Oslo | The capital of {} is |\n";
    let dataset = read("facts.txt", table).unwrap();
    assert!(dataset.skipped.is_empty());
    assert!(dataset.reading().contains("subject = `subject`"), "{}", dataset.reading());
    assert_eq!(asked("facts.md", table), oslo());
}

#[test]
fn numbers_stand_as_the_file_has_them() {
    let text = r#"[{"s": 12345678901234567890123, "o": 3.10, "template": "{} is"},
        {"s": "x", "o": 5.0, "template": "{} is"}, {"s": "y", "o": [1985, 1986], "template": "{} is"}]"#;
    let facts = asked("facts.json", text);
    assert_eq!(facts[0], ("12345678901234567890123 is".to_owned(), "3.10".to_owned()));
    assert_eq!((&*facts[1].1, &*facts[2].1), ("5", "1985"));
}

#[test]
fn a_list_that_python_prints_is_one_in_any_brackets() {
    for (printed, answers) in [
        ("('Oslo', 'Bergen')", vec!["Oslo", "Bergen"]),
        ("{'Oslo', \"Bergen\"}", vec!["Oslo", "Bergen"]),
        ("('Oslo',)", vec!["Oslo"]),
        ("['Oslo', None, nan]", vec!["Oslo"]),
        ("[1985, 1986]", vec!["1985", "1986"]),
        ("[Oslo, Bergen]", vec!["[Oslo, Bergen]"]),
        ("(1985)", vec!["(1985)"]),
        ("('Til Tuesday)", vec!["('Til Tuesday)"]),
    ] {
        let row = json!([{"s": "Kari", "o": printed, "template": "{} likes"}]);
        assert_eq!(read("facts.json", row.to_string()).unwrap().records[0].answers, answers);
    }
}

/// Tables hold what JSON has as lists and objects in the form in which a program prints them.
#[test]
fn what_python_and_numpy_print_in_a_cell_is_what_it_was() {
    let head = "subject,object,template\n";
    for printed in [
        r#""{'str': 'Oslo', 'id': 'Q585'}""#,
        r#""{""str"": ""Oslo"", ""id"": null, ""rank"": 1.5}""#,
        r#""{'id': 'Q585', 'name': None, 'label': 'Oslo'}""#,
        r#""array(['Oslo'], dtype=object)""#,
        r#""array(['Oslo',\n       'Kristiania'], dtype='<U10')""#,
        r#""[{'str': 'Oslo'}, {'str': 'Kristiania'}]""#,
        r#""['Oslo' 'Kristiania']""#,
    ] {
        let printed = printed.replace("\\n", "\n");
        let file = format!("{head}Norway,{printed},The capital of {{}} is\n");
        assert_eq!(asked("facts.csv", file), oslo(), "{printed}");
    }
    // Words in brackets are words.
    for (object, answer) in [
        (r#""{'a'"#.to_owned() + "\"", "{'a'"),
        ("[sic]".to_owned(), "[sic]"),
        ("(1984)".to_owned(), "(1984)"),
        ("{1984}".to_owned(), "{1984}"),
        (r#""['[1984]']""#.to_owned(), "[1984]"),
        (r#""array(1)""#.to_owned(), "array(1)"),
    ] {
        let file = format!("{head}Norway,{object},The capital of {{}} is\n");
        assert_eq!(asked("facts.csv", file)[0].1, answer);
    }
    // Without a name it says nothing.
    let file = format!("{head}Norway,\"{{'id': 'Q585'}}\",The capital of {{}} is\n");
    refused(
        "facts.csv",
        file,
        &["the answer is an object without a name: it has none of `str`, `label`"],
    );

    let rewrite = "{'prompt': 'The capital of {} is', 'relation_id': 'P36', 'target_new': {'str': 'Rome', \
                   'id': 'Q220'}, 'target_true': {'str': 'Oslo', 'id': 'Q585'}, 'subject': 'Norway'}";
    for rewrite in [rewrite.to_owned(), format!("[{rewrite}]")] {
        let dataset =
            read("cf.csv", format!("case_id,requested_rewrite\n7,\"{rewrite}\"\n")).unwrap();
        let record = &dataset.records[0];
        assert_eq!((&*record.id, record.fact.foil.as_deref()), ("7", Some("Rome")));
        assert_eq!(record.fact.answer.as_deref(), Some("Oslo"));
    }
}

#[test]
fn quotation_marks_around_cells_are_read_as_programs_write_them() {
    let spaced = "subject, object, template\n\"Norway\", \"Oslo\", \"The capital of {} is\"\n";
    assert_eq!(asked("facts.csv", spaced), oslo());
    let comma = "subject, object, template\n\"Norway\", \"Oslo, city\", \"The capital of {} is\"\n";
    assert_eq!(asked("facts.csv", comma)[0].1, "Oslo, city");
    let single = "subject,object,template\n'Norway','Oslo','The capital of {} is'\n";
    assert_eq!(asked("facts.csv", single), oslo());
    // As spreadsheets keep a text a text.
    let formula = "subject,object,template\nNorway,\"=\"\"Oslo\"\"\",The capital of {} is\n";
    assert_eq!(asked("facts.csv", formula), oslo());
    let rules = "subject|object|template\n-------+------+--------\nNorway|Oslo|The capital of {} is\n-------+------+--------\n";
    let dataset = read("facts.txt", rules).unwrap();
    assert!(dataset.skipped.is_empty(), "{}", dataset.reading());
}

#[test]
fn a_value_that_a_program_writes_for_none_is_none() {
    for missing in
        ["\\N", "-nan", "1.#QNAN", "-1.#IND", "(null)", "nil", "set()", "()", "{}", "[]", "#NUM!"]
    {
        let table = format!("subject,object,relation\nNorway,{missing},P36\n");
        refused("f.csv", table, &["the object, which is the answer, is empty"]);
    }
    for word in ["-", "--", ".", "?", "unknown", "Missing", "na", "—"] {
        let table = format!("subject,object,relation\nNorway,{word},P36\n");
        let reading = read("f.csv", table).unwrap().reading();
        assert!(reading.contains("1 text that may say that there is none"), "{word}: {reading}");
    }
    for word in ["NA", "Na", "N", "-7", "A.", "Unknown Pleasures"] {
        let table = format!("subject,object,relation\nNorway,{word},P36\n");
        let reading = read("f.csv", table).unwrap().reading();
        assert!(!reading.contains("there is none"), "{word}: {reading}");
    }
}

#[test]
fn what_python_and_r_print_with_the_name_of_a_type_is_what_it_was() {
    for (printed, answers) in [
        ("np.str_('Oslo')", vec!["Oslo"]),
        ("[np.str_('Oslo'), np.str_('Bergen')]", vec!["Oslo", "Bergen"]),
        ("[u'Oslo', u\"Bergen\"]", vec!["Oslo", "Bergen"]),
        ("b'Oslo'", vec!["Oslo"]),
        ("frozenset({'Oslo'})", vec!["Oslo"]),
        ("set(['Oslo'])", vec!["Oslo"]),
        ("dict_keys(['Oslo', 'Bergen'])", vec!["Oslo", "Bergen"]),
        ("c(\"Oslo\", \"Bergen\")", vec!["Oslo", "Bergen"]),
        ("b'Oslo' and more", vec!["b'Oslo' and more"]),
        ("set(1)", vec!["set(1)"]),
        ("c(Oslo)", vec!["c(Oslo)"]),
        ("u", vec!["u"]),
    ] {
        let row = json!([{"s": "Kari", "o": printed, "template": "{} likes"}]);
        assert_eq!(read("facts.json", row.to_string()).unwrap().records[0].answers, answers);
    }
}
