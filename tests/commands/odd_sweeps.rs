//! Sweeps of facts that are not alike, and folders that are no sweep's: nothing is mixed, and what is
//! left out or wrong is told.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{TINY, complaint, factscope, stdout};

/// The first facts of the built-in dataset, changed, as a file.
fn facts_of(dir: &TempDir, n: usize, change: impl Fn(usize, &mut Value)) -> String {
    let all: Vec<Value> = serde_json::from_str(include_str!("../../data/facts.json")).unwrap();
    let mut facts: Vec<Value> = all.into_iter().take(n).collect();
    facts.iter_mut().enumerate().for_each(|(nth, it)| change(nth, it));
    let path = dir.path().join("facts.json");
    fs::write(&path, serde_json::to_string(&facts).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A logit less the foil's and a logit less the vocabulary's mean are not averaged with each other.
#[test]
fn facts_with_and_without_a_foil_are_kept_apart() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let facts = facts_of(&dir, 12, |nth, it| {
        if nth % 3 == 0 {
            it["requested_rewrite"].as_object_mut().unwrap().remove("target_new");
        }
    });
    let (spec, out) = (path("spec.json"), path("out"));
    stdout(&["attribute", "--by", "heads", "--facts", &facts, "--case", "1", "--save-spec", &spec]);
    stdout(&["sweep", &spec, "--facts", &facts, "--out", &out]);
    let told = stdout(&["population", &out, "--draws", "50", "--permutations", "19"]);
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for kind in ["logit(answer) − logit(foil)", "logit(answer) minus the vocabulary mean"] {
        let map = format!("Logit attribution of heads, Contribution (logits) of {kind}: fact");
        assert!(told.contains(&map), "{map} is not in {told}");
    }
    for counted in
        ["logit(answer) − logit(foil) of 8 facts", "minus the vocabulary mean of 4 facts"]
    {
        assert!(told.contains(counted), "{told}");
    }
    // Facts that are alike say it in a note, and keep plain names.
    let alike = facts_of(&dir, 12, |_, _| {});
    let out = path("alike");
    stdout(&["attribute", "--by", "heads", "--facts", &alike, "--case", "1", "--save-spec", &spec]);
    stdout(&["sweep", &spec, "--facts", &alike, "--out", &out]);
    let told = stdout(&["population", &out, "--draws", "50", "--permutations", "19"]);
    assert!(told.contains("Numbers are of logit(answer) − logit(foil)"), "{told}");
    assert!(told.contains("Contribution (logits): fact") && !told.contains("Warning"), "{told}");
}

/// The tiny model, with a tokenizer that has a token more than the model has embeddings.
fn model_without_an_embedding(dir: &Path) -> String {
    let model = dir.join("model");
    fs::create_dir(&model).unwrap();
    for entry in fs::read_dir(TINY).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, model.join(from.file_name().unwrap())).unwrap();
    }
    let path = model.join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let added = tokenizer["added_tokens"].as_array_mut().unwrap();
    added.push(json!({
        "id": 657, "content": "<|gone|>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": false,
    }));
    fs::write(path, tokenizer.to_string()).unwrap();
    model.to_str().unwrap().to_owned()
}

/// A subject that the model cannot read leaves out its own fact, and adds nothing to the scale of noise.
#[test]
fn a_subject_without_an_embedding_leaves_out_only_its_own_fact() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let model = model_without_an_embedding(dir.path());
    let facts = facts_of(&dir, 5, |nth, it| {
        if nth == 2 {
            it["requested_rewrite"]["subject"] = "<|gone|>".into();
        }
    });
    let (spec, out) = (path("spec.json"), path("out"));
    let fact = ["--model", &model, "--facts", &facts, "--case", "0"];
    let traced = ["trace", "--kind", "mlp", "--samples", "2", "--save-spec", &spec];
    let output = factscope(&[&traced[..], &fact].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let passed = "1 subject is passed over, because the model has no embedding of a token of theirs: \
                  “<|gone|>”";
    assert!(told.contains(passed), "{told}");
    let output = factscope(&["sweep", &spec, "--facts", &facts, "--out", &out]);
    let (told, text) =
        (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap());
    assert!(text.starts_with("5 of 5 facts asked, each way counted, 1 of them left out"), "{text}");
    assert!(text.contains("“<|gone|>” has the id 657"), "{text}");
    assert!(told.contains(passed), "{told}");
    let manifest = fs::read_to_string(dir.path().join("out/_sweep.json")).unwrap();
    assert!(manifest.contains("1 subject is passed over"), "{manifest}");
}

#[test]
fn what_is_no_folder_of_a_sweep_is_named_with_a_remedy() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let spec = path("spec.json");
    stdout(&["attribute", "--facts", "builtin", "--case", "2", "--save-spec", &spec]);
    let says = |args: &[&str], words: &str| {
        let said = complaint(args);
        assert!(said.contains(words), "{args:?}: {said}");
    };
    says(&["population", &path("nowhere")], "there is no such folder");
    fs::create_dir(path("empty")).unwrap();
    says(&["population", &path("empty")], "it has no _sweep.json, which `factscope sweep");
    says(&["population", &spec], "this is a file, but numbers are written to a folder");
    let file = path("file");
    fs::write(&file, "").unwrap();
    says(&["sweep", &spec, "--out", &file], "this is a file, but numbers are written to a folder");
    says(&["sweep", &spec, "--out", &spec], "name one file");
    fs::create_dir(path("broken")).unwrap();
    fs::write(path("broken/_sweep.json"), "{").unwrap();
    let out = ["sweep", &spec, "--out", &path("broken")];
    says(&out, "does not say what was asked");
    says(&out, "name another folder");
}

/// What a knockout changes is averaged as a logarithm: relative to a small probability it has no bound.
#[test]
fn relative_changes_are_not_averaged_unasked() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (spec, out) = (path("spec.json"), path("out"));
    stdout(&["knockout", "--facts", "builtin", "--case", "2", "--save-spec", &spec]);
    stdout(&["sweep", &spec, "--n", "8", "--out", &out]);
    let population = |more: &[&str]| {
        let few = ["population", &out, "--draws", "50", "--permutations", "19"];
        stdout(&[&few[..], more].concat())
    };
    let usual = population(&[]);
    assert!(usual.contains("Attention knockout, Change of ln p(answer): fact"), "{usual}");
    assert!(!usual.contains("Change of p(answer) (%): fact"), "{usual}");
    let usual = usual.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(usual.contains("relative to a small one has no bound"), "{usual}");
    let all = population(&["--chart", "Attention knockout"]);
    assert!(all.contains("Change of p(answer) (%): fact") && all.contains("Warning"), "{all}");
}
