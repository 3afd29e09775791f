//! Which room may use which other room and which crate, read from the sources; if a test here
//! stops you, the code is probably in the wrong room.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod paths;

use paths::{Use, tokens, uses};

/// Each room, and the rooms it may use. Their order is the direction of the data.
const ROOMS: [(&str, &[&str]); 24] = [
    ("packed", &[]),
    ("quiet", &[]),
    ("whole_file", &[]),
    ("builtin", &["packed"]),
    ("gguf", &[]),
    ("text_file", &["whole_file"]),
    ("facts", &["packed", "quiet", "text_file", "whole_file"]),
    ("tokens", &["packed", "quiet", "builtin", "gguf", "text_file", "facts"]),
    ("intervention", &[]),
    ("task", &[]),
    ("hub", &["task", "whole_file"]),
    (
        "model",
        &["quiet", "builtin", "gguf", "text_file", "hub", "intervention", "task", "whole_file"],
    ),
    ("analysis", &["facts", "tokens", "intervention", "task", "model"]),
    ("noise_file", &["analysis", "whole_file"]),
    // Results as charts, for the window and for files.
    ("figure", &["packed", "tokens", "intervention", "analysis"]),
    ("training", &["builtin", "facts", "tokens", "task", "whole_file", "model"]),
    ("experiment", &["text_file", "facts", "tokens", "analysis"]),
    (
        "worker",
        &[
            "facts",
            "tokens",
            "intervention",
            "task",
            "whole_file",
            "model",
            "analysis",
            "noise_file",
        ],
    ),
    // Many facts, and what they have in common.
    (
        "population",
        &[
            "quiet",
            "facts",
            "tokens",
            "task",
            "whole_file",
            "analysis",
            "figure",
            "experiment",
            "worker",
        ],
    ),
    // What was found, as a file.
    (
        "session",
        &[
            "text_file",
            "quiet",
            "facts",
            "tokens",
            "whole_file",
            "analysis",
            "figure",
            "experiment",
            "worker",
        ],
    ),
    // What was found, as a page for others.
    (
        "report",
        &["facts", "tokens", "hub", "analysis", "figure", "experiment", "worker", "session"],
    ),
    // Not `model`: tensors stay on the worker's thread.
    (
        "ui",
        &[
            "packed",
            "quiet",
            "builtin",
            "facts",
            "tokens",
            "intervention",
            "task",
            "hub",
            "whole_file",
            "analysis",
            "noise_file",
            "figure",
            "experiment",
            "worker",
            "population",
            "session",
            "report",
        ],
    ),
    (
        "cli",
        &[
            "packed",
            "builtin",
            "facts",
            "tokens",
            "intervention",
            "task",
            "hub",
            "whole_file",
            "model",
            "analysis",
            "noise_file",
            "figure",
            "training",
            "experiment",
            "worker",
            "population",
            "session",
            "report",
            "ui",
        ],
    ),
    // A test of what it takes to add a method.
    ("added_method", &["facts", "tokens", "task", "model", "analysis", "figure"]),
];

