//! Servers and networks that misbehave spoil nothing in the cache, and each is told apart.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use factscope::hub::{HubError, Stage, Token, find, is_complete};
use factscope::task::{CancelToken, TaskCtx};

use super::server::{COMMIT, Fault, Model, Server, bytes, get, sha256};

const WEIGHTS: &str = "model.safetensors";

fn start() -> (Server, tempfile::TempDir) {
    (Server::start(Model::new("me/mine")), tempfile::tempdir().unwrap())
}

/// The weights' address at the server.
fn weights() -> String {
    format!("/store/{}", sha256(&Model::new("me/mine").files[WEIGHTS]))
}

/// The weights while they grow.
fn part(cache: &Path) -> PathBuf {
    let hash = sha256(&Model::new("me/mine").files[WEIGHTS]);
    cache.join("models--me--mine/blobs").join(format!("{hash}.incomplete"))
}

/// The bytes that the weights were asked for from, in order.
fn asked_from(server: &Server) -> Vec<u64> {
    let of_weights = weights();
    let from = |range: &String| range["bytes=".len()..].trim_end_matches('-').parse().unwrap();
    let seen = server.seen().into_iter().filter(|it| it.path.starts_with(&of_weights));
    seen.map(|it| it.headers.get("range").map_or(0, from)).collect()
}

/// Everything in the cache is what it is called.
fn check_cache(cache: &Path) {
    let Ok(blobs) = fs::read_dir(cache.join("models--me--mine/blobs")) else { return };
    for path in blobs.map(|it| it.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.len() == 64 {
            assert_eq!(sha256(&fs::read(&path).unwrap()), name);
        }
    }
}

#[test]
fn a_download_goes_on_where_it_was_cut_off() {
    let (server, cache) = start();
    server.spoil(&weights(), 1, Fault::CutAfter(100_000));
    server.spoil(&weights(), 1, Fault::CutAfter(0));
    server.spoil(&weights(), 1, Fault::CutAfter(150_000));
    let dir = get("me/mine", &server.settings(cache.path())).unwrap();
    assert_eq!(asked_from(&server), [0, 100_000, 100_000, 250_000]);
    assert_eq!(fs::read(dir.join(WEIGHTS)).unwrap(), Model::new("me/mine").files[WEIGHTS]);
    assert!(!part(cache.path()).exists());
}

#[test]
fn a_download_that_gets_nowhere_ends_and_is_gone_on_with_later() {
    let (server, cache) = start();
    server.spoil(&weights(), 1, Fault::CutAfter(70_000));
    server.spoil(&weights(), 9, Fault::CutAfter(0));
    let error = get("me/mine", &server.settings(cache.path())).unwrap_err();
    assert!(matches!(error, HubError::CutOff { n_tries: 4, .. }), "{error}");
    assert!(error.to_string().contains("70 kB are kept"), "{error}");
    assert_eq!(find("me/mine", cache.path()), None);
    server.forgive();
    server.seen();
    let dir = get("me/mine", &server.settings(cache.path())).unwrap();
    assert_eq!(asked_from(&server), [70_000]);
    assert!(is_complete(&dir));
    check_cache(cache.path());
}

#[test]
fn a_server_without_parts_sends_the_whole_again() {
    let (server, cache) = start();
    server.spoil(&weights(), 1, Fault::CutAfter(100_000));
    server.spoil(&weights(), 1, Fault::NoParts);
    get("me/mine", &server.settings(cache.path())).unwrap();
    assert_eq!(asked_from(&server), [0, 100_000]);
    check_cache(cache.path());
}

#[test]
fn another_part_than_was_asked_for_is_not_taken() {
    let (server, cache) = start();
    server.spoil(&weights(), 1, Fault::CutAfter(100_000));
    server.spoil(&weights(), 1, Fault::OtherPart);
    get("me/mine", &server.settings(cache.path())).unwrap();
    assert_eq!(asked_from(&server), [0, 100_000, 100_000]);
    check_cache(cache.path());
}

#[test]
fn a_server_that_lies_about_the_length_is_found_out() {
    for length in [299_999, 300_001, 0] {
        let (server, cache) = start();
        server.spoil(&weights(), 1, Fault::Length(length));
        let error = get("me/mine", &server.settings(cache.path())).unwrap_err();
        assert!(
            matches!(error, HubError::WrongSize { expected: 300_000, found, .. } if found == length as u64),
            "{error}"
        );
        assert_eq!(find("me/mine", cache.path()), None);
        check_cache(cache.path());
    }
}

