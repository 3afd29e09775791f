//! The places in a template where words are put in.

use factscope::facts::Direction;

use super::{fact, holds, only, read};

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
