//! A report in a real Chromium, where there is one: `tests/browser/check_report.py` says what is checked.

use std::process::Command;

use tempfile::TempDir;

use crate::support::stdout;

/// What Chromium and its kin are called.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

fn is_there(name: &str) -> bool {
    Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success())
}

#[test]
#[expect(clippy::print_stderr, reason = "a check that is left out is named")]
fn a_report_is_whole_in_a_real_browser() {
    let found = NAMES.into_iter().find(|it| is_there(it));
    let Some(chromium) = found.filter(|_| is_there("python3")) else {
        eprintln!(
            "not checked: a report in a browser, for there is no Chromium or no Python here; on Debian \
             `apt-get install --no-install-recommends chromium python3` brings both"
        );
        return;
    };
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    stdout(&["report", "tests/fixtures/views.factscope", "--out", page.to_str().unwrap()]);
    let mut check = Command::new("python3");
    check.arg("tests/browser/check_report.py").arg(chromium).arg(&page);
    let checked = check.output().unwrap();
    let [said, wrong] = [&checked.stdout, &checked.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(checked.status.success(), "{said}{wrong}");
}