#[test]
fn wrong_bytes_take_no_name() {
    let (server, cache) = start();
    server.spoil(&weights(), 1, Fault::WrongByte);
    let error = get("me/mine", &server.settings(cache.path())).unwrap_err();
    assert!(matches!(error, HubError::WrongHash { .. }), "{error}");
    assert!(!part(cache.path()).exists(), "nothing wrong is kept");
    assert_eq!(find("me/mine", cache.path()), None);

    // Of a small file, whose hash is git's.
    let config = format!("{COMMIT}/config.json");
    server.spoil(&config, 1, Fault::WrongByte);
    let error = get("me/mine", &server.settings(cache.path())).unwrap_err();
    assert!(matches!(&error, HubError::WrongHash { file, .. } if file == "config.json"), "{error}");
    get("me/mine", &server.settings(cache.path())).unwrap();
    check_cache(cache.path());
}

#[test]
fn a_part_that_was_spoiled_is_downloaded_anew() {
    // Zeros where bytes were not yet on the disk when the power went, and more bytes than the file has.
    for spoiled in [vec![0; 120_000], vec![0; 300_000], vec![0; 400_000]] {
        let (server, cache) = start();
        let path = part(cache.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &spoiled).unwrap();
        get("me/mine", &server.settings(cache.path())).unwrap();
        assert_eq!(*asked_from(&server).last().unwrap(), 0);
        check_cache(cache.path());
        assert!(!path.exists());
    }
}

#[test]
fn a_web_page_is_taken_for_no_answer_and_for_no_file() {
    for place in ["/api/", &weights()] {
        let (server, cache) = start();
        server.spoil(place, 9, Fault::WebPage);
        let error = get("me/mine", &server.settings(cache.path())).unwrap_err();
        assert!(matches!(error, HubError::WebPage { .. }), "{place}: {error}");
        assert_eq!(find("me/mine", cache.path()), None);
        check_cache(cache.path());
    }
}

#[test]
fn a_file_that_changes_between_two_parts_is_not_put_together() {
    // The hub says that the content is another now.
    let (server, cache) = start();
    let file = format!("resolve/{COMMIT}/{WEIGHTS}");
    // Redirects have no content to be cut.
    server.spoil(&file, 1, Fault::CutAfter(0));
    server.spoil(&file, 9, Fault::OtherHash);
    server.spoil(&weights(), 1, Fault::CutAfter(100_000));
    let error = get("me/mine", &server.settings(cache.path())).unwrap_err();
    assert!(matches!(error, HubError::Changed { .. }), "{error}");
    assert_eq!(fs::metadata(part(cache.path())).unwrap().len(), 100_000);
    assert_eq!(find("me/mine", cache.path()), None);

    // It lists the new content when it is asked again.
    let (server, cache) = start();
    let new = bytes(310_000, 77);
    server.spoil(&weights(), 1, Fault::CutAfter(100_000));
    let settings = server.settings(cache.path());
    let name = "me/mine".parse().unwrap();
    let say = |stage: Stage| {
        if matches!(stage, Stage::Waiting(_)) {
            let new = new.clone();
            server.change(|it| {
                it.files.insert(WEIGHTS.to_owned(), new);
                it.commit = COMMIT.chars().rev().collect();
            });
        }
    };
    let dir = factscope::hub::get(&name, &settings, &TaskCtx::unwatched(), &say).unwrap();
    assert_eq!(fs::read(dir.join(WEIGHTS)).unwrap(), new);
    assert!(dir.ends_with(COMMIT.chars().rev().collect::<String>()));
    check_cache(cache.path());
}

