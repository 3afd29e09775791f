//! Help, exit codes, and failures that name the remedy.

use tempfile::TempDir;

use crate::support::{TINY, complaint, counterfact, factscope, json, stdout};

const COMMANDS: &[&[&str]] = &[
    &[],
    &["explore"],
    &["predict"],
    &["trace"],
    &["atp"],
    &["attribute"],
    &["lens"],
    &["attention"],
    &["heads"],
    &["norms"],
    &["contributions"],
    &["circuit"],
    &["compose"],
    &["ablate"],
    &["knockout"],
    &["cut"],
    &["compare"],
    &["average"],
    &["bench"],
    &["edit"],
    &["steer"],
    &["generate"],
    &["run"],
    &["recall"],
    &["sweep"],
    &["population"],
    &["merge"],
    &["patch"],
    &["path-patch"],
    &["atp-star"],
    &["eap"],
    &["localise"],
    &["get"],
    &["model"],
    &["model", "info"],
    &["model", "random"],
    &["devices"],
    &["serve"],
    &["train"],
];

#[test]
fn every_command_prints_help() {
    for command in COMMANDS {
        let text = stdout(&[*command, &["--help"]].concat());
        assert!(text.contains("Usage: factscope"), "{text}");
    }
}

#[test]
fn wrong_flags_are_told_from_failures() {
    assert_eq!(factscope(&["predict", "--model", TINY]).status.code(), Some(2));
    assert_eq!(factscope(&["trace", "--noise", "loud"]).status.code(), Some(2));
    assert_eq!(factscope(&["predict", "--device", "gpu"]).status.code(), Some(2));
    assert_eq!(factscope(&["predict", "--threads", "0"]).status.code(), Some(2));
    let missing = ["predict", "--model", "nowhere", "--prompt", "a", "--device", "cpu"];
    assert_eq!(factscope(&missing).status.code(), Some(1));
}

#[test]
fn without_a_command_the_flags_are_those_of_the_window() {
    let says = |args: &[&str], says: &str| {
        let output = factscope(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(says), "{said}");
    };
    if cfg!(feature = "gui") {
        says(&["--model", TINY, "--size", "1x1"], "a width and a height of at least 100");
        says(&["--quiet", "--modle", TINY], "'--model'");
    }
    says(&["predict", "--view", "trace"], "unexpected argument '--view'");
}

#[test]
fn failures_name_the_file_and_the_remedy() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let text = ["--prompt", "Lyon is in", "--device", "cpu"];
    let predict = |model: &str| complaint(&[&["predict", "--model", model], &text[..]].concat());
    assert!(predict(&path("nowhere")).contains("nowhere"));
    assert!(predict(dir.path().to_str().unwrap()).contains("config.json"));

    let facts = counterfact(&dir);
    let trace = ["trace", "--model", TINY, "--kind", "mlp", "--device", "cpu"];
    let fails = |more: &[&str], says: &str| {
        let said = complaint(&[&trace, more].concat());
        assert!(said.contains(says), "{said}");
    };
    fails(&["--facts", &facts, "--case", "5"], "no case 5");
    fails(&["--facts", &path("none.json"), "--case", "5"], "none.json");
    fails(&["--prompt", "Lyon is in", "--subject", "Paris"], "Paris");
    let out = path("missing/trace.json");
    fails(&["--facts", &facts, "--case", "4", "--out", &out], "missing");
    fails(&["--facts", &facts, "--case", "4", "--samples", "0"], "samples");
    fails(&["--facts", &facts, "--case", "4", "--noise-subjects", &path("s.txt")], "s.txt");

    let ablate = ["ablate", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let other = complaint(&[&ablate[..], &["--with", "resample", "--other", "Lyon"]].concat());
    assert!(other.contains("of the same length"), "{other}");
    let other = complaint(&[&ablate[..], &["--with", "resample"]].concat());
    assert!(other.contains("--other"), "{other}");
    let chosen = complaint(&[&ablate[..], &["--top", "4"]].concat());
    assert!(chosen.contains("--part neurons"), "{chosen}");
    let mean = complaint(&[&ablate[..], &["--with", "mean"]].concat());
    assert!(mean.contains("--mean-prompts"), "{mean}");
    let subject = complaint(&[&ablate[..], &["--positions", "subject"]].concat());
    assert!(subject.contains("no subject"), "{subject}");
    let far = complaint(&[&ablate[..], &["--positions", "2..90"]].concat());
    assert!(far.contains("no token 89"), "{far}");
    let knockout = ["knockout", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let all = complaint(&[&knockout[..], &["--edges", "all:last"]].concat());
    assert!(all.contains("no token left to attend to"), "{all}");
    let edges = complaint(&[&knockout[..], &["--edges", "last"]].concat());
    assert!(edges.contains("subject:last"), "{edges}");
    let cut = ["cut", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let later = complaint(&[&cut[..], &["--edge", "1:2"]].concat());
    assert!(later.contains("token 1 cannot attend to token 2"), "{later}");
    let far = complaint(&[&cut[..], &["--edge", "2:1", "--layers", "3..9"]].concat());
    assert!(far.contains("no layer 8"), "{far}");

    let attention = ["attention", "--model", TINY, "--prompt", "a", "--device", "cpu"];
    let layer = complaint(&[&attention[..], &["--layer", "4", "--head", "0"]].concat());
    assert!(layer.contains("no layer 4"), "{layer}");
    let head = complaint(&[&attention[..], &["--layer", "0", "--head", "4"]].concat());
    assert!(head.contains("no head 4"), "{head}");
}

#[test]
fn without_a_display_the_window_says_what_still_works() {
    let said = complaint(&["explore", "--model", TINY]);
    assert!(said.contains("display") && said.contains("the commands work"), "{said}");
}

/// Where a disk is full a script must not take an empty file for the help.
#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("factscope"));
    let output = command.arg("--help").stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("cannot be printed"), "{said}");
}

#[test]
fn a_text_may_begin_with_a_hyphen() {
    let predict = ["predict", "--model", TINY, "--device", "cpu", "--json"];
    let found = json(&[&predict[..], &["--prompt", "-5 degrees is", "--answer", "-5"]].concat());
    assert_eq!(found["prompt"]["text"], "-5 degrees is");
    assert_eq!(found["answer"]["text"], " -5");
    let lens = ["lens", "--model", TINY, "--device", "cpu", "--prompt", "--- Paris is in"];
    assert!(stdout(&lens).contains("--- Paris"));
    let facts = ["predict", "--device", "cpu", "--facts", "builtin", "--case", "-1"];
    assert!(complaint(&facts).contains("there is no case -1"));
    // A flag where its text is missing stays a flag.
    let forgotten = factscope(&["predict", "--prompt", "--json"]);
    assert_eq!(forgotten.status.code(), Some(2));
    let told = String::from_utf8(forgotten.stderr).unwrap();
    assert!(told.contains("`--json` is a flag"), "{told}");
}

#[test]
fn a_cause_is_told_once() {
    for args in [
        &["predict", "--facts", "nowhere.json", "--case", "0"][..],
        &["predict", "--model", "nowhere", "--prompt", "a"],
        &["run", "nowhere.json"],
        &["session", "nowhere.factscope"],
    ] {
        let told = complaint(args);
        assert!(told.matches("No such file").count() < 2, "{told}");
        assert!(told.matches("nowhere").count() < 2, "{told}");
    }
}
