//! Tables, records and pairs in the forms of pandas and of published datasets.

use factscope::facts::Dataset;
use factscope::facts::Direction;
use factscope::facts::Part;
use factscope::facts::Record;

use super::{asked, fact, holds, only, pair, read, refused};

#[test]
fn tables_as_json_may_go_by_rows_or_by_columns() {
    let t = "The capital of {} is";
    let forms = [
        // The orients of pandas: list, columns, index, split, records, table.
        format!(
            r#"{{"subject": ["Chad", "Mali"], "object": ["N'Djamena", "Bamako"],
            "template": ["{t}", "{t}"]}}"#
        ),
        format!(
            r#"{{"subject": {{"7": "Chad", "9": "Mali"}}, "object": {{"7": "N'Djamena",
            "9": "Bamako"}}, "template": {{"7": "{t}", "9": "{t}"}}}}"#
        ),
        format!(
            r#"{{"7": {{"subject": "Chad", "object": "N'Djamena", "template": "{t}"}},
            "9": {{"subject": "Mali", "object": "Bamako", "template": "{t}"}}}}"#
        ),
        format!(
            r#"{{"columns": ["subject", "object", "template"], "index": [7, 9],
            "data": [["Chad", "N'Djamena", "{t}"], ["Mali", "Bamako", "{t}"]]}}"#
        ),
        format!(
            r#"[{{"subject": "Chad", "object": "N'Djamena", "template": "{t}"}},
            {{"subject": "Mali", "object": "Bamako", "template": "{t}"}}]"#
        ),
        format!(
            r#"{{"schema": {{"fields": [{{"name": "subject", "type": "string"}}]}}, "data":
            [{{"index": 0, "subject": "Chad", "object": "N'Djamena", "template": "{t}"}},
            {{"index": 1, "subject": "Mali", "object": "Bamako", "template": "{t}"}}]}}"#
        ),
        // What all rows share stands beside them.
        format!(
            r#"{{"template": "{t}", "subject": ["Chad", "Mali"],
            "object": ["N'Djamena", "Bamako"]}}"#
        ),
        format!(
            r#"{{"info": {{"version": 1}}, "facts": {{"template": "{t}", "rows": [
            {{"subject": "Chad", "object": "N'Djamena"}},
            {{"subject": "Mali", "object": "Bamako"}}]}}}}"#
        ),
        // The rows of Hugging Face's viewer, a header with rows, and lines of columns.
        format!(
            r#"{{"features": [{{"feature_idx": 0, "name": "subject"}}], "rows": [{{"row_idx": 0,
            "row": {{"subject": "Chad", "object": "N'Djamena", "template": "{t}"}}}}, {{"row_idx": 1,
            "row": {{"subject": "Mali", "object": "Bamako", "template": "{t}"}}}}]}}"#
        ),
        format!(
            r#"[["subject", "object", "template"], ["Chad", "N'Djamena", "{t}"],
            ["Mali", "Bamako", "{t}"]]"#
        ),
        format!(
            "{}\n{}\n",
            r#"{"subject": ["Chad"], "object": ["N'Djamena"], "template": ["The capital of {} is"]}"#,
            r#"{"subject": ["Mali"], "object": ["Bamako"], "template": ["The capital of {} is"]}"#
        ),
        // Objects that follow one another, each over several lines.
        format!(
            "{{\"subject\": \"Chad\",\n\"object\": \"N'Djamena\", \"template\": \"{t}\"}}\n\n\
            {{\"subject\": \"Mali\",\n\"object\": \"Bamako\", \"template\": \"{t}\"}}"
        ),
        // By relation.
        r#"{"capital": [{"subject": "Chad", "object": "N'Djamena"},
            {"subject": "Mali", "object": "Bamako"}]}"#
            .to_owned(),
    ];
    for form in forms {
        assert_eq!(asked(&form), pair(), "{form}");
    }
}

#[test]
fn the_keys_of_rows_are_their_ids() {
    let text = r#"{"a7": {"subject": "Chad", "object": "N'Djamena", "relation": "P36"},
        "b9": {"subject": "Mali", "object": "Bamako", "relation": "P36"}}"#;
    let dataset = read("facts.json", text).unwrap();
    assert_eq!(dataset.find("b9").unwrap().fact.prompt, "The capital of Mali is");
}

