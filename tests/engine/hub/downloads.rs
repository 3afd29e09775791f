//! What a download asks for, and what lies in the cache after it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use factscope::hub::{
    Found, HubError, Settings, Stage, Token, count, find, is_complete, name_of, search, size,
};
use factscope::task::{CancelToken, Progress, TaskCtx};
use serde_json::json;

use super::server::{COMMIT, Fault, Model, Server, bytes, get, git_blob, sha256};

/// All files below a folder, with where links lead.
fn tree(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Ok(target) = fs::read_link(&path) {
            found.insert(format!("{name} -> {}", target.to_str().unwrap()));
        } else if path.is_dir() {
            found.extend(tree(&path).into_iter().map(|it| format!("{name}/{it}")));
        } else {
            found.insert(name);
        }
    }
    found
}

#[test]
fn a_model_lies_in_the_cache_as_python_puts_it_there() {
    let server = Server::start(Model::new("me/mine"));
    let cache = tempfile::tempdir().unwrap();
    let dir = get("me/mine", &server.settings(cache.path())).unwrap();
    assert_eq!(dir, cache.path().join("models--me--mine/snapshots").join(COMMIT));
    let model = Model::new("me/mine");
    let file = |path: &str| (path.to_owned(), model.files[path].clone());
    let [config, tokenizer, settings, weights] =
        ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"].map(file);
    let hashes =
        [git_blob(&config.1), sha256(&tokenizer.1), git_blob(&settings.1), sha256(&weights.1)];
    let mut expected: BTreeSet<String> = hashes.iter().map(|it| format!("blobs/{it}")).collect();
    expected.insert("refs/main".to_owned());
    for ((path, content), hash) in [config, tokenizer, settings, weights].iter().zip(&hashes) {
        assert_eq!(&fs::read(dir.join(path)).unwrap(), content, "{path}");
        expected.insert(format!("snapshots/{COMMIT}/{path} -> ../../blobs/{hash}"));
    }
    assert_eq!(tree(&cache.path().join("models--me--mine")), expected);
    let noted = fs::read_to_string(cache.path().join("models--me--mine/refs/main")).unwrap();
    assert_eq!(noted, COMMIT);
    assert!(is_complete(&dir));
    assert_eq!(find("me/mine", cache.path()), Some(dir.clone()));
    assert_eq!(name_of(&dir).unwrap(), "me/mine");
}

