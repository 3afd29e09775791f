//! The Python that `docs/populations.md` shows for reading a sweep: run where its libraries are, it finds
//! the means that the program has written.
//!
//! `FACTSCOPE_PYTHON` names the Python; without it `python3` is asked. `tests/golden/check_reading.py` holds
//! that the three libraries agree with each other on a larger sweep.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use factscope::population::{Population, Wanted};

/// What each library needs beside itself.
const LIBRARIES: [(&str, &str); 3] =
    [("pandas", "pandas, pyarrow"), ("polars", "polars"), ("duckdb", "duckdb, pandas")];

/// Mean and standard error by direction, layer and head.
type Means = BTreeMap<(String, usize, usize), [f64; 2]>;

#[test]
#[expect(clippy::print_stderr, reason = "a library that is left out is named")]
fn the_python_of_the_page_finds_the_means_of_a_sweep() {
    let page = fs::read_to_string("docs/populations.md").unwrap();
    let blocks: Vec<&str> = page.split("```python\n").skip(1).collect();
    let blocks: Vec<&str> = blocks.iter().map(|it| it.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), LIBRARIES.len());
    let dir = tempfile::tempdir().unwrap();
    let program = |args: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("factscope").unwrap();
        command.args(args).current_dir(dir.path()).assert().success();
    };
    let fact = ["--facts", "builtin", "--case", "2"];
    program(&[&["attribute", "--by", "heads", "--save-spec", "heads.json"][..], &fact].concat());
    program(&["sweep", "heads.json", "--both-ways", "--n", "30", "--out", "heads", "--quiet"]);
    let truth = known_means(&dir.path().join("heads"));
    assert_eq!(truth.len(), 2 * 6 * 6, "both ways, six layers of six heads");

    for (block, (library, needed)) in blocks.iter().zip(LIBRARIES) {
        assert!(block.contains(&format!("import {library}")), "{block}");
        assert!(block.lines().count() <= 12, "more than some ten lines: {block}");
        let Some(found) = means_of(block, needed, dir.path()) else {
            eprintln!("{library} is left out: Python lacks one of {needed}");
            continue;
        };
        assert!(is_near(&found, &truth), "{library}: {found:?} is not {truth:?}");
        // Of other facts the means are others.
        let wrong = means_of(&block.replace("neither", "forward"), needed, dir.path()).unwrap();
        assert!(!is_near(&wrong, &truth), "{library}");
    }
}

/// The means over what is known either way.
fn known_means(folder: &Path) -> Means {
    let population = Population::load(folder, &Wanted::default()).unwrap();
    let is_it = |it: &&factscope::population::Numbers| it.chart == "Logit attribution of heads";
    let numbers = population.charts.iter().find(is_it).unwrap();
    let mut means = Means::new();
    for (cell, values) in numbers.cells.iter().zip(&numbers.values) {
        for direction in ["fact", "inverse"] {
            let facts = population.facts.iter().zip(values);
            let meant = facts.filter(|(it, _)| it.direction == direction && it.known != "neither");
            // Facts that ask the same count as one.
            let mut asked: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            for (fact, value) in meant.filter(|it| !it.1.is_nan()) {
                asked.entry(&fact.prompt).or_default().push(*value);
            }
            let mean = |it: &Vec<f64>| it.iter().sum::<f64>() / it.len() as f64;
            let values: Vec<f64> = asked.values().map(mean).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let squares: f64 = values.iter().map(|it| (it - mean).powi(2)).sum();
            let place = (direction.to_owned(), cell.layer.unwrap(), cell.head.unwrap());
            means.insert(place, [mean, (squares / (n - 1.0) / n).sqrt()]);
        }
    }
    means
}

/// The means that a block of Python finds in its folder. `None` where a library is not there.
fn means_of(block: &str, needed: &str, dir: &Path) -> Option<Means> {
    let python = env::var("FACTSCOPE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", &format!("import {needed}")]).output();
    if !has.is_ok_and(|it| it.status.success()) {
        return None;
    }
    let tail = "\
import json
if hasattr(means, 'collect'):
    means = means.collect()
rows = means.to_dicts() if hasattr(means, 'to_dicts') else means.reset_index().to_dict('records')
names = ['direction', 'layer', 'head', 'mean', 'sem']
print(json.dumps([[str(row[name]) for name in names] for row in rows]))
";
    let script = format!("{block}\n{tail}");
    let output = Command::new(python).args(["-c", &script]).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<[String; 5]> = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let mean = |[direction, layer, head, mean, error]: [String; 5]| {
        let place = (direction, layer.parse().unwrap(), head.parse().unwrap());
        (place, [mean, error].map(|it| it.parse().unwrap()))
    };
    Some(rows.into_iter().map(mean).collect())
}

/// Whether the means are of the same places and differ in no more than sums of f64 do whose order differs.
fn is_near(found: &Means, truth: &Means) -> bool {
    let near = |a: &[f64; 2], b: &[f64; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    found.keys().eq(truth.keys()) && found.values().zip(truth.values()).all(|(a, b)| near(a, b))
}
