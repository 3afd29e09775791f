//! What would take more memory than there is gets refused, unless that is wanted; what the system refuses later
//! is told.

use std::fs;

use tempfile::TempDir;

use crate::support::{TINY, complaint, stdout};

const TRACE: [&str; 11] = [
    "trace",
    "--model",
    TINY,
    "--device",
    "cpu",
    "--prompt",
    "Paris is the capital of it is in the city of Paris is the capital of it is in",
    "--subject",
    "Paris",
    "--kind",
    "mlp",
];

/// Numbers that nobody means, from flags and in a spec, which a sweep asks of each fact.
#[test]
fn far_too_many_samples_are_refused_before_anything_is_computed() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let refused = complaint(&[&TRACE[..], &["--samples", "1000000000"]].concat());
    assert!(refused.contains("1000000000, and at most 100000 can be asked for"), "{refused}");

    let spec = path("spec.json");
    let plain =
        ["trace", "--kind", "mlp", "--model", TINY, "--prompt", "Paris is", "--subject", "Paris"];
    stdout(&[&plain[..], &["--answer", "it", "--save-spec", &spec]].concat());
    let text = fs::read_to_string(&spec).unwrap();
    let facts = path("facts.json");
    fs::write(
        &facts,
        r#"[{"subject": "Paris", "template": "{} is the capital of", "answer": "it"}]"#,
    )
    .unwrap();
    for (written, other, said) in [
        ("\"n_samples\": 10", "\"n_samples\": 1000000000", "at most 100000 can be asked for"),
        (
            "\"factor\": 3.0",
            "\"factor\": -3.0",
            "the factor of the noise must be a number from 0 on",
        ),
    ] {
        assert!(text.contains(written), "{text}");
        fs::write(&spec, text.replace(written, other)).unwrap();
        let out = path(&said.len().to_string());
        for asked in [vec!["run", &spec], vec!["sweep", &spec, "--facts", &facts, "--out", &out]] {
            let refused = complaint(&asked);
            assert!(refused.contains(said), "{refused}");
        }
    }
}

/// What a program may have of memory can be limited to less than the machine has.
#[cfg(target_os = "linux")]
#[test]
fn what_a_limit_forbids_is_refused_with_a_remedy_and_told_where_it_is_begun_all_the_same() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("found.json");
    let limited = |more: &[&str]| {
        let output = std::process::Command::new("sh")
            .args(["-c", r#"ulimit -c 0; ulimit -v 2000000; exec "$@""#, "sh"])
            .arg(assert_cmd::cargo::cargo_bin("factscope"))
            .args(TRACE)
            .args(["--threads", "2", "--samples", "100000", "--out"])
            .arg(&out)
            .args(more)
            .output()
            .unwrap();
        assert!(!output.status.success());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, refused) = limited(&[]);
    assert_eq!(code, Some(1), "{refused}");
    for said in ["causal trace would take about", "(`ulimit -v`)", "--ignore-memory", "fewer"] {
        assert!(refused.contains(said), "{refused}");
    }
    let (_, told) = limited(&["--ignore-memory"]);
    assert!(told.contains("the system refuses") && told.contains("raise the limit"), "{told}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something half-written is left");
}
