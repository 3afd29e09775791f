//! A file is written whole or not at all, and is a file as any other.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use factscope::model::{Checkpoint, FloatType, ModelConfig, write_random_checkpoint};
use factscope::session::Session;
use factscope::task::TaskCtx;
use factscope::whole_file::{begin, link, write};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Where a process that is to be killed writes.
const WRITES: &str = "FACTSCOPE_TEST_WRITES";

/// Where a process writes whose disk is full.
const FINDS_NO_ROOM: &str = "FACTSCOPE_TEST_FINDS_NO_ROOM";

const FIGURE: usize = 4 << 20;

/// Carried out by a process that the next test starts and kills: writes without end.
#[test]
fn writes_for_a_parent() {
    let Some(dir) = env::var_os(WRITES) else { return };
    let dir = Path::new(&dir);
    let session = Session::load(Path::new("tests/fixtures/second_format.factscope")).unwrap();
    let config = fs::read_to_string("tests/fixtures/tiny/config.json").unwrap();
    let config = ModelConfig::from_json(&config).unwrap();
    for n in 0_u64.. {
        write(&dir.join("figure.png"), &vec![n as u8; FIGURE]).unwrap();
        session.save(&dir.join("x.factscope")).unwrap();
        let (model, ctx) = (dir.join("model"), TaskCtx::unwatched());
        write_random_checkpoint(&config, n, FloatType::F32, &model, &ctx).unwrap();
    }
}

#[test]
fn a_program_that_is_killed_at_any_moment_leaves_whole_files() {
    const N_KILLS: usize = 25;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut n_left = 0;
    for nth in 0..N_KILLS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "whole_file::writes_for_a_parent"])
            .env(WRITES, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let unfinished = || {
            let names = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name());
            names.filter(|it| it.to_string_lossy().starts_with(".factscope-")).count()
        };
        // It has begun to write, wherever it is.
        let before = unfinished();
        while unfinished() == before && child.try_wait().unwrap().is_none() {}
        thread::sleep(Duration::from_micros(rng.random_range(0..40_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        n_left += unfinished();

        let figure = fs::read(path("figure.png")).unwrap_or_else(|_| vec![0; FIGURE]);
        assert!(figure.len() == FIGURE && figure.iter().all(|it| *it == figure[0]), "kill {nth}");
        if path("x.factscope").exists() {
            Session::load(&path("x.factscope")).unwrap();
        }
        if path("model/model.safetensors").exists() {
            Checkpoint::open(&path("model")).unwrap();
        }
    }
    assert!(n_left > 0, "no write was interrupted");
}

/// What a killed process was writing has no lock any more; a file that is being written has one, however old.
#[cfg(unix)]
#[test]
fn what_a_killed_program_was_writing_is_taken_away_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let names = [".factscope-killed", ".factscope-new", ".other-program", "notes.txt"];
    for name in names {
        fs::write(path(name), "half").unwrap();
    }
    let living = begin(&path("a.json")).unwrap();
    let hour_ago = std::time::SystemTime::now() - Duration::from_hours(1);
    for name in [".factscope-killed", ".other-program", "notes.txt"].map(path) {
        fs::File::options().write(true).open(name).unwrap().set_modified(hour_ago).unwrap();
    }
    living.as_file().set_modified(hour_ago).unwrap();

    write(&path("b.json"), b"whole").unwrap();
    let there = names.map(|name| path(name).exists());
    assert_eq!(there, [false, true, true, true]);
    living.persist(path("a.json")).unwrap();
    assert_eq!(fs::read(path("b.json")).unwrap(), b"whole");
}

/// Carried out by a process that finds no room on its disk: nothing can be written.
#[test]
fn finds_no_room_for_a_parent() {
    let Some(dir) = env::var_os(FINDS_NO_ROOM) else { return };
    let dir = Path::new(&dir);
    assert!(write(&dir.join("figure.png"), &vec![1; FIGURE]).is_err());
    let session = Session::load(Path::new("tests/fixtures/views.factscope")).unwrap();
    assert!(session.save(&dir.join("x.factscope")).is_err());
    let config = fs::read_to_string("tests/fixtures/tiny/config.json").unwrap();
    let config = ModelConfig::from_json(&config).unwrap();
    let (model, ctx) = (dir.join("model"), TaskCtx::unwatched());
    assert!(write_random_checkpoint(&config, 1, FloatType::F32, &model, &ctx).is_err());
}

