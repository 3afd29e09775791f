//! Which facts a sweep asks.

use factscope::analysis::AnalysisCtx;
use factscope::population::{Folder, KnownWay, RECALL, Selection, Task};
use tempfile::TempDir;

use super::{DATASET, lens, manifest, rows, selection, text, with_sweep};

/// Facts that the model does not know are counted, each with its recall.
#[test]
fn unknown_facts_are_counted_and_not_asked() {
    let written = lens();
    let selection = Selection { known: Some(KnownWay::Both), ..selection(20) };
    let tasks = selection.tasks(&DATASET);
    let dir = TempDir::new().unwrap();
    with_sweep(&written, &selection, |sweep| {
        let mut folder = Folder::open(dir.path(), manifest(&written, &selection)).unwrap();
        sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();
        assert_eq!(folder.found.len(), tasks.len());
        let left_out = folder.found.iter().filter(|it| it.left_out.is_some()).count();
        assert!(left_out > 0 && left_out < tasks.len(), "{left_out} of {}", tasks.len());
    })
    .unwrap();
    for row in rows(dir.path()) {
        let is_known = text(&row["known"]) == Some("both");
        assert_eq!(text(&row["left_out"]).is_none(), is_known);
        assert!(is_known || text(&row["chart"]).is_none_or(|it| it == RECALL));
    }
}

#[test]
fn facts_are_drawn_among_those_that_are_named() {
    let ids = DATASET.records.iter().step_by(100).map(|it| it.id.clone()).collect();
    let named = Selection { cases: Some(ids), ..Selection::default() };
    let drawn = |n| Selection { n: Some(n), ..named.clone() }.tasks(&DATASET);
    let all = named.tasks(&DATASET);
    assert!(drawn(4).iter().all(|it| all.contains(it)) && drawn(4).len() == 4);
    assert_eq!(drawn(6)[..4], drawn(4), "more facts keep the first ones");
    assert_eq!(drawn(9999).len(), all.len());
    // All that are named are drawn as from the whole dataset.
    let whole = Selection { n: Some(DATASET.records.len()), ..Selection::default() };
    let order: Vec<Task> =
        whole.tasks(&DATASET).into_iter().filter(|it| all.contains(it)).collect();
    assert_eq!(drawn(9999), order);
}
