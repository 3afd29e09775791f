//! Facts: the files that they are read from, their subjects and the templates they are asked with.

use std::collections::BTreeSet;
use std::fs;

use factscope::facts::{
    Catalogue, Dataset, DatasetError, Fact, InverseOrigin, Record, RecordPlace,
};
use serde_json::{Value, json};

const GOOD: &str = r#"{"case_id": 7, "requested_rewrite": {"prompt": "The mother tongue of {} is",
    "relation_id": "P103", "target_new": {"str": "English"}, "target_true": {"str": "French"},
    "subject": "Danielle Darrieux"}}"#;

/// What the program reads from a file with this text.
fn parse(text: &str) -> Result<Dataset, DatasetError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.json");
    fs::write(&path, text).unwrap();
    Dataset::load(&path)
}

#[test]
fn a_bad_record_is_named_and_the_rest_load() {
    let dataset = parse(&format!(r#"[{{"case_id": 1}}, {GOOD}]"#)).unwrap();
    assert_eq!(dataset.records.len(), 1);
    assert_eq!(dataset.skipped[0].place, RecordPlace::Index(0));
    let fact = &dataset.find("7").unwrap().fact;
    assert_eq!(fact.prompt, "The mother tongue of Danielle Darrieux is");
    assert_eq!(fact.subject_text(), Some("Danielle Darrieux"));
    assert_eq!(fact.foil.as_deref(), Some("English"));
}

#[test]
fn known_facts_are_told_by_their_fields() {
    let dataset = parse(
        r#"[{"known_id": 0, "subject": "Vinson Massif", "attribute": "Antarctica",
            "prompt": "Vinson Massif is located in the continent of"}]"#,
    )
    .unwrap();
    assert_eq!(dataset.records[0].fact.answer.as_deref(), Some("Antarctica"));
    assert_eq!(dataset.records[0].fact.subject, Some(0..13));
}

#[test]
fn an_inverse_is_taken_from_the_catalogue_if_the_file_has_none() {
    let other = GOOD.replace("Danielle Darrieux", "Edith Piaf").replace('7', "8");
    let dataset = parse(&format!("[{GOOD}, {other}]")).unwrap();
    let inverse = dataset.records[0].inverse.as_ref().unwrap();
    assert_eq!(inverse.origin, InverseOrigin::Generated);
    assert_eq!(inverse.fact.subject_text(), Some("French"));
    assert_eq!(*inverse.answers, ["Danielle Darrieux", "Edith Piaf"]);
    // A relation that the catalogue does not have gives none.
    let unknown = GOOD.replace("P103", "P999999");
    assert_eq!(parse(&format!("[{unknown}]")).unwrap().records[0].inverse, None);
}

const CSV: &str = "subject,object,template,inverse_template\nFrance,Paris,The capital of {} \
                   is,{} is the capital of\n";

#[test]
fn a_table_may_have_any_delimiter_a_mark_and_windows_line_ends() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = CSV.replace(',', delimiter).replace('\n', "\r\n");
        let dataset = parse(&format!("\u{feff}{text}")).unwrap();
        let record = &dataset.records[0];
        assert_eq!(record.fact.prompt, "The capital of France is");
        let inverse = record.inverse.as_ref().unwrap();
        assert_eq!(inverse.fact.prompt, "Paris is the capital of");
        assert_eq!(inverse.origin, InverseOrigin::File);
    }
}

#[test]
fn a_bad_row_is_named_by_its_line_though_a_cell_has_a_line_end() {
    let text = format!("{CSV}Peru,Lima,\"The capital\nof {{}} is\",\nItaly,Rome\n");
    let dataset = parse(&text).unwrap();
    assert_eq!(dataset.records.len(), 2);
    assert_eq!(dataset.skipped[0].place, RecordPlace::Line(5));
    assert!(dataset.skipped[0].reason.contains("2 cells"), "{}", dataset.skipped[0]);
}

