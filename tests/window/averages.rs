//! Traces averaged over facts, as they come in.

use factscope::analysis::AnalysisResult;
use factscope::analysis::causal_trace::Component;
use factscope::analysis::trace_average::TraceAverage;
use factscope::facts::Direction;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::TraceState;

use super::studies;
use super::support::Window;

impl Window {
    fn average(&self) -> Option<&TraceAverage> {
        match &**self.app().state.result(Pane::Averages)? {
            AnalysisResult::TraceAverage(it) => Some(it),
            other => panic!("{other:?}"),
        }
    }
}

fn open() -> Window {
    let mut window = studies::open();
    window.show(Pane::Averages);
    window.wait("what noise is measured on", |app| {
        app.state.study_spec(Pane::Averages, Direction::Forward).is_ok()
    });
    window
}

#[test]
fn facts_that_are_not_known_are_averaged_once_that_is_asked_for() {
    let mut window = open();
    window.ask(Pane::Averages);
    // Random weights know nothing.
    let (n_facts, n_left_out) =
        window.average().map(|it| (it.facts.len(), it.left_out.len())).unwrap();
    assert_eq!((n_facts, n_left_out), (0, 3));
    window.sees("There is nothing to average");

    window.click("Keep facts that are not known");
    assert_eq!(window.app().state.result(Pane::Averages), None, "that is another question");
    window.ask(Pane::Averages);
    let found = window.average().unwrap();
    assert_eq!(found.facts.len(), 3);
    assert_eq!(found.spec.components, [Component::Hidden, Component::Mlp, Component::Attn]);
    window.sees("Averages over 3 facts");
    window.sees("3 of 3 are not known");
}

#[test]
fn an_average_stays_when_another_fact_is_looked_at() {
    let mut window = open();
    window.click("Keep facts that are not known");
    window.ask(Pane::Averages);
    let found = window.average().unwrap().clone();
    let before = window.app().state.selected;
    window.harness.state_mut().command(Command::NextFact);
    window.wait("the next fact", |app| app.state.selected != before);
    window.wait_for_predictions();
    assert_eq!(window.average(), Some(&found));
    window.sees("Averages over 3 facts");
    // The inverse is asked of other prompts.
    window.harness.state_mut().command(Command::LookAt(Direction::Forward));
    window.harness.run_steps(2);
    assert_eq!(window.average(), Some(&found));
}

#[test]
fn what_is_averaged_so_far_is_drawn_and_stays_when_it_is_stopped() {
    let mut window = open();
    window.click("Keep facts that are not known");
    // Long enough to be stopped.
    window.harness.state_mut().state.settings.trace.n_samples = 300;
    window.harness.run_steps(2);
    window.harness.state_mut().command(Command::Study(Pane::Averages));
    window.wait("the first fact", |app| app.state.result(Pane::Averages).is_some());
    window.click("Stop");
    window.wait("the end", |app| {
        let study = app.state.study(Pane::Averages, Direction::Forward);
        study.is_some_and(|it| !matches!(it.state, TraceState::Running(_)))
    });
    let state = &window.app().state;
    let study = state.study(Pane::Averages, Direction::Forward).unwrap();
    assert_eq!(study.state, TraceState::Cancelled);
    let n = window.average().unwrap().facts.len();
    assert!((1..3).contains(&n), "{n}");
    window.sees("not reached");
    window.sees("Cancelled; partial");
}
