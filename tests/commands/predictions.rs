//! What the model says next, and after each layer.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{TINY, factscope, json, numbers};

/// Hugging Face's logits, from the golden file.
#[test]
fn predictions_are_hugging_faces() {
    let golden = fs::read_to_string(Path::new(TINY).join("golden.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    for prompt in golden["prompts"].as_array().unwrap() {
        let text = prompt["text"].as_str().unwrap();
        let mut args = vec!["predict", "--model", TINY, "--prompt", text, "--json", "--top", "5"];
        args.extend(["--device", "cpu", "--answer", "on"]);
        if prompt["bos"].as_bool().unwrap() {
            args.push("--bos");
        }
        let found = json(&args);
        assert_eq!(found["ids"], prompt["ids"]);
        assert_eq!(found["tokens"], prompt["tokens"]);
        let logits = numbers(&prompt["hf_logits_last"]);
        let top = found["top"].as_array().unwrap();
        assert_eq!(top.len(), 5);
        let answer = &found["answer"];
        for it in top.iter().chain([answer]) {
            let id = it["id"].as_u64().unwrap() as usize;
            let logit = it["logit"].as_f64().unwrap();
            assert!((logit - logits[id]).abs() < 1e-3, "{text}: {id}");
        }
        let sum: f64 = logits.iter().map(|it| it.exp()).sum();
        let logit = logits[answer["id"].as_u64().unwrap() as usize];
        assert!((answer["prob"].as_f64().unwrap() - logit.exp() / sum).abs() < 1e-5);
        assert!((answer["log_prob"].as_f64().unwrap() - (logit - sum.ln())).abs() < 1e-3);
        let likelier = logits.iter().filter(|it| **it > logit).count();
        assert_eq!(answer["rank"].as_u64().unwrap() as usize, likelier);
    }
}

#[test]
fn the_lens_ends_at_the_prediction_and_attention_rows_sum_to_one() {
    let common = ["--model", TINY, "--prompt", "Lyon is in", "--json", "--device", "cpu"];
    let lens = json(&[&["lens"], &common[..]].concat());
    let layers = lens["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 4);
    let prediction = json(&[&["predict"], &common[..]].concat());
    let last = &layers[3];
    assert_eq!(last["top"]["id"], prediction["top"][0]["id"]);
    assert_eq!(last["answer_rank"], 0);

    let head = ["--layer", "2", "--head", "1"];
    let attention = json(&[&["attention"], &common[..], &head].concat());
    for (query, row) in attention["pattern"].as_array().unwrap().iter().enumerate() {
        let row = numbers(row);
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        assert!(row[query + 1..].iter().all(|it| *it == 0.0));
    }
}

/// Results that cannot be written say where to.
#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_named() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin("factscope"))
        .args(["predict", "--model", TINY, "--device", "cpu", "--prompt", "a b", "--json"])
        .stdout(full)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("what was found cannot be written to stdout: No space left"), "{told}");
}

#[test]
fn a_foil_that_is_the_answer_is_told_once() {
    let asked = [
        "atp",
        "--kind",
        "mlp",
        "--model",
        TINY,
        "--device",
        "cpu",
        "--prompt",
        "Paris is the capital of",
    ];
    let fact = ["--subject", "Paris", "--answer", "it", "--foil", "it", "--samples", "1"];
    let told = |more: &[&str]| {
        let output = factscope(&[&asked[..], &fact, more].concat());
        String::from_utf8(output.stderr).unwrap().matches("the foil is the answer itself").count()
    };
    assert_eq!(told(&[]), 1);
    assert_eq!(told(&["--quiet"]), 0);
}
