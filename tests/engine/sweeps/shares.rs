//! Shares of a sweep, for many machines: together they are the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use factscope::analysis::AnalysisCtx;
use factscope::population::{Folder, Manifest, MergeError, Population, Shard, Task, Wanted, merge};
use tempfile::TempDir;

use super::{DATASET, lens, manifest, selection, sorted, sweep_to, with_sweep};

/// Both ways of a fact are in one share, and the shares together are all.
#[test]
fn shares_are_all_and_do_not_overlap() {
    let tasks = selection(25).tasks(&DATASET);
    let shares: Vec<Vec<Task>> =
        (0..4).map(|index| Shard { index, count: 4 }.of(tasks.clone())).collect();
    let mut all: Vec<Task> = shares.concat();
    all.sort_unstable();
    let mut expected = tasks.clone();
    expected.sort_unstable();
    assert_eq!(all, expected);
    for share in shares {
        let records: BTreeSet<usize> = share.iter().map(|it| it.record).collect();
        assert_eq!(share.len(), 2 * records.len());
    }
}

/// Shares that are merged hold the numbers of the whole, bit for bit, and so does a second merge.
#[test]
fn merged_shares_are_the_whole() {
    let (written, selection) = (lens(), selection(9));
    let tasks = selection.tasks(&DATASET);
    let dir = TempDir::new().unwrap();
    let whole = dir.path().join("whole");
    sweep_to(&written, 9, &whole);
    let shares: Vec<PathBuf> = (0..3)
        .map(|index| {
            let shard = Shard { index, count: 3 };
            let path = dir.path().join("shares").join(shard.folder());
            with_sweep(&written, &selection, |sweep| {
                let manifest =
                    Manifest { shard: Some([index, 3]), ..manifest(&written, &selection) };
                let mut folder = Folder::open(&path, manifest).unwrap();
                let mine = shard.of(tasks.clone());
                sweep.run(&mine, &mut folder, &AnalysisCtx::unwatched()).unwrap();
            })
            .unwrap();
            path
        })
        .collect();
    let out = dir.path().join("merged");
    for _ in 0..2 {
        let merged = merge(&shares, &out).unwrap();
        assert_eq!(merged.found.len(), tasks.len());
        drop(merged);
        assert_eq!(sorted(&out), sorted(&whole));
    }
    let twice = merge(&[shares[0].clone(), shares[0].clone()], &dir.path().join("twice"));
    assert!(matches!(twice, Err(MergeError::Twice { .. })), "{twice:?}");

    // The folder that holds the shares is read as one, too.
    let [of_whole, of_shares, of_merged] = [whole, dir.path().join("shares"), out]
        .map(|it| Population::load(&it, &Wanted::default()).unwrap());
    for other in [of_shares, of_merged] {
        assert_eq!(other.facts, of_whole.facts);
        for (a, b) in other.charts.iter().zip(&of_whole.charts) {
            assert_eq!((&a.cells, &a.chart), (&b.cells, &b.chart));
            let bits = |it: &Vec<Vec<f64>>| -> Vec<u64> {
                it.iter().flatten().map(|it| it.to_bits()).collect()
            };
            assert_eq!(bits(&a.values), bits(&b.values));
        }
    }
}

#[test]
fn a_share_is_what_a_job_array_says() {
    let job = |set: &[(&str, &str)]| {
        let set: BTreeMap<String, String> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Shard::of_job(&|name| set.get(name).cloned())
    };
    let slurm = [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_COUNT", "4")];
    assert_eq!(job(&slurm), Ok(Some(Shard { index: 3, count: 4 })));
    let from_one = [&slurm[..], &[("SLURM_ARRAY_TASK_MIN", "1")]].concat();
    assert_eq!(job(&from_one), Ok(Some(Shard { index: 2, count: 4 })));
    let kubernetes = [("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "2")];
    assert_eq!(job(&kubernetes), Ok(Some(Shard { index: 0, count: 2 })));
    assert_eq!(job(&[]), Ok(None));
    assert!(job(&kubernetes[..1]).unwrap_err().to_string().contains("JOB_COMPLETIONS"));
    assert_eq!("2/4".parse(), Ok(Shard { index: 1, count: 4 }));
    assert!("0/4".parse::<Shard>().is_err() && "5/4".parse::<Shard>().is_err());
}
