//! What the tests share: the program as a script calls it, and a small dataset.

use std::fs;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

pub const TINY: &str = "tests/fixtures/tiny";

pub fn factscope(args: &[&str]) -> Output {
    program(args).output().unwrap()
}

/// Asks no network.
pub fn program(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("factscope").unwrap();
    command.args(args).env("HF_HUB_OFFLINE", "1");
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

/// What a command that must succeed printed.
#[track_caller]
pub fn stdout(args: &[&str]) -> String {
    let output = factscope(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
pub fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(args)).unwrap()
}

/// What a command that must fail complained about; nothing may reach stdout.
#[track_caller]
pub fn complaint(args: &[&str]) -> String {
    let output = factscope(args);
    assert!(!output.status.success(), "{args:?} should fail");
    assert!(output.stdout.is_empty(), "{args:?} prints and fails");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

pub fn numbers(json: &Value) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect()
}

pub fn counterfact(dir: &TempDir) -> String {
    let path = dir.path().join("facts.json");
    let facts = r#"[
        {"case_id": 4, "requested_rewrite": {"prompt": "The mother tongue of {} is", "relation_id":
         "P103", "target_new": {"str": "English"}, "target_true": {"str": "French"},
         "subject": "Danielle Darrieux"}},
        {"case_id": 9, "requested_rewrite": {"prompt": "{} is in", "relation_id": "P17",
         "target_true": {"str": "France"}, "subject": "Lyon"}}]"#;
    fs::write(&path, facts).unwrap();
    path.to_str().unwrap().to_owned()
}
