//! Sessions that nobody has saved: each window keeps one while it runs, and a later window finds those
//! of windows that have ended without being closed.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::EXTENSION;

/// The ending of the files that tell which sessions have a window.
const LOCK: &str = "lock";

/// The file for what is not saved in a window. It belongs to the process that holds its lock.
#[derive(Debug)]
pub struct Unsaved {
    path: PathBuf,

    /// Held until this is dropped or the process ends, however it ends.
    _lock: File,
}

impl Unsaved {
    /// A name in a folder that no other window uses. No file is written yet.
    pub fn begin(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let process = std::process::id();
        let mut nth = 0;
        loop {
            let path = dir.join(format!("{process}-{nth}.{EXTENSION}"));
            // One that is there is of an earlier process of this number.
            if !path.exists()
                && let Some(unsaved) = Self::lock(path)?
            {
                return Ok(unsaved);
            }
            nth += 1;
        }
    }

    /// The sessions in a folder whose windows have ended without being closed, latest first.
    pub fn left_over(dir: &Path) -> Vec<Self> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        // A window that was killed before it found anything leaves its lock alone.
        let is_kept =
            |path: &PathBuf| path.extension().is_some_and(|it| it == EXTENSION || it == LOCK);
        let sessions: BTreeSet<PathBuf> =
            entries.filter(is_kept).map(|path| path.with_extension(EXTENSION)).collect();
        let locked = sessions.into_iter().filter_map(|path| Self::lock(path).ok()?);
        // A lock without a session is removed when it is dropped here.
        let mut left: Vec<Self> = locked.filter(|it| it.path.exists()).collect();
        left.sort_by_key(Self::age);
        left
    }

    /// `None` if another window has it.
    fn lock(path: PathBuf) -> io::Result<Option<Self>> {
        let lock = File::create(path.with_extension(LOCK))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            // Where the system locks no files, two windows may offer the same session.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(Self { path, _lock: lock })),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long ago it was written.
    pub fn age(&self) -> Duration {
        let written = fs::metadata(&self.path).and_then(|it| it.modified());
        written.ok().and_then(|it| it.elapsed().ok()).unwrap_or_default()
    }

    /// Removes the session, if one was written.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The lock's file is of no use to others. A session that is still there stays, and is found.
impl Drop for Unsaved {
    fn drop(&mut self) {
        fs::remove_file(self.path.with_extension(LOCK)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_left_over_once_its_window_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = [(); 2].map(|()| Unsaved::begin(dir.path()).unwrap());
        assert_ne!(first.path(), second.path());
        for it in [&first, &second] {
            fs::write(it.path(), "found").unwrap();
        }
        assert_eq!(Unsaved::left_over(dir.path()).len(), 0, "both windows run");

        let path = first.path().to_owned();
        drop(first);
        let left = Unsaved::left_over(dir.path());
        assert_eq!(left.iter().map(Unsaved::path).collect::<Vec<_>>(), [&path]);
        assert_eq!(Unsaved::left_over(dir.path()).len(), 0, "it is offered by one window only");
        let third = Unsaved::begin(dir.path()).unwrap();
        assert!(third.path() != path && third.path() != second.path());

        left[0].remove().unwrap();
        left[0].remove().unwrap();
        drop((left, second, third));
        assert_eq!(Unsaved::left_over(dir.path()).len(), 1, "the second was not removed");
        let names = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name());
        assert_eq!(names.count(), 1, "locks are gone");
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_no_age_and_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let all = [(); 3].map(|()| Unsaved::begin(dir.path()).unwrap());
        let day = Duration::from_hours(24);
        for (it, days) in all.iter().zip([1, 400, 0]) {
            fs::write(it.path(), "found").unwrap();
            let file = File::options().write(true).open(it.path()).unwrap();
            let now = file.metadata().unwrap().modified().unwrap();
            file.set_modified(now + day * days).unwrap();
        }
        drop(all);
        let left = Unsaved::left_over(dir.path());
        assert_eq!(left.len(), 3);
        assert!(left.iter().all(|it| it.age() < day));
    }

    #[test]
    fn the_lock_of_a_window_that_was_killed_is_removed_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let running = Unsaved::begin(dir.path()).unwrap();
        fs::write(dir.path().join("1-0.lock"), "").unwrap();
        assert!(Unsaved::left_over(dir.path()).is_empty());
        let names = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().path());
        assert_eq!(names.collect::<Vec<_>>(), [running.path().with_extension(LOCK)]);
    }
}
