//! What is said of records and files that cannot be read.

use factscope::facts::RecordPlace;
use serde_json::json;

use super::{asked, oslo, read, refused};

#[test]
fn all_that_are_left_out_are_counted_behind_those_that_are_kept() {
    let rows: String =
        (0..30_000).map(|nth| if nth == 0 { "Norway,Oslo,P36\n" } else { ",Oslo,P36\n" }).collect();
    let dataset = read("facts.csv", format!("subject,object,relation\n{rows}")).unwrap();
    let reading = dataset.reading();
    assert_eq!(dataset.n_skipped(), 29_999);
    assert!(
        reading.contains("29999 left out") && reading.contains("and 29989 more: "),
        "{reading}"
    );
    refused(
        "f.csv",
        format!("subject,object,relation\n{}", ",Oslo,P36\n".repeat(12_000)),
        &["and 11990 more: "],
    );
}

#[test]
fn faults_in_json_are_told_in_plain_words() {
    for (text, says) in [
        ("[{\"subject\": \"Norway\",}]", &["line 1, character 23", "take the comma"][..]),
        ("// facts\n[{\"subject\": 1}]", &["// facts"]),
        ("[\n// facts\n{\"subject\": 1}]", &["line 2, character 1", "comments"]),
        ("[{subject: 'Norway'}]", &["line 1, character 3", "need quotation marks"]),
        ("[{\"subject\": \"a\tb\"}]", &["character 16", "`\\t`"]),
        ("[{\"subject\": \"Nor", &["cut off"]),
        (
            "[\n{\"subject\": \"\\ud800x\"}]",
            &["line 2, character 14 at “\\ud800x", "a lone surrogate"],
        ),
        ("[{\"subject\": \"\\uDC00\"}]", &["line 1, character 15", "a lone surrogate"]),
        ("\u{2028}\n[{\"subject\": x}]", &["line 2, character 14 at “x}]”"]),
        ("{\"error\": \"Entry not found\"}", &["which says “Entry not found”"]),
    ] {
        refused("facts.json", text, says);
    }
    let lines = "{\"s\": \"Norway\", \"o\": \"Oslo\", \"relation\": \"P36\"}\nbroken\n";
    let dataset = read("facts.jsonl", lines).unwrap();
    assert_eq!(dataset.skipped[0].place, RecordPlace::Line(2));
    assert!(!dataset.skipped[0].reason.contains("line 1"), "{}", dataset.skipped[0]);
    // Values need nothing between them.
    let touching = "{\"s\": \"Norway\", \"o\": \"Oslo\", \"relation\": \"P36\"}9{}7\"x\"8[]";
    let dataset = read("facts.json", touching).unwrap();
    assert_eq!((dataset.records.len(), dataset.n_records()), (1, 7));
    // What C and R write for missing values, and spaces that nobody sees.
    let lower = "\u{a0}\u{feff}[{\"s\": \"Norway\", \"o\": \"Oslo\", \"relation\": \"P36\", \"foil\": nan}]";
    assert_eq!(asked("facts.json", lower), oslo());
}

#[test]
fn other_kinds_of_text_are_told_by_their_names_or_first_words() {
    for (name, text, says) in [
        ("facts.yaml", "- subject: Norway\n  object: Oslo\n", "YAML"),
        ("facts.toml", "[[facts]]\nsubject = \"Norway\"\n", "TOML"),
        ("facts.ttl", "@prefix ex: <http://example.org/> .\n", "RDF"),
        ("facts.sql", "INSERT INTO facts VALUES (1);\n", "SQL"),
        ("facts.py", "facts = [1]\n", "a program"),
        ("facts.ipynb", "{\"cells\": []}", "a notebook"),
        ("facts.json", "404: Not Found", "a server answered"),
        ("facts.json", "\n<HTML lang=\"en\">", "web page"),
        ("facts.pkl", "(lp0\n(dp1\n", "pickle"),
        ("facts.msgpack", "\u{0}\u{1}", "binary"),
        ("facts.safetensors", "\u{10}\u{0}\u{0}", "weights"),
    ] {
        refused(name, text, &["this is ", says]);
    }
    // The name alone refuses nothing.
    assert_eq!(asked("facts.sql", "subject,object,relation\nNorway,Oslo,P36\n"), oslo());
}

