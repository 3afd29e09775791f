//! Models in the cache are found by their names, whoever has downloaded them.

use std::fs;
use std::path::{Path, PathBuf};

use factscope::hub::{HubName, find, is_complete, name_in, name_of};

fn add(cache: &Path, folder: &str, commit: &str) -> PathBuf {
    let dir = cache.join(folder).join("snapshots").join(commit);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.json"), "{}").unwrap();
    dir
}

#[test]
fn a_model_is_found_by_its_name_and_named_by_its_folder() {
    let cache = tempfile::tempdir().unwrap();
    let large = add(cache.path(), "models--openai-community--gpt2-large", "32b71b1");
    for name in ["gpt2-large", "openai-community/gpt2-large"] {
        assert_eq!(find(name, cache.path()), Some(large.clone()), "{name}");
    }
    assert_eq!(name_of(&large).unwrap(), "openai-community/gpt2-large");
    for name in ["gpt2", "someone/gpt2-large", "", "../gpt2-large", "a/b/c", ".", "/gpt2-large"] {
        assert_eq!(find(name, cache.path()), None, "{name}");
    }
    assert_eq!(name_of(Path::new("/models/gpt2-large")), None);
}

#[test]
fn a_download_is_named_with_its_commit_and_found_again_by_that_name() {
    let cache = tempfile::tempdir().unwrap();
    let older = add(cache.path(), "models--me--mine", "aaa");
    let newer = add(cache.path(), "models--me--mine", "bbb");
    fs::write(newer.join("q8.gguf"), "").unwrap();
    let files = [(&older, "me/mine@aaa"), (&newer, "me/mine@bbb")];
    for (path, expected) in
        files.into_iter().chain([(&newer.join("q8.gguf"), "me/mine@bbb:q8.gguf")])
    {
        let name = name_in(cache.path(), path).unwrap().to_string();
        assert_eq!(name, expected);
        assert_eq!(find(&name, cache.path()).as_ref(), Some(path));
    }
    // Of another cache, and what is no download.
    assert_eq!(name_in(Path::new("/other"), &older), None);
    assert_eq!(name_in(cache.path(), cache.path()), None);
    assert_eq!(name_in(cache.path(), &newer.join("config.json")), None);
}

#[test]
fn of_several_downloads_main_is_meant_and_nothing_is_guessed() {
    let cache = tempfile::tempdir().unwrap();
    add(cache.path(), "models--me--mine", "aaa");
    let newer = add(cache.path(), "models--me--mine", "bbb");
    assert_eq!(find("me/mine", cache.path()), None);
    let refs = cache.path().join("models--me--mine/refs");
    fs::create_dir_all(&refs).unwrap();
    fs::write(refs.join("main"), "bbb\n").unwrap();
    assert_eq!(find("me/mine", cache.path()), Some(newer));
}

#[test]
fn names_say_what_is_meant_or_are_none() {
    let name = |text: &str| text.parse::<HubName>();
    for text in
        ["gpt2", "Qwen/Qwen2.5-1.5B", "a/b@v1.0", "a/b@refs/pr/1", "a/b:q/c.gguf", "a/b@v1:c.GGUF"]
    {
        assert_eq!(name(text).unwrap().to_string(), text);
    }
    let parsed = name("a/b@refs/pr/1:q8/c.gguf").unwrap();
    assert_eq!((parsed.repo.as_str(), parsed.revision()), ("a/b", "refs/pr/1"));
    assert_eq!(parsed.file.as_deref(), Some("q8/c.gguf"));
    for text in [
        "",
        ".",
        "a/b/c",
        "a//b",
        "/a",
        "a/",
        "../a",
        "a/..",
        "a b",
        "a--b/c",
        "a@",
        "a@../x",
        "a/b:",
        "a/b:c.bin",
        "a/b:../c.gguf",
        "a/b:/c.gguf",
        "C:model.gguf",
        r"C:\model",
        "a/b:é.gguf",
    ] {
        assert_eq!(name(text).ok(), None, "{text}");
    }
}

#[test]
fn a_model_without_weights_or_without_a_vocabulary_is_not_all_there() {
    let cache = tempfile::tempdir().unwrap();
    let dir = add(cache.path(), "models--me--mine", "aaa");
    assert!(!is_complete(&dir));
    fs::write(dir.join("tokenizer.json"), "{}").unwrap();
    assert!(!is_complete(&dir));
    fs::write(dir.join("pytorch_model.bin.index.json"), r#"{"weight_map": {"a": "x.bin"}}"#)
        .unwrap();
    assert!(!is_complete(&dir));
    fs::write(dir.join("x.bin"), "").unwrap();
    assert!(is_complete(&dir));
    fs::remove_file(dir.join("tokenizer.json")).unwrap();
    assert!(!is_complete(&dir));
}