#[test]
fn nothing_is_sent_that_was_not_asked_for() {
    let server = Server::start(Model::new("me/mine"));
    let cache = tempfile::tempdir().unwrap();
    get("me/mine", &server.settings(cache.path())).unwrap();
    let seen = server.seen();
    for request in &seen {
        let names: Vec<&str> = request.headers.keys().map(String::as_str).collect();
        assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"], "{request:?}");
        let agent = format!("factscope/{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.headers["user-agent"], agent);
        assert_eq!(request.method, "GET");
    }
    let stored = seen.iter().filter(|it| it.path.starts_with("/store/")).count();
    let paths: Vec<&str> = seen
        .iter()
        .map(|it| it.path.as_str())
        .filter(|path| !path.starts_with("/store/"))
        .collect();
    let file = |path: &str| format!("/me/mine/resolve/{COMMIT}/{path}");
    assert_eq!(
        paths,
        [
            "/api/models/me/mine/revision/main?blobs=true".to_owned(),
            file("tokenizer_config.json"),
            file("tokenizer.json"),
            file("model.safetensors"),
            // The last: without it the folder is no model yet.
            file("config.json"),
        ]
    );
    assert_eq!(stored, 2);

    get("me/mine", &server.settings(cache.path())).unwrap();
    assert_eq!(server.seen().len(), 1, "all that was there is kept");
}

#[test]
fn the_parts_of_weights_are_those_that_the_index_names() {
    let parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let index = json!({"weight_map": {"a": parts[0], "b": parts[1], "c": parts[1]}});
    let model = Model::new("me/mine")
        .without("model.safetensors")
        .with("model.safetensors.index.json", serde_json::to_vec(&index).unwrap())
        .with(parts[0], bytes(9_000, 5))
        .with(parts[1], bytes(9_000, 6))
        .with("model-00003-of-00003.safetensors", bytes(9_000, 7));
    let server = Server::start(model);
    let cache = tempfile::tempdir().unwrap();
    let dir = get("me/mine", &server.settings(cache.path())).unwrap();
    assert!(parts.iter().all(|part| dir.join(part).is_file()) && is_complete(&dir));
    assert!(!dir.join("model-00003-of-00003.safetensors").exists());
    assert!(!dir.join("pytorch_model.bin").exists());
    fs::remove_file(dir.join(parts[1])).unwrap();
    assert!(!is_complete(&dir));

    let broken = [r#"{"weight_map": {"a": "../../../token"}}"#, "{}", "not JSON"];
    for index in broken {
        let cache = tempfile::tempdir().unwrap();
        server.change(|it| {
            it.files.insert("model.safetensors.index.json".to_owned(), index.as_bytes().to_vec());
        });
        let error = get("me/mine", &server.settings(cache.path())).unwrap_err();
        assert!(matches!(error, HubError::BrokenFile { .. }), "{error}");
    }
}

#[test]
fn without_safetensors_the_other_weights_are_downloaded() {
    let server = Server::start(Model::new("me/mine").without("model.safetensors"));
    let cache = tempfile::tempdir().unwrap();
    let dir = get("me/mine", &server.settings(cache.path())).unwrap();
    assert!(dir.join("pytorch_model.bin").is_file() && is_complete(&dir));

    let model = Model::new("me/mine").without("tokenizer.json").without("model.safetensors");
    let server = Server::start(model.without("pytorch_model.bin").with("a.gguf", bytes(3_000, 8)));
    let error = get("me/mine", &server.settings(cache.path())).unwrap_err().to_string();
    assert!(error.contains("no weights") && error.contains("me/mine:a.gguf"), "{error}");
}

#[test]
fn a_gguf_file_is_downloaded_alone() {
    let content = bytes(20_000, 9);
    let server = Server::start(Model::new("me/mine").with("q8/tiny.gguf", content.clone()));
    let cache = tempfile::tempdir().unwrap();
    let name = "me/mine:q8/tiny.gguf";
    let path = get(name, &server.settings(cache.path())).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content);
    let dir = cache.path().join("models--me--mine/snapshots").join(COMMIT);
    assert_eq!(path, dir.join("q8/tiny.gguf"));
    assert_eq!(tree(&dir).len(), 1);
    assert_eq!(find(name, cache.path()), Some(path));
    let error = get("me/mine:other.gguf", &server.settings(cache.path())).unwrap_err().to_string();
    assert!(error.contains("no file `other.gguf`") && error.contains("q8/tiny.gguf"), "{error}");
}

#[test]
fn a_revision_is_kept_under_its_own_name() {
    let server = Server::start(Model::new("me/mine"));
    let cache = tempfile::tempdir().unwrap();
    let settings = server.settings(cache.path());
    let dir = get("me/mine@refs/pr/1", &settings).unwrap();
    let refs = cache.path().join("models--me--mine/refs");
    assert_eq!(fs::read_to_string(refs.join("refs/pr/1")).unwrap(), COMMIT);
    assert!(!refs.join("main").exists());
    let by_commit = format!("me/mine@{COMMIT}");
    assert_eq!(get(&by_commit, &settings).unwrap(), dir);
    assert!(!refs.join(COMMIT).exists());
    for name in ["me/mine@refs/pr/1", &by_commit] {
        assert_eq!(find(name, cache.path()), Some(dir.clone()), "{name}");
    }
    assert_eq!(find("me/mine@other", cache.path()), None);
    let error = get("me/mine@other", &settings).unwrap_err();
    assert!(matches!(error, HubError::NoRevision { .. }), "{error}");
}

#[test]
fn where_links_cannot_be_made_the_snapshot_holds_the_files() {
    let server = Server::start(Model::new("me/mine"));
    let cache = tempfile::tempdir().unwrap();
    let mut settings = server.settings(cache.path());
    settings.has_links = false;
    let dir = get("me/mine", &settings).unwrap();
    assert!(!tree(&dir).iter().any(|it| it.contains("->")) && is_complete(&dir));
    let blobs = cache.path().join("models--me--mine/blobs");
    assert_eq!(fs::read_dir(blobs).unwrap().count(), 0, "nothing is kept twice");
    server.seen();
    get("me/mine", &settings).unwrap();
    assert_eq!(server.seen().len(), 1);

    // A content that others may point to stays.
    let cache = tempfile::tempdir().unwrap();
    let mut settings = server.settings(cache.path());
    let linked = get("me/mine", &settings).unwrap();
    settings.has_links = false;
    server.change(|it| it.commit = COMMIT.chars().rev().collect());
    let dir = get("me/mine", &settings).unwrap();
    assert!(dir != linked && !tree(&dir).iter().any(|it| it.contains("->")));
    assert!(is_complete(&dir) && is_complete(&linked));
}

#[test]
fn the_token_is_told_to_the_hub_alone() {
    let files = Server::start(Model::new("me/mine"));
    let hub = Server::start(Model::new("me/mine"));
    hub.change(|it| it.store = Some(files.url.clone()));
    let cache = tempfile::tempdir().unwrap();
    let mut settings = hub.settings(cache.path());
    settings.token = Some(Token::new("hf_secret", "HF_TOKEN"));
    assert!(!format!("{settings:?}").contains("hf_secret"));
    get("me/mine", &settings).unwrap();
    let (at_hub, elsewhere) = (hub.seen(), files.seen());
    assert!(!at_hub.is_empty() && elsewhere.len() == 2);
    assert!(at_hub.iter().all(|it| it.headers["authorization"] == "Bearer hf_secret"));
    assert!(elsewhere.iter().all(|it| !it.headers.contains_key("authorization")));
}

#[test]
fn what_does_not_fit_on_the_disk_is_not_begun() {
    let server = Server::start(Model::new("me/mine"));
    let cache = tempfile::tempdir().unwrap();
    let mut settings = server.settings(cache.path());
    settings.free_bytes = |_| Ok(200_000);
    let error = get("me/mine", &settings).unwrap_err();
    assert!(matches!(error, HubError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("200 kB free and the download needs 305 kB"), "{error}");
    assert_eq!(server.seen().len(), 1, "only the list was asked for");
}

#[test]
fn offline_nothing_is_asked() {
    let server = Server::start(Model::new("me/mine"));
    let cache = tempfile::tempdir().unwrap();
    let mut settings = server.settings(cache.path());
    settings.is_offline = true;
    let error = get("me/mine", &settings).unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }), "{error}");
    settings.is_offline = false;
    let dir = get("me/mine", &settings).unwrap();
    server.seen();
    settings.is_offline = true;
    assert_eq!(get("me/mine", &settings).unwrap(), dir);
    assert!(server.seen().is_empty());
}

