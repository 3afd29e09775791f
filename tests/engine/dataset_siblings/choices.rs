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
fn an_address_on_the_network_is_told() {
    let error = factscope::facts::Dataset::load("https://example.org/facts.json".as_ref());
    assert!(error.unwrap_err().to_string().contains("download the file, and name it here"));
}
