//! `factscope report`: a session file as a page of HTML.

use std::fs;

use tempfile::TempDir;

use crate::support::{complaint, stdout};

const VIEWS: &str = "tests/fixtures/views.factscope";

#[test]
fn a_session_file_becomes_a_page() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    let out = page.to_str().unwrap();
    assert_eq!(stdout(&["report", VIEWS, "--out", out, "--title", "Paris & <France>"]), "");
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("<h1>Paris &amp; &lt;France&gt;</h1>"));
    assert!(html.contains("Restoring a single hidden state"));
    stdout(&["report", VIEWS, "--out", out, "--only", "1,9"]);
    let html = fs::read_to_string(&page).unwrap();
    assert_eq!(html.matches("<article").count(), 2);
    stdout(&["report", VIEWS, VIEWS, "--out", out]);
    assert!(fs::read_to_string(&page).unwrap().matches("<article").count() > 60);
}

/// The bytes of a text as links hold them (RFC 4648, section 4).
fn of_base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|it| *it != b'=').map(digit).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits = (0..4).fold(0_u32, |bits, nth| {
            bits << 6 | u32::from(four.get(nth).copied().unwrap_or_default())
        });
        bits.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}

#[test]
fn a_picture_that_is_taken_from_a_page_can_be_verified() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    stdout(&["report", VIEWS, "--out", page.to_str().unwrap(), "--only", "1,5,8"]);
    let html = fs::read_to_string(&page).unwrap();
    let links = html.split("<a download=\"").skip(1).map(|it| it.split('"').collect::<Vec<_>>());
    let mut files = Vec::new();
    for link in links {
        let file = dir.path().join(link[0]);
        let data = link[2].strip_prefix("data:image/svg+xml;base64,").unwrap();
        fs::write(&file, of_base64(data)).unwrap();
        files.push(file.to_str().unwrap().to_owned());
    }
    assert_eq!(files.len(), 3);
    for file in &files {
        let told = stdout(&["verify", file, "--device", "cpu"]);
        let says = ["the drawing is as it was written", "numbers as computed now"];
        assert!(says.into_iter().all(|it| told.contains(it)), "{told}");
    }
}

#[test]
fn a_page_that_cannot_be_written_leaves_what_was_there() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    fs::write(&page, "old").unwrap();
    let out = page.to_str().unwrap();
    let refused = |args: &[&str], says: &str| {
        let told = complaint(&[&["report"], args].concat());
        assert!(told.contains(says), "{told}");
        assert_eq!(fs::read_to_string(&page).unwrap(), "old");
    };
    refused(&["nowhere.factscope", "--out", out], "cannot read the session");
    refused(
        &[VIEWS, "--out", out, "--only", "99"],
        "there is no result 99; views.factscope holds 38",
    );
    refused(&[VIEWS, VIEWS, "--out", out, "--only", "1"], "--only is about one file");
    let folder = dir.path().to_str().unwrap();
    refused(&[VIEWS, "--out", folder], "it is a folder");
    refused(&[VIEWS, "--out", "/nosuch/a.html"], "there is no folder /nosuch; make it first");
}
