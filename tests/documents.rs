//! What the documents say is so: links lead somewhere, commands and flags exist, printed output is
//! what the program prints, and the map of the code is that of the code.
//!
//! `UPDATE_DOCUMENTS=1 cargo test --release --locked --test documents` writes the output of the
//! commands in `console` blocks anew.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use sha2::{Digest as _, Sha256};

#[cfg(feature = "parquet")]
#[path = "documents/reading.rs"]
mod reading;

#[cfg(all(feature = "gui", feature = "hub", feature = "parquet"))]
#[path = "documents/python_methods.rs"]
mod python_methods;

/// The documents at the top, beside those in `docs`.
const AT_THE_TOP: [&str; 5] =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];

/// The documents elsewhere, whose links are checked as well.
const ELSEWHERE: [&str; 4] = [
    "assets/builtin/README.md",
    "assets/builtin-planted/README.md",
    "data/README.md",
    "tests/golden/README.md",
];

/// The README is read to its end only if it is short.
const MOST_LINES: usize = 160;

/// Ways to run the model, with the white space taken out.
const RUNS: [&str; 7] = [
    "model.run(",
    ".run_clean(",
    "model.run_by_layer(",
    "model.run_to_go_back(",
    "model.resume(",
    ".direct_paths(",
    "model.backward(",
];

#[test]
fn the_licences_of_all_packages_are_there() {
    let licences = read(Path::new("assets/licences.txt"));
    let named: BTreeSet<&str> =
        licences.lines().filter_map(|line| line.split_once(" (")).map(|it| it.0).collect();
    // The package itself comes first; of the other systems' packages not all are known without a network.
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}"])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let used: BTreeSet<String> = String::from_utf8(tree.stdout)
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ").replacen(" v", " ", 1))
        .collect();
    assert!(used.len() > 300, "{used:?}");
    let missing: Vec<&String> = used.iter().filter(|it| !named.contains(it.as_str())).collect();
    assert!(missing.is_empty(), "`.ci/licences` writes those of {missing:?}");
}

#[test]
fn every_link_leads_somewhere() {
    let elsewhere = ELSEWHERE.map(PathBuf::from);
    let broken: Vec<String> = documents()
        .iter()
        .chain(&elsewhere)
        .flat_map(|path| broken_links(path, &read(path)))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let check = |text: &str, n_broken: usize| {
        assert_eq!(broken_links(Path::new("README.md"), text).len(), n_broken, "{text}");
    };
    check("[a](docs/plots.md), [b](docs/plots.md#why-this-cell), [c](https://example.org)", 0);
    check("`[a](nowhere.md)`\n```\n[b](nowhere.md)\n```", 0);
    check("# On top\n[a](#on-top)", 0);
    check("[a](nowhere.md) and ![b](nowhere.png)", 2);
    check("[a](docs/plots.md#nowhere)", 1);
    check("# On top\n[a](#below)", 1);
}

#[test]
fn the_readme_is_short() {
    let n_lines = read(Path::new("README.md")).lines().count();
    assert!(n_lines <= MOST_LINES, "README.md has {n_lines} lines; move some to docs/");
}

