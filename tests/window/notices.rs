//! Notices of what is done go again, and errors stay.

use egui_kittest::kittest::Queryable as _;
use factscope::facts::Fact;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::{FactId, TypedFact};

use super::support::Window;

/// Frames of a quarter of a second: more than a notice is shown for, by the clock of the window.
const LONG: usize = 60;

fn notice(window: &Window) -> Option<&str> {
    window.app().state.notice.as_deref()
}

#[test]
fn a_notice_of_what_is_done_goes_again() {
    let mut window = Window::open();
    let copy = || Command::CopyCommandLineOf(Pane::Prediction);
    window.does(copy());
    assert_eq!(notice(&window), Some("Copied the command line"));
    window.sees("Copied the command line");
    window.harness.run_steps(LONG / 3);
    assert_eq!(notice(&window), Some("Copied the command line"), "it can be read");
    // One that is given again is shown for as long again.
    window.does(copy());
    window.harness.run_steps(LONG / 2);
    assert_eq!(notice(&window), Some("Copied the command line"));
    window.harness.run_steps(LONG);
    assert_eq!(notice(&window), None);
    assert!(window.harness.query_by_label_contains("Copied the command line").is_none());

    // What is looked at meanwhile changes nothing of that.
    window.does(copy());
    window.does(Command::Select(FactId::Record(1)));
    assert_eq!(notice(&window), Some("Copied the command line"));
}

/// The command line of every view is one line, of a fact of the dataset and of one that is typed, whose noise
/// is measured on the dataset's subjects.
#[test]
fn every_view_of_a_fact_copies_one_line() {
    let mut window = Window::open();
    every_view_copies_one_line(&window);
    let typed = |prompt: &str, subject: &str, answer: &str| {
        let fact = Fact::from_text(prompt, Some(subject)).unwrap();
        Fact { answer: Some(answer.to_owned()), ..fact }
    };
    let inverse = Some(typed("It is blue like the", "blue", "sea"));
    let fact = TypedFact { fact: typed("The sea is", "sea", "blue"), inverse };
    window.does(Command::AddFact(Box::new(fact)));
    window.wait_for_predictions();
    assert_eq!(window.app().state.selected, Some(FactId::Typed(0)));
    every_view_copies_one_line(&window);
}

fn every_view_copies_one_line(window: &Window) {
    let state = &window.app().state;
    for pane in Pane::ALL.iter().copied().filter(|pane| state.experiment_text(*pane).is_some()) {
        let line = state.command_line(pane).unwrap_or_else(|| panic!("{pane:?} copies a file"));
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    let has_trace = state.command_line(Pane::Trace).is_some();
    assert!(has_trace && state.command_line(Pane::Averages).is_some());
}

#[test]
fn an_error_stays_until_it_is_dismissed() {
    let mut window = Window::open();
    let gone = window.dir.path().join("gone.json");
    window.does(Command::OpenDatasetAt(gone));
    window.wait("the error", |app| app.state.error.is_some());
    window.harness.run_steps(2 * LONG);
    assert!(window.app().state.error.is_some());
    window.click("Dismiss");
    assert!(window.app().state.error.is_none());
}