#[test]
fn a_search_says_what_was_found() {
    let server = Server::start(Model::new("me/mine"));
    let cache = tempfile::tempdir().unwrap();
    let mut settings = server.settings(cache.path());
    let search = |text: &str, settings: &Settings| search(text, settings, &TaskCtx::unwatched());
    let found = search("mine", &settings).unwrap();
    let expected = Found {
        name: "me/mine".to_owned(),
        model_type: Some("gpt2".to_owned()),
        n_params: Some(75_000),
        licence: Some("mit".to_owned()),
        is_gated: true,
        n_downloads: 7,
    };
    assert_eq!(found, [expected]);
    server.seen();
    assert_eq!(search("yours & mine/é", &settings).unwrap(), []);
    let path = &server.seen()[0].path;
    assert!(path.starts_with("/api/models?search=yours%20%26%20mine%2F%C3%A9&"), "{path}");
    for fault in [Fault::WebPage, Fault::Status(400, &[]), Fault::Length(3)] {
        server.spoil("/api/", 1, fault);
        let error = search("mine", &settings).unwrap_err();
        let is_told = matches!(
            error,
            HubError::WebPage { .. }
                | HubError::Status { status: 400, .. }
                | HubError::NoHub { .. }
        );
        assert!(is_told, "{error}");
    }
    server.seen();
    settings.is_offline = true;
    let error = search("mine", &settings).unwrap_err();
    assert!(matches!(error, HubError::SearchOffline), "{error}");
    assert!(server.seen().is_empty());
}

#[test]
fn sizes_and_counts_are_short() {
    let sizes = [999, 5_300, 550_000_000, 3_249_000_000, 24_200_000_000].map(size);
    assert_eq!(sizes, ["999 B", "5.3 kB", "550 MB", "3.2 GB", "24 GB"]);
    assert_eq!([75_000, 124_000_000, 1_558_000_000].map(count), ["75 k", "124 M", "1.6 B"]);
}

#[test]
fn progress_counts_the_bytes_and_the_stages_say_how_many() {
    let server = Server::start(Model::new("me/mine"));
    let cache = tempfile::tempdir().unwrap();
    let reported = std::cell::RefCell::new(Vec::new());
    let stages = std::cell::RefCell::new(Vec::new());
    let report = |progress: Progress| reported.borrow_mut().push(progress);
    let ctx = TaskCtx { cancel: CancelToken::default(), report: &report };
    let name = "me/mine".parse().unwrap();
    let settings = server.settings(cache.path());
    factscope::hub::get(&name, &settings, &ctx, &|it| stages.borrow_mut().push(it)).unwrap();
    let total = 300_000 + 5_000 + 21 + 2;
    let last = *reported.borrow().last().unwrap();
    assert_eq!(last, Progress { done: total, total });
    let is_sorted = reported.borrow().is_sorted_by_key(|it| it.done);
    assert!(is_sorted, "{:?}", reported.borrow());
    assert_eq!(stages.borrow()[0], Stage::Asking);
    assert_eq!(stages.borrow()[1], Stage::Downloading { n_bytes: total });
}
