//! The built-in model trained anew, for a few steps.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{complaint, json};

#[test]
fn training_a_little_makes_a_model_that_opens_and_can_go_on() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let size = ["--layers", "1", "--heads", "1", "--width", "8", "--batch", "8", "--steps", "4"];
    let train = |more: &[&str]| -> Value {
        json(&[&["train", "--out", out, "--json"], &size[..], more].concat())
    };
    assert_eq!(train(&["--stop-after", "2"])["steps"], 2);
    assert_eq!(train(&["--resume"])["steps"], 4);
    let curves = fs::read_to_string(dir.path().join("curves.csv")).unwrap();
    let steps: Vec<&str> =
        curves.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(steps, ["1", "2", "3", "4"]);
    let found = json(&["predict", "--model", out, "--prompt", "The capital of Egypt is", "--json"]);
    assert!(!found["top"].as_array().unwrap().is_empty());

    let complaint = complaint(&["train", "--out", out, "--heads", "5", "--width", "8"]);
    assert!(complaint.contains("multiple"), "{complaint}");
}
