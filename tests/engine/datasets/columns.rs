//! Which column is the subject, the answer, the relation and the id.

use super::{asked, fact, holds, only, read, refused};

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