#[test]
fn subjects_that_look_alike_are_told_in_every_alphabet() {
    for (subject, prompt, how) in [
        ("\u{41c}oscow", "Moscow is in", "another alphabet"),
        ("N\u{3bf}rway", "Norway is in", "another alphabet"),
        ("Zürich", "Zurich is in", "other accents"),
        ("Straße", "STRASSE is in", "other letters"),
        ("Nor\u{fe0f}way", "Norway is in", "take no room"),
        ("Nor\u{202a}way", "Norway is in", "take no room"),
    ] {
        let row = json!([{"subject": subject, "object": "x", "prompt": prompt}]);
        refused("f.json", row.to_string(), &["does not occur in the prompt", how]);
    }
}

#[test]
fn a_fault_of_a_file_is_told_with_what_can_be_seen() {
    let row = r#"{"subject": "Norway", "object": "Oslo", "template": "The capital of {} is"}"#;
    refused("facts.json", format!("[{row},\n]"), &["line 2", "take the comma before it away"]);
    refused("facts.json", format!("[{row}, {{\"x\": 1e999}}]"), &["this number is larger"]);
    // Files that were put behind each other, and the end that DOS wrote.
    let joined = format!("{row}\n\u{feff}{row}\n\u{1a}");
    let dataset = read("facts.jsonl", joined).unwrap();
    assert_eq!((dataset.records.len(), dataset.n_skipped()), (2, 0));
    let broken = format!("{}\n{row}\n", row.replace("Oslo", "\\ud800"));
    let dataset = read("facts.jsonl", broken).unwrap();
    assert_eq!((dataset.records.len(), dataset.n_skipped()), (1, 1));
    refused("facts.json", format!("{row}\0\0\0"), &["a text with zeros in it (NUL)"]);
    let part =
        json!([{"subject": "Oman", "object": "Muscat", "prompt": "The Romans have capital"}]);
    let error = read("facts.json", part.to_string()).unwrap_err();
    assert!(!error.contains("in other letters"), "{error}");
}

#[test]
fn a_template_that_is_there_and_empty_is_told() {
    let row = json!([{"subject": "Norway", "object": "Oslo", "template": ""}]);
    refused("f.json", row.to_string(), &["the prompt or its template is empty"]);
    let row = json!([{"subject": "Norway", "object": "Oslo", "prompt": [], "relation": "unknown"}]);
    refused(
        "f.json",
        row.to_string(),
        &["is empty, and the program has no template for the relation"],
    );
}

#[test]
fn what_git_could_not_merge_and_changes_are_no_facts() {
    let row =
        |town: &str| json!({"subject": "Peru", "object": town, "relation": "P36"}).to_string();
    for end in ["\n", "\r\n"] {
        let lines = ["<<<<<<< HEAD", &row("Lima"), "=======", &row("Cusco"), ">>>>>>> other"];
        refused("f.jsonl", lines.join(end), &["a conflict that git could not merge"]);
        refused("f.json", format!("[{end}{}{end}]", lines.join(end)), &["could not merge"]);
        let table = [
            "subject,object,relation",
            "Norway,Oslo,P36",
            "<<<<<<< HEAD",
            "Peru,Lima,P36",
            "=======",
            "Peru,Cusco,P36",
            ">>>>>>> other",
            "",
        ];
        refused("f.csv", table.join(end), &["choose one side of each conflict first"]);
    }
    for diff in [
        "--- a/f.csv\n+++ b/f.csv\n@@ -1,3 +1,3 @@\n subject,object,relation\n-Norway,Bergen,P36\n",
        "diff --git a/f.csv b/f.csv\n--- a/f.csv\n+++ b/f.csv\n",
    ] {
        refused("f.csv", diff, &["a list of changes (a diff)"]);
    }
    // Such marks within a text are words.
    let table = "subject,object,template\nx <<<<<<< y,=======,{} >>>>>>> is\n";
    assert_eq!(asked("f.csv", table)[0].1, "=======");
    let lines = "subject,object,template\nx,y,\"{} =======\n>>>>>>> is\"\n";
    assert!(read("f.csv", lines).is_ok());
}

