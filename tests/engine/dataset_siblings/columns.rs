//! Which column holds what.

use factscope::facts::RecordPlace;
use serde_json::json;

use super::{asked, oslo, read, refused};

#[test]
fn splits_by_columns_are_not_one_record_each() {
    let split = |country: &str| json!({"subject": [country], "object": ["x"], "relation": "P36"});
    let splits = json!({"train": split("Norway"), "test": split("Peru")});
    refused("facts.json", splits.to_string(), &["`test` and in `train`"]);
    // One answer does not hold for several subjects.
    let shared = json!({"subject": ["Norway", "Peru"], "object": "Oslo", "relation": "P36"});
    refused("facts.json", shared.to_string(), &["holds 2 subjects"]);
    // An object that names a subject in its own way is one cell.
    let named = json!([{"subject": {"id": "Q20", "surface": "Norway"}, "object": "Oslo",
        "relation": "P36"}]);
    refused("facts.json", named.to_string(), &["the subject is an object without a name"]);
    let several =
        json!({"subject": ["Norway"], "object": ["Oslo", "Kristiania"], "relation": "P36"});
    assert_eq!(asked("facts.json", several.to_string()), oslo());
}

#[test]
fn columns_that_pandas_or_a_program_renames_are_known() {
    assert_eq!(
        asked(
            "f.json",
            r#"[{"subjectLabel": "Norway", "objectLabel": "Oslo", "relationID": "P36"}]"#
        ),
        oslo()
    );
    assert_eq!(
        asked(
            "f.csv",
            "Subject Label,Object Label,Prompt Template\nNorway,Oslo,The capital of {} is\n"
        ),
        oslo()
    );
    assert_eq!(asked("f.csv", "sub_label,obj_label,rel_id\nNorway,Oslo,wdt:P36\n"), oslo());
    let twice = "subject,object,object.1,relation\nNorway,Oslo,Bergen,P36\n";
    refused("f.csv", twice, &["`object` says “Oslo” and `object.1` “Bergen”"]);
    let masked = json!([{"sub": "a dog", "obj": "bone", "pred": "Desires",
        "masked_sentences": ["What a dog wants is a [MASK].", "second"]}]);
    let dataset = read("f.json", masked.to_string()).unwrap();
    assert_eq!(dataset.records[0].fact.prompt, "What a dog wants is a");
    assert!(dataset.reading().contains("of several texts in `masked_sentences`, the first"));
}

