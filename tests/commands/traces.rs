//! Causal traces: ROME's keys, estimates, single cells and averages.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{TINY, complaint, counterfact, factscope, json, numbers, stdout};

#[test]
fn a_trace_of_a_dataset_has_romes_keys_and_shape() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let out = dir.path().join("trace.json");
    let file = out.to_str().unwrap();
    for (kind, bos) in [("hidden", false), ("mlp", true), ("attn", false)] {
        let mut args = vec!["trace", "--model", TINY, "--facts", &facts, "--case", "4"];
        args.extend(["--kind", kind, "--samples", "2", "--out", file, "--device", "cpu"]);
        if bos {
            args.push("--bos");
        }
        assert_eq!(stdout(&args), "");
        let trace: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
        let tokens = trace["input_tokens"].as_array().unwrap();
        let text: String = tokens.iter().map(|it| it.as_str().unwrap()).collect();
        let bos_text = if bos { "<|endoftext|>" } else { "" };
        assert_eq!(text, format!("{bos_text}The mother tongue of Danielle Darrieux is"));
        let subject = trace["subject_range"].as_array().unwrap();
        let range = |nth: usize| subject[nth].as_u64().unwrap() as usize;
        let subject: String =
            tokens[range(0)..range(1)].iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(subject, " Danielle Darrieux");

        let scores = trace["scores"].as_array().unwrap();
        assert_eq!(scores.len(), tokens.len());
        assert!(scores.iter().flat_map(numbers).all(|it| (0.0..=1.0).contains(&it)));
        assert!(scores.iter().all(|token| token.as_array().unwrap().len() == 4));
        assert_eq!(trace["kind"], kind);
        // A model of four layers has no window that tells them apart.
        assert_eq!(trace["window"], 1);
        assert_eq!(trace["seed"], 1);
        assert_eq!(trace["correct_prediction"], false);
        assert_eq!(trace["expected"], "French");
        assert!(trace["low_score"].as_f64().unwrap() > 0.0);
        assert!(trace["high_score"].as_f64().unwrap() > 0.0);
        assert!(trace["noise_std"].as_f64().unwrap() > 0.0);
        let hash = &trace["model"]["weights_sha256"]["model.safetensors"];
        assert_eq!(hash.as_str().unwrap().len(), 64);
        assert_eq!(trace["model"]["name"], "tiny");
        for key in ["answer", "input_ids", "program", "device"] {
            assert!(!trace[key].is_null(), "{key}");
        }
    }
}

#[test]
fn an_estimate_has_the_keys_of_a_trace_and_says_what_it_is() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let traced = ["--model", TINY, "--facts", &facts, "--case", "4", "--kind", "mlp"];
    let how = ["--window", "2", "--samples", "3", "--device", "cpu", "--json"];
    let trace = json(&[&["trace"], &traced[..], &how].concat());
    let atp = [&["atp"], &traced[..], &how].concat();
    let estimate = json(&[&atp[..], &["--base", "clean", "--verify", "4"]].concat());
    // The same to rounding: what goes back needs activations that a trace does not stop for.
    let high = |of: &Value| of["high_score"].as_f64().unwrap();
    assert!((high(&estimate) - high(&trace)).abs() < 1e-6);
    // What is measured in a run differs as well, and an estimate fills no cell.
    let of_runs = ["clean", "corrupted_runs", "restored", "metrics"];
    let differ = [&["scores", "low_score", "high_score", "spec", "method"][..], &of_runs].concat();
    for (key, value) in trace.as_object().unwrap() {
        if !differ.contains(&key.as_str()) {
            assert_eq!(estimate[key], *value, "{key}");
        }
    }
    assert_eq!(estimate["spec"]["trace"], trace["spec"]);
    assert_eq!(estimate["estimated_by"], "attribution patching");
    assert_eq!(estimate["base"], "clean");
    assert_eq!(estimate["metric"], "prob");

    let (scores, exact) = (&estimate["scores"], &trace["scores"]);
    let n_tokens = exact.as_array().unwrap().len();
    assert_eq!(scores.as_array().unwrap().len(), n_tokens);
    assert_eq!(numbers(&scores[0]).len(), numbers(&exact[0]).len());
    let heads = estimate["head_effects"].as_array().unwrap();
    assert_eq!(heads.len(), n_tokens);
    assert_eq!((heads[0].as_array().unwrap().len(), numbers(&heads[0][0]).len()), (4, 4));
    let verified = estimate["verified"].as_array().unwrap();
    assert_eq!(verified.len(), 4);
    for it in verified {
        let at = |map: &Value| {
            let layer = it["layer"].as_u64().unwrap() as usize;
            map[it["token"].as_u64().unwrap() as usize][layer].as_f64().unwrap()
        };
        assert_eq!(it["estimate"].as_f64().unwrap(), at(scores));
        assert!((it["patched"].as_f64().unwrap() - at(exact)).abs() < 1e-5);
    }

    let text = stdout(&[&atp[..atp.len() - 1], &["--verify", "2"]].concat());
    assert!(text.contains("at the corrupted runs"), "{text}");
    assert!(text.contains("patched for real"), "{text}");

    // The dataset names a wrong answer of this fact, and none of the other.
    let difference = json(&[&atp[..], &["--metric", "logit-diff"]].concat());
    assert_eq!(difference["metric"], "logit_diff");
    let other = ["atp", "--model", TINY, "--facts", &facts, "--case", "9", "--kind", "hidden"];
    let other = [&other[..], &["--device", "cpu", "--metric", "logit-diff", "--json"]].concat();
    let no_foil = complaint(&other);
    assert!(no_foil.contains("needs a foil"), "{no_foil}");
    json(&[&other[..], &["--foil", "the"]].concat());
}

