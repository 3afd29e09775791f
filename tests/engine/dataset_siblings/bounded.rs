//! Time and memory of files that are hard to read.

use factscope::facts::Dataset;
use std::fs;

use super::read;
#[cfg(target_os = "linux")]
use crate::support::is_alone;

/// Files that would take minutes if each bracket were looked for its end, or each level for its records:
/// the test of time is that this one ends.
#[test]
fn many_brackets_take_no_time() {
    const N: usize = 300_000;
    let head = "subject,object,template\n";
    for text in ["[", "<", "{", "%(", "_ ", "{{", "['"] {
        let rows = format!("{head}a,b,{}\nNorway,Oslo,The capital of {{}} is\n", text.repeat(N));
        let dataset = read("facts.csv", rows).unwrap();
        assert_eq!(dataset.records.len(), 1, "{text}");
        assert!(dataset.skipped[0].reason.len() < 3 * N, "{text}");
    }
    let fact = r#"{"s": "Norway", "o": "Oslo", "relation": "P36"}"#;
    let facts = vec![fact; N / fact.len()].join(",");
    let within = |n: usize, open: &str, close: &str| {
        format!("{}[{facts}]{}", open.repeat(n), close.repeat(n))
    };
    for (open, close) in [("[", "]"), ("{\"a\": ", "}")] {
        assert!(read("facts.json", within(120, open, close)).is_err());
        assert!(read("facts.json", within(4, open, close)).unwrap().records.len() > 1000);
    }
}

/// Files of millions of values that are no facts: only the first thousands are kept with their reasons.
///
/// It runs in a process of its own, whose memory is that of nothing else.
#[test]
#[cfg(target_os = "linux")]
fn values_that_are_no_facts_take_no_memory() {
    const N_BYTES: usize = 10 << 20;
    const NAME: &str = "dataset_siblings::bounded::values_that_are_no_facts_take_no_memory";
    if !is_alone(NAME) {
        return;
    }
    let kib = |name: &str| -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix(name)).unwrap();
        line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().unwrap()
    };
    let zeros = || "0,".repeat(N_BYTES / 2) + "0";
    let fact = r#"{"s": "Norway", "o": "Oslo", "relation": "P36"}"#;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts");
    let texts: [&dyn Fn() -> String; 9] = [
        &|| format!("[{}]", zeros()),
        &|| format!("[{{\"z\": [{}], \"s\": \"x\", \"o\": \"y\"}}]", zeros()),
        &|| format!("{{\"z\": [{}]}}", zeros()),
        &|| "0\n".repeat(N_BYTES / 2),
        &|| "{}\n".repeat(N_BYTES / 3),
        &|| ",".repeat(N_BYTES),
        &|| "a,\n".repeat(N_BYTES / 3),
        &|| "\n[".repeat(N_BYTES / 2),
        &|| format!("[{}, {fact}]", zeros()),
    ];
    for (nth, text) in texts.into_iter().enumerate() {
        fs::write(&path, text()).unwrap();
        // The peak is counted from here.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = kib("VmRSS");
        let read = Dataset::load(&path);
        let grown = kib("VmHWM").saturating_sub(before) << 10;
        assert!(grown <= 4 * N_BYTES as u64 + (64 << 20), "{nth}: {} MiB", grown >> 20);
        if nth == 8 {
            let dataset = read.unwrap();
            assert_eq!((dataset.skipped.len(), dataset.n_skipped()), (10_000, N_BYTES / 2 + 1));
            assert_eq!(dataset.n_records(), N_BYTES / 2 + 2);
        }
    }
}
