//! What is typed: numbers that are none, and files that would be lost.

use std::fs;

use tempfile::TempDir;

use crate::support::{TINY, complaint, counterfact, factscope, stdout};

#[test]
fn a_wrong_number_is_told_with_the_right_kind() {
    let predict =
        ["predict", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in", "--top"];
    for wrong in ["-1", "1e3", "two", "1.5"] {
        let said = complaint(&[&predict[..], &[wrong]].concat());
        assert!(said.contains(&format!("invalid value '{wrong}' for '--top")), "{said}");
        assert!(said.contains("a whole number of at least 0 is meant"), "{said}");
    }
    let said = complaint(&[&predict[..], &["99999999999999999999"]].concat());
    assert!(said.contains("the number is too large"), "{said}");
    let said = complaint(&["trace", "--prompt", "a", "--kind", "mlp", "--seed", "-1"]);
    assert!(said.contains("'--seed"), "{said}");
    // Texts may begin with a hyphen, as before.
    let text = ["predict", "--model", TINY, "--device", "cpu", "--prompt", "-1 is", "--top", "1"];
    assert!(stdout(&text).contains("Next token"));
}

#[test]
fn a_file_that_is_read_is_not_written_over() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let before = fs::read(&facts).unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let predict = |more: &[&str]| {
        let asked =
            ["predict", "--model", TINY, "--device", "cpu", "--facts", &facts, "--case", "9"];
        factscope(&[&asked[..], more].concat())
    };
    let same = path("../") + dir.path().file_name().unwrap().to_str().unwrap() + "/facts.json";
    for flag in ["--out", "--figure", "--save-spec"] {
        for name in [&facts, &same] {
            let output = predict(&[flag, name]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(flag) && said.contains("--facts"), "{said}");
            assert_eq!(fs::read(&facts).unwrap(), before);
        }
    }
    let both = path("both.json");
    let said = predict(&["--out", &both, "--figure", &both]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("name one file"));
    assert!(!fs::exists(&both).unwrap());
    // Two files, one that is there and is only written, and a device.
    let (one, other) = (path("one.json"), path("other.json"));
    fs::write(&one, "").unwrap();
    assert!(predict(&["--out", &one, "--figure", &other]).status.success());
    if cfg!(unix) {
        assert!(predict(&["--out", "/dev/null"]).status.success());
    }
}

#[test]
fn a_figure_without_an_ending_is_told() {
    let predict = ["predict", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let said = complaint(&[&predict[..], &["--figure", "x"]].concat());
    assert!(said.contains("this has none; end the name in .svg"), "{said}");
}
