//! A file is written whole or not at all, and is a file as any other.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use factscope::whole_file::{begin, write};

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
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(ours), mode(plain));
}
