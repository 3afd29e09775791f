//! The forms in which people have facts: each is read right, or refused with a reason of its own.

use std::fs;

use factscope::facts::{Dataset, Direction, NoCase, Part, Record, RecordPlace};

/// What the program reads from a file of this name, or why it does not.
fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Dataset, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let read = Dataset::load(&path).map_err(|error| error.to_string());
    read.map_err(|error| error.replace(dir.path().to_str().unwrap(), ""))
}

/// The prompts of a file with their answers.
#[track_caller]
fn asked(text: &str) -> Vec<(String, String)> {
    let dataset = read("facts", text).unwrap();
    assert!(dataset.skipped.is_empty(), "{:?}", dataset.skipped);
    let facts = dataset.records.into_iter().map(|it| it.fact);
    facts.map(|it| (it.prompt, it.answer.unwrap())).collect()
}

/// The one fact of a file.
#[track_caller]
fn only(text: &str) -> (String, String) {
    let mut all = asked(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Why a file is refused, or why its only record is.
#[track_caller]
fn refused(text: impl AsRef<[u8]>) -> String {
    read("facts", text).unwrap_err()
}

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no “{part}” in: {text}");
    }
}

fn fact(prompt: &str, answer: &str) -> (String, String) {
    (prompt.to_owned(), answer.to_owned())
}

/// What each form below says.
fn pair() -> Vec<(String, String)> {
    vec![fact("The capital of Chad is", "N'Djamena"), fact("The capital of Mali is", "Bamako")]
}

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

#[test]
fn names_are_taken_where_another_column_has_ids() {
    for (subject_id, object_id) in [
        ("/m/0abc12", "/m/05l64"),
        ("Q71", "Q585"),
        ("http://www.wikidata.org/entity/Q71", "https://dbpedia.org/resource/Oslo"),
    ] {
        let text = format!(
            r#"{{"pred": "/people/person/place_of_birth", "sub": "{subject_id}",
            "obj": "{object_id}", "sub_label": "Kari Berg", "obj_label": "Oslo", "uuid": "u-1"}}"#
        );
        let dataset = read("facts.jsonl", text.replace('\n', " ")).unwrap();
        let fact = &dataset.records[0].fact;
        assert_eq!(fact.prompt, "Kari Berg was born in");
        assert_eq!(fact.answer.as_deref(), Some("Oslo"));
        assert_eq!(dataset.records[0].relation.as_deref(), Some("P19"));
        holds(&dataset.reading(), &["subject = `sub_label`", "`sub` holds ids", "`obj` holds ids"]);
    }
    let only_ids = r#"[{"sub": "/m/0abc12", "obj_label": "Oslo", "relation": "P19"}]"#;
    holds(&refused(only_ids), &["`sub` holds an id, “/m/0abc12”", "name of the subject"]);
    // Where they are not all ids, `Q4` is a name as any other.
    let names = r#"[{"subject": "Q4", "object": "Audi", "template": "{} is made by"},
        {"subject": "Golf", "object": "VW", "template": "{} is made by"}]"#;
    assert_eq!(asked(names)[0].0, "Q4 is made by");
}

#[test]
fn of_two_columns_that_differ_neither_is_taken() {
    for (text, said) in [
        (
            "subject,object,object,template\nChad,N'Djamena,Faya,{} is",
            "two columns are called `object`",
        ),
        ("subject,Object,object ,template\nChad,N'Djamena,Faya,{} is", "`Object` says “N'Djamena”"),
        (
            "subject,head,object,template\nChad,Mali,x,{} is",
            "`subject` says “Chad” and `head` “Mali”",
        ),
        ("subject,object,answer,template\nChad,x,y,{} is", "`object` says “x” and `answer` “y”"),
        ("subject,object,template,prompt\nChad,x,{} is,Where is Chad", "“{} is” and `prompt`"),
        (
            r#"[{"subject": "Chad", "subject": "Mali", "object": "x", "template": "{} is"}]"#,
            "two columns are called `subject`",
        ),
        ("subject,object,foil,target_new,template\nChad,x,y,z,{} is", "`foil` says “y”"),
    ] {
        holds(&refused(text), &[said, "rename the one that is not"]);
    }
    // What says the same is no contradiction, nor is a list with the answer in it.
    for text in [
        "subject,object,answer,template,prompt\nChad,x,x,{} is in,Chad is in",
        "subject,object,answers,template\nChad,x,\"['y', 'x']\",{} is in",
        "subject,object,template,,\nChad,x,{} is in,,",
    ] {
        assert_eq!(only(text), fact("Chad is in", "x"));
    }
    // ROME's prompts go on where their templates end.
    let longer =
        "known_id,subject,attribute,template,prompt\n1,Chad,x,{} is in,Chad is in the middle of";
    assert_eq!(only(longer).0, "Chad is in the middle of");
}

