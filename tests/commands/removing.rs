//! What the answer loses without a part or a way.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{TINY, counterfact, json, numbers, stdout};

#[test]
fn an_ablation_and_a_knockout_hold_what_makes_them_again() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let fact = ["--model", TINY, "--device", "cpu", "--facts", &facts, "--case", "4", "--json"];
    let heads = json(&[&["ablate"], &fact[..], &["--with", "mean"]].concat());
    assert_eq!(heads["ablated"].as_array().unwrap().len(), 4);
    assert_eq!(numbers(&heads["change"]["prob"][3]).len(), 4);
    let n_prompts = heads["spec"]["replacement"]["mean"]["prompts"].as_array().unwrap().len();
    assert_eq!(n_prompts, 2);
    let change = heads["ablated"][1][2]["logit"].as_f64().unwrap()
        - heads["clean"]["logit"].as_f64().unwrap();
    // Differences of f32 of size 10.
    assert!((change - heads["change"]["logit"][1][2].as_f64().unwrap()).abs() < 1e-5);
    let naive = json(&[&["ablate"], &fact[..], &["--with", "mean", "--exact-naive"]].concat());
    let pairs =
        |it: &Value| (0..4).flat_map(|n| numbers(&it["change"]["prob"][n])).collect::<Vec<_>>();
    for (found, expected) in pairs(&heads).iter().zip(pairs(&naive)) {
        assert!((found - expected).abs() < 1e-5);
    }

    let cut = json(&[&["knockout"], &fact[..], &["--window", "2"]].concat());
    let names = cut["edges"].as_array().unwrap().iter().map(|it| it["from"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["subject", "non-subject", "last"]);
    assert_eq!(numbers(&cut["edges"][0]["relative_change"]).len(), 4);
    assert_eq!(cut["spec"]["window"], 2);
    let custom = ["--edges", "1..3:last", "--edges", "subject:3..5"];
    let cut = json(&[&["knockout"], &fact[..], &custom].concat());
    assert_eq!(cut["edges"][1]["to"], "3..5");

    let severed = ["--kind", "hidden", "--samples", "2", "--sever", "mlp"];
    let out = dir.path().join("severed.json");
    let to_file = ["--out", out.to_str().unwrap()];
    stdout(&[&["trace"], &fact[..], &severed, &to_file].concat());
    let trace: Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!((&trace["sever"], &trace["direction"]), (&"mlp".into(), &"denoise".into()));
}