#[test]
fn tables_that_do_not_fit_together_are_refused() {
    let short = r#"{"subject": ["Chad", "Mali"], "object": ["N'Djamena"], "relation": "P36"}"#;
    holds(&refused(short), &["`object`", "1 and 2"]);
    let splits = r#"{"train": [{"subject": "Chad", "object": "N'Djamena"}],
        "test": [{"subject": "Mali", "object": "Bamako"}]}"#;
    holds(&refused(splits), &["`train` and in `test`"]);
    holds(&refused(r#"[["Chad", "N'Djamena"]]"#), &["without the names of columns"]);
    holds(&refused(r#"{"a": 1, "b": "x"}"#), &["an object with `a`, `b`"]);
}

#[test]
fn lines_before_the_header_are_passed_over_and_told() {
    let rows = "subject;object;template\nChad;Africa;{} lies in\n";
    for before in
        ["sep=;\n", "sep=;\r\n", "My facts;;\n;;\n", "# made by hand\n\n", "Title\nSub, title\n"]
    {
        let text = format!("{before}{rows}");
        assert_eq!(only(&text), fact("Chad lies in", "Africa"), "{before:?}");
        holds(&read("facts.csv", &text).unwrap().reading(), &["before the names of the columns"]);
    }
    for delimiter in [",", "\t", "|", ";"] {
        let text = format!("\u{feff}{}", rows.replace(';', delimiter));
        assert_eq!(only(&text), fact("Chad lies in", "Africa"));
    }
    // Excel's Unicode text.
    for bom in [[0xff, 0xfe], [0xfe, 0xff]] {
        let unit = |it: u16| if bom[0] == 0xff { it.to_le_bytes() } else { it.to_be_bytes() };
        let units = rows.replace(';', "\t").encode_utf16().flat_map(unit).collect::<Vec<_>>();
        let dataset = read("facts.txt", [&bom[..], &units].concat()).unwrap();
        assert_eq!(dataset.records[0].fact.prompt, "Chad lies in");
    }
}

#[test]
fn other_files_say_what_they_are_and_what_to_do() {
    let zip = |inside: &str| [b"PK\x03\x04", &[0; 26][..], inside.as_bytes()].concat();
    for (bytes, what, remedy) in [
        (zip("xl/workbook.xml"), "Excel workbook", "as CSV"),
        (zip("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"), "OpenDocument", "as CSV"),
        (zip("archive/data.pkl"), "PyTorch", "JSON or CSV"),
        (zip("facts.csv"), "zip archive", "unpack"),
        (b"\x1f\x8b\x08".to_vec(), "gzip", "unpack"),
        (b"BZh91AY".to_vec(), "bzip2", "unpack"),
        (b"\xfd7zXZ\0\0".to_vec(), "xz archive", "unpack"),
        (b"\x28\xb5\x2f\xfd\x04".to_vec(), "zstd", "unpack"),
        (b"ARROW1\0\0".to_vec(), "Arrow file", "to_parquet"),
        (b"\xff\xff\xff\xff\xd0\0\0\0".to_vec(), "Arrow stream", "to_parquet"),
        (b"\x80\x04\x95".to_vec(), "pickle", "JSON or CSV"),
        (b"SQLite format 3\0".to_vec(), "SQLite", "export"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), "Excel", "as CSV"),
        (b"\n<!DOCTYPE html>".to_vec(), "web page", "download"),
        (
            b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
            "Git LFS pointer",
            "git lfs pull",
        ),
        (b"s\0u\0b\0".to_vec(), "UTF-16 text without a mark", "UTF-8"),
    ] {
        holds(&refused(bytes), &["this is ", what, remedy]);
    }
    holds(&refused(""), &["no records"]);
    holds(&refused("\u{feff} \r\n"), &["no records"]);
    holds(&refused("subject,object\n"), &["no records"]);
    let folder = tempfile::tempdir().unwrap();
    holds(&Dataset::load(folder.path()).unwrap_err().to_string(), &["a folder"]);
}

#[test]
fn zsre_and_popqa_and_easyedit_and_mquake_open() {
    let zsre = r#"[{"subject": "Ole Dahl", "src": "What university did Ole Dahl attend?",
        "pred": "Bergen", "rephrase": "Where did Ole Dahl study?", "alt": "University of Turku",
        "answers": ["University of Oslo"], "loc": "nq question: who is it", "loc_ans": "Ann",
        "cond": "Bergen >> University of Turku || What university did Ole Dahl attend?"}]"#;
    let dataset = read("zsre_mend_eval.json", zsre).unwrap();
    let record = &dataset.records[0];
    assert_eq!(record.fact.prompt, "What university did Ole Dahl attend?");
    assert_eq!(record.fact.answer.as_deref(), Some("University of Oslo"));
    assert_eq!(record.fact.foil.as_deref(), Some("University of Turku"));
    assert_eq!(record.relation, None);
    assert_eq!(dataset.related_to("0").paraphrases, ["Where did Ole Dahl study?"]);
    holds(&dataset.reading(), &["answer = `answers`, question as prompt = `src`, foil = `alt`"]);

    let popqa = "id,subj,prop,obj,subj_id,prop_id,obj_id,s_aliases,o_aliases,question,possible_answers\n\
        41,Ole Dahl,occupation,poet,1,22,2,\"[\"\"O. Dahl\"\"]\",\"[\"\"bard\"\"]\",\
        What is Ole Dahl's occupation?,\"[\"\"poet\"\", \"\"bard\"\", \"\"writer\"\"]\"\n\
        42,Dusk,dubbing director,Ann,1,9,2,[],[],Who directed the dubbing of Dusk?,\"[\"\"Ann\"\"]\"\n";
    let dataset = read("popqa.csv", popqa).unwrap();
    let records: Vec<Record> = dataset.records.scan().collect();
    let [first, second] = &records[..] else { panic!("{:?}", dataset.skipped) };
    assert_eq!(first.fact.prompt, "Ole Dahl worked as a");
    assert_eq!(first.answers, ["poet", "bard", "writer"].map(str::to_owned).as_slice());
    assert_eq!((first.id.as_str(), first.relation.as_deref()), ("41", Some("P106")));
    assert_eq!(second.fact.prompt, "Who directed the dubbing of Dusk?");
    holds(
        &dataset.reading(),
        &["template from the relation (1), question as prompt = `question` (1)"],
    );

    let easy = r#"[{"subject": "Ole Dahl", "prompt": "The mother tongue of Ole Dahl is",
        "target_new": "English", "ground_truth": ["Norwegian"], "rephrase_prompt": "Ole Dahl speaks",
        "locality": {"x": {"prompt": "p", "ground_truth": "g"}}}]"#;
    let dataset = read("easy.json", easy).unwrap();
    assert_eq!(dataset.records[0].fact.answer.as_deref(), Some("Norwegian"));
    assert_eq!(dataset.records[0].fact.foil.as_deref(), Some("English"));
    assert_eq!(dataset.taken.columns[&Part::Answer]["ground_truth"], 1);
    // Where only the edit is there, nothing is right.
    let only_new = easy.replace("ground_truth", "something");
    holds(&refused(only_new), &["no column for the answer", "`target_new`"]);

    let mquake = r#"[{"case_id": 3, "requested_rewrite": [
        {"prompt": "{} is a citizen of", "relation_id": "P27", "target_new": {"str": "Chile"},
         "target_true": {"str": "Norway"}, "subject": "Ole Dahl", "question": "Which land?"},
        {"prompt": "The capital of {} is", "relation_id": "P36", "target_new": {"str": "Lima"},
         "target_true": {"str": "Oslo"}, "subject": "Norway", "question": "Which city?"}],
        "questions": ["…"], "answer": "Oslo", "new_answer": "Santiago"}]"#;
    let dataset = read("mquake.json", mquake).unwrap();
    let fact = &dataset.records[0].fact;
    assert_eq!(
        (fact.prompt.as_str(), fact.answer.as_deref()),
        ("Ole Dahl is a citizen of", Some("Norway"))
    );
    assert_eq!(fact.foil.as_deref(), Some("Chile"));
    holds(&dataset.reading(), &["the first"]);
}

