//! Many facts: `sweep`, `population` and `merge` as a script calls them.

use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use crate::support::{complaint, factscope, json, program, stdout};

/// A sweep both ways, gone on with, in shares that are merged, and what the facts have in common.
#[test]
fn many_facts_are_asked_and_told_of() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (spec, out) = (path("spec.json"), path("out"));
    let fact = ["--facts", "builtin", "--case", "2"];
    let resampled = ["--minus-corruption", "resample", "--samples", "2", "--by", "heads"];
    stdout(&[&["attribute", "--save-spec", &spec][..], &fact, &resampled].concat());
    let base = ["sweep", &spec, "--n", "6", "--both-ways"];
    let sweep = |more: &[&str]| stdout(&[&base[..], more].concat());

    let estimate = sweep(&["--estimate"]);
    assert!(estimate.starts_with("12 facts, each way counted: about "), "{estimate}");
    let share = sweep(&["--estimate", "--shard", "1/3"]);
    assert!(share.contains("; the share 1/3 is 4 of them: about "), "{share}");
    let told = sweep(&["--out", &out]);
    assert!(told.starts_with("12 of 12 facts asked"), "{told}");
    let again = sweep(&["--out", &out]);
    assert!(again.contains("12 of them were there already"), "{again}");
    let other = complaint(&[&base[..], &["--out", &out, "--known", "forward"]].concat());
    assert!(other.contains("not the same: selection"), "{other}");
    // Another sweep may ask the facts that have a result here.
    let few = ["--draws", "9", "--permutations", "9", "--json"];
    let facts = json(&[&["population", &out][..], &few].concat())["facts"].clone();
    let with_result = facts.as_array().unwrap().iter().filter(|it| it["left_out"].is_null());
    let cases: BTreeSet<&str> = with_result.map(|it| it["case"].as_str().unwrap()).collect();
    assert!(!cases.is_empty());
    let same = ["sweep", &spec, "--facts-of", &out, "--out", &path("same")];
    let n = cases.len();
    assert!(stdout(&same).starts_with(&format!("{n} of {n} facts asked")));
    // The dataset is known by what is in it, wherever it lies.
    let builtin = concat!(env!("CARGO_MANIFEST_DIR"), "/data/facts.json");
    fs::copy(builtin, path("copy.json")).unwrap();
    let copied = ["sweep", &spec, "--facts", &path("copy.json"), "--facts-of", &out, "--estimate"];
    assert!(stdout(&copied).starts_with(&format!("{n} facts")));
    fs::write(path("other.json"), fs::read_to_string(path("copy.json")).unwrap() + "\n").unwrap();
    let other = ["--facts", &path("other.json")];
    let complaint_of_other = complaint(&[&same[..], &other].concat());
    assert!(complaint_of_other.contains("of builtin with --facts"), "{complaint_of_other}");
    // The folder says itself what is asked.
    let again = stdout(&["sweep", &out]);
    assert!(again.contains("12 of them were there already"), "{again}");
    let anew = stdout(&["sweep", &out, "--out", &path("anew")]);
    assert!(anew.starts_with("12 of 12 facts asked") && !anew.contains("already"), "{anew}");
    assert!(complaint(&["sweep", &out, "--both-ways"]).contains("leave these flags out"));

    for share in ["1/2", "2/2"] {
        sweep(&["--out", &path("shards"), "--shard", share]);
    }
    let shards = [path("shards/shard-1-of-2"), path("shards/shard-2-of-2")];
    let merged = stdout(&["merge", &shards[0], &shards[1], "--out", &path("merged")]);
    assert!(merged.starts_with("12 of 12 facts"), "{merged}");
    let population =
        |dir: &str| stdout(&["population", dir, "--draws", "50", "--permutations", "19"]);
    let whole = population(&out);
    assert!(whole.contains("Differences of heads") && whole.contains("inverse − fact"), "{whole}");
    assert_eq!(population(&path("merged")), whole);
    assert_eq!(population(&path("shards")), whole);
    assert_eq!(population(&path("anew")), whole);

    let svg = path("heads.svg");
    let found = json(&["population", &out, "--figure", &svg, "--json"]);
    assert_eq!(found["facts"].as_array().unwrap().len(), 12);
    assert!(fs::read_to_string(&svg).unwrap().contains("inverse − fact"));
    let missing = complaint(&["population", &out, "--chart", "Nothing"]);
    assert!(missing.contains("no chart “Nothing”"), "{missing}");

    let none = |more: &[&str]| complaint(&[&["sweep", &spec, "--estimate"][..], more].concat());
    assert!(none(&["--n", "0"]).contains("--n 0 draws no fact"));
    assert!(none(&["--relation", "nope"]).contains("no fact is of the relation nope"));
    assert!(none(&["--case", "nope"]).contains("nope"));
    let none = complaint(&["population", &out, "--relation", "nope"]);
    assert!(none.contains("the relation “nope” that --relation names"), "{none}");

    // What is asked of one fact is a file for `run`.
    let alone = stdout(&["sweep", &spec, "--spec-of", "5", "--inverse"]);
    let run = program(&["run", "-", "--json"]).write_stdin(alone).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// What a model knows is counted by relation and wording, by first guess, rank and choice.
