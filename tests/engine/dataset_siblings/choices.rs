//! Questions with choices, whose answer may be a letter or a number alone.

use serde_json::json;

use super::{asked, oslo, read, refused};

#[test]
fn an_answer_that_stands_for_a_choice_is_not_asked_as_a_word() {
    let says = &["stands for one of the choices"];
    for (choices, answer) in
        [("choices", json!(0)), ("options", json!("B")), ("candidates", json!("(a)"))]
    {
        let row = json!([{"subject": "Norway", "question": "What is the capital of Norway?",
            choices: ["Oslo", "Rome"], "answer": answer}]);
        refused("f.json", row.to_string(), says);
    }
    let table = "subject,answer,template,A,B\nNorway,A,The capital of {} is,Oslo,Rome\n";
    refused("f.csv", table, says);
    // The words themselves, one of which may be short, and letters without choices.
    let right = json!([{"subject": "Norway", "answer": "Oslo", "choices": ["Oslo", "Rome"],
        "template": "The capital of {} is"}]);
    assert_eq!(asked("f.json", right.to_string()), oslo());
    for row in [
        json!([{"subject": "iron", "answer": "3", "choices": [2, 3], "template": "{} has"}]),
        json!([{"subject": "iron", "answer": "F", "template": "{} has"}]),
    ] {
        assert!(read("f.json", row.to_string()).is_ok());
    }
}

#[test]
fn choices_are_known_in_each_form_that_questions_have_them() {
    let says = &["stands for one of the choices"];
    let (words, letters) = (json!(["Rome", "Oslo"]), json!(["A", "B"]));
    let pairs = json!([{"label": "A", "text": "Rome"}, {"label": "B", "text": "Oslo"}]);
    for (choices, answer) in [
        (json!({"choices": {"text": words, "label": letters}}), json!("B")),
        (json!({"choices": {"text": words, "label": ["1", "2"]}}), json!("2")),
        (json!({"choices": pairs}), json!("B")),
        (json!({"choices": "['Rome', 'Oslo']"}), json!(1)),
        (json!({"options": {"A": "Rome", "B": "Oslo"}}), json!("B")),
        (json!({"options": {"first": "Rome", "second": "Oslo"}}), json!("second")),
        (json!({"opa": "Rome", "opb": "Oslo"}), json!(2)),
        (json!({"opa": "Rome", "opb": "Oslo"}), json!("opb")),
        (json!({"option1": "Rome", "option2": "Oslo"}), json!("2")),
        (json!({"choice_a": "Rome", "choice_b": "Oslo"}), json!("b")),
        (json!({"endings": words}), json!(1)),
        (json!({"ending0": "Rome", "ending1": "Oslo"}), json!("0")),
        (json!({"mc1_targets": {"choices": words, "labels": [0, 1]}}), json!(1)),
        (json!({"choices": (0..12).map(|it| format!("town {it}")).collect::<Vec<_>>()}), json!(11)),
    ] {
        let mut row = choices;
        let told = row.to_string();
        row["subject"] = json!("Norway");
        row["question"] = json!("What is the capital of Norway?");
        row["answer"] = answer;
        let error = read("f.json", json!([row]).to_string()).map(|it| it.reading()).unwrap_err();
        assert!(error.contains(says[0]), "{told}: {error}");
    }
    // Words that are short, and numbers that no choice has.
    for (choices, answer) in [
        (json!({"text": ["F", "Cl"], "label": ["A", "B"]}), "F"),
        (json!([{"label": "A", "text": "2"}, {"label": "B", "text": "3"}]), "3"),
        (json!({"A": "2", "B": "3"}), "2"),
        (json!(["town", "city"]), "1905"),
    ] {
        let row = json!([{"subject": "iron", "answer": answer, "choices": choices, "template": "{} has"}]);
        assert_eq!(asked("f.json", row.to_string()), [("iron has".to_owned(), answer.to_owned())]);
    }
    let row = json!([{"subject": "iron", "answer": "4", "option1": "3", "option2": "4", "template": "{} has"}]);
    assert_eq!(asked("f.json", row.to_string())[0].1, "4");
}

/// `B. Oslo` is no name that a model would say.
#[test]
fn an_answer_with_the_label_of_its_choice_is_refused() {
    let row = |answer: &str, choices: serde_json::Value| {
        json!([{"subject": "Norway", "answer": answer, "choices": choices,
            "template": "The capital of {} is"}])
        .to_string()
    };
    for answer in ["B. Oslo", "(b) Oslo", "2) Oslo", "[B] Oslo"] {
        refused("f.json", row(answer, json!(["Rome", "Oslo"])), &["stands for one of the choices"]);
        refused(
            "f.json",
            row(answer, json!("A. Rome B. Oslo")),
            &["stands for one of the choices"],
        );
    }
    let labelled = row("B. Oslo", json!(["A. Rome", "B. Oslo"]));
    refused("f.json", labelled, &["stands for one of the choices"]);
    // Initials of names.
    for (answer, choices) in [
        ("A. Lincoln", json!(["A. Lincoln", "G. Washington"])),
        ("B. Obama", json!(["A. Lincoln", "B. Obama", "Rome"])),
    ] {
        assert_eq!(asked("f.json", row(answer, choices))[0].1, answer);
    }
    let without = json!([{"subject": "it", "answer": "B. Obama", "template": "{} was"}]);
    assert_eq!(asked("f.json", without.to_string())[0].1, "B. Obama");
}

#[test]
fn an_address_on_the_network_is_told() {
    let error = factscope::facts::Dataset::load("https://example.org/facts.json".as_ref());
    assert!(error.unwrap_err().to_string().contains("download the file, and name it here"));
}
