//! A logit split up, and parts of the model looked at.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{TINY, complaint, factscope, json, numbers, stdout};

#[test]
fn attributions_add_up_to_the_logit() {
    for by in ["layers", "heads"] {
        for foil in [&["--foil", "on"][..], &[]] {
            let common = ["attribute", "--model", TINY, "--prompt", "Lyon is in", "--by", by];
            let more = ["--answer", "it", "--json", "--device", "cpu"];
            let found = json(&[&common, foil, &more[..]].concat());
            let values = numbers(&found["values"]);
            assert_eq!(values.len(), found["labels"].as_array().unwrap().len());
            let number = |key: &str| found[key].as_f64().unwrap();
            assert!((values.iter().sum::<f64>() + number("bias") - number("sum")).abs() < 1e-4);
            assert!((number("sum") - number("logit")).abs() < 1e-4);
            assert_eq!(found["unit"], "logit");
        }
    }
}

#[test]
fn every_way_to_split_a_logit_adds_up_to_it() {
    let fact = ["attribute", "--model", TINY, "--prompt", "Lyon is in", "--answer", "it", "--json"];
    let split = |more: &[&str]| json(&[&fact[..], &["--device", "cpu"], more].concat());
    let minus_noise = ["--subject", "Lyon", "--minus-noise", "0.5", "--samples", "2"];
    for (how, whole) in [
        (&["--by", "neurons"][..], "logit"),
        (&["--by", "neurons", "--per-layer", "--top", "2", "--process", "all"], "logit"),
        (&["--by", "sources", "--foil", "on"], "logit"),
        (&["--through", "3.1"], "logit"),
        (&["--through", "L2H0", "--by", "heads"], "logit"),
        (&["--minus-prompt", "Rome is the capital of"], "logit_difference"),
        (&minus_noise, "logit_difference"),
    ] {
        let found = split(how);
        let number = |key: &str| found[key].as_f64().unwrap();
        assert!((number("sum") - number(whole)).abs() < 1e-4, "{how:?}");
        assert_eq!(found["edits"].is_array(), how.contains(&"--process"), "{how:?}");
    }
    let processed = split(&["--process", "fold_ln,center_unembed"]);
    let steps = serde_json::json!([{ "Processing": ["fold_ln", "center_unembed"] }]);
    assert_eq!(processed["edits"], steps);
    let built = split(&["--by", "accumulated"]);
    let last = numbers(built["logits"].as_array().unwrap().last().unwrap());
    let logit = split(&[])["logit"].as_f64().unwrap();
    assert!((last.last().unwrap() - logit).abs() < 1e-4);

    let mixed = complaint(&[&fact[..], &["--by", "neurons", "--through", "1.1"]].concat());
    assert!(mixed.contains("--by layers"), "{mixed}");
    let far = complaint(&[&fact[..], &["--device", "cpu", "--through", "9.0"]].concat());
    assert!(far.contains("no layer 9"), "{far}");
    let subject = complaint(&[&fact[..], &["--device", "cpu", "--minus-noise", "1"]].concat());
    assert!(subject.contains("no subject"), "{subject}");
    assert_eq!(factscope(&[&fact[..], &["--process", "fold"]].concat()).status.code(), Some(2));
}

/// The built-in model's context takes fewer random tokens than is usual.
#[test]
fn heads_of_the_built_in_model_are_scored_without_further_flags() {
    let scores = json(&["heads", "--prompt", "The capital of France is", "--json"]);
    assert_eq!(scores["spec"]["n_random"], 31);
}

#[test]
fn heads_the_stream_and_weights_can_be_looked_at() {
    let common = ["--model", TINY, "--device", "cpu", "--json"];
    let prompt = ["--prompt", "Lyon is in"];
    let norms = json(&[&["norms"], &common[..], &prompt].concat());
    assert_eq!(numbers(&norms["resid_mid"][3]).len(), norms["tokens"].as_array().unwrap().len());
    let heads = json(&[&["heads"], &common[..], &prompt, &["--random-tokens", "5"]].concat());
    assert_eq!(numbers(&heads["random_induction"][0]).len(), 4);
    assert!(heads["subject"][0][0].is_null());
    let graph = json(&[&["contributions"], &common[..], &prompt].concat());
    assert!(graph["edges"].as_array().unwrap().len() > 1);
    let circuit = json(&[&["circuit"], &common[..], &["--head", "1.2", "--tokens", "3"]].concat());
    assert_eq!(circuit["vectors"][0]["writes"]["positive"].as_array().unwrap().len(), 3);
    let compose = json(&[&["compose"], &common[..], &["--modes", "v", "--top", "3"]].concat());
    assert_eq!(compose["top"].as_array().unwrap().len(), 3);
    assert_eq!(numbers(&compose["scores"]["v"][0][0][3]).len(), 4);
    assert!(compose["scores"]["q"].is_null());

    // Weights are asked without a fact, from a file too; anything else needs one.
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("circuit.json");
    let file = file.to_str().unwrap();
    let saved = ["--head", "1.2", "--tokens", "3", "--save-spec", file];
    stdout(&[&["circuit", "--model", TINY], &saved[..]].concat());
    assert_eq!(json(&["run", file, "--device", "cpu", "--json"]), circuit);
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("\"none\""), "{text}");
    let mut asked: Value = serde_json::from_str(&text).unwrap();
    asked["spec"] = serde_json::json!({ "ResidualNorms": null });
    fs::write(file, asked.to_string()).unwrap();
    let said = complaint(&["run", file, "--device", "cpu"]);
    assert!(said.contains("name a fact"), "{said}");

    let attention = ["attention", "--layer", "1"];
    let moved = ["--head", "0", "--weighting", "norm"];
    let moved = json(&[&attention, &common[..], &prompt, &moved].concat());
    assert_eq!(moved["weighting"], "norm_based");
    let rolled = json(&[&attention, &common[..], &prompt, &["--rollout"]].concat());
    assert!((numbers(&rolled["pattern"][1]).iter().sum::<f64>() - 1.0).abs() < 1e-5);
}
