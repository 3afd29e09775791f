//! Kinds of input that a reader could get wrong without a word, each in the several forms that people
//! have: read right, or refused with a reason of its own.

use std::fs;
use std::process::Command;

use factscope::facts::{Dataset, RecordPlace};
use serde_json::json;

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Dataset, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    Dataset::load(&path).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(name: &str, bytes: impl AsRef<[u8]>, says: &[&str]) {
    let error = read(name, bytes).unwrap_err();
    for part in says {
        assert!(error.contains(part), "no “{part}” in: {error}");
    }
}

/// The prompt and the answer of each fact.
#[track_caller]
fn asked(name: &str, bytes: impl AsRef<[u8]>) -> Vec<(String, String)> {
    let facts = read(name, bytes).unwrap().records.into_iter().map(|it| it.fact);
    facts.map(|it| (it.prompt, it.answer.unwrap())).collect()
}

fn oslo() -> Vec<(String, String)> {
    vec![("The capital of Norway is".to_owned(), "Oslo".to_owned())]
}

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
fn the_line_below_a_header_of_markdown_is_no_record() {
    let table = "| subject | object | template |\n|---|:--|---|\n| Norway | Oslo | The capital of {} is |\n";
    let dataset = read("facts.txt", table).unwrap();
    assert!(dataset.skipped.is_empty());
    assert!(dataset.reading().contains("subject = `subject`"), "{}", dataset.reading());
    assert_eq!(asked("facts.md", table), oslo());
}

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