/// Crates that only some rooms may touch.
const OWNERS: [(&str, &[&str]); 34] = [
    ("burn", &["model", "analysis", "training"]),
    ("burn_flex", &["model"]),
    ("gemm", &["model"]),
    ("pulp", &["model"]),
    ("burn_wgpu", &["model"]),
    ("num_complex", &["model"]),
    ("wgpu", &["model"]),
    ("safetensors", &["model", "training"]),
    ("memmap2", &["model"]),
    ("half", &["model", "training"]),
    ("rand", &["model", "analysis", "training"]),
    ("rand_chacha", &["model", "analysis", "training"]),
    ("rand_distr", &["model", "training"]),
    ("tokenizers", &["tokens"]),
    ("ureq", &["hub"]),
    ("sha1", &["hub"]),
    ("fs4", &["hub"]),
    ("egui", &["ui"]),
    ("eframe", &["ui"]),
    ("egui_plot", &["ui"]),
    ("rfd", &["ui"]),
    ("colorous", &["figure"]),
    ("pdf_writer", &["figure"]),
    ("skrifa", &["figure"]),
    ("subsetter", &["figure"]),
    ("flate2", &["packed", "figure", "session", "noise_file"]),
    ("ciborium", &["session"]),
    ("base64", &["report", "cli"]),
    ("csv", &["facts", "figure"]),
    ("parquet", &["facts", "figure", "population"]),
    ("vello_cpu", &["figure"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("anyhow", &["cli"]),
];

#[test]
fn rooms_only_look_upstream() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    for (file, module) in sources(&src) {
        let text = fs::read_to_string(&file).unwrap();
        for violation in violations_in(&module, &text) {
            violations.push(format!("{violation}: {}", file.display()));
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

/// The rooms of `analysis/` in the order in which they are declared: each may use those before it.
#[test]
fn rooms_of_analysis_only_look_upstream() {
    let analysis = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/analysis");
    let declared = fs::read_to_string(analysis.join("mod.rs")).unwrap();
    let rooms: Vec<&str> = declared
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .filter(|room| analysis.join(room).is_dir())
        .collect();
    let files: Vec<(usize, PathBuf)> = sources(&analysis)
        .into_iter()
        .filter_map(|(file, module)| {
            let room =
                rooms.iter().position(|room| Some(*room) == module.first().map(String::as_str))?;
            Some((room, file))
        })
        .collect();
    assert!(rooms.len() > 8 && files.len() > 50, "{rooms:?}");
    let room_of = |name: &str| {
        let named = |(_, file): &&(usize, PathBuf)| file.file_stem().is_some_and(|it| it == name);
        files.iter().find(named).map(|(room, _)| *room)
    };
    let mut violations = Vec::new();
    for (room, file) in &files {
        let text = fs::read_to_string(file).unwrap();
        for import in text.split("use crate::analysis::").skip(1) {
            let import = import.split(';').next().unwrap();
            for name in import.split(|it: char| !it.is_alphanumeric() && it != '_') {
                if room_of(name).is_some_and(|other| other > *room) {
                    violations.push(format!("{} uses {name}: {}", rooms[*room], file.display()));
                }
            }
        }
    }
    assert_eq!(violations, Vec::<String>::new());
}

/// Lists of methods follow from `for_each_method!`: no other file names more than a few of them.
#[test]
fn methods_are_listed_once() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let list = fs::read_to_string(src.join("analysis/method.rs")).unwrap();
    let list = list.split("macro_rules! for_each_method").nth(1).unwrap();
    let list = list.split("macro_rules!").next().unwrap();
    let methods: Vec<&str> = list
        .lines()
        .filter_map(|line| line.trim().strip_suffix(',')?.split_once(": "))
        .map(|(method, _)| method)
        .collect();
    assert!(methods.len() > 30, "{methods:?}");
    let mut lists = Vec::new();
    for (file, _) in sources(&src) {
        let text = fs::read_to_string(&file).unwrap();
        let named =
            |of: &str| methods.iter().filter(|it| text.contains(&format!("{of}::{it}("))).count();
        let n = named("AnalysisSpec").max(named("AnalysisResult")).max(named("Self"));
        if n > methods.len() / 3 {
            lists.push(format!("{n} methods: {}", file.display()));
        }
    }
    assert_eq!(lists, Vec::<String>::new());
}

#[test]
fn every_room_is_in_the_table() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found: BTreeSet<String> =
        sources(&src).into_iter().filter_map(|(_, module)| module.into_iter().next()).collect();
    let known: BTreeSet<String> = ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(found, known);
    // Files below files are looked at as well.
    assert!(sources(&src).iter().any(|(_, module)| module.len() > 2));
}

#[test]
fn the_table_is_in_the_order_of_the_data() {
    for (nth, (room, allowed)) in ROOMS.iter().enumerate() {
        for other in *allowed {
            assert!(ROOMS[..nth].iter().any(|(it, _)| it == other), "{room} before {other}");
        }
    }
}

/// Randomness is a seed in the spec: what results come from knows no clock and no other chance.
#[test]
fn results_follow_from_their_seeds() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // A sweep looks at the clock to write a part from time to time.
    let may_look = ["worker", "population", "ui", "cli"];
    let is_judged = |module: &[String]| !may_look.contains(&module[0].as_str());
    let mut violations = Vec::new();
    for (file, _) in sources(&src).into_iter().filter(|(_, module)| is_judged(module)) {
        let tokens = tokens(&fs::read_to_string(&file).unwrap());
        for name in ["Instant", "SystemTime", "ThreadRng", "thread_rng", "SysRng", "OsRng"] {
            if tokens.iter().any(|token| token == name) {
                violations.push(format!("{name}: {}", file.display()));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn violations_are_found_however_they_are_written() {
    let check = |module: &[&str], text: &str, expected: &[&str]| {
        let module: Vec<String> = module.iter().map(|&it| it.to_owned()).collect();
        let found: Vec<String> = violations_in(&module, text).into_iter().collect();
        assert_eq!(found, expected, "{text}");
    };
    let ui = ["ui", "views", "heatmap"];
    check(&ui, "use crate::model::Transformer;", &["ui uses model"]);
    check(
        &ui,
        "use crate::{\n    analysis::Grid,\n    model::{Transformer, Run},\n};",
        &["ui uses model"],
    );
    check(&ui, "use crate::{analysis::{Grid, sweep}, worker, cli};", &["ui uses cli"]);
    check(&ui, "fn f(_: &crate::model::Transformer) {}", &["ui uses model"]);
    check(&ui, "use super::super::super::model as m;", &["ui uses model"]);
    check(&ui, "use super::{super::{super::model}, x};", &["ui uses model"]);
    check(&ui, "mod tests { use super::super::super::super::cli::x; }", &["ui uses cli"]);
    check(&ui, "use crate as it; use crate::*;", &["ui uses everything"]);
    check(&ui, "use {crate::model::X, std::fs};", &["ui uses model"]);
    check(&ui, "use crate::r#model::X;", &["ui uses model"]);
    check(&["intervention"], "use crate::task;", &["intervention uses task"]);
    check(
        &["model", "run"],
        "use crate::tokens::X;\nuse egui::Ui;",
        &["model uses egui", "model uses tokens"],
    );
    check(&["worker"], "use burn::tensor::Tensor;", &["worker uses burn"]);
    check(&["worker"], "use ::burn as b;", &["worker uses burn"]);
    check(&["worker"], "extern crate burn;", &["worker uses burn"]);
    check(
        &["worker"],
        "fn f() -> ::burn::X { Vec::<::wgpu::Y>::new() }",
        &["worker uses burn", "worker uses wgpu"],
    );
    check(&["worker"], "use {std::fs, wgpu::{self, Limits}};", &["worker uses wgpu"]);
    check(&["worker"], "fn f() -> anyhow::Result<()> {}", &["worker uses anyhow"]);
    check(&["worker"], "let x = 'a'; let y = '\"'; clap::x();", &["worker uses clap"]);
    check(&["worker"], "fn f<'a>(_: &'a str) { rfd::x() }", &["worker uses rfd"]);
}

#[test]
fn what_is_allowed_is_not_reported() {
    let check = |module: &[&str], text: &str| {
        let module: Vec<String> = module.iter().map(|&it| it.to_owned()).collect();
        assert_eq!(violations_in(&module, text), BTreeSet::new(), "{text}");
    };
    check(
        &["ui", "app"],
        "use crate::ui::theme; use super::view; use crate::worker::{Event, Job};",
    );
    check(&["ui"], "// crate::model\n/* burn:: /* crate::model */ crate::cli */ use eframe::egui;");
    check(&["ui"], "let x = \"crate::model\"; let y = r#\"\"crate::model\"#; b\"burn::x\";");
    check(&["ui"], "/// See [`Edit`](crate::model::Edit).\nfn f() {}");
    check(&["worker"], "device.burn.x(); self.wgpu; let burn = 1; x::burn::y; crate::task::X;");
    check(&["model", "run"], "use super::tap::Tap; mod tests { use super::super::tokens::X; }");
    check(
        &["cli", "trace"],
        "use crate::{ui, model::Transformer, worker::Engine}; use clap::Args;",
    );
    check(
        &["analysis", "sweep"],
        "use burn::tensor::Tensor; use super::super::model::Transformer;",
    );
}

/// Panels, views and widgets are handed the state to be read; what is clicked becomes a command, and
/// only `ui::app` and `ui::state` itself change the state.
#[test]
fn only_the_app_writes_the_state_of_the_window() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let is_bound = |module: &[String]| {
        module[0] == "ui" && module.get(1).is_none_or(|room| !["app", "state"].contains(&&**room))
    };
    let mut n_bound = 0;
    for (file, _) in sources(&src).into_iter().filter(|(_, module)| is_bound(module)) {
        let tokens = tokens(&fs::read_to_string(&file).unwrap());
        let is_written = tokens.windows(3).any(|it| it == ["&", "mut", "State"]);
        assert!(!is_written, "{} can write the state", file.display());
        n_bound += 1;
    }
    assert!(n_bound > 50, "{n_bound}");
}

/// Every source file but the two roots, with its path as a module: `["ui", "views"]`.
fn sources(src: &Path) -> Vec<(PathBuf, Vec<String>)> {
    fn add(dir: &Path, module: &[String], found: &mut Vec<(PathBuf, Vec<String>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                add(&path, &[module, &[name]].concat(), found);
            } else if name == "mod" {
                found.push((path, module.to_vec()));
            } else if path.extension().is_some_and(|it| it == "rs")
                && !(module.is_empty() && ["lib", "main"].contains(&name.as_str()))
            {
                found.push((path, [module, &[name]].concat()));
            }
        }
    }
    let mut found = Vec::new();
    add(src, &[], &mut found);
    found
}

/// `room uses other`, for every room or crate that the text has no right to.
fn violations_in(module: &[String], text: &str) -> BTreeSet<String> {
    let room = module[0].as_str();
    let (_, allowed) = ROOMS.iter().find(|(it, _)| *it == room).expect("a room of the table");
    let mut violations = BTreeSet::new();
    for used in uses(module, &tokens(text)) {
        let is_violation = match &used {
            Use::Everything => true,
            Use::Room(other) => {
                other != room
                    && ROOMS.iter().any(|(it, _)| it == other)
                    && !allowed.contains(&other.as_str())
            }
            Use::Crate(name) => {
                OWNERS.iter().any(|(it, owners)| it == name && !owners.contains(&room))
            }
        };
        if is_violation {
            let other = match used {
                Use::Everything => "everything".to_owned(),
                Use::Room(name) | Use::Crate(name) => name,
            };
            violations.insert(format!("{room} uses {other}"));
        }
    }
    violations
}
