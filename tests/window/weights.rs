//! What a head's weights read and write, as heads are picked.

use factscope::analysis::circuit::{Circuit, CircuitReading};
use factscope::analysis::{AnalysisResult, AnalysisSpec};
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::RunState;
use factscope::ui::view::{Selection, ViewAction};

use super::support::Window;

impl Window {
    fn weights(&self) -> Option<&CircuitReading> {
        match &**self.app().state.result(Pane::Weights)? {
            AnalysisResult::Circuit(found) => Some(found),
            _ => None,
        }
    }

    fn picks(&mut self, selection: Selection) {
        self.does(Command::View(ViewAction::Select(selection)));
    }
}

fn head(layer: usize, head: usize) -> Selection {
    Selection { layer: Some(layer), head: Some(head), position: None }
}

#[test]
fn a_heads_tokens_are_read_as_it_is_picked() {
    let mut window = Window::open();
    window.show(Pane::Weights);
    window.picks(head(1, 2));
    window.wait("the head", |app| app.state.result(Pane::Weights).is_some());
    window.sees("OV circuit of L1 H2");
    let first = window.weights().unwrap().clone();
    assert_eq!((first.spec.layer, first.spec.head, first.spec.circuit), (1, 2, Circuit::Ov));

    window.picks(head(0, 1));
    window.wait("the other head", |app| app.state.result(Pane::Weights).is_some());
    window.sees("OV circuit of L0 H1");
    assert_ne!(window.weights().unwrap().vectors, first.vectors);
    // What was read before is still known.
    window.picks(head(1, 2));
    assert_eq!(window.weights(), Some(&first));

    window.click("QK of the picked head");
    window.picks(head(0, 1));
    window.wait("what it looks at", |app| app.state.result(Pane::Weights).is_some());
    window.sees("QK circuit of L0 H1");
}

/// Work is only done for what is looked at.
#[test]
fn nothing_is_read_behind_another_view_or_without_a_head() {
    let mut window = Window::open();
    window.show(Pane::Weights);
    window.picks(Selection { layer: Some(1), position: Some(0), head: None });
    window.show(Pane::Attention);
    window.picks(head(1, 2));
    window.wait("the jobs", |app| app.state.jobs.asked().next().is_none());
    let runs = &window.app().state.findings().unwrap().runs;
    assert!(runs.iter().all(|it| !matches!(it.spec, AnalysisSpec::Circuit(_))));

    // It is once the view comes to the front.
    window.show(Pane::Weights);
    window.wait("the head", |app| app.state.result(Pane::Weights).is_some());
    window.sees("OV circuit of L1 H2");

    // Composition is of all heads, and takes long: a click does not start it.
    window.click("Composition of heads");
    window.picks(head(0, 0));
    let asked = window.app().state.run(Pane::Weights, window.app().state.row);
    assert!(asked.is_none_or(|it| it.state != RunState::Done));
    assert_eq!(window.app().state.result(Pane::Weights), None);
}