#[test]
fn slots_of_every_kind_are_filled_or_the_record_is_refused() {
    let ask = |template: &str| {
        let row = json!([{"subject": "Chad", "object": "Africa", "template": template}]);
        read("facts.json", row.to_string()).map(|it| it.records[0].fact.prompt.clone())
    };
    for template in [
        "{{subject}} lies in {{ object }}.",
        "${subject} lies in ${object}",
        "<<subject>> lies in [[MASK]]",
        "%(subject)s lies in %(object)s",
        "{subject!r} lies in",
        "{subject:>8} lies in",
        "[S] lies in [O]",
        "{s} lies in {o}",
        "Chad lies in <extra_id_0>",
        "Chad lies in _ .",
        "Chad lies in __",
        "[X] lies in [MASK1].",
    ] {
        assert_eq!(ask(template).as_deref(), Ok("Chad lies in"), "{template}");
    }
    for (template, says) in [
        ("Chad and [ENT] lie in", "`[ENT]`"),
        ("Chad and [X2] lie in", "`[X2]`"),
        ("Chad and %(other)s lie in", "`%(other)s`"),
        ("Chad {subject.name} lies in", "`{subject.name}`"),
        ("<extra_id_0> holds Chad", "must come last"),
    ] {
        let error = ask(template).unwrap_err();
        assert!(error.contains(says), "{template}: {error}");
    }
    // A token that begins a text, a name with underscores and other brackets are text.
    assert_eq!(
        ask("<s> {} [sic] and snake_case lie in").as_deref(),
        Ok("<s> Chad [sic] and snake_case lie in")
    );
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
    assert!(
        read("f.csv", numbers).unwrap().reading().contains("`subject` holds numbers, not names")
    );
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

/// Files that would take minutes if each bracket were looked for its end, or each level for its records:
/// the test of time is that this one ends.
#[test]
fn many_brackets_take_no_time() {
    const N: usize = 300_000;
    let head = "subject,object,template\n";
    for text in ["[", "<", "{", "%(", "_ ", "{{", "['"] {
        let rows = format!("{head}a,b,{}\nNorway,Oslo,The capital of {{}} is\n", text.repeat(N));
        let dataset = read("facts.csv", rows).unwrap();
        assert_eq!(dataset.records.len(), 1, "{text}");
        assert!(dataset.skipped[0].reason.len() < 3 * N, "{text}");
    }
    let fact = r#"{"s": "Norway", "o": "Oslo", "relation": "P36"}"#;
    let facts = vec![fact; N / fact.len()].join(",");
    let within = |n: usize, open: &str, close: &str| {
        format!("{}[{facts}]{}", open.repeat(n), close.repeat(n))
    };
    for (open, close) in [("[", "]"), ("{\"a\": ", "}")] {
        assert!(read("facts.json", within(120, open, close)).is_err());
        assert!(read("facts.json", within(4, open, close)).unwrap().records.len() > 1000);
    }
}

/// Files of millions of values that are no facts: only the first thousands are kept with their reasons.
///
/// It runs in a process of its own, whose memory is that of nothing else.
#[test]
#[cfg(target_os = "linux")]
fn values_that_are_no_facts_take_no_memory() {
    const ALONE: &str = "FACTSCOPE_TEST_ALONE";
    const N_BYTES: usize = 10 << 20;
    const NAME: &str = "dataset_siblings::values_that_are_no_facts_take_no_memory";
    if std::env::var_os(ALONE).is_none() {
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let done = alone.args(["--exact", NAME]).env(ALONE, "1").output().unwrap();
        let says = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && says.contains("1 passed"), "{says}");
        return;
    }
    let kib = |name: &str| -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix(name)).unwrap();
        line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().unwrap()
    };
    let zeros = || "0,".repeat(N_BYTES / 2) + "0";
    let fact = r#"{"s": "Norway", "o": "Oslo", "relation": "P36"}"#;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts");
    let texts: [&dyn Fn() -> String; 9] = [
        &|| format!("[{}]", zeros()),
        &|| format!("[{{\"z\": [{}], \"s\": \"x\", \"o\": \"y\"}}]", zeros()),
        &|| format!("{{\"z\": [{}]}}", zeros()),
        &|| "0\n".repeat(N_BYTES / 2),
        &|| "{}\n".repeat(N_BYTES / 3),
        &|| ",".repeat(N_BYTES),
        &|| "a,\n".repeat(N_BYTES / 3),
        &|| "\n[".repeat(N_BYTES / 2),
        &|| format!("[{}, {fact}]", zeros()),
    ];
    for (nth, text) in texts.into_iter().enumerate() {
        fs::write(&path, text()).unwrap();
        // The peak is counted from here.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = kib("VmRSS");
        let read = Dataset::load(&path);
        let grown = kib("VmHWM").saturating_sub(before) << 10;
        assert!(grown <= 4 * N_BYTES as u64 + (64 << 20), "{nth}: {} MiB", grown >> 20);
        if nth == 8 {
            let dataset = read.unwrap();
            assert_eq!((dataset.skipped.len(), dataset.n_skipped()), (10_000, N_BYTES / 2 + 1));
            assert_eq!(dataset.n_records(), N_BYTES / 2 + 2);
        }
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
fn places_for_other_things_than_subject_and_answer_are_not_asked_as_words() {
    let head = "subject,object,template\n";
    for place in ["[YEAR]", "[T]", "[NAME]", "[PERSON_1]", "<date>", "[city]", "<name>", "[z]"] {
        let file = format!("{head}Norway,Oslo,The capital of {{}} ({place}) is\n");
        refused("facts.csv", file, &[place, "is a place that no column fills"]);
    }
    for word in ["[sic]", "[INST]", "<s>", "<|user|>", "[1984]", "[Is]"] {
        let file = format!("{head}Norway,Oslo,{word} The capital of {{}} is\n");
        assert_eq!(asked("facts.csv", file)[0].0, format!("{word} The capital of Norway is"));
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
}

#[test]
fn a_place_behind_a_subject_that_is_there_is_not_guessed() {
    let ask = |template: &str| {
        let row = json!([{"subject": "Norway", "object": "Oslo", "template": template}]);
        read("facts.json", row.to_string()).map(|it| it.records[0].fact.prompt.clone())
    };
    for template in ["The capital of Norway is {}", "Norway's capital: %s."] {
        let error = ask(template).unwrap_err();
        assert!(error.contains("may be the subject's place or the answer's"), "{error}");
    }
    for template in [
        "The capital of [Norway] is [Oslo]",
        "The capital of Norway is [Y]",
        "The capital of {Norway} is",
    ] {
        assert_eq!(ask(template).as_deref(), Ok("The capital of Norway is"), "{template}");
    }
    for place in ["{country name}", "{-}", "$YEAR", "%YEAR%", "%d", "<country>", "[W]", "<Z>"] {
        let error = ask(&format!("The capital of {{}} in {place} is")).unwrap_err();
        assert!(error.contains("is a place that no column fills"), "{place}: {error}");
    }
    for text in ["costs $100 and 100%", "is $AAPL", "in 50%d"] {
        let template = format!("{{}} {text} of");
        assert_eq!(ask(&template).as_deref(), Ok(&*format!("Norway {text} of")), "{template}");
    }
    // Brackets that are part of a name.
    let row = json!([{"subject": "[REC]", "object": "x", "template": "[REC] was directed by"}]);
    assert_eq!(asked("facts.json", row.to_string())[0].0, "[REC] was directed by");
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