#[test]
fn pairs_of_child_and_parent_are_each_others_inverse() {
    let text = "child,parent,parent_type,child_prediction,can_reverse\n\
        Ole Dahl,Kari Berg,ParentType.MOTHER,,False\nOle Dahl,Per Dahl,ParentType.FATHER,Ole Dahl,True\n\
        Ann Lund,Kari Berg,mother,,False\n";
    let dataset = read("parent_child_pairs.csv", text).unwrap();
    let records: Vec<Record> = dataset.records.scan().collect();
    let [mother, father, other] = &records[..] else { panic!("{:?}", dataset.skipped) };
    assert_eq!(mother.fact.prompt, "The mother of Ole Dahl is");
    assert_eq!(mother.fact.answer.as_deref(), Some("Kari Berg"));
    let inverse = mother.inverse.as_ref().unwrap();
    assert_eq!(inverse.fact.prompt, "Kari Berg is the mother of");
    assert_eq!(inverse.fact.answer.as_deref(), Some("Ole Dahl"));
    assert_eq!(*inverse.answers, ["Ole Dahl", "Ann Lund"]);
    assert_eq!(father.fact.prompt, "The father of Ole Dahl is");
    assert_eq!(other.relation.as_deref(), Some("P25"));
    let dataset = read("pairs.csv", "child,parent\nOle Dahl,Kari Berg\n").unwrap();
    assert_eq!(dataset.records[0].fact.prompt, "A parent of Ole Dahl is");
    assert_eq!(
        dataset.records[0].fact(Direction::Inverse).unwrap().prompt,
        "A child of Kari Berg is"
    );
}
