//! Tokenizers that are broken, and vocabularies of another size than the model's.

use std::fs;

use factscope::task::TaskCtx;
use factscope::worker::{DeviceChoice, Engine};
use serde_json::{Value, json};

use super::{
    Tensor, check_refused, copy_of, find, logits_of, with_file, with_tensors, without_file,
};
use crate::support::{assert_close, fixture};

#[test]
fn broken_tokenizers_are_refused() {
    check_refused(without_file("tokenizer.json").path(), &["tokenizer.json", "vocab.json"]);
    for text in ["", "{", "[]", "{}", "{\"model\": {\"type\": \"BPE\"}}"] {
        let dir = with_file("tokenizer.json", text.as_bytes());
        check_refused(dir.path(), &["tokenizer.json"]);
    }
    for (name, text) in [
        ("vocab.json", "{"),
        ("vocab.json", "[]"),
        ("merges.txt", "one\n"),
        ("merges.txt", "#version: 0.2\nq q\n"),
    ] {
        let dir = copy_of("tiny-sharded");
        fs::write(dir.path().join(name), text).unwrap();
        check_refused(dir.path(), &[name]);
    }
    let dir = copy_of("tiny-sharded");
    fs::remove_file(dir.path().join("merges.txt")).unwrap();
    check_refused(dir.path(), &["merges.txt"]);
}

/// As where a padding token was added, and the model's embeddings were not resized.
#[test]
fn a_tokenizer_with_more_tokens_than_the_model_opens_and_refuses_those_without_a_row() {
    let dir = copy_of("tiny");
    let path = dir.path().join("tokenizer.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let added = json!({
        "id": 657, "content": "zzz", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": false,
    });
    json["added_tokens"].as_array_mut().unwrap().push(added);
    fs::write(&path, json.to_string()).unwrap();
    let engine = Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ());
    let tokenizer = engine.unwrap().info.tokenizer.clone();
    assert!(tokenizer.encode("The capital is").is_ok());
    let refused = tokenizer.encode("The zzz is").unwrap_err().to_string();
    assert!(refused.contains("“zzz” has the id 657"), "{refused}");
}

/// Some checkpoints pad their vocabulary.
#[test]
fn a_vocabulary_larger_than_the_tokenizers_is_accepted() {
    let dir = with_tensors(|tensors| {
        let wte = find(tensors, "wte.weight");
        *wte = Tensor::f32("wte.weight", &[672, 32], &[wte.values(), vec![0.0; 15 * 32]].concat());
    });
    let path = dir.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap().replace("657", "672");
    fs::write(&path, text).unwrap();
    let found = logits_of(dir.path());
    assert_close(&found[..657], &logits_of(&fixture("tiny")), 1e-4, "padded");
    assert_close(&found[657..], &[0.0; 15], 0.0, "padding");
    assert!(Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).is_ok());
}
