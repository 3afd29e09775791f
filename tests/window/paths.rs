//! Paths that are typed: over what is prefilled, in the folder that is named, and over no file unasked.

use std::path::Path;
use std::sync::Arc;

use eframe::egui::Key;
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use factscope::ui::Options;
use factscope::ui::command::Command;

use super::support::{FACTS, FakePicker, Window, tiny};

const ANYTHING: &str = "Model, dataset, noise, experiment, sweep or session";

impl Window {
    /// As at a keyboard: into whatever has the focus, and what is selected there goes.
    pub fn types(&mut self, text: &str) {
        self.harness.event(eframe::egui::Event::Text(text.to_owned()));
        self.harness.run_steps(3);
    }

    pub fn presses(&mut self, key: Key) {
        self.harness.key_press(key);
        self.harness.run_steps(3);
    }

    pub fn stands_in(&self, field: &str) -> Option<String> {
        self.harness.get_by_role_and_label(Role::TextInput, field).value()
    }
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn one_dialog_opens_whatever_is_typed() {
    let dir = tempfile::tempdir().unwrap();
    let facts = dir.path().join("facts.json");
    std::fs::write(&facts, FACTS).unwrap();
    let mut window = Window::new(Options::default(), None);
    window.does(Command::TypePath);
    window.types(text_of(&tiny()));
    window.presses(Key::Enter);
    window.wait("the model", |app| app.state.info().is_some());

    window.does(Command::TypePath);
    for (typed, says) in [
        ("/nowhere/at/all", "There is no such file or folder: /nowhere/at/all"),
        (text_of(dir.path()), "holds no config.json"),
        ("/nowhere/facts.json", "There is no such file: /nowhere/facts.json"),
    ] {
        window.retype(ANYTHING, typed);
        window.presses(Key::Enter);
        window.sees(says);
        assert_eq!(window.stands_in(ANYTHING).as_deref(), Some(typed));
    }
    window.retype(ANYTHING, text_of(&facts));
    window.presses(Key::Enter);
    window.wait("the dataset", |app| app.state.facts.dataset_path() == Some(&facts));
    assert!(window.harness.query_by_label(ANYTHING).is_none(), "the dialog is closed");
}

#[test]
fn what_is_typed_takes_the_place_of_what_is_prefilled() {
    let (mut window, dir, path) = Window::to_be_saved();
    window.does(Command::SaveSessionTo(path.clone()));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));
    let field = "Session file";

    // An absolute path.
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let other = elsewhere.join("other.factscope");
    window.does(Command::SaveSessionAs);
    window.wait_for_label(field);
    assert_eq!(window.stands_in(field).as_deref(), Some("session.factscope"));
    window.types(text_of(&other));
    window.presses(Key::Enter);
    window.wait("the file", |app| app.state.session.as_ref().is_some_and(|it| it.path == other));

    // A name, in the folder that was last saved to.
    window.does(Command::SaveScreenshotTo(elsewhere.join("first.png")));
    window.does(Command::SaveScreenshot);
    window.wait_for_label("PNG file");
    let prefilled = elsewhere.join("factscope.png");
    assert_eq!(window.stands_in("PNG file").as_deref(), Some(text_of(&prefilled)));
    window.types("again");
    window.sees(&format!("In the folder {}", elsewhere.display()));
    window.presses(Key::Escape);
}

#[test]
fn a_file_that_is_there_is_replaced_only_when_asked_twice() {
    let (mut window, _dir, path) = Window::to_be_saved();
    std::fs::write(&path, "not a session").unwrap();
    window.does(Command::SaveSessionAs);
    window.wait_for_label("Session file");
    window.types(text_of(&path));
    window.presses(Key::Enter);
    window.sees("This file is there already");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a session");
    window.presses(Key::Enter);
    window.wait("the file", |app| app.state.session.is_some());
    assert_ne!(std::fs::read(&path).unwrap(), b"not a session");
}

#[test]
fn tab_goes_on_with_a_path_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("models")).unwrap();
    std::fs::write(dir.path().join("models/facts.json"), FACTS).unwrap();
    let mut window = Window::new(Options::default(), None);
    window.does(Command::TypePath);
    window.types(&format!("{}/mo", dir.path().display()));
    window.presses(Key::Tab);
    window.types("fa");
    window.presses(Key::Tab);
    let whole = dir.path().join("models/facts.json");
    assert_eq!(window.stands_in(ANYTHING).as_deref(), Some(text_of(&whole)));
    window.presses(Key::Enter);
    window.wait("the dataset", |app| app.state.facts.dataset_path() == Some(&whole));
}

#[test]
fn a_dialog_that_never_answers_is_named_and_the_path_can_be_typed() {
    let picker = Arc::new(FakePicker { after: None, ..FakePicker::of(None) });
    let mut window = Window::with_picker(Options::default(), picker);
    window.does(Command::OpenModel);
    window.wait_for_label("Waiting for the system's dialog: Open model folder");
    window.click("Type the path…");
    window.retype("Model folder or file", text_of(&tiny()));
    window.presses(Key::Enter);
    window.wait("the model", |app| app.state.info().is_some());
}

/// On a machine that is busy, what answers for a missing dialog is slow, too.
#[test]
fn a_path_is_typed_where_there_is_no_dialog_however_late_that_is_known() {
    for is_there in [false, true] {
        let picker = Arc::new(FakePicker::slow(is_there));
        let mut window = Window::with_picker(Options::default(), picker);
        window.does(Command::OpenModel);
        window.wait("the answer", |app| app.state.dialog.is_none());
        let field = window.harness.query_by_label("Model folder or file");
        assert_eq!(field.is_some(), !is_there);
    }
}