#[test]
fn recall_is_counted_in_each_wording() {
    let recall = ["recall", "--relation", "capital", "--n", "10"];
    let told = stdout(&recall);
    assert!(told.contains("P36 capital") && told.contains("The capital of {} is"), "{told}");
    assert!(told.contains("best of these") && told.contains("First guess"), "{told}");
    let found = json(&[&recall[..], &["--json"]].concat());
    let facts = found["facts"].as_array().unwrap();
    // Ten facts, both ways, in five wordings each.
    assert_eq!(facts.len(), 100, "{found}");
    let known = &found["known_in_own_words"];
    for by in ["first", "ten", "choice"] {
        let way = |name: &str| known[by][name].as_u64().unwrap();
        assert!(way("both") <= way("forward").min(way("inverse")) && way("forward") <= 10);
    }
    assert!(known["first"]["forward"].as_u64() <= known["ten"]["forward"].as_u64());
    let own = json(&[&recall[..], &["--own-words", "--json"]].concat());
    assert_eq!(own["facts"].as_array().unwrap().len(), 20);
    assert_eq!(&own["known_in_own_words"], known);

    // Only what is known so, by any number of guesses; the others are counted.
    let n_known = |by: &str| {
        let chosen = ["--known", "forward", "--known-by", by, "--own-words", "--json"];
        let found = json(&[&recall[..], &chosen].concat());
        let n = found["facts"].as_array().unwrap().len() / 2;
        assert_eq!(n + found["left_out"].as_array().unwrap().len(), 10, "{found}");
        n
    };
    for by in ["first", "ten", "choice"] {
        assert_eq!(n_known(by) as u64, known[by]["forward"].as_u64().unwrap(), "{by}");
    }
    assert!(n_known("1") == n_known("first") && n_known("10") == n_known("ten"));
    assert!((n_known("1")..=n_known("10")).contains(&n_known("3")));
    let told = complaint(&["recall", "--known-by", "best"]);
    assert!(told.contains("give `first`, `ten` or another number"), "{told}");
    let told = complaint(&["recall", "--case", "no such"]);
    assert!(told.contains("no such"), "{told}");
}

