//! Models that Python has downloaded are found by their names.

use std::fs;
use std::path::{Path, PathBuf};

use factscope::hub::{find, name_of};

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
