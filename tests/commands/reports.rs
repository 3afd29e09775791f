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