/// A change of each fact is asked of the fact and of its inverse, at each layer.
#[test]
fn what_a_change_reaches_is_told_by_layer() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let spec = path("spec.json");
    let fact = ["--facts", "builtin", "--case", "2", "--save-spec", &spec];
    let few = ["--draws", "50", "--permutations", "19"];
    let told = |out: &str, how: &[&str], layers: &[&str]| {
        stdout(&[how, &fact].concat());
        let out = path(out);
        let swept = stdout(&[&["sweep", &spec, "--n", "5", "--out", &out][..], layers].concat());
        assert!(swept.starts_with("5 of 5 facts asked, each way counted, 0 of them"), "{swept}");
        stdout(&[&["population", &out][..], &few].concat())
    };
    let edit = ["edit", "--layer", "1", "--steps", "2"];
    let edited = told("edits", &edit, &["--layers", "1,3"]);
    let edited = edited.split_whitespace().collect::<Vec<_>>().join(" ");
    let rank = "What the change reaches: the fact, rank(old) after: fact";
    assert!(edited.contains(rank), "{edited}");
    for kind in ["the fact", "the inverse, from the old answer", "the inverse, from the new answer"]
    {
        for quantity in ["p(old) after", "change of ln p(old)", "change of rank(old)"] {
            let chart = format!("What the change reaches: {kind}, {quantity}");
            assert!(edited.contains(&chart), "{chart} is not in {edited}");
        }
    }
    let descent = "Finding the value";
    assert!(!edited.contains(descent), "{edited}");
    let named = stdout(&[&["population", &path("edits"), "--chart", descent][..], &few].concat());
    assert!(named.contains("Step 0") && named.contains("Step 1"), "{named}");
    let steer = ["steer", "--plus-token", "Rome", "--layer", "2", "--reach", "--scale", "2"];
    let steered = told("steered", &steer, &[]);
    assert!(steered.contains("the inverse, from the old answer, p(old) after"), "{steered}");
    let ablated = told("ablated", &["ablate", "--together", "2", "--random", "3"], &[]);
    let chart = "together: the inverse, from the old answer, Change of ln p without these";
    assert!(ablated.contains(chart), "{ablated}");
    let refused =
        complaint(&["sweep", &spec, "--n", "2", "--layers", "1", "--out", &path("refused")]);
    assert!(refused.contains("the spec names no layer"), "{refused}");
    // Layers that no fact can take are refused before any fact is asked.
    stdout(&[&edit[..], &fact].concat());
    for (layers, says) in [("1,5", "layer 5 is the last"), ("1,6", "there is no layer 6")] {
        let out = path("refused");
        let refused = complaint(&["sweep", &spec, "--n", "2", "--layers", layers, "--out", &out]);
        assert!(refused.contains(says), "{refused}");
        assert!(!fs::exists(&out).unwrap(), "{layers}");
    }
}

/// What an edit changes is the reading after it less that before, of each fact; and what lies on one side of
/// zero is not tested against it.
#[test]
fn a_change_is_paired_within_each_fact() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (spec, out) = (path("spec.json"), path("out"));
    let fact = ["--facts", "builtin", "--case", "2", "--save-spec", &spec];
    stdout(&[&["edit", "--layer", "1", "--steps", "2"][..], &fact].concat());
    stdout(&["sweep", &spec, "--n", "7", "--out", &out]);
    let few = ["--draws", "50", "--permutations", "19", "--json"];
    let found = json(&[&["population", &out][..], &few].concat());
    let row = |quantity: &str| {
        let name = format!("What the change reaches: the fact, {quantity}: largest means");
        let charts = found["figure"]["charts"].as_array().unwrap().iter();
        let table = charts.map(|it| &it["Table"]).find(|it| it["name"] == *name);
        let cells = table.unwrap_or_else(|| panic!("{name}"))["rows"][0]["cells"].clone();
        [2, 7, 8].map(|nth| cells[nth]["Number"].as_f64())
    };
    let ([before, p, n], [after, ..]) = (row("ln p(old) before"), row("ln p(old) after"));
    let [change, tested, _] = row("change of ln p(old)");
    assert!((after.unwrap() - before.unwrap() - change.unwrap()).abs() < 1e-5);
    assert_eq!((p, n), (None, Some(7.0)));
    assert!(tested.unwrap() > 0.0);
}

