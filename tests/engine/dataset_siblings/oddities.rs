//! Words that can be asked and look wrong: they are told.

use serde_json::json;

use super::{asked, oslo, read, refused};

/// What is said of a file.
#[track_caller]
fn said(name: &str, bytes: impl AsRef<[u8]>) -> String {
    read(name, bytes).unwrap().reading()
}

fn of(subject: &str, answer: &str, template: &str) -> String {
    json!([{"subject": subject, "object": answer, "template": template}]).to_string()
}

#[test]
fn words_as_another_program_writes_them_are_told() {
    for (name, says) in [
        ("<Norway>", "in angle brackets"),
        ("Norway@en", "with a language at the end"),
        ("Brasil@pt-BR", "with a language at the end"),
        ("New_York", "with underscores for spaces"),
        ("=Norway", "with “=” at the beginning"),
        ("Tom &amp; Jerry", "as HTML writes them"),
        ("Z&#252;rich", "as HTML writes them"),
        ("M&aacute;laga", "as HTML writes them"),
        ("MÃ¡laga", "read in another encoding"),
        ("KÃ¶ln", "read in another encoding"),
        ("Queenâ€™s Park", "read in another encoding"),
        ("M\u{fffd}laga", "of a lost letter"),
        ("Nor\u{200b}way", "that nobody sees"),
        ("Nor\u{ad}way", "that nobody sees"),
        ("Nor\u{202e}way", "that nobody sees"),
        ("1589673600000", "with a number that may be a date"),
        ("-62208000000", "with a number that may be a date"),
        ("Norway|Norge", "as between several names"),
        ("New\u{a0}York", "a no-break space or a tab"),
        ("New\tYork", "a no-break space or a tab"),
        ("New  York", "two in a row"),
        ("Norway\\nNorge", "as programs write it in quotation marks"),
        ("M\\u00e1laga", "as programs write it in quotation marks"),
        ("Tom \\\"Jerry\\\"", "as programs write it in quotation marks"),
    ] {
        let file = of(name, "Oslo", "The capital of {} is");
        assert!(said("f.json", &file).contains(says), "{name}: {}", said("f.json", &file));
        let file = of("Norway", name, "The capital of {} is");
        assert!(said("f.json", &file).contains(says), "{name}: {}", said("f.json", &file));
    }
    let prompt = of("Norway", "Oslo", "Q: What is the capital of {}?\\nA:");
    assert!(said("f.json", &prompt).contains("(`\\n` for a new line)"));
    // Marks of direction around a name, as Windows and pages in two directions have them.
    assert_eq!(
        asked("f.json", of("\u{202a}Norway\u{202c}", "Oslo", "The capital of {} is")),
        oslo()
    );
    let table = "subject,object,template\nA &amp; B,x,{} is\nC &lt; D,y,{} is\nE,z,{} is\n";
    let table = said("f.csv", table);
    assert!(
        table.contains("2 texts with characters as HTML writes them, such as “A &amp; B is”"),
        "{table}"
    );
}

#[test]
fn words_that_are_right_are_no_oddity() {
    for name in [
        "AT&T",
        "R&B; and soul",
        "SÃO PAULO",
        "MÃE",
        "Åland",
        "«Voilà»",
        "ann@example.com",
        "@en",
        "snake case_study",
        "1 < 2 > 1",
        "علی\u{200c}رضا",
        "👨\u{200d}👩\u{200d}👧",
        "=",
        "E = mc²",
        "two\nlines",
        "1000000000",
        "2020",
        "\\nu and \\text{x}",
        "C:\\new",
    ] {
        let file = of(name, name, "The meaning of {} is");
        let said = said("f.json", &file);
        assert!(said.ends_with("`template`; 1 of 1 record"), "{said}");
    }
    let builtin = factscope::facts::Dataset::bundled();
    assert!(!builtin.reading().contains(" text"), "{}", builtin.reading());
}

#[test]
fn a_place_for_a_subject_that_stands_in_the_template_is_told() {
    for template in
        ["The capital of Norway in {} is", "Norway: {}, its capital is", "In {}, which is Norway,"]
    {
        let said = said("f.json", of("Norway", "Oslo", template));
        assert!(said.contains("1 text with the subject twice"), "{said}");
    }
    for template in ["The Norwayan capital of {} is", "The capital of {} is"] {
        let said = said("f.json", of("Norway", "Oslo", template));
        assert!(!said.contains("twice"), "{said}");
    }
}