#[test]
fn a_cell_of_a_trace_shows_the_runs_behind_it() {
    let common = ["trace", "--model", TINY, "--device", "cpu", "--kind", "mlp", "--samples", "3"];
    let trace = [&common[..], &["--prompt", "Lyon is in", "--subject", "Lyon"]].concat();
    let map = json(&[&trace[..], &["--json"]].concat());
    let cell = json(&[&trace[..], &["--cell", "1,2", "--top", "4", "--json"]].concat());
    let number = |value: &Value| value.as_f64().unwrap();
    let mean = number(&cell["means"]["prob"]["patched"]);
    assert!((mean - number(&map["scores"][1][2])).abs() < 1e-5);
    assert!((number(&cell["means"]["prob"]["corrupted"]) - number(&map["low_score"])).abs() < 1e-5);
    assert_eq!(cell["samples"]["patched"].as_array().unwrap().len(), 3);
    assert_eq!(cell["top"]["patched"].as_array().unwrap().len(), 4);
    assert_eq!((&cell["seed"], &cell["noise_std"]), (&map["seed"], &map["noise_std"]));
    let text = stdout(&[&trace[..], &["--cell", "1,2"]].concat());
    assert!(text.contains("layer 2") && text.contains(" away, "), "{text}");

    let wrong = complaint(&[&trace[..], &["--cell", "1,99"]].concat());
    assert!(wrong.contains("no layer 99"), "{wrong}");
    let wrong = complaint(&[&trace[..], &["--at", "all", "--cell", "1,2"]].concat());
    assert!(wrong.contains("single tokens"), "{wrong}");
    assert_eq!(factscope(&[&trace[..], &["--cell", "1"]].concat()).status.code(), Some(2));
}

#[test]
fn averages_say_what_is_in_them_and_what_is_left_out() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let figure = dir.path().join("figure.csv");
    let args = ["average", "--model", TINY, "--facts", &facts, "--samples", "2", "--window", "2"];
    let args = [&args[..], &["--kind", "hidden,mlp", "--device", "cpu"]].concat();
    let to_file = ["--figure", figure.to_str().unwrap()];
    let all = json(&[&args[..], &to_file, &["--keep-unknown", "--json"]].concat());
    assert_eq!((&all["n_asked"], &all["n_facts"]), (&2.into(), &2.into()));
    let map = &all["maps"][1];
    assert_eq!((&map["kind"], &map["window"]), (&"mlp".into(), &2.into()));
    let prob = &map["metrics"]["prob"];
    let roles = prob["roles"].as_array().unwrap();
    for key in ["indirect", "low", "high", "standard_error"] {
        assert_eq!(prob[key].as_array().unwrap().len(), roles.len());
    }
    let read = |key: &str| prob[key]["mean"].as_f64().unwrap();
    assert!((read("clean") - read("corrupted") - read("total")).abs() < 1e-6);
    // With half of the facts, all that the last state does is the total.
    let last = numbers(prob["rome"]["result"].as_array().unwrap().last().unwrap());
    assert_eq!((last.len(), &prob["rome"]["size"]), (4, &2.into()));
    let csv = fs::read_to_string(&figure).unwrap();
    assert!(csv.contains("last token,3,") && csv.contains(",low,high"), "{csv}");

    // Random weights know nothing.
    let text = stdout(&args);
    assert!(text.contains("0 of 2 facts averaged, 2 not known\n"), "{text}");
    assert!(text.contains("the model says") && text.contains("not ·French"), "{text}");
    let nothing = complaint(&[&args[..], &["--relation", "nonsense"]].concat());
    assert!(nothing.contains("no such fact in"), "{nothing}");

    let known = ["average", "--n", "4", "--samples", "2", "--kind", "mlp", "--device", "cpu"];
    let text = stdout(&[&known[..], &["--relation", "P36"]].concat());
    assert!(text.contains("last subject token") && text.contains("Total effect"), "{text}");
}
