//! The runs behind a cell of the trace.

use factscope::analysis::trace_cell::TraceCell;
use factscope::analysis::{AnalysisResult, AnalysisSpec, Measurement, Metric};
use factscope::figure::Pick;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::view::{Selection, ViewAction};

use super::studies;
use super::support::Window;

impl Window {
    fn cell(&self) -> Option<&TraceCell> {
        match &**self.app().state.result(Pane::Cell)? {
            AnalysisResult::TraceCell(found) => Some(found),
            other => panic!("{other:?}"),
        }
    }

    /// As a click in a map does.
    fn pick(&mut self, position: usize, layer: usize) {
        let pick = Selection { layer: Some(layer), position: Some(position), head: None };
        self.harness.state_mut().command(Command::View(ViewAction::Select(pick)));
        self.harness.run_steps(3);
    }
}

#[test]
fn a_cell_is_looked_into_and_follows_what_is_picked() {
    let mut window = studies::open();
    window.harness.state_mut().command(Command::Trace);
    window.harness.run_steps(2);
    window.trace_ends();
    window.pick(3, 1);
    window.click(Pane::Cell.mode());
    window.wait("the cell", |app| app.state.result(Pane::Cell).is_some());
    assert!(window.app().workspace().is_in_front(Pane::Cell));
    let check = |window: &Window, pos: usize, layer: usize| {
        let (cell, trace) = (window.cell().unwrap(), window.trace().unwrap());
        assert_eq!((cell.spec.pos, cell.spec.layer), (pos, layer));
        let mean = |runs: &[Measurement]| Measurement::mean(runs, Metric::Prob).unwrap();
        let there = trace.restored.get(layer, pos).unwrap();
        assert!((mean(&cell.patched) - mean(there)).abs() < 1e-5);
    };
    check(&window, 3, 1);
    window.sees("layer 1");

    window.pick(4, 2);
    window.wait("the other cell", |app| app.state.result(Pane::Cell).is_some());
    check(&window, 4, 2);
    assert_eq!(window.app().state.error, None);
}

#[test]
fn without_a_cell_it_says_to_pick_one() {
    let mut window = studies::open();
    window.harness.state_mut().state.selection = Pick::default();
    window.show(Pane::Cell);
    window.sees("Click a cell of the trace");
    window.pick(2, 0);
    let spec = window.app().state.spec_of(Pane::Cell, Row::First).unwrap();
    assert!(matches!(spec, AnalysisSpec::TraceCell(it) if (it.pos, it.layer) == (2, 0)));
}
