//! Records within other objects: read where one reading is possible, and told.

use serde_json::{Value, json};

use super::{asked, oslo, read, refused};

fn norway() -> Value {
    json!({"subject": "Norway", "object": "Oslo", "relation": "P36"})
}

fn egypt() -> Value {
    json!({"subject": "Egypt", "object": "Cairo", "relation": "P36"})
}

fn both() -> Vec<(String, String)> {
    [oslo(), vec![("The capital of Egypt is".to_owned(), "Cairo".to_owned())]].concat()
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

/// RFC 7464: each value has a mark before it and a line's end after it, and may be spread over lines.
#[test]
fn a_text_sequence_is_read_as_lines_are() {
    let spread = |it: &Value| serde_json::to_string_pretty(it).unwrap();
    for text in [
        format!("\u{1e}{}\n\u{1e}{}\n", norway(), egypt()),
        format!("\u{1e}{}\n\u{1e}{}\n", spread(&norway()), spread(&egypt())),
        format!("\u{1e}{}\u{1e}{}", norway(), egypt()),
    ] {
        assert_eq!(asked("f.json", &text), both(), "{text}");
    }
    let text = format!("\u{1e}{}\n\u{1e}{{\"subject\": \n\u{1e}{}\n", norway(), egypt());
    let dataset = read("f.json-seq", text).unwrap();
    assert_eq!((dataset.records.len(), dataset.n_skipped()), (2, 1), "a broken one is left out");
}

#[test]
fn the_name_that_every_record_is_wrapped_in_is_no_id() {
    for name in ["fact", "data", "record", "node", "_source"] {
        let rows = [json!({name: norway()}), json!({name: egypt()})];
        let spread = serde_json::to_string_pretty(&rows[0]).unwrap();
        for text in [
            json!(rows).to_string(),
            json!({"facts": rows}).to_string(),
            lines(&rows),
            format!("{spread}\n{}", rows[1]),
        ] {
            assert_eq!(asked("f.json", &text), both(), "{text}");
            let dataset = read("f.json", &text).unwrap();
            assert_eq!([&*dataset.records[0].id, &*dataset.records[1].id], ["0", "1"], "{text}");
            let reading = dataset.reading();
            assert!(
                reading.contains(&format!("each record is what stands in `{name}`")),
                "{reading}"
            );
            assert!(!reading.contains("occurs"), "{reading}");
        }
    }
    let deep = json!([{"data": {"fact": norway()}}, {"data": {"fact": egypt()}}]).to_string();
    assert_eq!(asked("f.json", &deep), both());
    assert!(read("f.json", &deep).unwrap().reading().contains("stands in `data`, `fact`"));
    let one = read("f.json", json!([{"fact": norway()}]).to_string()).unwrap();
    assert_eq!(one.records[0].id, "0");
    // A relation's name says the relation.
    let bare = |subject: &str, object: &str| json!({"P36": {"subject": subject, "object": object}});
    let rows = json!([bare("Norway", "Oslo"), bare("Egypt", "Cairo")]);
    assert_eq!(asked("f.json", rows.to_string()), both());
}

#[test]
fn names_that_are_of_each_record_alone_are_ids() {
    for text in [
        json!([{"n1": norway()}, {"e1": egypt()}]).to_string(),
        lines(&[json!({"n1": norway()}), json!({"e1": egypt()})]),
        json!([{"n1": norway(), "e1": egypt()}]).to_string(),
        json!({"n1": norway(), "e1": egypt()}).to_string(),
    ] {
        let dataset = read("f.json", &text).unwrap();
        let ids: Vec<&str> = dataset.records.iter().map(|it| &*it.id).collect();
        assert_eq!(dataset.records.len(), 2, "{text}");
        assert!(ids.contains(&"n1") && ids.contains(&"e1"), "{ids:?}: {text}");
    }
}

#[test]
fn what_stands_beside_a_wrapped_record_says_its_id() {
    let rows = json!([{"id": 7, "fact": norway(), "meta": {"source": "x"}},
        {"id": 9, "fact": egypt(), "meta": {"source": "x"}}]);
    let dataset = read("f.json", rows.to_string()).unwrap();
    assert_eq!(dataset.case("9").unwrap().fact.prompt, "The capital of Egypt is");
}

#[test]
fn of_several_records_in_an_entry_none_is_taken() {
    let pair = |a: Value, b: Value| json!({"before": a, "after": b});
    let rows = [pair(norway(), egypt()), pair(egypt(), norway())];
    for text in [json!(rows).to_string(), lines(&rows)] {
        let says = &["there are facts in ", "`after`", "`before`", "file of their own"];
        refused("f.json", text, says);
    }
}

#[test]
fn a_wrapped_record_that_lacks_a_column_is_left_out_with_a_word() {
    let half = json!({"subject": "Peru", "relation": "P36"});
    for rows in [
        json!([{"fact": norway()}, {"fact": half}]),
        json!([{"fact": half}, {"fact": norway()}]),
        json!({"n1": norway(), "p1": half}),
    ] {
        let dataset = read("f.json", rows.to_string()).unwrap();
        assert_eq!((dataset.records.len(), dataset.n_skipped()), (1, 1), "{rows}");
        assert!(dataset.skipped[0].reason.contains("no column for the answer"), "{rows}");
    }
    let rows = json!([{"fact": norway()}, {"fact": null}, {"fact": {}}, {"other": 1}]);
    let dataset = read("f.json", rows.to_string()).unwrap();
    assert_eq!((dataset.records.len(), dataset.n_skipped()), (1, 3), "{}", dataset.reading());
}

#[test]
fn columns_may_be_named_beside_rows() {
    let table = json!({"columns": ["subject", "object", "relation"],
        "rows": [["Norway", "Oslo", "P36"], ["Egypt", "Cairo", "P36"]]});
    assert_eq!(asked("f.json", table.to_string()), both());
    let objects = json!({"columns": ["subject", "object", "relation"], "rows": [norway()]});
    assert_eq!(asked("f.json", objects.to_string()), oslo());
}
