//! Results that commands write as session files, and sessions that are joined.

use tempfile::TempDir;

use crate::support::{TINY, complaint, counterfact, factscope, json, stdout};

const OF_TINY: [&str; 4] = ["--model", TINY, "--device", "cpu"];

/// What a file holds of a result, by its number.
fn held(file: &str, nth: &str, out: &str) -> serde_json::Value {
    stdout(&["session", file, "--extract", nth, out]);
    serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap()
}

#[test]
fn a_result_is_saved_as_a_session_and_several_are_joined() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let facts = counterfact(&dir);
    let saved = |args: &[&str], name: &str| {
        let out = path(name);
        stdout(&[args, &OF_TINY, &["--save-session", &out, "--json"]].concat());
        out
    };
    let typed = saved(&["lens", "--prompt", "Lyon is in"], "a.factscope");
    let of_dataset = ["--facts", &facts, "--case", "9"];
    let heads = [&["attribute", "--by", "heads"][..], &of_dataset].concat();
    let of_dataset = saved(&heads, "b.factscope");
    let processed = saved(&[&heads[..], &["--process", "default"]].concat(), "c.factscope");
    let circuit = saved(&["circuit", "--head", "0.1"], "d.factscope");

    // The numbers are those that the command prints.
    let found = held(&of_dataset, "1", &path("found.json"));
    let printed = json(&[&heads[..], &OF_TINY, &["--json"]].concat());
    assert_eq!(found["prompt"]["text"], "Lyon is in");
    let total = &found["result"]["LogitAttribution"]["logit"];
    assert_eq!(total, &printed["logit"], "{}", found["result"]);
    assert!(stdout(&["session", &of_dataset]).contains("facts.json, 2 facts"));
    assert!(stdout(&["session", &processed]).contains("Edits       1"));

    let all = path("all.factscope");
    stdout(&["session", &typed, &of_dataset, &processed, &circuit, "--join", &all]);
    let told = stdout(&["session", &all]);
    assert!(told.contains("Results     4"), "{told}");
    assert!(told.contains("facts.json, 2 facts"), "{told}");
    assert!(told.contains("model with 1 edit: Lyon is in"), "{told}");
    assert!(told.contains("of the Spec view"), "{told}");
    for (nth, of) in [("1", &typed), ("2", &of_dataset), ("3", &processed), ("4", &circuit)] {
        let [joined, single] = [held(&all, nth, &path("j.json")), held(of, "1", &path("s.json"))];
        for key in ["spec", "result", "edits", "prompt"] {
            assert_eq!(joined[key], single[key], "{nth} {key}");
        }
    }

    let other = path("other.factscope");
    let ask = ["lens", "--prompt", "Lyon is in", "--device", "cpu", "--save-session", &other];
    stdout(&ask);
    let told = complaint(&["session", &typed, &other, "--join", &all]);
    assert!(
        told.contains("of another model (builtin)") && told.contains("other.factscope"),
        "{told}"
    );
    let told = complaint(&["session", &circuit, &circuit, "--join", &all]);
    assert!(told.contains("asked of no fact"), "{told}");
    let told = complaint(&["session", &typed, &other, "--extract", "1", "x.json"]);
    assert!(told.contains("one file"), "{told}");
    let wrong = factscope(&["lens", "--prompt", "Lyon is in", "--save-session", "lens.json"]);
    assert_eq!(wrong.status.code(), Some(2));
}
