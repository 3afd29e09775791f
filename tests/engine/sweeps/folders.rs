//! The folder of a sweep: it is gone on with, belongs to one process and takes in no other sweep.

use std::fs;

use factscope::analysis::AnalysisCtx;
use factscope::population::{
    Folder, FolderError, KnownWay, Manifest, Outcome, Population, Selection, Wanted, merge,
};
use factscope::task::{CancelToken, TaskCtx};
use tempfile::TempDir;

use super::{DATASET, lens, manifest, selection, sorted, sweep_to, with_sweep};

#[test]
fn a_sweep_that_was_stopped_goes_on_and_gives_the_same() {
    let (written, selection) = (lens(), selection(12));
    let tasks = selection.tasks(&DATASET);
    let [whole, stopped] = [(); 2].map(|()| TempDir::new().unwrap());
    with_sweep(&written, &selection, |sweep| {
        let mut folder = Folder::open(whole.path(), manifest(&written, &selection)).unwrap();
        sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();

        let mut n_starts = 0;
        loop {
            n_starts += 1;
            let mut folder = Folder::open(stopped.path(), manifest(&written, &selection)).unwrap();
            let n_before = folder.found.len();
            let cancel = CancelToken::default();
            // Each fact is a thousand steps, and those that are done count.
            let (before, total) = (1000 * n_before as u64, 1000 * tasks.len() as u64);
            let report = |it: factscope::task::Progress| {
                assert!(it.done >= before && it.total == total, "{it:?}");
                // Stop within the third or so.
                if it.done > before + 2500 {
                    cancel.cancel();
                }
            };
            let task = TaskCtx { cancel: cancel.clone(), report: &report };
            let ctx = AnalysisCtx { task, ..AnalysisCtx::unwatched() };
            let done = sweep.run(&tasks, &mut folder, &ctx).unwrap();
            if done == Outcome::Whole {
                break;
            }
            assert!(folder.found.len() > n_before, "a stopped sweep keeps what is done");
        }
        assert!(n_starts > 3, "{n_starts}");
    })
    .unwrap();
    assert_eq!(sorted(whole.path()), sorted(stopped.path()));
}

#[test]
fn a_folder_is_one_process_and_one_sweep() {
    let (written, selection) = (lens(), selection(2));
    let dir = TempDir::new().unwrap();
    let folder = Folder::open(dir.path(), manifest(&written, &selection)).unwrap();
    let again = Folder::open(dir.path(), manifest(&written, &selection));
    assert!(matches!(again, Err(FolderError::InUse { .. })), "{again:?}");
    drop(folder);

    let other = Selection { known: Some(KnownWay::Both), ..selection.clone() };
    let other = Folder::open(dir.path(), manifest(&written, &other)).unwrap_err();
    assert!(other.to_string().contains("not the same: selection"), "{other}");

    let foreign = TempDir::new().unwrap();
    fs::write(foreign.path().join("thesis.tex"), "x").unwrap();
    let foreign = Folder::open(foreign.path(), manifest(&written, &selection));
    assert!(matches!(foreign, Err(FolderError::NotEmpty { .. })), "{foreign:?}");
    // What a process left that was ended while it wrote is no part.
    fs::write(dir.path().join(".factscope-abc"), "half").unwrap();
    Folder::open(dir.path(), manifest(&written, &selection)).unwrap();
    assert!(!dir.path().join(".factscope-abc").exists());
}

/// A folder of one sweep does not take in what another wrote.
#[test]
fn a_part_of_another_sweep_is_refused() {
    let (written, selection) = (lens(), selection(2));
    let [mine, other] = [(); 2].map(|()| TempDir::new().unwrap());
    sweep_to(&written, 2, mine.path());
    with_sweep(&written, &selection, |sweep| {
        let manifest = Manifest { spec_sha256: "t".to_owned(), ..manifest(&written, &selection) };
        let mut folder = Folder::open(other.path(), manifest).unwrap();
        let tasks = selection.tasks(&DATASET);
        sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();
    })
    .unwrap();
    let foreign = mine.path().join("part-000009.parquet");
    fs::copy(other.path().join("part-000001.parquet"), &foreign).unwrap();
    let errors = [
        Population::load(mine.path(), &Wanted::default()).unwrap_err().to_string(),
        Folder::open(mine.path(), manifest(&written, &selection)).unwrap_err().to_string(),
        merge(&[mine.path().to_owned()], &other.path().join("merged")).unwrap_err().to_string(),
    ];
    for error in errors {
        assert!(error.contains("spec_sha256") && error.contains("part-000009"), "{error}");
    }
}
