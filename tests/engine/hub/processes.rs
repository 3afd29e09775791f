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

/// A download in another process, which knows nothing but what its environment says of `server`.
fn download(server: &Server) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["hub::processes::download_for_a_parent", "--exact", "--ignored", "--quiet"])
        .env_clear()
        .env("HF_ENDPOINT", &server.url)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn start_download(server: &Server, cache: &Path) -> Child {
    download(server).env("HF_HUB_CACHE", cache).spawn().unwrap()
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

#[test]
fn the_environment_says_where_and_as_whom() {
    let server = Server::start(Model::new("me/mine"));
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    fs::write(home.path().join("token"), "hf_file\n").unwrap();
    fs::write(home.path().join("other"), "hf_other").unwrap();
    let check = |said: &[(&str, &str)], expected: Option<&str>| {
        let mut command = download(&server);
        let status = command.env("HF_HOME", home.path()).envs(said.iter().copied()).status();
        assert!(status.unwrap().success(), "{said:?}");
        for request in server.seen() {
            let sent = request.headers.get("authorization").map(String::as_str);
            assert_eq!(sent, expected, "{said:?}");
        }
    };
    check(&[], Some("Bearer hf_file"));
    check(&[("HF_TOKEN", "hf_given")], Some("Bearer hf_given"));
    check(&[("HF_TOKEN", "")], Some("Bearer hf_file"));
    check(&[("HF_TOKEN_PATH", &path("other"))], Some("Bearer hf_other"));
    check(&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], None);
    assert!(factscope::hub::find("me/mine", &home.path().join("hub")).is_some());

    let status = |said: &[(&str, &str)]| {
        let cache = tempfile::tempdir().unwrap();
        let mut command = download(&server);
        command.env("HF_HUB_CACHE", cache.path()).envs(said.iter().copied()).status().unwrap()
    };
    for said in [
        ("HF_HUB_OFFLINE", "1"),
        ("HF_ENDPOINT", "huggingface.co"),
        ("SSL_CERT_FILE", "/nowhere.pem"),
        ("SSL_CERT_FILE", &path("token")),
        ("HTTPS_PROXY", "http://"),
    ] {
        assert!(!status(&[said]).success(), "{said:?}");
    }
    assert!(server.seen().is_empty());
}

#[test]
fn a_proxy_is_asked_unless_there_is_none_for_the_host() {
    // It is no proxy; what matters is who asks it for what.
    let proxy = Server::start(Model::new("me/mine"));
    let ask = |said: &[(&str, &str)]| {
        let cache = tempfile::tempdir().unwrap();
        let mut command = download(&proxy);
        command.env("HF_HUB_CACHE", cache.path()).env("HF_ENDPOINT", "http://hub.invalid");
        let status = command.envs(said.iter().copied()).status().unwrap();
        assert!(!status.success());
        proxy.seen().iter().any(|it| it.path.contains("hub.invalid"))
    };
    let proxied = ("HTTPS_PROXY", proxy.url.as_str());
    assert!(ask(&[proxied]));
    assert!(!ask(&[proxied, ("NO_PROXY", "hub.invalid")]));
    assert!(!ask(&[]));
}