#[test]
fn refusals_are_told_apart_with_what_to_do() {
    let token = || Some(Token::new("hf_secret", "HF_TOKEN"));
    let gated: &[_] = &[("x-error-code", "GatedRepo")];
    let missing: &[_] = &[("x-error-code", "RepoNotFound")];
    let unknown: &[_] = &[("x-error-message", "Invalid credentials in Authorization header")];
    let disabled: &[_] = &[("x-error-message", "Access to this resource is disabled.")];
    let cases: [(u16, &'static [_], Option<Token>, &[&str]); 10] = [
        (401, gated, None, &["gated", "accept them at http://", "/me/mine", "hf auth login"]),
        (403, gated, token(), &["gated", "the token from HF_TOKEN"]),
        (401, missing, None, &["no model me/mine", "private", "hf auth login"]),
        (404, missing, token(), &["no model me/mine", "the token from HF_TOKEN does not let you"]),
        (404, &[], None, &["no model me/mine"]),
        (401, &[], None, &["no model me/mine", "private"]),
        (401, unknown, token(), &["does not know the token from HF_TOKEN"]),
        (403, disabled, token(), &["let anybody have", "Access to this resource is disabled"]),
        (403, &[], None, &["let anybody have", "without a reason"]),
        (418, &[], None, &["HTTP 418"]),
    ];
    for (status, headers, token, words) in cases {
        for place in ["/api/", "/resolve/"] {
            if place == "/resolve/" && status == 418 {
                continue;
            }
            let (server, cache) = start();
            server.spoil(place, 9, Fault::Status(status, headers));
            let mut settings = server.settings(cache.path());
            settings.token.clone_from(&token);
            let error = get("me/mine", &settings).unwrap_err().to_string();
            assert!(
                words.iter().all(|it| error.contains(it)) && !error.contains("hf_secret"),
                "{status} {headers:?} at {place}: {error}"
            );
            assert_eq!(find("me/mine", cache.path()), None);
        }
    }
    let (server, cache) = start();
    let error = get("me/other", &server.settings(cache.path())).unwrap_err();
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
}

#[test]
fn a_busy_server_is_asked_again_when_it_wants_to_be() {
    for (status, headers) in [
        (429, &[("retry-after", "0")] as &[_]),
        (503, &[("retry-after", "0")]),
        (429, &[("ratelimit", "\"resolvers\";r=0;t=0")]),
        (503, &[]),
        (500, &[]),
        (502, &[]),
    ] {
        for place in ["/api/", "/resolve/", "/store/"] {
            let (server, cache) = start();
            server.spoil(place, 1, Fault::Status(status, headers));
            get("me/mine", &server.settings(cache.path())).unwrap();
            check_cache(cache.path());
        }
    }
    for status in [429, 503] {
        let (server, cache) = start();
        server.spoil("/api/", 1, Fault::Status(status, &[("retry-after", "3600")]));
        let error = get("me/mine", &server.settings(cache.path())).unwrap_err();
        assert!(matches!(error, HubError::Busy { .. }), "{error}");
        assert!(error.to_string().contains("after 60 minutes"), "{error}");
    }
    let (server, cache) = start();
    server.spoil("/api/", 99, Fault::Status(503, &[]));
    let error = get("me/mine", &server.settings(cache.path())).unwrap_err();
    assert!(matches!(error, HubError::Busy { status: 503, .. }), "{error}");
}

#[test]
fn the_address_of_a_content_that_has_run_out_is_asked_for_anew() {
    let files = Server::start(Model::new("me/mine"));
    let (server, cache) = start();
    server.change(|it| it.store = Some(files.url.clone()));
    files.spoil(&weights(), 1, Fault::CutAfter(50_000));
    files.spoil(&weights(), 1, Fault::Status(403, &[]));
    get("me/mine", &server.settings(cache.path())).unwrap();
    assert_eq!(asked_from(&files), [0, 50_000, 50_000]);
    check_cache(cache.path());
}

#[test]
fn a_silent_server_is_left_and_asked_again() {
    for place in ["/api/", "/resolve/", "/store/"] {
        let (server, cache) = start();
        server.spoil(place, 1, Fault::Silence);
        let mut settings = server.settings(cache.path());
        settings.patience.silence = Duration::from_millis(300);
        get("me/mine", &settings).unwrap();
        check_cache(cache.path());
    }
}

#[test]
fn a_slow_server_is_waited_for() {
    let (server, cache) = start();
    server.spoil(&weights(), 1, Fault::Slow(3_000));
    let mut settings = server.settings(cache.path());
    // Much less than the download takes.
    settings.patience.silence = Duration::from_millis(250);
    get("me/mine", &settings).unwrap();
    assert_eq!(asked_from(&server), [0]);
}

#[test]
fn a_cancel_is_heard_while_a_server_is_silent() {
    for place in ["/api/", "/store/"] {
        let (server, cache) = start();
        server.spoil(place, 9, Fault::Silence);
        let mut settings = server.settings(cache.path());
        // Without the cancel, the test would not end.
        settings.patience.silence = Duration::from_hours(1);
        let cancel = CancelToken::default();
        let looks = std::cell::Cell::new(0);
        let report = |_| {
            looks.set(looks.get() + 1);
            if looks.get() == 8 {
                cancel.cancel();
            }
        };
        let ctx = TaskCtx { cancel: cancel.clone(), report: &report };
        let name = "me/mine".parse().unwrap();
        let error = factscope::hub::get(&name, &settings, &ctx, &|_| ()).unwrap_err();
        assert!(matches!(error, HubError::Cancelled(_)), "{place}: {error}");
    }
}

#[test]
fn where_nobody_answers_the_network_is_named() {
    let (server, cache) = start();
    let mut settings = server.settings(cache.path());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    settings.endpoint = format!("http://127.0.0.1:{port}");
    let error = get("me/mine", &settings).unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("HTTPS_PROXY"), "{error}");
}

#[test]
fn a_list_that_no_hub_makes_is_refused() {
    for files in ["{}", "[]", "not JSON", r#"{"sha": "main"}"#] {
        let (server, cache) = start();
        let hub = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut settings = server.settings(cache.path());
        settings.endpoint = format!("http://{}", hub.local_addr().unwrap());
        let answer = move || {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = hub.accept().unwrap();
            _ = stream.read(&mut [0; 4_096]).unwrap();
            let length = files.len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{files}").unwrap();
        };
        std::thread::Builder::new().spawn(answer).unwrap();
        let error = get("me/mine", &settings).unwrap_err();
        assert!(matches!(error, HubError::NoHub { .. }), "{files}: {error}");
    }
}
