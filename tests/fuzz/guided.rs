//! Fuzzes one target, led by which parts of the program an input reaches; `tests/fuzz.sh` builds and
//! starts it.

#![expect(clippy::print_stdout, reason = "it is started by hand and tells how far it is")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod coverage;
mod forms;
mod hub;
mod memory;
mod mutate;
mod run;
mod seeds;
mod targets;
mod words;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use sha2::{Digest as _, Sha256};

use coverage::Coverage;
use mutate::Mutator;
use run::Place;
use targets::{TARGETS, Target};

fn main() {
    let mut args = env::args().skip(1);
    if env::args().nth(1).is_some_and(|it| it == "--list") {
        for it in TARGETS {
            println!("{}", it.name);
        }
        return;
    }
    let mut next = || args.next().unwrap();
    let (name, seed, n_runs, seconds, dir) =
        (next(), next(), next(), next(), PathBuf::from(next()));
    let (seed, n_runs) = (seed.parse().unwrap(), n_runs.parse().unwrap());
    let time = Duration::from_secs(seconds.parse().unwrap());
    assert!(Coverage::is_told(), "it was not built by tests/fuzz.sh");
    let target = TARGETS.iter().find(|it| it.name == name).unwrap();
    fuzz(target, seed, n_runs, time, &dir.join(&name));
}

/// Reads so many inputs, or for so long. Keeps in the folder `corpus` what reaches further, and in
/// `findings` what must not be.
fn fuzz(target: &Target, seed: u64, n_runs: u64, time: Duration, dir: &Path) {
    let [kept, findings] = ["corpus", "findings"].map(|it| dir.join(it));
    fs::create_dir_all(&kept).unwrap();
    fs::create_dir_all(&findings).unwrap();
    let place = Place::new(target, Some(dir.join("current")));
    let mut coverage = Coverage::default();
    let seeds = (target.seeds)();
    let longest = seeds.iter().map(Vec::len).max().unwrap_or_default();
    let mut mutator = Mutator::new(seed, target.words, 2 * longest + 1024);

    let earlier = fs::read_dir(&kept).unwrap().map(|it| fs::read(it.unwrap().path()).unwrap());
    let mut waiting: Vec<Vec<u8>> = seeds.into_iter().chain(earlier).collect();
    waiting.reverse();
    let mut corpus = Vec::new();
    let mut known = BTreeSet::new();
    let (start, mut said) = (Instant::now(), Instant::now());
    let (mut n, mut n_new) = (0, 0);
    coverage.is_new();
    loop {
        let is_given = !waiting.is_empty();
        let input = match waiting.pop() {
            Some(input) => input,
            None if corpus.is_empty() => panic!("no seed reaches anything"),
            None => mutator.draw(&corpus, &coverage::compared()),
        };
        let done = place.read(target, &input);
        n += 1;
        if let Err(what) = done {
            coverage.is_new();
            // One input of each kind is kept.
            let kind: String = what.chars().filter(|it| !it.is_ascii_digit()).collect();
            if known.insert(kind) {
                let file = findings.join(hash(&input));
                fs::write(&file, &input).unwrap();
                println!("{}: FINDING {what}: {}", target.name, file.display());
            }
        } else if coverage.is_new() {
            if !is_given {
                n_new += 1;
                fs::write(kept.join(hash(&input)), &input).unwrap();
            }
            corpus.push(input);
        }
        let is_over = n >= n_runs || start.elapsed() >= time;
        if is_over || said.elapsed() > Duration::from_mins(1) {
            said = Instant::now();
            println!(
                "{}: {n} executions, {} s, {} edges, {} inputs, {n_new} of them new, {} kinds of findings",
                target.name,
                start.elapsed().as_secs(),
                coverage.n_edges(),
                corpus.len(),
                known.len()
            );
        }
        if is_over {
            break;
        }
    }
    fs::remove_file(dir.join("current")).unwrap();
    assert!(known.is_empty(), "there are findings");
}

/// The beginning of the SHA-256 of an input, as a name.
fn hash(bytes: &[u8]) -> String {
    let mut name = String::new();
    for byte in &Sha256::digest(bytes)[..8] {
        _ = write!(name, "{byte:02x}");
    }
    name
}
