//! Ids and codes beside names, and ids of records that are numbers.

use serde_json::json;

use super::{asked, oslo, read, refused};

const TEMPLATE: &str = "The capital of {} is";

#[test]
fn codes_of_any_kind_beside_names_are_passed_over() {
    for (subject, object) in [
        ("3f2b8c1e-9d4a-4f6b-8a7c-1e2d3c4b5a69", "550e8400-e29b-41d4-a716-446655440000"),
        ("9f86d081884c7d659a2feaa0c55ad015", "e3b0c44298fc1c149afbf4c8996fb924"),
        ("-1", "-2"),
        ("1.50", "2.5"),
        ("1e3", "2e3"),
        ("0x1f", "0x2a"),
        ("n123", "n456"),
        ("ent_12", "ent_13"),
        ("wn:07846", "wn:07847"),
        ("1,234", "5,678"),
    ] {
        let table = format!(
            "subject,subject_label,object,object_label,template\n\"{subject}\",Norway,\"{object}\",Oslo,{TEMPLATE}\n"
        );
        assert_eq!(asked("f.csv", &table), oslo(), "{subject}");
        let reading = read("f.csv", &table).unwrap().reading();
        assert!(
            reading.contains("`subject` holds") && reading.contains("`object` holds"),
            "{reading}"
        );
    }
    // Words that differ are no codes.
    let table = format!("subject,subject_label,object,template\nnorge,Norway,Oslo,{TEMPLATE}\n");
    refused("f.csv", table, &["`subject` says “norge” and `subject_label` “Norway”"]);
}

#[test]
fn an_id_of_several_parts_is_all_of_them() {
    let record = |subject: &str, object: &str, ids: [u32; 2]| json!({"subject": subject, "object": object, "relation": "P36", "case_id": ids});
    let rows = json!([record("Norway", "Oslo", [1, 2]), record("Egypt", "Cairo", [1, 3])]);
    let dataset = read("f.json", rows.to_string()).unwrap();
    assert_eq!([&*dataset.records[0].id, &*dataset.records[1].id], ["1+2", "1+3"]);
}

#[test]
fn hashes_are_no_names_and_codes_alone_are() {
    for id in ["3f2b8c1e-9d4a-4f6b-8a7c-1e2d3c4b5a69", "9f86d081884c7d659a2feaa0c55ad015"] {
        let table = format!("subject,object,template\n{id},Oslo,{TEMPLATE}\n");
        refused("f.csv", table, &["`subject` holds an id"]);
        let table = format!("subject,object,template\nNorway,{id},{TEMPLATE}\n");
        refused("f.csv", table, &["`object` holds an id"]);
    }
    for name in ["U2", "7-Eleven", "Boeing-747", "1984", "B12", "--------------------------------"]
    {
        let table = format!("subject,object,template\n{name},{name},The kind of {{}} is\n");
        assert_eq!(asked("f.csv", table)[0].1, name);
    }
}

#[test]
fn an_id_that_is_the_same_number_is_told() {
    let table =
        "id,subject,object,relation\n1.50,Norway,Oslo,P36\n1e3,Egypt,Cairo,P36\n007,Mali,x,P36\n";
    let dataset = read("f.csv", table).unwrap();
    for (asked, is) in [("1.5", "1.50"), ("1000", "1e3"), ("7", "007")] {
        let error = dataset.case(asked).unwrap_err().to_string();
        assert!(error.contains(&format!("but {is}, which is the same number")), "{error}");
        assert!(dataset.case(is).is_ok());
    }
    let error = dataset.case("8").unwrap_err().to_string();
    assert!(error.contains("begin with 1.50, 1e3, 007"), "{error}");
}