#[test]
fn a_template_in_brackets_is_no_list_and_a_list_is_one() {
    let text = "subject,object,template\nKari Berg,Liv,\"[X]'s mother's name is [Y]\"";
    assert_eq!(only(text), fact("Kari Berg's mother's name is", "Liv"));
    for (printed, answers) in [
        (r#"['Oslo', "Côte d'Ivoire"]"#, vec!["Oslo", "Côte d'Ivoire"]),
        (r#"["Oslo", "a \"b\""]"#, vec!["Oslo", "a \"b\""]),
        ("['Oslo' 'Bergen']", vec!["Oslo", "Bergen"]),
        ("['A' side, 'B' side]", vec!["['A' side, 'B' side]"]),
        ("[REC]", vec!["[REC]"]),
        ("['Oslo', [Y]]", vec!["['Oslo', [Y]]"]),
    ] {
        let text = serde_json::json!([{"s": "Kari", "o": printed, "template": "{} likes"}]);
        let dataset = read("facts.json", text.to_string()).unwrap();
        assert_eq!(dataset.records[0].answers, answers, "{printed}");
    }
}

#[test]
fn every_slot_of_a_template_is_filled_or_the_record_is_refused() {
    let ask = |template: &str| {
        let row =
            serde_json::json!([{"subject": "Chad", "object": "Africa", "template": template}]);
        read("facts.json", row.to_string()).map(|it| it.records[0].fact.prompt.clone())
    };
    for template in [
        "{} lies in",
        "[X] lies in [Y] .",
        "{subject} lies in {object}.",
        "{Subject} lies in {answer}",
        "<subject> lies in <mask>",
        "[SUBJ] lies in [MASK]",
        "{0} lies in {1}",
        "{ subject } lies in",
        "%s lies in",
        "Chad lies in ____.",
        "Chad lies in",
        "{sub} lies in {obj}",
    ] {
        assert_eq!(ask(template).as_deref(), Ok("Chad lies in"), "{template}");
    }
    for (template, said) in [
        ("{} is big. {} lies in", "2 places for the subject"),
        ("{} and [X] lie in", "2 places for the subject"),
        ("[Y] holds [X]", "must come last"),
        ("{} lies in [Y], which is", "must come last"),
        ("{} and {neighbour} lie in", "`{neighbour}`"),
        ("[X] and [Z] lie in", "`[Z]`"),
        ("[X] lies in [Y] or [MASK]", "2 places for the answer"),
    ] {
        holds(&ask(template).unwrap_err(), &[said]);
    }
    // Other brackets are text.
    assert_eq!(ask("{} [sic] lies <b> in").as_deref(), Ok("Chad [sic] lies <b> in"));
}

#[test]
fn an_inverse_ends_with_its_answer_whatever_its_slots_are_called() {
    for template in
        ["[Y] has the capital [X]", "{subject} has the capital {obj}", "{} has the capital"]
    {
        let row = serde_json::json!([{"subject": "Bamako", "object": "Mali",
            "template": "{} is the capital of", "inverse_template": template}]);
        let dataset = read("facts.json", row.to_string()).unwrap();
        let inverse = dataset.records[0].fact(Direction::Inverse).unwrap();
        assert_eq!(inverse.prompt, "Mali has the capital", "{template}");
        assert_eq!(inverse.answer.as_deref(), Some("Bamako"));
    }
}

#[test]
fn ids_may_be_text_or_absent_or_occur_twice() {
    let rewrite = |id: &str, subject: &str| {
        format!(
            r#"{{{id} "requested_rewrite": {{"prompt": "{{}} is in", "relation_id": "P17",
            "target_new": {{"str": "Chad"}}, "target_true": {{"str": "Mali"}},
            "subject": "{subject}"}}}}"#
        )
    };
    for (id, found) in [
        (r#""case_id": 4,"#, "4"),
        (r#""case_id": "4","#, "4"),
        (r#""case_id": "c-4","#, "c-4"),
        (r#""case_id": 4.0,"#, "4"),
        (r#""case_id": null,"#, "0"),
        ("", "0"),
        (r#""id": "x","#, "x"),
    ] {
        let dataset = read("cf.json", format!("[{}]", rewrite(id, "Gao"))).unwrap();
        assert_eq!(dataset.records[0].id, found, "{id}");
    }
    let (a, b) = (rewrite(r#""case_id": 1,"#, "Gao"), rewrite(r#""case_id": "1","#, "Kayes"));
    let dataset = read("cf.json", format!("[{a}, {b}]")).unwrap();
    assert_eq!(dataset.case("1@1").unwrap().fact.prompt, "Kayes is in");
    holds(&dataset.case("1").unwrap_err().to_string(), &["occurs 2 times", "1@0, 1@1"]);
    holds(&dataset.reading(), &["the id 1 occurs more than once"]);
    let table = "id,subject,object,relation\n1,Chad,x,P36\n2,Mali,y,P36\n1,Ghana,z,P36\n";
    let dataset = read("facts.csv", table).unwrap();
    assert_eq!(dataset.case("1@4").unwrap().fact.prompt, "The capital of Ghana is");
}

#[test]
fn spaces_and_unseen_characters_at_the_ends_are_no_part_of_a_name() {
    for space in [" ", "\u{a0}", "\t", "\u{200b}", "\u{feff}", "\u{2009}"] {
        let text = format!(
            r#"[{{"case_id": 0, "requested_rewrite": {{"prompt": "The land is {{}}",
            "target_true": {{"str": "{space}Africa"}}, "subject": "Chad{space}"}}}},
            {{"case_id": 1, "requested_rewrite": {{"prompt": "{{}} lies in",
            "target_true": {{"str": "Africa{space}"}}, "subject": "{space}Mali"}}}}]"#
        );
        let text = text.replace('\t', "\\t");
        assert_eq!(
            asked(&text),
            [fact("The land is Chad", "Africa"), fact("Mali lies in", "Africa")]
        );
        let header = format!("{space}subject,object{space},template\nChad,Africa,{{}} lies in");
        assert_eq!(only(&header), fact("Chad lies in", "Africa"), "{space:?}");
    }
}

#[test]
fn what_python_writes_for_missing_is_missing() {
    for missing in ["NaN", "Infinity", "-Infinity", "None", "null", "\"NaN\"", "\"\"", "[]"] {
        let text = format!(
            r#"[{{"subject": "Chad", "object": "a NaN \" None", "template": "{{}} is",
            "foil": {missing}}}]"#
        );
        let dataset = read("facts.json", &text).unwrap();
        assert_eq!(dataset.records[0].fact.foil, None, "{missing}");
        assert_eq!(dataset.records[0].fact.answer.as_deref(), Some("a NaN \" None"));
        let object =
            format!(r#"{{"subject": "Chad", "object": {missing}, "template": "{{}} is"}}"#);
        holds(&refused(object), &["the object, which is the answer, is empty"]);
    }
    holds(
        &read("f", r#"[{"s": "Chad", "o": "x", "template": "{} is", "foil": NaN}]"#)
            .unwrap()
            .reading(),
        &["`NaN` and the like are taken as missing"],
    );
    holds(&refused("[{'subject': 'Chad'}]"), &["not valid JSON", "json.dump"]);
    holds(&refused(r#"[{"subject": "Chad""#), &["cut off"]);
    // Namibia's code is none of these.
    assert_eq!(only("subject,object,template\nNamibia,NA,The code of {} is").1, "NA");
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
fn a_subject_that_only_looks_the_same_is_told() {
    for (subject, prompt, how) in [
        ("Sa\u{303}o Tome\u{301}", "S\u{e3}o Tom\u{e9} is in", "in another Unicode form"),
        ("N\u{2019}Djamena", "N'Djamena is in", "another apostrophe"),
        ("New\u{a0}York", "New York is in", "space"),
        ("Guinea\u{2011}Bissau", "Guinea-Bissau is in", "dash"),
        ("Ma\u{200b}li", "Mali is in", "take no room"),
        ("MALI", "Mali is in", "in other letters"),
    ] {
        let row = serde_json::json!([{"subject": subject, "object": "Africa", "prompt": prompt}]);
        holds(&refused(row.to_string()), &["does not occur in the prompt", how]);
    }
    let row = r#"[{"subject": "Peru", "object": "Lima", "prompt": "Mali is in"}]"#;
    assert!(!refused(row).contains(", but"));
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

#[test]
fn relations_go_by_the_names_that_others_give_them() {
    for name in [
        "P36",
        "capital",
        "Capital",
        "country capital city",
        "http://www.wikidata.org/entity/P36",
        "http://www.wikidata.org/prop/direct/P36",
    ] {
        let row = serde_json::json!([{"head": "Mali", "tail": "Bamako", "relation": name}]);
        assert_eq!(only(&row.to_string()), fact("The capital of Mali is", "Bamako"));
    }
    for (name, prompt) in [
        ("/people/deceased_person/place_of_death", "Ole died in"),
        ("/people/person/date_of_birth", "Ole was born in the year"),
    ] {
        let row = serde_json::json!([{"sub_label": "Ole", "obj_label": "x", "pred": name}]);
        assert_eq!(only(&row.to_string()).0, prompt);
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
