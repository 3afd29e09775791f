//! What would be lost is not closed without a word.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use eframe::egui::{Key, Modifiers, ViewportCommand, ViewportEvent, ViewportId};
use egui_kittest::kittest::Queryable as _;
use factscope::session::Session;
use factscope::tokens::Bos;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::FactId;
use tempfile::TempDir;

use super::support::{FACTS, FakePicker, PATIENCE, Window, tiny};

const QUESTION: &str = "Close Factscope?";

impl Window {
    fn commands(&self) -> &[ViewportCommand] {
        &self.harness.output().viewport_output[&ViewportId::ROOT].commands
    }

    fn frame(&mut self) -> Vec<ViewportCommand> {
        self.harness.step();
        self.commands().to_vec()
    }

    /// As the window manager does. Whether it is let.
    fn is_closed_by_the_system(&mut self) -> bool {
        let viewports = &mut self.harness.input_mut().viewports;
        viewports.get_mut(&ViewportId::ROOT).unwrap().events.push(ViewportEvent::Close);
        let commands = self.frame();
        !commands.contains(&ViewportCommand::CancelClose)
    }

    /// In one of the next frames.
    fn closes(&mut self) -> bool {
        (0..4).any(|_| self.frame().contains(&ViewportCommand::Close))
    }

    /// Takes several frames.
    fn quit(&mut self) {
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::Q);
    }

    fn asks(&self) -> bool {
        self.harness.query_by_label(QUESTION).is_some()
    }

    /// A trace that is in no session yet.
    fn traces_first_fact(&mut self) {
        let facts = self.file("facts.json", FACTS);
        self.drop(facts);
        self.wait("the model", |app| app.state.info().is_some() && !app.state.facts.is_empty());
        self.wait_for_predictions();
        self.click("Trace");
        self.trace_ends();
    }

    /// The frames until it closes are not skipped.
    fn answer(&mut self, answer: &str) {
        self.harness.get_by_label(answer).click();
    }
}

/// Saved, then changed.
fn unsaved() -> (Window, TempDir, PathBuf) {
    let (mut window, dir, path) = Window::to_be_saved();
    window.harness.state_mut().command(Command::SaveSessionTo(path.clone()));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));
    assert!(window.is_closed_by_the_system(), "all is saved");
    assert!(!window.asks());
    window.harness.state_mut().command(Command::Study(Pane::Ablation));
    window.wait("the ablation", |app| {
        app.state.is_unsaved() == Some(true) && app.state.jobs.iter().next().is_none()
    });
    (window, dir, path)
}

fn n_found(path: &Path) -> usize {
    Session::load(path).unwrap().found.len()
}

#[test]
fn nothing_is_asked_where_nothing_is_lost() {
    let mut window = Window::open();
    window.wait("the jobs", |app| app.state.jobs.asked().next().is_none());
    assert!(window.is_closed_by_the_system());
    window.harness.state_mut().command(Command::Quit);
    assert!(window.closes());
    assert!(!window.asks());
}

#[test]
fn an_unsaved_session_is_saved_before_the_window_closes() {
    let (mut window, _dir, path) = unsaved();
    let before = n_found(&path);
    assert!(!window.is_closed_by_the_system());
    window.harness.run_steps(2);
    assert!(window.asks());
    window.sees("a.factscope holds less than this window");
    window.answer("Save");
    let start = Instant::now();
    while !window.frame().contains(&ViewportCommand::Close) {
        assert!(start.elapsed() < PATIENCE);
        sleep(Duration::from_millis(5));
    }
    assert_eq!(window.app().state.is_unsaved(), Some(false), "not before it is written");
    assert!(n_found(&path) > before);
    assert!(window.is_closed_by_the_system(), "not asked again");
}

/// What is looked at, and what is found unasked for it, is no loss.
#[test]
fn who_only_looks_at_another_fact_is_not_asked() {
    let (mut window, _dir, path) = Window::to_be_saved();
    window.does(Command::SaveSessionTo(path));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));
    window.does(Command::Select(FactId::Record(1)));
    window.wait_for_predictions();
    window.wait("the jobs", |app| app.state.jobs.asked().next().is_none());
    assert_eq!(window.app().state.is_unsaved(), Some(true), "the file has another fact in front");
    assert!(window.is_closed_by_the_system());
    // What is set is.
    window.does(Command::SetBos(Bos::On));
    assert!(!window.is_closed_by_the_system());
}

#[test]
fn a_session_that_cannot_be_saved_keeps_the_window_open() {
    let (mut window, dir, path) = unsaved();
    drop(dir);
    window.quit();
    window.harness.run_steps(2);
    window.answer("Save");
    let start = Instant::now();
    while window.app().state.error.is_none() {
        assert!(start.elapsed() < PATIENCE);
        assert!(!window.frame().contains(&ViewportCommand::Close));
        sleep(Duration::from_millis(5));
    }
    assert!(!window.closes());
    assert!(!window.asks());
    window.sees("The session is not saved");
    assert!(!path.exists());
}

#[test]
fn it_is_closed_without_saving_or_not_at_all() {
    let (mut window, _dir, path) = unsaved();
    let before = n_found(&path);
    window.quit();
    window.harness.run_steps(2);
    assert!(window.asks());
    window.harness.key_press(Key::Escape);
    assert!(!window.closes());
    assert!(!window.asks());

    window.quit();
    window.harness.run_steps(2);
    window.answer("Cancel");
    assert!(!window.closes());
    assert!(!window.asks());

    window.quit();
    window.harness.run_steps(2);
    window.answer("Discard");
    assert!(window.closes());
    assert!(window.is_closed_by_the_system(), "not asked again");
    assert_eq!(n_found(&path), before);
}

#[test]
fn a_running_trace_is_asked_about_and_there_is_nothing_to_save() {
    let mut window = Window::open();
    window.harness.state_mut().state.settings.trace.n_samples = 1000;
    window.harness.state_mut().command(Command::Trace);
    window.wait("the trace", |app| app.state.jobs.asked().next().is_some());
    assert!(!window.is_closed_by_the_system());
    window.harness.run_steps(2);
    assert!(window.asks());
    window.sees("would be stopped");
    window.answer("Discard");
    assert!(window.closes());
}

#[test]
fn whoever_picks_no_file_is_told_that_nothing_is_saved() {
    let picker = Arc::new(FakePicker::slow(true));
    let options = Options { model: Some(tiny()), ..Options::default() };
    let mut window = Window::with_picker(options, picker);
    window.traces_first_fact();
    window.quit();
    window.harness.run_steps(2);
    window.answer("Save");
    window.wait_for_label("Not saved, since no file was picked: the window stays as it is");
    assert!(!window.closes());
    assert!(!window.asks());
}

#[test]
fn what_was_found_is_saved_under_a_name_before_the_window_closes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("named.factscope");
    let options = Options { model: Some(tiny()), ..Options::default() };
    let mut window = Window::new(options, Some(path.clone()));
    window.traces_first_fact();
    assert!(!window.is_closed_by_the_system());
    window.harness.run_steps(2);
    window.sees("What was found is in no session file");
    window.answer("Save");
    let start = Instant::now();
    while !window.frame().contains(&ViewportCommand::Close) {
        assert!(start.elapsed() < PATIENCE);
        sleep(Duration::from_millis(5));
    }
    assert!(n_found(&path) > 0);
}