#[test]
fn a_table_without_facts_says_what_it_lacks() {
    let Err(error @ DatasetError::Columns { .. }) = parse("name,age\nAnn,7\n") else {
        panic!("no facts");
    };
    let text = error.to_string();
    assert!(text.contains("name, age") && text.contains("subject"), "{text}");
}

#[test]
fn json_lines_may_mix_records_and_report_the_bad_one() {
    let flat = r#"{"subject": "Peru", "object": "Lima", "relation": "P36"}"#;
    let good = GOOD.replace('\n', " ");
    let dataset = parse(&format!("{good}\n{{\"case_id\": \n\n{flat}\n")).unwrap();
    assert_eq!(dataset.records.len(), 2);
    assert_eq!(dataset.skipped[0].place, RecordPlace::Line(2));
    let inverse = dataset.records[1].inverse.as_ref().unwrap();
    assert_eq!(inverse.origin, InverseOrigin::Generated);
    // One line alone is a file too.
    assert_eq!(parse(flat).unwrap().records.len(), 1);
}

#[test]
fn a_relation_file_of_lre_gives_its_samples() {
    let dataset = parse(
        r#"{"name": "country language", "prompt_templates": ["People in {} speak"],
            "properties": {"symmetric": false}, "samples": [
            {"subject": "Peru", "object": "Spanish"}, {"subject": "Peru"},
            {"subject": "Peru", "object": "Quechua"}]}"#,
    )
    .unwrap();
    assert_eq!(dataset.skipped[0].place, RecordPlace::Index(1));
    assert_eq!(dataset.records[0].answers, ["Spanish", "Quechua"]);
    assert_eq!(dataset.records[0].fact.prompt, "People in Peru speak");
    assert_eq!(dataset.records[0].relation.as_deref(), Some("P37"));
    assert!(dataset.records[0].inverse.is_some());
}

#[test]
fn files_that_are_no_text_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.json");
    fs::write(&path, b"\x1f\x8b\x08").unwrap();
    assert!(Dataset::load(&path).unwrap_err().to_string().contains("unpack"));
    fs::write(&path, b"subject,object\nZ\xfcrich,x\n").unwrap();
    let Err(DatasetError::NotUtf8 { line, .. }) = Dataset::load(&path) else {
        panic!("Latin-1 is not UTF-8");
    };
    assert_eq!(line, 2);
}

#[test]
fn files_of_no_use_say_why() {
    assert!(matches!(parse(" \n"), Err(DatasetError::Empty { .. })));
    assert!(matches!(parse("{"), Err(DatasetError::Json { .. })));
    assert!(matches!(parse("{}"), Err(DatasetError::NoFacts { .. })));
    assert!(matches!(parse("[]"), Err(DatasetError::Empty { .. })));
    assert!(matches!(parse("[1, 2]"), Err(DatasetError::NoneUsable { n_records: 2, .. })));
}

#[test]
fn a_template_without_a_slot_is_reported() {
    let text = format!("[{}]", GOOD.replace("{}", "her"));
    let Err(DatasetError::NoneUsable { skipped, .. }) = parse(&text) else {
        panic!("the record must be refused");
    };
    assert!(skipped[0].reason.contains("`{}`"), "{}", skipped[0]);
}

