//! Models: the built-in one, random ones, and where their weights lie.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{complaint, json, stdout};

#[test]
fn without_a_model_the_built_in_one_answers() {
    let found =
        json(&["predict", "--prompt", "The capital of Egypt is", "--answer", "Cairo", "--json"]);
    assert_eq!(found["answer"]["rank"], 0, "{found}");
    let info = json(&["model", "info", "builtin", "--json"]);
    assert_eq!(info["config"]["n_layers"], 6);

    // Of the built-in facts, too.
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("trace.json");
    let out = out.to_str().unwrap();
    let args = ["trace", "--kind", "hidden", "--facts", "builtin", "--case", "2", "--samples", "2"];
    stdout(&[&args[..], &["--out", out]].concat());
    let trace: Value = serde_json::from_str(&fs::read_to_string(out).unwrap()).unwrap();
    assert_eq!(trace["model"]["name"], "builtin");
    assert_eq!(trace["correct_prediction"], true);
}

#[test]
fn a_random_model_of_full_size_can_be_used_at_once() {
    let dir = TempDir::new().unwrap();
    let model = dir.path().join("gpt2");
    let model = model.to_str().unwrap();
    let random = ["model", "random", "--config", "gpt2", "--seed", "3", "--out", model];
    assert_eq!(stdout(&random).trim(), model);
    let info = json(&["model", "info", model, "--json"]);
    assert_eq!(info["n_params"], 124_439_808);
    assert_eq!(info["n_tokens"], 50_257);
    let prompt = "The Eiffel Tower is located in";
    let found =
        json(&["predict", "--model", model, "--prompt", prompt, "--json", "--device", "cpu"]);
    // As OpenAI's encoder gives them.
    assert_eq!(found["ids"], serde_json::json!([464, 412, 733, 417, 8765, 318, 5140, 287]));
    // A model that is there is not written over.
    assert!(complaint(&random).contains("there is a model already"));
}

/// Peak of anonymous memory while a model of bf16 loads and predicts, against its weights in f32.
#[cfg(target_os = "linux")]
#[test]
fn weights_are_computed_on_where_they_lie_in_the_file() {
    use std::process::{Command, Stdio};

    let dir = TempDir::new().unwrap();
    let model = dir.path().join("gpt2");
    let model = model.to_str().unwrap();
    let random = ["model", "random", "--config", "gpt2-medium", "--type", "bf16", "--out", model];
    stdout(&random);
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("factscope"))
        .args(["predict", "--model", model, "--prompt", "Lyon is in", "--device", "cpu"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak_kib = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = anonymous.and_then(|it| it.trim().trim_end_matches("kB").trim().parse().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    let weights = 354_823_168.0 * 4.0;
    let ratio = peak_kib as f64 * 1024.0 / weights;
    assert!(ratio < 0.2, "{ratio:.2} × the weights");
}

#[test]
fn a_model_may_be_a_file() {
    let gguf = "tests/fixtures/formats/gguf/small.gguf";
    let info = json(&["model", "info", gguf, "--json"]);
    assert_eq!((&info["name"], &info["format"]), (&"small".into(), &"GGUF".into()));
    let first = &info["tensors"][0];
    assert_eq!((&first["name"], &first["type"]), (&"h.0.attn.c_attn.bias".into(), &"F32".into()));
    assert_eq!(info["weights_sha256"]["small.gguf"].as_str().unwrap().len(), 64);
    let every =
        stdout(&["model", "info", "tests/fixtures/formats/gguf/quantised.gguf", "--tensors"]);
    assert!(every.contains("1 × Q6_K") && every.contains("format      GGUF"), "{every}");
    assert!(every.contains("Q6_K        h.2.mlp.c_proj.weight  [256, 32]"), "{every}");
    let found = json(&["predict", "--model", gguf, "--prompt", "abc the", "--json"]);
    assert_eq!(found["ids"], serde_json::json!([1, 2, 3, 0, 38]));

    // A weight file stands for its folder, a shard for all shards.
    for file in [
        "tiny/model.safetensors",
        "tiny/config.json",
        "tiny-sharded/model-00002-of-00002.safetensors",
    ] {
        let file = format!("tests/fixtures/{file}");
        let (dir, _) = file.rsplit_once('/').unwrap();
        let ask = |model| json(&["predict", "--model", model, "--prompt", "Paris is", "--json"]);
        let (mut one, whole) = (ask(&file), ask(dir));
        assert_eq!(one["model"]["name"], whole["model"]["name"]);
        for field in ["path", "dir"] {
            one["model"][field] = whole["model"][field].clone();
        }
        assert_eq!(one["top"], whole["top"], "{file}");
    }
    let refused =
        complaint(&["predict", "--model", "tests/fixtures/formats/gguf", "--prompt", "x"]);
    assert!(refused.contains("open the GGUF file itself, such as"), "{refused}");
}