/// A file that may take no more bytes is a full disk that needs no disk of its own.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("model")).unwrap();
    let names = ["figure.png", "x.factscope", "model/model.safetensors"];
    for name in names {
        fs::write(dir.path().join(name), "old").unwrap();
    }
    let output = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 4; exec "$@""#, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "whole_file::finds_no_room_for_a_parent"])
        .env(FINDS_NO_ROOM, dir.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(output.status.success() && said[0].contains("1 passed"), "{said:?}");
    for name in names {
        assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), "old", "{name}");
    }
    for folder in [dir.path().to_owned(), dir.path().join("model")] {
        for it in fs::read_dir(folder).unwrap() {
            let name = it.unwrap().file_name();
            assert!(!name.to_string_lossy().starts_with('.'), "{name:?} is left");
        }
    }
}

/// A link cannot be locked, and is renamed at once.
#[cfg(unix)]
#[test]
fn a_link_that_a_killed_program_was_making_is_taken_away_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("weights"), "whole").unwrap();
    let names = [".factscope-killed", ".factscope-new", ".other-program", "model"];
    for name in names {
        std::os::unix::fs::symlink("weights", path(name)).unwrap();
    }
    for name in [".factscope-killed", ".other-program", "model"].map(path) {
        let touched = Command::new("touch").args(["-h", "-d", "1 hour ago"]).arg(name).status();
        assert!(touched.unwrap().success());
    }

    link(Path::new("weights"), &path("again")).unwrap();
    let there = names.map(|name| fs::symlink_metadata(path(name)).is_ok());
    assert_eq!(there, [false, true, true, true]);
    assert_eq!(fs::read(path("again")).unwrap(), b"whole");
    assert_eq!(fs::read(path("weights")).unwrap(), b"whole");
}

#[test]
fn what_was_there_stays_until_the_new_file_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    write(&path, b"old").unwrap();
    let mut unfinished = begin(&path).unwrap();
    unfinished.write_all(b"ne").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    drop(unfinished);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    write(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn a_folder_that_takes_no_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    let error = write(&gone.join("a.json"), b"x").unwrap_err().to_string();
    assert!(error.contains(&gone.display().to_string()), "{error}");
    assert!(!error.contains(".factscope-"), "{error}");
}

/// Nobody may make a file there, not even the user `root`, who may do so in any other folder.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_may_only_be_read_is_named() {
    let error = write(Path::new("/sys/factscope.json"), b"x").unwrap_err().to_string();
    assert!(error.ends_with("in the folder /sys, which may only be read"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_what_is_no_file_is_written_to() {
    use std::os::unix::fs::FileTypeExt as _;
    let dir = tempfile::tempdir().unwrap();
    let [target, link] = ["target", "link"].map(|name| dir.path().join(name));
    fs::write(&target, b"old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    write(&link, b"new").unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

    let null = Path::new("/dev/null");
    let before = fs::metadata(null).unwrap().file_type();
    assert!(before.is_char_device(), "/dev/null of this machine is no device");
    let link = dir.path().join("to_null");
    std::os::unix::fs::symlink(null, &link).unwrap();
    write(&link, b"x").unwrap();
    assert!(fs::metadata(&link).unwrap().file_type().is_char_device());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[cfg(unix)]
#[test]
fn others_may_read_it_as_any_new_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let [ours, plain] = ["ours", "plain"].map(|name| dir.path().join(name));
    write(&ours, b"x").unwrap();
    fs::write(&plain, b"x").unwrap();
    let config = fs::read_to_string("tests/fixtures/tiny/config.json").unwrap();
    let config = ModelConfig::from_json(&config).unwrap();
    let (model, ctx) = (dir.path().join("model"), TaskCtx::unwatched());
    write_random_checkpoint(&config, 1, FloatType::F32, &model, &ctx).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    for written in [&ours, &model.join("config.json"), &model.join("model.safetensors")] {
        assert_eq!(mode(written), mode(&plain), "{}", written.display());
    }
}