/// The fact in a file with one row, or the reason why there is none.
fn read(row: &Value) -> Result<Record, String> {
    match parse(&json!([row]).to_string()) {
        Ok(dataset) => Ok(dataset.records[0].clone()),
        Err(DatasetError::NoneUsable { skipped, .. }) => Err(skipped[0].reason.clone()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn columns_go_by_many_names() {
    let row = json!({"Sub_Label": "Ankara", "OBJ": " Turkey", "Prompt": "[X] is in [Y].",
        "counterfactuals": "['Italy', \"Côte d'Ivoire\"]", "uuid": 7, "noise": "x"});
    let record = read(&row).unwrap();
    assert_eq!(record.fact.prompt, "Ankara is in");
    assert_eq!(record.fact.answer.as_deref(), Some("Turkey"));
    assert_eq!(record.fact.foil.as_deref(), Some("Italy"));
    assert_eq!((record.id.as_str(), record.inverse), ("7", None));
}

#[test]
fn in_an_inverse_the_roles_are_swapped() {
    let row = json!({"fact": "{subject} is the capital of {obj}", "subject": "Paris",
        "obj": "France", "inv_fact": "{subject}'s capital is {obj}"});
    let record = read(&row).unwrap();
    let inverse = record.inverse.unwrap();
    assert_eq!(record.fact.prompt, "Paris is the capital of");
    assert_eq!(inverse.fact.prompt, "France's capital is");
    assert_eq!(inverse.fact.answer.as_deref(), Some("Paris"));
}

#[test]
fn a_relation_brings_the_template_that_is_missing() {
    let row = json!({"s": "France", "o": "Paris", "relation": "Capital"});
    let record = read(&row).unwrap();
    assert_eq!(record.fact.prompt, "The capital of France is");
    assert_eq!(record.relation.as_deref(), Some("P36"));
    let row = json!({"s": "France", "o": "Paris", "relation": "P999999"});
    assert!(read(&row).unwrap_err().contains("P999999"));
}

#[test]
fn several_objects_are_all_right() {
    let row = json!({"subject": "Peru", "object": ["Spanish", "Quechua"],
        "prompt": "In Peru they speak"});
    assert_eq!(read(&row).unwrap().answers, ["Spanish", "Quechua"]);
}

#[test]
fn what_cannot_be_asked_says_why() {
    let reason = |row: Value| read(&row).unwrap_err();
    let row = json!({"s": "Ankara", "o": "Turkey", "template": "The capital of [Y] is [X]."});
    assert!(reason(row).contains("must come last"));
    let row = json!({"s": "Ankara", "o": "Turkey", "prompt": "Rome is in"});
    assert!(reason(row).contains("does not occur"));
    assert!(reason(json!({"s": "Ankara", "o": " "})).contains("is empty"));
}

#[test]
fn a_subject_is_found_as_a_word_before_it_is_found_inside_one() {
    let fact = Fact::from_text("Educated Ed lives with Ed in", Some("Ed")).unwrap();
    assert_eq!(fact.subject, Some(9..11));
}

#[test]
fn a_subject_may_start_the_prompt_and_occur_twice() {
    let fact = Fact::from_text("Paris is the city of Paris", Some("Paris")).unwrap();
    assert_eq!(fact.subject, Some(0..5));
}

#[test]
fn a_template_knows_its_slot_even_if_the_words_occur_earlier() {
    let fact = Fact::from_template("Rome, like {}, is in", "Rome").unwrap();
    assert_eq!(fact.subject, Some(11..15));
    assert_eq!(fact.subject_text(), Some("Rome"));
}

#[test]
fn a_missing_or_empty_subject_is_an_error() {
    assert!(Fact::from_text("The sea is", Some("Paris")).is_err());
    assert!(Fact::from_text("The sea is", Some("")).is_err());
}

#[test]
fn every_template_has_its_slot_and_belongs_to_one_relation() {
    let mut seen = BTreeSet::new();
    for relation in Catalogue::bundled().iter() {
        for templates in [&relation.forward, &relation.inverse] {
            assert!(templates.len() >= 4, "{}", relation.id);
            for template in templates {
                assert_eq!(template.matches("{}").count(), 1, "{template}");
                assert_eq!(template.trim(), template);
                assert!(seen.insert(template), "twice: {template}");
            }
        }
    }
    // The catalogue has the relations of CounterFact, of which these are some.
    for id in ["P17", "P30", "P36", "P103", "P190", "P1412"] {
        assert!(Catalogue::bundled().get(id).is_some(), "{id}");
    }
}
