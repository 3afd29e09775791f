//! Models of the hub as a script names them: downloaded once, then found.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{TINY, complaint, json, program};

#[path = "../engine/hub/server.rs"]
#[expect(dead_code, reason = "most of it is for the tests of the engine")]
pub mod server;

use server::{COMMIT, Fault, Model, Server};

/// The tiny model, as the hub has it.
pub fn tiny() -> Server {
    let mut model = Model::new("me/tiny");
    model.files.clear();
    for entry in fs::read_dir(TINY).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        model.files.insert(name, fs::read(&path).unwrap());
    }
    Server::start(model)
}

fn factscope(args: &[&str], server: &Server, cache: &Path) -> Output {
    let mut command = program(args);
    command.env_remove("HF_HUB_OFFLINE").env_remove("HF_TOKEN");
    command.env("HF_ENDPOINT", &server.url).env("HF_HUB_CACHE", cache).env("HF_HOME", cache);
    command.output().unwrap()
}

#[track_caller]
fn prints(args: &[&str], server: &Server, cache: &Path) -> String {
    let output = factscope(args, server, cache);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn complains(args: &[&str], server: &Server, cache: &Path) -> String {
    let output = factscope(args, server, cache);
    assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_model_that_is_named_is_downloaded_and_answers_as_its_folder_does() {
    let (server, cache) = (tiny(), tempfile::tempdir().unwrap());
    let of = |model: &'static str| {
        ["predict", "--model", model, "--prompt", "Lyon is in", "--device", "cpu", "--json"]
    };
    let printed = prints(&of("me/tiny"), &server, cache.path());
    let found: Value = serde_json::from_str(&printed).unwrap();
    assert!(found["top"].is_array());
    assert_eq!(found["top"], json(&of(TINY))["top"]);
    assert_eq!(found["model"]["name"], "me/tiny");

    // What is there is not asked for again.
    server.seen();
    prints(&of("me/tiny"), &server, cache.path());
    prints(&["model", "info", "me/tiny"], &server, cache.path());
    assert!(server.seen().is_empty());

    let cut = fs::read_dir(cache.path().join("models--me--tiny/snapshots").join(COMMIT)).unwrap();
    assert!(cut.count() >= 3);
    fs::remove_file(
        cache.path().join("models--me--tiny/snapshots").join(COMMIT).join("model.safetensors"),
    )
    .unwrap();
    prints(&of("me/tiny"), &server, cache.path());
    assert_eq!(server.seen().len(), 1, "the list, and no file that is in the cache");
}

#[test]
fn a_spec_names_a_download_by_its_commit() {
    let (server, caches) = (tiny(), [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
    let spec = caches[0].path().join("spec.json");
    let spec = spec.to_str().unwrap();
    let args = ["predict", "--model", "me/tiny", "--prompt", "Lyon is in", "--save-spec", spec];
    prints(&args, &server, caches[0].path());
    let written: Value = serde_json::from_str(&fs::read_to_string(spec).unwrap()).unwrap();
    assert_eq!(written["model"], format!("me/tiny@{COMMIT}"));
    // Where it is not there yet it is downloaded.
    for cache in &caches {
        assert!(prints(&["run", spec], &server, cache.path()).contains("Lyon"));
    }
}

#[test]
fn get_downloads_and_says_where() {
    let (server, cache) = (tiny(), tempfile::tempdir().unwrap());
    let printed = prints(&["get", "me/tiny"], &server, cache.path());
    let dir = cache.path().join("models--me--tiny/snapshots").join(COMMIT);
    assert_eq!(Path::new(printed.trim_end()), dir);
    assert!(dir.join("config.json").is_file());
    let printed = prints(&["get", "me/tiny@main", "--json"], &server, cache.path());
    let found: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(found["name"], "me/tiny@main");
    assert_eq!(found["path"].as_str().map(Path::new), Some(dir.as_path()));

    let said = complains(&["get", "me/other"], &server, cache.path());
    assert!(said.contains("no model me/other") && said.contains("hf auth login"), "{said}");
    server.spoil("/resolve/", 9, Fault::Status(403, &[("x-error-code", "GatedRepo")]));
    fs::remove_dir_all(cache.path().join("models--me--tiny")).unwrap();
    let said =
        complains(&["predict", "--model", "me/tiny", "--prompt", "a"], &server, cache.path());
    assert!(said.contains("no such folder") && said.contains("me/tiny is gated"), "{said}");
}

#[test]
fn what_there_is_to_get_is_listed_and_searched() {
    let (server, cache) = (tiny(), tempfile::tempdir().unwrap());
    let text = prints(&["get", "--list"], &server, cache.path());
    assert!(text.starts_with("Model ") && text.contains("gpt2-xl  "), "{text}");
    assert!(server.seen().is_empty(), "a list asks nobody");
    let dir = cache.path().join("models--gpt2/snapshots/aaa");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.json"), "{}").unwrap();
    let listed = prints(&["get", "--list", "--json"], &server, cache.path());
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let cached = |name: &str| {
        let models = listed["models"].as_array().unwrap();
        models.iter().find(|it| it["name"] == name).unwrap()["cached"].clone()
    };
    assert_eq!((cached("gpt2"), cached("gpt2-xl")), ("a part".into(), "no".into()));

    let text = prints(&["get", "--search", "tiny"], &server, cache.path());
    assert!(text.contains("me/tiny") && text.contains("gpt2") && text.contains("mit"), "{text}");
    let said = complains(&["get", "--search", "huge"], &server, cache.path());
    assert!(said.contains("`huge`"), "{said}");
}

#[test]
fn offline_and_wrong_names_are_told() {
    let said = complaint(&["predict", "--model", "me/nowhere", "--prompt", "a"]);
    assert!(said.contains("no such folder") && said.contains("me/nowhere is not in"), "{said}");
    assert!(said.contains("HF_HUB_OFFLINE"), "{said}");
    assert!(complaint(&["get", "--search", "gpt2"]).contains("HF_HUB_OFFLINE"));
    for args in [&["get"] as &[_], &["get", "a/b/c"], &["get", "a/b", "--list"]] {
        assert_eq!(program(args).output().unwrap().status.code(), Some(2), "{args:?}");
    }
}