#[test]
fn every_command_and_flag_exists() {
    let program = Program::ask();
    let mut wrong = Vec::new();
    let mut n_commands = 0;
    for path in documents() {
        let text = read(&path);
        for command in commands_in(&text) {
            n_commands += 1;
            wrong.extend(program.complaint(&command).map(|it| format!("{}: {it}", path.display())));
        }
        // The flags on the other pages are those of scripts and of cargo.
        let is_of_program = path.starts_with("docs") && path != Path::new("docs/speed.md");
        for span in spans(&text).iter().filter(|span| is_of_program && span.starts_with("--")) {
            let flag = flag_name(span.split_whitespace().next().unwrap());
            if !program.flags.values().any(|flags| flags.contains(flag)) {
                wrong.push(format!("{}: no command has {flag}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(n_commands > 50, "only {n_commands} commands were found in the documents");
}

#[test]
fn a_command_or_flag_that_does_not_exist_is_found() {
    let program = Program::ask();
    let check = |text: &str, expected: &[Option<&str>]| {
        let found: Vec<Option<String>> =
            commands_in(text).iter().map(|it| program.complaint(it)).collect();
        let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
        assert_eq!(found, expected, "{text}");
    };
    check(
        "```sh\nfactscope predict --prompt \"a --b\" # --c\nfactscope FILE.factscope\n```",
        &[None; 2],
    );
    check("```console\n$ factscope model info DIR\n--nothing\n```", &[None]);
    check("Say `factscope predict`, or `factscope --help`.", &[None; 2]);
    check("`factscope guess`", &[Some("there is no command `guess`")]);
    check("`factscope predict --guess 3`", &[Some("`predict` has no flag --guess")]);
    check("`factscope model make`", &[Some("there is no command `model make`")]);
}

#[test]
fn printed_output_is_what_the_program_prints() {
    let is_update = std::env::var_os("UPDATE_DOCUMENTS").is_some();
    let mut n_commands = 0;
    for path in documents() {
        let text = read(&path);
        let mut updated = String::new();
        let mut lines = text.lines().peekable();
        let mut is_console = false;
        while let Some(line) = lines.next() {
            updated.extend([line, "\n"]);
            is_console = if is_console { line != "```" } else { line == "```console" };
            let Some(command) = line.strip_prefix("$ ").filter(|_| is_console) else { continue };
            let printed = output_of(command);
            let is_output = |line: &&str| !line.starts_with("$ ") && *line != "```";
            let mut shown = String::new();
            while let Some(line) = lines.next_if(is_output) {
                shown.extend([line, "\n"]);
            }
            updated += printed.trim_end();
            updated += "\n";
            n_commands += 1;
            assert!(
                is_update || is_alike(&shown, &printed),
                "{} shows for `{command}`\n{shown}\nand the program prints\n{printed}\n\
                 UPDATE_DOCUMENTS=1 writes it anew",
                path.display()
            );
        }
        if is_update && updated != text {
            fs::write(at_the_top(&path), updated).unwrap();
        }
    }
    assert!(n_commands > 0, "no document shows the output of a command");
}

#[test]
fn output_that_differs_is_told_from_rounding() {
    assert!(is_alike("p  0.1234 Cairo\n\n", "p 0.1235   Cairo\n"));
    assert!(is_alike("(+12.34)", "(+12.35)"));
    assert!(!is_alike("0.12 Cairo", "0.12 Paris"));
    assert!(!is_alike("0.12", "0.15"));
    assert!(!is_alike("0.12\n0.13", "0.12"));
}

#[test]
fn the_map_names_every_room() {
    let map = read(Path::new("ARCHITECTURE.md"));
    let rooms = fs::read_dir(at_the_top(Path::new("src"))).unwrap();
    for room in rooms.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        let is_named = room == "lib.rs" || map.contains(&format!("`src/{room}`"));
        assert!(is_named, "ARCHITECTURE.md does not name src/{room}");
    }
    let named = spans(&map);
    for path in named.iter().filter_map(|span| span.strip_prefix("src/")) {
        assert!(at_the_top(&Path::new("src").join(path)).exists(), "there is no src/{path}");
    }
}

#[test]
fn the_map_names_every_file_that_runs_the_model() {
    let map = read(Path::new("ARCHITECTURE.md"));
    let (_, section) = map.split_once("## Runs outside the sweep").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let first_cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" |"));
    let named: BTreeSet<String> = first_cells
        .flat_map(|(cell, _)| cell.split(", ").map(|it| it.trim_matches('`').to_owned()))
        .collect();
    let mut found = BTreeSet::new();
    for path in rust_files(&at_the_top(Path::new("src/analysis"))) {
        let is_sweep = path.iter().any(|it| it == "sweep" || it == "sweep.rs");
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code: String = code.flat_map(str::split_whitespace).collect();
        if !is_sweep && RUNS.iter().any(|run| code.contains(run)) {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
            found.insert(if stem == "mod" { folder } else { stem }.to_owned());
        }
    }
    assert_eq!(named, found, "named in ARCHITECTURE.md, and found in src/analysis");
}

#[test]
fn every_test_that_the_map_names_exists() {
    let map = read(Path::new("ARCHITECTURE.md"));
    let (_, section) = map.split_once("## Invariants").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let files = ["tests", "src"].map(|it| rust_files(&at_the_top(Path::new(it)))).concat();
    let code: String = files.iter().map(|it| fs::read_to_string(it).unwrap()).collect();
    for name in spans(section).iter().filter(|span| span.matches('_').count() > 2) {
        assert!(code.contains(&format!("fn {name}()")), "there is no test `{name}`");
    }
}

#[test]
fn the_hashes_in_the_readme_are_those_of_the_files() {
    let mut n_files = 0;
    for line in read(Path::new("README.md")).lines() {
        let spans = spans(line);
        let Some(hash) = spans.iter().find(|it| it.len() == 64) else { continue };
        let found = Sha256::digest(fs::read(at_the_top(Path::new(&spans[0]))).unwrap());
        let found = found.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        assert_eq!(found, *hash, "{}", spans[0]);
        n_files += 1;
    }
    assert!(n_files > 0, "README.md names no hashes");
}

/// A path below the top of the repository.
fn at_the_top(path: &Path) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(at_the_top(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents of the program, by their paths from the top.
fn documents() -> Vec<PathBuf> {
    let pages = fs::read_dir(at_the_top(Path::new("docs"))).unwrap();
    let mut found: Vec<PathBuf> =
        pages.map(|it| Path::new("docs").join(it.unwrap().file_name())).collect();
    found.extend(AT_THE_TOP.map(PathBuf::from));
    found.retain(|it| it.extension().is_some_and(|ending| ending == "md"));
    found.sort();
    found
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found
}

/// Lines outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Inline code.
fn spans(text: &str) -> Vec<String> {
    prose(text).flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn broken_links(document: &Path, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for line in prose(text) {
        let outside_code: String = line.split('`').step_by(2).collect();
        for link in outside_code.split("](").skip(1) {
            let link = link.split([')', ' ']).next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = document.parent().unwrap().join(path);
            let target_text = if path.is_empty() {
                text.to_owned()
            } else {
                fs::read(at_the_top(&target))
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    .unwrap_or_default()
            };
            let is_there = path.is_empty() || at_the_top(&target).exists();
            if !is_there || !(anchor.is_empty() || anchors(&target_text).contains(anchor)) {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    broken
}

/// What headings are called in links, as GitHub does it.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            title.chars().filter(|it| it.is_alphanumeric() || "-_".contains(*it)).collect()
        })
        .collect()
}

/// Every command line of the program: in code blocks of the shell, and in the text.
fn commands_in(text: &str) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut language = None;
    for line in text.lines() {
        if let Some(named) = line.strip_prefix("```") {
            language = if language.is_some() { None } else { Some(named) };
        }
        let line = match language {
            Some("sh") => line,
            Some("console") => line.strip_prefix("$ ").unwrap_or_default(),
            _ => continue,
        };
        found.extend(line.starts_with("factscope ").then(|| words(line)));
    }
    let in_text = spans(text);
    found.extend(in_text.iter().filter(|it| it.starts_with("factscope ")).map(|it| words(it)));
    found
}

/// As a shell splits a line, as far as the documents need it.
fn words(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (nth, part) in line.split('"').enumerate() {
        if nth % 2 == 1 {
            found.push(part.to_owned());
            continue;
        }
        for word in part.split_whitespace() {
            if word.starts_with('#') {
                return found;
            }
            found.push(word.to_owned());
        }
    }
    found
}

fn flag_name(word: &str) -> &str {
    let is_end = |it: char| it != '-' && !it.is_alphanumeric();
    word.split(is_end).next().unwrap_or_default()
}

/// What the program says of itself.
struct Program {
    /// Of each command: `""` is the program itself, `model info` a command of a command.
    flags: BTreeMap<String, BTreeSet<String>>,
}

impl Program {
    fn ask() -> Self {
        let mut flags = BTreeMap::new();
        let mut waiting = vec![String::new()];
        while let Some(command) = waiting.pop() {
            let help = output_of(&format!("factscope {command} --help"));
            let words = help.split(|it: char| it != '-' && !it.is_alphanumeric());
            flags.insert(
                command.clone(),
                words.filter(|it| it.starts_with("--")).map(str::to_owned).collect(),
            );
            let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
            let names = listed.lines().take_while(|line| !line.is_empty());
            // A name stands two spaces in; longer texts go on further in.
            let names = names.filter_map(|line| line.strip_prefix("  "));
            let names = names.filter(|line| !line.starts_with(' '));
            for name in names.filter_map(|line| line.split_whitespace().next()) {
                if name != "help" {
                    waiting.push(format!("{command} {name}").trim().to_owned());
                }
            }
        }
        Self { flags }
    }

    /// Why a command line of the documents would be refused.
    fn complaint(&self, words: &[String]) -> Option<String> {
        let mut command = String::new();
        for word in &words[1..] {
            let longer = format!("{command} {word}").trim().to_owned();
            let has_more = self.flags.keys().any(|it| it.starts_with(&format!("{command} ")));
            let is_top = command.is_empty();
            if word.starts_with('-') || word.ends_with(".factscope") || !(is_top || has_more) {
                break;
            }
            if !self.flags.contains_key(&longer) {
                return Some(format!("there is no command `{longer}`"));
            }
            command = longer;
        }
        let known = &self.flags[&command];
        let unknown = words.iter().filter(|it| it.starts_with("--")).map(|it| flag_name(it));
        let flag = unknown.into_iter().find(|it| !known.contains(*it))?;
        Some(format!("`{command}` has no flag {flag}"))
    }
}

fn output_of(command: &str) -> String {
    let elsewhere = tempfile::tempdir().unwrap();
    let output = Command::cargo_bin("factscope")
        .unwrap()
        .args(&words(command)[1..])
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether two texts have the same words, and numbers that differ in no more than what processors
/// round otherwise, far below what a reader of the documents would notice.
fn is_alike(a: &str, b: &str) -> bool {
    let number = |word: &str| word.trim_matches(['(', ')', ',', '%', '+']).parse::<f64>().ok();
    let (a, b): (Vec<&str>, Vec<&str>) =
        (a.split_whitespace().collect(), b.split_whitespace().collect());
    a.len() == b.len()
        && a.iter().zip(&b).all(|(a, b)| {
            a == b
                || number(a)
                    .zip(number(b))
                    .is_some_and(|(a, b)| (a - b).abs() <= 1e-3 + 1e-3 * a.abs())
        })
}
