//! Every reader of the program, given inputs that are broken: none may panic, go on without end, or take
//! memory out of proportion.
//!
//! `guided.rs` does so for hours, as `tests/fuzz.sh` starts it; this is the beginning of it, and what was found.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod forms;
mod hub;
mod memory;
mod mutate;
mod run;
mod seeds;
mod targets;
mod words;

use std::path::Path;
use std::{env, fs};

use mutate::Mutator;
use run::Place;
use targets::{TARGETS, Target};

/// One test, since the memory of all threads is counted together.
#[test]
fn readers_stand_whatever_they_are_given() {
    what_was_found_stays_mended();
    broken_inputs_are_errors();
}

/// The inputs of `findings/`, each in the folder of its target.
fn what_was_found_stays_mended() {
    let findings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/findings");
    for dir in fs::read_dir(findings).unwrap() {
        let dir = dir.unwrap().path();
        let name = dir.file_name().unwrap().to_str().unwrap();
        let target = TARGETS.iter().find(|it| it.name == name).unwrap();
        let place = Place::new(target, None);
        for file in fs::read_dir(&dir).unwrap() {
            let file = file.unwrap().path();
            let read = place.read(target, &fs::read(&file).unwrap());
            assert!(read.is_ok(), "{}: {}", file.display(), read.unwrap_err());
        }
    }
}

/// A seed draws the inputs, so that each run has the same.
fn broken_inputs_are_errors() {
    const SEED: u64 = 20;
    for target in TARGETS {
        let place = Place::new(target, None);
        let seeds = (target.seeds)();
        let longest = seeds.iter().map(Vec::len).max().unwrap();
        let mut mutator = Mutator::new(SEED, target.words, 2 * longest + 1024);
        let drawn = (0..n_inputs(target)).map(|_| mutator.draw(&seeds, &[]));
        for (nth, input) in seeds.iter().cloned().chain(drawn).enumerate() {
            if let Err(what) = place.read(target, &input) {
                let kept = std::env::temp_dir().join(format!("factscope-{}-{nth}", target.name));
                fs::write(&kept, &input).unwrap();
                panic!("{}: {what}; its input is kept: {}", target.name, kept.display());
            }
        }
    }
}

/// Asks for so many times the usual number of inputs, as `.ci/run` does.
const TIMES: &str = "FACTSCOPE_TEST_FUZZ";

/// How many inputs are drawn: fewer where a reader takes long.
fn n_inputs(target: &Target) -> usize {
    let times = env::var(TIMES).map_or(1, |it| it.parse().expect("a whole number"));
    let usually = match target.name {
        "hub-files" | "hub-models" => 100,
        "gguf" | "session" | "session-data" => 1000,
        _ => 2000,
    };
    times * usually
}