#[test]
fn of_two_relations_or_ids_neither_is_taken() {
    refused(
        "f.csv",
        "relation,relation,subject,object\nP36,P38,Norway,Oslo\n",
        &["two columns are called `relation`"],
    );
    refused(
        "f.csv",
        "relation_id,relation,subject,object\nP36,P38,Norway,Oslo\n",
        &["`relation_id` says “P36” and `relation` “P38”"],
    );
    refused(
        "f.csv",
        "id,id,relation,subject,object\n1,2,P36,Norway,Oslo\n",
        &["two columns are called `id`"],
    );
    // A relation's id and its name are one.
    assert_eq!(
        asked("f.csv", "relation_id,relation,subject,object\nP36,capital,Norway,Oslo\n"),
        oslo()
    );
    // An id that the program would give may be taken.
    let rows = json!([{"id": "1@1", "s": "Norway", "o": "x", "relation": "P36"},
        {"id": "1", "s": "Peru", "o": "x", "relation": "P36"},
        {"id": "1", "s": "Mali", "o": "x", "relation": "P36"}]);
    let dataset = read("f.json", rows.to_string()).unwrap();
    assert_eq!(dataset.case("1@1").unwrap().fact.prompt, "The capital of Norway is");
    let ids: std::collections::BTreeSet<&str> = dataset.records.iter().map(|it| &*it.id).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[test]
fn ids_in_numbers_or_in_angle_brackets_are_no_names() {
    let numbers = "subject,subject_label,object,object_label,relation\n20,Norway,585,Oslo,P36\n";
    assert_eq!(asked("f.csv", numbers), oslo());
    assert!(read("f.csv", numbers).unwrap().reading().contains("`subject` holds codes, not names"));
    let uris = "subject,object,relation\n<http://dbpedia.org/resource/Norway>,Oslo,P36\n";
    refused("f.csv", uris, &["holds an id"]);
    // Alone, numbers are names as any other.
    assert_eq!(asked("f.csv", "subject,object,template\n12,24,Twice {} is\n")[0].1, "24");
}

#[test]
fn a_placeholder_for_no_answer_is_no_answer() {
    for missing in ["<|endoftext|>", "N/A", "n/a", "#NA"] {
        let row = json!([{"subject": "Norway", "ground_truth": [missing], "relation": "P36"}]);
        refused("f.json", row.to_string(), &["the object, which is the answer, is empty"]);
    }
}

/// CounterFact as pandas writes it, by columns or as a table.
#[test]
fn rewrites_in_columns_are_one_for_each_row() {
    let rewrite = |subject: &str, answer: &str| {
        json!({"prompt": "The capital of {} is", "relation_id": "P36", "subject": subject,
            "target_true": {"str": answer, "id": "Q1"}, "target_new": {"str": "Rome", "id": "Q220"}})
    };
    let (norway, egypt) = (rewrite("Norway", "Oslo"), rewrite("Egypt", "Cairo"));
    let lists = json!({"requested_rewrite": [norway, egypt], "case_id": [4, 5]});
    let index =
        json!({"case_id": {"0": 4, "1": 5}, "requested_rewrite": {"0": norway, "1": egypt}});
    for columns in [lists, index] {
        let dataset = read("cf.json", columns.to_string()).unwrap();
        let all: Vec<_> =
            dataset.records.iter().map(|it| (&*it.id, it.fact.answer.as_deref())).collect();
        assert_eq!(all, [("4", Some("Oslo")), ("5", Some("Cairo"))]);
    }
    // A record of MQuAKE has several, of which the first is asked.
    let mquake = json!([{"case_id": 4, "requested_rewrite": [norway, egypt]}]);
    let dataset = read("mquake.json", mquake.to_string()).unwrap();
    assert_eq!(dataset.records.len(), 1);
    assert!(dataset.reading().contains("the first is taken"), "{}", dataset.reading());

    let table = "case_id,requested_rewrite.prompt,requested_rewrite.subject,requested_rewrite.target_true.str,\
                 requested_rewrite.target_true.id\n4,The capital of {} is,Norway,Oslo,Q585\n";
    assert_eq!(asked("cf.csv", table), oslo());
    let underscores = table.replace("rewrite.", "rewrite_").replace("true.", "true_");
    assert_eq!(asked("cf.csv", underscores), oslo());
}

#[test]
fn an_id_among_names_leaves_its_row_out() {
    let table = "subject_label,object_label,template\nNorway,Q585,The capital of {} is\n\
                 Norway,Oslo,The capital of {} is\nQ79,Cairo,The capital of {} is\nQ79142,x,{} is\n";
    let dataset = read("facts.csv", table).unwrap();
    let left_out: Vec<_> = dataset.skipped.iter().map(|it| it.place).collect();
    assert_eq!(left_out, [RecordPlace::Line(2), RecordPlace::Line(5)]);
    assert!(dataset.skipped[0].reason.contains("`object_label` holds an id, “Q585”"));
    // A column of right answers says nothing of the subject.
    let popqa = "subj,prop,obj,possible_answers\nQ5543720,occupation,poet,\"[\"\"poet\"\"]\"\n";
    refused("popqa.csv", popqa, &["`subj` holds an id, “Q5543720”"]);
    // zsRE's predictions are no relations, whatever their first letter.
    let zsre = json!([{"subject": "Norway", "src": "What is the capital of Norway?", "pred": "Paris",
        "answers": ["Oslo"]}]);
    assert_eq!(read("zsre.json", zsre.to_string()).unwrap().records[0].relation, None);
    refused(
        "zsre.json",
        json!([{"subject": "Norway", "src": "What is it of Norway?", "answers": []}]).to_string(),
        &["the object, which is the answer, is empty"],
    );
}

#[test]
fn a_second_column_of_a_name_is_known_however_a_program_renames_it() {
    for second in ["object.1", "object (2)", "object(2)", "object_duplicated_0"] {
        let table = format!("subject,object,{second},relation\nNorway,Oslo,Bergen,P36\n");
        refused("f.csv", table, &[&format!("`object` says “Oslo” and `{second}` “Bergen”")]);
        let same = format!("subject,object,{second},relation\nNorway,Oslo,Oslo,P36\n");
        assert_eq!(asked("f.csv", same), oslo());
    }
    // These may have a meaning of their own.
    for second in ["object_1", "object2", "object_right", "Object_2"] {
        let table = format!("subject,object,{second},relation\nNorway,Oslo,Bergen,P36\n");
        let says = format!("`{second}` is not read beside `object`");
        let reading = read("f.csv", table).unwrap().reading();
        assert!(reading.contains(&says), "{reading}");
        let same = format!("subject,object,{second},relation\nNorway,Oslo,Oslo,P36\n");
        assert!(!read("f.csv", same).unwrap().reading().contains(&says));
    }
    for other in ["objection", "year_1", "note2"] {
        let table = format!("subject,object,{other},relation\nNorway,Oslo,Bergen,P36\n");
        assert!(!read("f.csv", table).unwrap().reading().contains("is not read"));
    }
}
