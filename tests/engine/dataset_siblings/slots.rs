//! The places in a template where words are put in.

use serde_json::json;

use super::{asked, read, refused};

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
fn places_between_underscores_and_bars_are_places() {
    let ask = |template: &str| {
        let row = json!([{"subject": "Chad", "object": "Africa", "template": template}]);
        read("f.json", row.to_string()).map(|it| it.records[0].fact.prompt.clone())
    };
    for template in [
        "_X_ lies in _Y_.",
        "__subject__ lies in __object__",
        "Chad lies in _Y_",
        "{} lies in <|mask|>",
        "{} lies in <|mask|>.",
        "<|subject|> lies in",
    ] {
        assert_eq!(ask(template).as_deref(), Ok("Chad lies in"), "{template}");
    }
    for (template, says) in [
        // `TempLAMA` has it for the answer, others for the subject.
        ("Chad lies in _X_.", "may be the subject's place or the answer's"),
        ("{} lies in _X_.", "2 places for the subject"),
        ("{} lies in _place_", "is a place that no column fills"),
        ("{} and <|person|> lie in", "is a place that no column fills"),
    ] {
        let error = ask(template).unwrap_err();
        assert!(error.contains(says), "{template}: {error}");
    }
    for text in ["_is_", "snake_x_case", "<|user|>", "_x"] {
        let template = format!("{{}} {text} lies in");
        assert_eq!(ask(&template).as_deref(), Ok(&*format!("Chad {text} lies in")));
    }
}

#[test]
fn a_template_that_is_cut_out_of_a_list_is_refused() {
    let ask = |template: &str| {
        let row = json!([{"subject": "Chad", "object": "Africa", "template": template}]);
        read("f.json", row.to_string()).map(|it| it.records[0].fact.prompt.clone())
    };
    for template in
        ["['[X]'s place is [Y]']", "[[X] lies in [Y]]", "[X]'s place is']", "{[X] lies in"]
    {
        let error = ask(template).unwrap_err();
        assert!(error.contains("a bracket that has no other"), "{template}: {error}");
    }
    for (template, prompt) in [
        ("[{}] lies in", "[Chad] lies in"),
        ("({}) lies (in", "(Chad) lies (in"),
        ("a) {} lies in", "a) Chad lies in"),
        ("[INST] {} lies in [/INST]", "[INST] Chad lies in [/INST]"),
        ("['{} lies in']", "Chad lies in"),
    ] {
        assert_eq!(ask(template).as_deref(), Ok(prompt));
    }
    // Of a name they are its own.
    let row = json!([{"subject": "R[E]]C", "object": "x", "template": "{} was made by"}]);
    assert_eq!(asked("f.json", row.to_string())[0].0, "R[E]]C was made by");
}

/// A space that stands with the subject in its cell, and not in the template, is part of the sentence; where
/// neither has one the words are told.
#[test]
fn a_space_in_the_subjects_cell_parts_it_from_the_words_beside_it() {
    let prompts = |template: &str, subject: &str| {
        let record =
            serde_json::json!([{ "subject": subject, "object": "Oslo", "template": template }]);
        let read = super::read("facts.json", record.to_string()).unwrap();
        let fact = read.records.get(0).unwrap().fact.clone();
        assert_eq!(fact.subject_text(), Some("Norway"));
        let is_told =
            read.taken.notes.iter().any(|it| it.contains("letters right beside the subject"));
        (fact.prompt, is_told)
    };
    for (template, subject, prompt, is_told) in [
        ("The capital of {}is", "Norway ", "The capital of Norway is", false),
        ("The capital of{} is", " Norway", "The capital of Norway is", false),
        ("In{}the capital is", "\tNorway ", "In Norway the capital is", false),
        ("The capital of {} is", " Norway ", "The capital of Norway is", false),
        ("{}'s capital is", "Norway ", "Norway's capital is", false),
        ("The capital of {}, is", "Norway ", "The capital of Norway, is", false),
        ("The capital of {}is", "Norway", "The capital of Norwayis", true),
        ("The capital of {}is", " Norway", "The capital of Norwayis", true),
        ("The capital of{} is", "Norway", "The capital ofNorway is", true),
        ("{}的首都是", "Norway", "Norway的首都是", false),
    ] {
        assert_eq!(
            prompts(template, subject),
            (prompt.to_owned(), is_told),
            "{template} {subject}"
        );
    }
}
