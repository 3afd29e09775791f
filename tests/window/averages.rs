//! Traces averaged over facts, as they come in.

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::AnalysisResult;
use factscope::analysis::causal_trace::Component;
use factscope::analysis::corruption::{Corruption, SubjectsOf};
use factscope::analysis::trace_average::TraceAverage;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::RunState;

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

/// By its name in the view.
#[track_caller]
fn corrupt_by(window: &mut Window, name: &str) {
    window.harness.get_by_role_and_label(Role::ComboBox, "Subject becomes").click();
    window.harness.run_steps(3);
    window.harness.get_by_role_and_label(Role::Button, name).click();
    window.harness.run_steps(3);
}

fn open() -> Window {
    let mut window = studies::open();
    window.show(Pane::Averages);
    window.wait("what noise is measured on", |app| {
        app.state.spec_of(Pane::Averages, Row::First).is_ok()
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
    window.harness.state_mut().command(Command::LookAt(Row::First));
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
        let study = app.state.run(Pane::Averages, Row::First);
        study.is_some_and(|it| !matches!(it.state, RunState::Running(_)))
    });
    let state = &window.app().state;
    let study = state.run(Pane::Averages, Row::First).unwrap();
    assert_eq!(study.state, RunState::Cancelled);
    let n = window.average().unwrap().facts.len();
    assert!((1..3).contains(&n), "{n}");
    window.sees("not reached");
    window.sees("Cancelled; partial");
}

/// Where others stand in, each fact has its own.
#[test]
fn what_the_subject_becomes_is_chosen_as_in_other_views() {
    let mut window = open();
    window.click("Keep facts that are not known");
    for (name, samples) in [
        ("others of the relation", 2),
        ("one other subject", 1),
        ("zeros", 1),
        ("uniform noise", 2),
    ] {
        corrupt_by(&mut window, name);
        assert_eq!(window.app().state.result(Pane::Averages), None, "that is another question");
        window.ask(Pane::Averages);
        let found = window.average().unwrap();
        assert_eq!(found.facts.len(), 3, "{name}: {:?}", found.left_out);
        assert_eq!(found.spec.trace.n_samples, samples, "{name}");
        for fact in &*found.spec.facts {
            let own = match &fact.corruption {
                Some(Corruption::OtherSubjects { of: SubjectsOf::Relation, ids }) => ids.to_vec(),
                Some(Corruption::Counterpart { ids }) => vec![ids.to_vec()],
                None => Vec::new(),
                other => panic!("{name}: {other:?}"),
            };
            let subject = fact.prompt.subject.clone().unwrap();
            let is_swapped = name.contains("other");
            assert_eq!(own.len(), if is_swapped { samples } else { 0 }, "{name}");
            assert!(own.iter().all(|ids| ids.len() == subject.len()));
            assert!(!own.contains(&fact.prompt.ids[subject].to_vec()));
        }
        let is_meant = match found.spec.corruption() {
            Corruption::OtherSubjects { .. } => name == "others of the relation",
            Corruption::Counterpart { .. } => name == "one other subject",
            Corruption::Zero => name == "zeros",
            Corruption::Noise { .. } => name == "uniform noise",
            _ => false,
        };
        assert!(is_meant, "{name}: {:?}", found.spec.corruption());
    }
}