/// A plan chooses facts and draws by a pilot, says why, and is kept by a second start.
#[test]
fn a_plan_is_told_and_kept() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (spec, out) = (path("spec.json"), path("out"));
    let trace = ["trace", "--kind", "mlp", "--window", "2", "--samples", "3"];
    let fact = ["--facts", "builtin", "--case", "2", "--save-spec", &spec];
    stdout(&[&trace[..], &fact].concat());
    let planned = ["sweep", &spec, "--width", "0.6", "--out", &out];
    let output = factscope(&planned);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("a pilot of 1") && told.contains("chosen: "), "{told}");
    let manifest: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path("out/_sweep.json")).unwrap()).unwrap();
    let plan = &manifest["settings"]["plan"];
    assert_eq!(plan["goal"], "width 0.6");
    assert_eq!(plan["n_facts"], manifest["selection"]["n"]);
    let n_samples = &plan["n_samples"];
    assert!(manifest["spec"].to_string().contains(&format!("\"n_samples\":{n_samples}")));
    let again = stdout(&planned);
    assert!(again.contains("of them were there already"), "{again}");
    // The unknown facts that will be drawn and left out are planned for.
    let known_out = path("known");
    let known = ["sweep", &spec, "--width", "0.6", "--out", &known_out, "--known", "both"];
    let output = factscope(&known);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("a pilot of 13 facts of "), "{told}");
    assert!(told.contains(" that were tried: ") && told.contains("of which about "), "{told}");
    // Facts that share their inverse's question are one: as many are drawn as ask so many questions.
    let inverse_out = path("inverse");
    let continents = ["sweep", &spec, "--relation", "P30", "--inverse", "--width", "0.12"];
    let output = factscope(&[&continents[..], &["--out", &inverse_out]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    let few = ["--draws", "9", "--permutations", "9", "--json"];
    let facts = json(&[&["population", &inverse_out][..], &few].concat())["facts"].clone();
    let facts = facts.as_array().unwrap();
    let questions: BTreeSet<&str> = facts.iter().map(|it| it["prompt"].as_str().unwrap()).collect();
    assert!(questions.len() > 1 && questions.len() < facts.len(), "{told}");
    let chosen =
        format!("chosen: {} facts, which ask {} questions, ", facts.len(), questions.len());
    assert!(told.contains(&chosen), "{chosen}: {told}");
    let other = complaint(&["sweep", &spec, "--budget", "2 weeks", "--out", &out]);
    assert!(other.contains("a time is a number above 0"), "{other}");
}

/// An estimate whose facts are all left out says that it is too little, and why they are.
#[test]
fn an_estimate_without_a_known_fact_says_so() {
    let dir = TempDir::new().unwrap();
    let spec = dir.path().join("spec.json");
    let spec = spec.to_str().unwrap();
    stdout(&["knockout", "--facts", "builtin", "--case", "2", "--save-spec", spec]);
    let recall = json(&["recall", "--n", "60", "--own-words", "--json"]);
    let of = |known: bool| -> BTreeSet<String> {
        let facts = recall["facts"].as_array().unwrap().iter();
        let them = facts.filter(|it| (it["recall"]["rank"] == 0) == known);
        them.map(|it| it["case"].as_str().unwrap().to_owned()).collect()
    };
    let unknown: Vec<String> = of(false).difference(&of(true)).cloned().collect();
    let known = of(true).difference(&of(false)).next().unwrap().clone();
    assert!(unknown.len() > 1, "{recall}");
    let estimate = |cases: &[String]| {
        let cases = cases.iter().flat_map(|it| ["--case", it]);
        let asked = ["sweep", spec, "--known", "both", "--estimate"];
        stdout(&asked.into_iter().chain(cases).collect::<Vec<_>>())
    };
    let none = estimate(&unknown);
    assert!(none.contains("none of the facts that were tried is asked"), "{none}");
    assert!(none.contains("does not know"), "{none}");
    let one = estimate(&[&unknown[..], &[known]].concat());
    assert!(!one.contains("none of the facts") && one.contains("would be left out"), "{one}");
}

#[test]
fn what_cannot_be_asked_of_many_facts_is_refused() {
    let dir = TempDir::new().unwrap();
    let spec = dir.path().join("spec.json");
    let spec = spec.to_str().unwrap();
    let fact = ["--facts", "builtin", "--case", "2"];
    let refused = |says: &str| {
        let said = complaint(&["sweep", spec, "--out", dir.path().join("out").to_str().unwrap()]);
        assert!(said.contains(says), "{said}");
    };
    stdout(&[&["attribute", "--minus-prompt", "Rome is", "--save-spec", spec][..], &fact].concat());
    refused("neither the fact's own prompt");
    stdout(&["circuit", "--head", "1.1", "--save-spec", spec]);
    refused("reads the weights alone");
    assert_eq!(factscope(&["sweep", spec, "--shard", "3/2", "--out", "x"]).status.code(), Some(2));
}

/// The means and errors of `average` are those that the sweep of its trace has in common.
#[test]
fn an_average_of_traces_is_what_their_sweep_has_in_common() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (spec, out) = (path("trace.json"), path("out"));
    let traced = ["--kind", "mlp", "--samples", "2", "--window", "2"];
    let facts = ["--relation", "capital", "--n", "8"];
    let average = json(&[&["average", "--json"][..], &facts, &traced].concat());
    let fact = ["--facts", "builtin", "--case", "2", "--save-spec", &spec];
    stdout(&[&["trace"][..], &traced, &fact].concat());
    let known = ["--known", "forward", "--figure-effect", "indirect", "--out", &out];
    stdout(&[&["sweep", &spec][..], &facts, &known].concat());
    let found = json(&["population", &out, "--draws", "9", "--permutations", "9", "--json"]);

    let averaged = &average["maps"][0]["metrics"]["prob"];
    let map = &found["figure"]["charts"][0]["Map"];
    let texts = |it: &serde_json::Value| -> Vec<String> {
        it.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let (roles, rows) = (texts(&averaged["roles"]), texts(&map["rows"]["labels"]));
    assert!(roles.contains(&"subject-last".to_owned()) && roles.contains(&"last".to_owned()));
    let n_layers = map["columns"]["labels"].as_array().unwrap().len();
    for (name, label) in [("subject-last", "last subject token"), ("last", "last token")] {
        let role = roles.iter().position(|it| it == name).unwrap();
        let row = rows.iter().position(|it| it == label).unwrap();
        for layer in 0..n_layers {
            let number = |it: &serde_json::Value| it[role][layer].as_f64().unwrap();
            let mean = number(&averaged["indirect"]);
            let nth = row * n_layers + layer;
            // One subtracts two f32 and rounds before it averages, the other afterwards.
            let value = map["values"][nth].as_f64().unwrap();
            assert!((value - mean).abs() < 1e-6, "{name} {layer}: {value} {mean}");
            let error = number(&averaged["standard_error"]);
            let told = map["details"][nth].as_str().unwrap();
            let low = told.strip_prefix("95 %: ").unwrap().split(' ').next().unwrap();
            let low: f64 = low.replace('−', "-").parse().unwrap();
            // The detail has three digits.
            assert!((low - (mean - 1.96 * error)).abs() < 6e-3 * low.abs() + 1e-6, "{told}");
        }
    }
    assert_eq!(average["n_facts"].as_u64().unwrap(), 5);

    let row = |title: &str, place: &str| {
        let charts = found["figure"]["charts"].as_array().unwrap().iter();
        let name = format!("{title}: largest means");
        let table = charts.map(|it| &it["Table"]).find(|it| it["name"] == *name);
        let rows = table.unwrap_or_else(|| panic!("{name}"))["rows"].as_array().unwrap();
        let cells = &rows.iter().find(|it| it["cells"][1]["Text"] == place).unwrap()["cells"];
        [2, 3, 8].map(|nth| cells[nth]["Number"].as_f64().unwrap())
    };
    let total = "Total effect, clean − corrupted p(answer)";
    for (title, place, key) in [
        ("Readings, p(answer)", "clean", "clean"),
        ("Readings, p(answer)", "corrupted", "corrupted"),
        (total, "all", "total"),
    ] {
        let estimate = |of: &str| averaged[key][of].as_f64().unwrap();
        let [mean, low, n] = row(title, place);
        assert!((mean - estimate("mean")).abs() < 1e-6, "{key}: {mean}");
        assert!((low - estimate("low")).abs() < 1e-6, "{key}: {low}");
        assert_eq!(n, estimate("n"), "{key}");
    }
}
