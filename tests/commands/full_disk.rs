//! Sweeps that find no room for the next part, or are killed: what was written stays, and they go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use assert_cmd::cargo::CommandCargoExt as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::support::stdout;

/// A sweep of six facts, and a folder with the parts of three of them.
struct HalfDone {
    dir: TempDir,
    sweep: Vec<String>,
    half: PathBuf,

    /// The parts in the folder, which are one unless the machine is busy: a sweep writes every two seconds.
    parts: BTreeMap<String, Vec<u8>>,
}

fn parts_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    let names = names.map(|it| it.into_string().unwrap()).filter(|it| it.ends_with(".parquet"));
    names.map(|it| (it.clone(), fs::read(folder.join(it)).unwrap())).collect()
}

impl HalfDone {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let spec = path("spec.json");
        let asked = ["attribute", "--by", "heads", "--facts", "builtin", "--case", "2"];
        stdout(&[&asked[..], &["--save-spec", &spec]].concat());
        let sweep: Vec<String> = ["sweep", &spec, "--n", "6"].map(str::to_owned).into();
        let told = |more: &[&str]| {
            stdout(&[&sweep.iter().map(|it| &**it).collect::<Vec<_>>(), more].concat())
        };
        told(&["--out", &path("whole")]);
        for share in ["1/2", "2/2"] {
            told(&["--out", &path("shards"), "--shard", share]);
        }
        let shards = [path("shards/shard-1-of-2"), path("shards/shard-2-of-2")];
        let half = path("half");
        stdout(&["merge", &shards[0], &shards[1], "--out", &half]);
        let half = PathBuf::from(half);
        // The parts of the first shard come first.
        for name in parts_in(&half).into_keys().skip(parts_in(Path::new(&shards[0])).len()) {
            fs::remove_file(half.join(name)).unwrap();
        }
        let parts = parts_in(&half);
        Self { dir, sweep, half, parts }
    }

    /// Carries the sweep out through a shell's words, which end in `exec "$@"`, and holds that it finds no
    /// room in the folder and leaves what is there.
    fn finds_no_room(&self, shell: &str, folder: &Path) {
        let program = Command::cargo_bin("factscope").unwrap();
        let output = Command::new("sh")
            .args(["-c", shell, "sh"])
            .arg(program.get_program())
            .args(&self.sweep)
            .arg("--out")
            .arg(folder)
            .env("HF_HUB_OFFLINE", "1")
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "there was room");
        let place = format!("goes on from there: {}", folder.display());
        assert!(told.contains("no room for the next part") && told.contains(&place), "{told}");
        let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
        let mut names: Vec<String> = names.map(|it| it.into_string().unwrap()).collect();
        names.retain(|it| !["filler", "_lock", "_sweep.json"].contains(&&**it));
        assert_eq!(names.len(), self.parts.len(), "{names:?}");
        assert!(parts_in(folder) == self.parts);
    }

    /// Goes on in the folder, and holds that it becomes what a sweep with room is.
    fn goes_on(&self, folder: &Path) {
        let told = self.becomes_whole(folder);
        assert!(told.contains("3 of them were there already"), "{told}");
    }

    /// Goes on in a folder, and gives what is told of that.
    fn becomes_whole(&self, folder: &Path) -> String {
        let folder = folder.to_str().unwrap();
        let sweep: Vec<&str> = self.sweep.iter().map(|it| &**it).collect();
        let told = stdout(&[&sweep[..], &["--out", folder]].concat());
        let population =
            |dir: &str| stdout(&["population", dir, "--draws", "50", "--permutations", "19"]);
        let whole = self.dir.path().join("whole");
        assert_eq!(population(folder), population(whole.to_str().unwrap()));
        told
    }
}

/// A file that may take no more bytes is a full disk that needs no disk of its own.
#[test]
fn a_sweep_without_room_for_a_part_goes_on_once_there_is_room() {
    let sweep = HalfDone::new();
    sweep.finds_no_room(r#"trap "" XFSZ; ulimit -f 2; exec "$@""#, &sweep.half);
    sweep.goes_on(&sweep.half);
}

/// A part that is half written is not read, and the sweep becomes what one in peace is.
#[test]
fn a_sweep_that_is_killed_at_any_moment_goes_on() {
    const N_KILLS: usize = 8;
    let sweep = HalfDone::new();
    let folder = sweep.dir.path().join("killed");
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..N_KILLS {
        let program = Command::cargo_bin("factscope").unwrap();
        let mut child = Command::new(program.get_program())
            .args(&sweep.sweep)
            .arg("--out")
            .arg(&folder)
            .env("HF_HUB_OFFLINE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(rng.random_range(0..500)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    sweep.becomes_whole(&folder);
}

/// A disk of 128 kB, where one can be mounted.
#[test]
#[cfg(target_os = "linux")]
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn a_sweep_goes_on_after_the_disk_was_full() {
    let place = TempDir::new().unwrap();
    let disk = place.path();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"]).arg(disk).output();
    if !mount.is_ok_and(|it| it.status.success()) {
        eprintln!("left out: no disk can be mounted here, which needs the rights of root");
        return;
    }
    let unmount = || {
        let done = Command::new("umount").arg(disk).status();
        assert!(done.is_ok_and(|it| it.success()));
    };
    let tested = std::panic::catch_unwind(|| {
        let sweep = HalfDone::new();
        for name in sweep.parts.keys().map(|it| &**it).chain(["_sweep.json"]) {
            fs::copy(sweep.half.join(name), disk.join(name)).unwrap();
        }
        // All that is left of the disk but for a page, which the lock may need.
        let filler = disk.join("filler");
        let mut size = 128 * 1024;
        while fs::write(&filler, vec![0; size]).is_err() {
            size -= 4096;
        }
        sweep.finds_no_room(r#"exec "$@""#, disk);
        fs::remove_file(filler).unwrap();
        sweep.goes_on(disk);
    });
    unmount();
    tested.unwrap();
}
