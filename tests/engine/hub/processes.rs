//! Several programs at one cache, and one that is killed: nothing is downloaded twice, and what a
//! killed one leaves is gone on with.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use factscope::hub::{Settings, is_complete};

use super::server::{Fault, Model, Server, bytes, get, sha256};

/// Not a test by itself: what the others start as another process.
#[test]
#[ignore = "downloads for the tests beside it"]
fn download_for_a_parent() {
    let settings = Settings::from_env().unwrap();
    get("me/mine", &settings).unwrap();
}

fn start_download(server: &Server, cache: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["hub::processes::download_for_a_parent", "--exact", "--ignored", "--quiet"])
        .env("HF_ENDPOINT", &server.url)
        .env("HF_HUB_CACHE", cache)
        .env_remove("HF_HUB_OFFLINE")
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn is_of_content(path: &str, content: &[u8]) -> bool {
    path.starts_with(&format!("/store/{}", sha256(content)))
}

#[test]
fn two_programs_at_once_download_once() {
    let weights = bytes(1_500_000, 21);
    let server = Server::start(Model::new("me/mine").with("model.safetensors", weights.clone()));
    server.spoil("/store/", 9, Fault::Slow(5_000));
    let cache = tempfile::tempdir().unwrap();
    let children: Vec<Child> = (0..3).map(|_| start_download(&server, cache.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let seen = server.seen();
    let n_lists = seen.iter().filter(|it| it.path.starts_with("/api/")).count();
    let n_weights = seen.iter().filter(|it| is_of_content(&it.path, &weights)).count();
    assert_eq!((n_lists, n_weights), (3, 1));
    let dir = factscope::hub::find("me/mine", cache.path()).unwrap();
    assert!(is_complete(&dir));
    assert_eq!(fs::read(dir.join("model.safetensors")).unwrap(), weights);
}

#[test]
fn what_a_killed_program_leaves_is_gone_on_with() {
    let weights = bytes(1_500_000, 22);
    let server = Server::start(Model::new("me/mine").with("model.safetensors", weights.clone()));
    server.spoil(&format!("/store/{}", sha256(&weights)), 1, Fault::Slow(2_000));
    let cache = tempfile::tempdir().unwrap();
    let part = cache
        .path()
        .join("models--me--mine/blobs")
        .join(format!("{}.incomplete", sha256(&weights)));
    let mut child = start_download(&server, cache.path());
    let length = || fs::metadata(&part).map_or(0, |it| it.len());
    while length() < 100_000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = length();
    assert!((100_000..1_500_000).contains(&kept));
    assert_eq!(factscope::hub::find("me/mine", cache.path()), None);

    server.seen();
    let dir = get("me/mine", &server.settings(cache.path())).unwrap();
    let seen = server.seen();
    let range = seen
        .iter()
        .find(|it| is_of_content(&it.path, &weights))
        .map(|it| it.headers["range"].clone());
    assert_eq!(range, Some(format!("bytes={kept}-")));
    assert_eq!(fs::read(dir.join("model.safetensors")).unwrap(), weights);
}