#[test]
fn a_mark_at_the_end_that_may_be_the_answers_place_is_told() {
    for end in ["...", " …", " ???", " (blank)", " (   )"] {
        let said = said("f.json", of("Norway", "Oslo", &format!("The capital of {{}} is{end}")));
        assert!(said.contains("1 text with a mark at the end that may be"), "{said}");
    }
    for end in ["", "?", " (in Europe)", ":", "\u{201c}"] {
        let said = said("f.json", of("Norway", "Oslo", &format!("What is {{}}{end}")));
        assert!(!said.contains("a mark"), "{said}");
    }
    let marked = of("Norway", "Oslo", "The capital of <b>{}</b> is");
    assert!(said("f.json", marked).contains("as HTML writes them"));
}

#[test]
fn marks_of_spreadsheets_and_triples_are_no_part_of_a_name() {
    let literal = "subject,object,template\n\"\"\"Norway\"\"@en\",\"\"\"Oslo\"\"^^xsd:string\",The capital of {} is\n";
    assert_eq!(asked("f.csv", literal), oslo());
    for error in ["#REF!", "#VALUE!", "#NAME?", "#DIV/0!"] {
        refused(
            "f.json",
            of("Norway", error, "{} is"),
            &["the object, which is the answer, is empty"],
        );
    }
    // Quotation marks that are part of a name.
    let quoted = of("\"Heroes\" @ Berlin", "x", "The singer of {} is");
    assert_eq!(asked("f.json", quoted)[0].0, "The singer of \"Heroes\" @ Berlin is");
}

#[test]
fn a_subject_in_brackets_is_a_title_and_a_list_has_quotation_marks() {
    for title in ["[1984]", "(500) Days of Summer", "[REC]", "[1, 2]"] {
        let file = of(title, "x", "The author of {} is");
        assert_eq!(asked("f.json", file)[0].0, format!("The author of {title} is"));
    }
    let list =
        "subject,object,template\n\"['Norway']\",\"['Oslo', 'Kristiania']\",The capital of {} is\n";
    assert_eq!(asked("f.csv", list), oslo());
}

#[test]
fn marks_and_tokens_around_a_prompt_are_told() {
    let mark = "with a mark at the end that may be the answer's place";
    let token = "with a token that begins or ends a text of a model";
    for (template, says) in [
        ("The capital of {} is ###", mark),
        ("The capital of {} is ###.", mark),
        ("The capital of {} is XXX", mark),
        ("The capital of {} is (blank)", mark),
        ("The capital of {} is (BLANK).", mark),
        ("(blank) is the capital of {}, and it is", "with “(blank)” within"),
        ("The capital of {} is<|endoftext|>", token),
        ("The capital of {} is </s>", token),
        ("[CLS] The capital of {} is", token),
        ("The capital of {} is [SEP]", token),
    ] {
        let said = said("f.json", of("Norway", "Oslo", template));
        assert!(said.contains(says), "{template}: {said}");
    }
    for template in
        ["### The capital of {} is", "<s> In Super Bowl XL, {} was", "{} - the", "{} is a"]
    {
        let said = said("f.json", of("Norway", "Oslo", template));
        assert!(!said.contains(" with "), "{template}: {said}");
    }
}

#[test]
fn letters_of_any_script_that_were_misread_are_told() {
    let misread = "that were read in another encoding than UTF-8";
    for name in [
        "ÐœÐ¾ÑÐºÐ²Ð°",
        "ä¸œäº¬",
        "Ã…land",
        "Ã–sterreich",
        "Î‘Î¸Î®Î½Î±",
        "Ø§Ù„Ù‚",
        "M├ílaga",
        "Z├╝rich K├Âln",
        "M√°laga",
    ] {
        let said = said("f.json", of(name, "Oslo", "The capital of {} is"));
        assert!(said.contains(misread), "{name}: {said}");
    }
    for name in [
        "Москва",
        "東京",
        "Åland",
        "Málaga",
        "España",
        "Øystein",
        "MAÇÃ",
        "“café”",
        "√2",
        "2×½",
        "Ísland",
        "Ðakovo",
        "garçon",
        "Αθήνα",
        "القاهرة",
        "José «Pepe»",
    ] {
        let said = said("f.json", of(name, "Oslo", "The capital of {} is"));
        assert!(!said.contains(misread), "{name}: {said}");
    }
}