#[test]
fn pointers_and_answers_of_servers_are_no_facts() {
    for (text, says) in [
        ("/annex/objects/MD5E-s1--abc.csv\n", "git annex get"),
        ("git-annex pointer: /annex/objects/SHA256E-s1--abc.csv\n", "git annex get"),
        ("outs:\n- md5: abc\n  size: 3\n  path: facts.csv\n", "dvc pull"),
        ("Too Many Requests", "what a server answered"),
        (
            "Access to dataset foo/bar is restricted. You must be authenticated to access it.",
            "what a server answered",
        ),
    ] {
        refused("f.csv", text, &[says]);
    }
}

#[test]
fn a_prompt_that_is_an_object_is_not_replaced_by_the_words_of_the_relation() {
    for prompt in [json!({"en": "Norway has the seat"}), json!([{"role": "user", "content": "x"}])]
    {
        for column in ["prompt", "template"] {
            let row =
                json!([{"subject": "Norway", "object": "Oslo", "relation": "P36", column: prompt}]);
            refused(
                "f.json",
                row.to_string(),
                &[&format!("`{column}` is an object without a name")],
            );
        }
    }
    let table = "subject,object,prompt\nNorway,Oslo,\"{\"\"en\"\": \"\"{} is\"\"}\"\n";
    refused("f.csv", table, &["`prompt` is an object without a name"]);
    let row = json!([{"subject": "Norway", "object": "Oslo", "prompt": {"text": "The capital of {} is"}}]);
    assert_eq!(asked("f.json", row.to_string()), oslo());
}

#[test]
fn a_file_that_describes_columns_is_told_as_that() {
    let of_columns = |it: &serde_json::Value| json!({"subject": it, "object": it, "template": it});
    for column in [
        json!({"dtype": "string", "id": null, "_type": "Value"}),
        json!({"type": "string"}),
        json!({"count": 2, "unique": 2, "top": "Norway", "freq": 1}),
    ] {
        let columns = of_columns(&column);
        for file in [
            columns.clone(),
            json!({"features": columns}),
            json!({"default": {"features": columns}}),
            json!({"$schema": "x", "type": "object", "properties": columns, "required": ["subject"]}),
        ] {
            refused("f.json", file.to_string(), &["it describes the columns of a dataset"]);
        }
    }
    let column = json!({"type": "string", "title": "Subject", "description": "who"});
    let schema = json!({"$schema": "x", "type": "object", "properties": of_columns(&column)});
    refused("f.json", schema.to_string(), &["it describes the columns of a dataset"]);
    // Names with a type beside them are names.
    let fact = json!({"subject": {"label": "Norway", "type": "country"}, "object": {"label": "Oslo", "type": "city"},
        "relation": "P36"});
    assert_eq!(asked("f.json", fact.to_string()), oslo());
    let columns =
        json!({"subject": {"0": "Norway"}, "object": {"0": "Oslo"}, "relation": {"0": "P36"}});
    assert_eq!(asked("f.json", columns.to_string()), oslo());
}

#[test]
fn columns_with_other_indices_are_told_as_that() {
    let says = "their indices differ, or the order of them";
    for indices in [("1", "0"), ("0", "2")] {
        let (a, b) = indices;
        let text = format!(
            "{{\"subject\": {{\"0\": \"Norway\", \"1\": \"Egypt\"}}, \"object\": {{\"{a}\": \"Oslo\", \"{b}\": \"Cairo\"}}}}"
        );
        refused("f.json", text, &[says]);
    }
}
