//! Models: the built-in one, random ones, and where their weights lie.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{TINY, complaint, json, stdout};

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

/// The model is looked at, not refused: `info` is what a person asks of a model that does not open.
#[test]
fn info_names_tensors_whose_numbers_are_not_finite() {
    let dir = TempDir::new().unwrap();
    for entry in fs::read_dir("tests/fixtures/tiny").unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    let model = dir.path().to_str().unwrap();
    let whole = json(&["model", "info", model, "--json"]);
    assert_eq!(whole["not_finite"], serde_json::json!([]));
    assert!(!stdout(&["model", "info", model]).contains("not finite"));

    let weights = dir.path().join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let tensors: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let start = tensors["ln_f.bias"]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[8 + header + start + 4 * 3..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&weights, bytes).unwrap();
    let text = stdout(&["model", "info", model]);
    assert!(text.contains("not finite  ln_f.bias holds NaN at element 3"), "{text}");
    let found = &json(&["model", "info", model, "--json"])["not_finite"];
    let told = serde_json::json!([{ "tensor": "ln_f.bias", "element": 3, "value": "NaN" }]);
    assert_eq!(*found, told);
}

/// Small vocabularies have GPT-2's first tokens, and every family its end of text as BOS.
#[test]
fn the_tokenizer_of_a_random_model_fits_its_vocabulary() {
    let dir = TempDir::new().unwrap();
    let llama = serde_json::json!({
        "model_type": "llama", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8,
        "intermediate_size": 16, "max_position_embeddings": 64,
    });
    let gpt2 = serde_json::json!({
        "model_type": "gpt2", "n_layer": 1, "n_head": 2, "n_embd": 8, "n_positions": 64,
    });
    for (nth, (config, n_tokens)) in
        [(&llama, 257), (&llama, 300), (&llama, 60_000), (&gpt2, 1_000)].into_iter().enumerate()
    {
        let mut config = config.clone();
        config["vocab_size"] = n_tokens.into();
        let file = dir.path().join(format!("{nth}.json"));
        fs::write(&file, config.to_string()).unwrap();
        let out = dir.path().join(nth.to_string());
        let [file, out] = [&file, &out].map(|it| it.to_str().unwrap());
        stdout(&["model", "random", "--config", file, "--out", out]);
        let info = json(&["model", "info", out, "--json"]);
        let known = n_tokens.min(50_257);
        assert_eq!(info["n_tokens"], known);
        let ask = ["predict", "--model", out, "--prompt", "Dvořák is in", "--bos", "--json"];
        let ids: Vec<u64> = serde_json::from_value(json(&ask)["ids"].clone()).unwrap();
        assert_eq!(ids[0], known - 1);
        assert!(ids[1..].iter().all(|id| *id < known - 1), "{ids:?}");
    }
    let mut config = llama;
    config["vocab_size"] = 256.into();
    let file = dir.path().join("few.json");
    fs::write(&file, config.to_string()).unwrap();
    let out = dir.path().join("few");
    let [file, out] = [&file, &out].map(|it| it.to_str().unwrap());
    let refused = complaint(&["model", "random", "--config", file, "--out", out]);
    assert!(refused.contains("`vocab_size` is 256") && refused.contains("257"), "{refused}");
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

/// The file of 64 GB has holes in place of nearly all its bytes.
#[cfg(target_os = "linux")]
#[test]
fn weights_that_the_system_has_no_room_for_are_told() {
    let dir = TempDir::new().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(Path::new(TINY).join(name), dir.path().join(name)).unwrap();
    }
    let weights = dir.path().join("model.safetensors");
    fs::File::options().write(true).open(&weights).unwrap().set_len(64 << 30).unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", r#"ulimit -v 16000000; exec "$@""#, "sh"])
        .arg(assert_cmd::cargo::cargo_bin("factscope"))
        .args(["predict", "--device", "cpu", "--prompt", "Lyon is in", "--model"])
        .arg(dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("has no room for it in memory; raise the limit (`ulimit -v`"), "{told}");
    assert!(told.trim_end().ends_with(weights.to_str().unwrap()), "{told}");
}
