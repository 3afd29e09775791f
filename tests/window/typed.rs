//! Facts of one's own: changed in their places, given an inverse, removed, and kept.

use eframe::egui::accesskit::Role;
use eframe::egui::{Event, Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::facts::{Direction, Fact};
use factscope::session::Session;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::{FactId, TypedFact};

use super::support::Window;

fn typed(prompt: &str, subject: &str) -> Command {
    let fact = Fact::from_text(prompt, Some(subject)).unwrap();
    Command::AddFact(Box::new(TypedFact { fact, inverse: None }))
}

impl Window {
    /// With a typed fact that is traced.
    fn with_typed_fact() -> Self {
        let mut window = Self::open();
        window.does(typed("The sea is", "sea"));
        window.wait_for_predictions();
        window.click("Trace");
        window.trace_ends();
        window
    }

    fn notice(&self) -> String {
        self.app().state.notice.clone().unwrap_or_default()
    }

    fn prompt(&self) -> String {
        self.app().state.prompt().unwrap().text.clone()
    }

    fn listed(&self) -> Vec<String> {
        let facts = &self.app().state.facts;
        let listed = facts.found().iter().filter(|it| matches!(it, FactId::Typed(_)));
        listed.map(|it| facts.get(*it).unwrap().fact.prompt.clone()).collect()
    }
}

#[test]
fn a_typed_fact_is_changed_in_its_place() {
    let mut window = Window::with_typed_fact();
    window.does(typed("The sky is", "sky"));
    window.does(Command::PreviousFact);
    assert_eq!(window.prompt(), "The sea is");
    let before = window.trace().cloned();
    assert!(before.is_some());

    // By the keyboard.
    window.harness.key_press(Key::F2);
    window.harness.run_steps(30);
    window.sees("Change the fact");
    window.retype("Prompt", "The old sea is");
    window.click("Change");
    assert_eq!(window.listed(), ["The old sea is", "The sky is"]);
    assert_eq!(window.prompt(), "The old sea is");
    assert!(window.trace().is_none(), "nothing was found of it");
    assert!(window.notice().contains("What was found of the old text stays with it"));

    window.does(Command::Undo);
    assert_eq!(window.listed(), ["The sea is", "The sky is"]);
    assert_eq!(window.trace().cloned(), before);
    window.does(Command::Redo);
    assert_eq!(window.listed(), ["The old sea is", "The sky is"]);

    // What is wrong keeps the form open, and the fact as it is.
    window.does(Command::EditFact);
    window.harness.run_steps(30);
    window.retype("Subject", "moon");
    window.click("Change");
    window.sees("The subject “moon” does not occur");
    assert_eq!(window.prompt(), "The old sea is");
    window.click("Cancel");
    window.sees("Type a fact");
}

#[test]
fn a_typed_fact_is_given_an_inverse() {
    let mut window = Window::with_typed_fact();
    let before = window.trace().cloned();
    window.does(Command::EditFact);
    window.harness.run_steps(30);
    window.type_into("Answer", "blue");
    window.click("Inverse (optional)");
    window.harness.run_steps(30);
    window.type_into("Inverse prompt", "What is blue is the");
    window.click("Change");
    window.wait_for_predictions();
    let record = window.app().state.record_at(Row::First).unwrap().clone();
    let inverse = record.fact(Direction::Inverse).unwrap();
    assert_eq!(inverse.subject_text(), Some("blue"));
    assert_eq!(inverse.answer.as_deref(), Some("sea"));
    window.sees("Inverse");
    window.click("Trace");
    window.trace_ends();
    assert!(window.app().state.trace(Row::Second).is_some_and(|it| it.is_done()));
    window.does(Command::Undo);
    assert_eq!(window.trace().cloned(), before, "without an inverse it is the fact of before");
}

#[test]
fn a_removed_fact_comes_back_with_what_was_found() {
    let mut window = Window::with_typed_fact();
    let before = window.trace().cloned();
    window.harness.key_press(Key::Delete);
    window.harness.run_steps(3);
    assert_eq!(window.listed(), Vec::<String>::new());
    assert_eq!(window.app().state.selected, Some(FactId::Record(0)));
    assert!(window.notice().contains("Removed “The sea is”"));
    window.does(Command::Undo);
    assert_eq!(window.listed(), ["The sea is"]);
    assert_eq!(window.trace().cloned(), before);

    // Facts of the dataset stay.
    window.does(Command::Select(FactId::Record(1)));
    window.does(Command::RemoveFact);
    assert!(window.notice().contains("Only typed facts can be removed"));
    assert_eq!(window.app().state.facts.len(), 4);
    // One of them is the start of a new one.
    window.does(Command::EditFact);
    window.harness.run_steps(30);
    window.retype("Answer", "Lyon");
    window.click("Analyse");
    assert_eq!(window.listed().len(), 2);
    assert_eq!(window.app().state.fact().unwrap().answer.as_deref(), Some("Lyon"));
}

#[test]
fn a_typed_fact_counts_as_unsaved_until_it_is_in_a_session() {
    let (mut window, dir, path) = Window::to_be_saved();
    assert!(!window.app().state.has_unsaved());
    window.does(typed("The sea is", "sea"));
    window.does(typed("The sky is", "sky"));
    window.does(Command::RemoveFact);
    assert!(window.app().state.has_unsaved(), "though nothing was traced");
    window.does(Command::Quit);
    window.sees("Close Factscope?");
    window.click("Cancel");

    window.does(Command::SaveSessionTo(path.clone()));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));
    window.does(Command::Select(FactId::Typed(0)));
    window.does(typed("The moon is", "moon"));
    assert!(window.app().state.has_unsaved());
    let session = Session::load(&path).unwrap();
    assert!(session.facts.iter().any(|it| it.record.fact.prompt == "The sea is"));

    let options = Options { session: Some(path), ..Options::default() };
    let mut again = Window::new(options, None);
    again.wait("the session", |app| app.state.session.is_some());
    assert_eq!(again.listed(), ["The sea is"], "what was removed is not listed again");
    drop(dir);
}

#[test]
fn a_typed_fact_survives_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = super::kept::keeping(dir.path());
    window.does(typed("The sea is", "sea"));
    window.wait("what is kept", |_| !super::kept::kept_in(dir.path()).is_empty());
    drop(window);
    let mut again = super::kept::keeping(dir.path());
    again.does(Command::RestoreUnsaved);
    again.wait("what was found", |app| app.state.left_over.is_empty());
    assert_eq!(again.listed(), ["The sea is"]);
    assert!(again.app().state.has_unsaved());
}

#[test]
fn a_typed_fact_that_the_search_hides_says_so() {
    let mut window = Window::open();
    window.does(Command::SearchFacts("capital".to_owned()));
    window.does(typed("The sea is", "sea"));
    window.wait_for_predictions();
    assert_eq!((window.prompt().as_str(), window.listed().len()), ("The sea is", 0));
    window.click("Show chosen");
    assert_eq!(window.listed(), ["The sea is"]);
    assert!(window.app().state.facts.query().is_empty());
    assert!(window.harness.query_by_label("Show chosen").is_none());
}

#[test]
fn the_form_has_the_focus_when_it_is_unfolded_and_escape_leaves_it() {
    let mut window = Window::with_typed_fact();
    let is_typing = |window: &Window| window.find_field("Prompt").is_some_and(|it| it.is_focused());
    let is_there = |window: &Window| window.find_field("Prompt").is_some();
    window.click("Type a fact");
    window.harness.run_steps(30);
    assert!(is_typing(&window));
    window.field("Prompt").type_text("The moon");
    window.harness.run_steps(2);
    window.harness.key_press(Key::Escape);
    window.harness.run_steps(30);
    assert!(!is_there(&window));
    // What was typed is still there.
    window.click("Type a fact");
    window.harness.run_steps(30);
    assert_eq!(window.field("Prompt").value().as_deref(), Some("The moon"));
    window.click("Type a fact");
    window.harness.run_steps(30);
    assert!(!is_there(&window));

    // A fact that is not changed after all.
    window.harness.key_press(Key::F2);
    window.harness.run_steps(30);
    window.sees("Change the fact");
    assert!(is_typing(&window));
    window.harness.key_press(Key::Escape);
    window.harness.run_steps(30);
    window.sees("Type a fact");
    assert!(!is_there(&window));
    assert_eq!(window.prompt(), "The sea is");
}

/// A long prompt wraps, in some rows of which the rest is scrolled to; Enter is for the whole form.
#[test]
fn a_long_prompt_is_typed_in_several_rows() {
    let mut window = Window::open();
    window.click("Type a fact");
    window.harness.run_steps(30);
    let row = window.field("Subject").rect().height();
    let lowest = |window: &Window| window.harness.get_by_label("Analyse").rect().top();
    let before = lowest(&window);
    window.type_into("Prompt", &"The capital of the country is far away. ".repeat(40));
    let prompt = window.field("Prompt").rect();
    assert!(prompt.height() > 20.0 * row, "{prompt:?}");
    assert!(prompt.right() < window.field("Subject").rect().right() + 1.0, "{prompt:?}");
    assert!(lowest(&window) < before + 5.0 * row, "the rest of the form is in sight");
    let shift = Modifiers::SHIFT;
    window.harness.key_press_modifiers(shift, Key::Enter);
    window.harness.run_steps(2);
    window.harness.event(Event::Text("The sea is".to_owned()));
    window.harness.run_steps(2);
    assert!(window.listed().is_empty());
    window.harness.key_press(Key::Enter);
    window.harness.run_steps(3);
    assert_eq!(window.listed().len(), 1);
    assert!(window.listed()[0].ends_with("far away. \nThe sea is"), "{:?}", window.listed());
    assert!(!window.field("Prompt").is_focused());
}

#[test]
fn a_fact_without_an_answer_says_what_it_is_asked_for() {
    let mut window = Window::open();
    window.click("Type a fact");
    window.harness.run_steps(30);
    window.type_into("Prompt", "The sea is");
    window.click("Analyse");
    let told = "No answer was typed: the model's own first guess is taken for it";
    assert_eq!(window.notice(), told);
    window.sees("The sea is → the first guess");
    window.wait("the prediction", |app| app.figure(Pane::Prediction).is_some());
    let notes = window.app().figure(Pane::Prediction).unwrap().notes.join("\n");
    assert!(notes.contains("No answer is given: the first guess is measured  p("), "{notes}");
    // One with an answer needs no word.
    window.retype("Prompt", "The sky is");
    window.type_into("Answer", "blue");
    window.harness.state_mut().state.notice = None;
    window.click("Analyse");
    assert_eq!(window.notice(), "");
    window.sees("The sky is → blue");
}

#[test]
fn undo_says_what_it_takes_back() {
    let mut window = Window::open();
    window.does(Command::Select(FactId::Record(1)));
    let told = "the choice of “The capital of France is”";
    window.click("Edit");
    window.sees(&format!("Undo: {told}"));
    window.harness.key_press(Key::Escape);
    window.harness.run_steps(3);
    window.does(Command::ShowPalette);
    window.type_into("What do you want to do?", "undo");
    window.sees(&format!("Undo: {told}"));
    window.harness.key_press(Key::Escape);
    window.harness.run_steps(3);
    window.does(Command::Undo);
    assert_eq!(window.notice(), format!("Undone: {told}"));
    window.does(Command::Redo);
    assert_eq!(window.notice(), format!("Done again: {told}"));
    // Before the step is remembered, too.
    window.does(Command::LookAt(Row::First));
    window.does(Command::StepLayer(factscope::ui::command::Step::Next));
    window.does(Command::Undo);
    assert_eq!(window.notice(), "Undone: what is picked out");
}

/// In a lower window the list shows fewer facts.
#[test]
fn the_chosen_fact_stays_in_sight_when_the_window_is_made_smaller() {
    let (mut window, _home) = Window::with_sweeps();
    window.harness.set_size(eframe::egui::vec2(1600.0, 1000.0));
    window.harness.run_steps(4);
    let chosen = |window: &Window| {
        let prompt = window.app().state.fact().unwrap().prompt.clone();
        let rows = window.harness.query_all_by_role(Role::ListBoxOption);
        let is_it = |name: Option<String>| name.is_some_and(|it| it.starts_with(&prompt));
        let mut chosen = rows.filter(|it| is_it(it.accesskit_node().label()));
        chosen.next().map(|it| it.rect())
    };
    for _ in 0..11 {
        window.does(Command::NextFact);
    }
    let before = chosen(&window).unwrap();
    assert!(before.bottom() > 650.0, "{before:?}");
    window.harness.set_size(eframe::egui::vec2(900.0, 600.0));
    window.harness.run_steps(6);
    let after = chosen(&window).expect("it is in the list");
    assert!(after.bottom() < 560.0 && after.top() > 100.0, "{after:?}");
}

/// No time is promised for what cannot run, and the line of the error is its own.
#[test]
fn a_prompt_that_is_too_long_for_the_model_says_so_where_its_map_would_be() {
    let mut window = Window::open();
    let long = format!("{}the capital of Egypt is", "word ".repeat(300));
    window.does(typed(&long, "Egypt"));
    window.harness.run_steps(10);
    window.sees("Not traced yet: the prompt with its answer has ");
    window.sees("but the model takes at most 64");
    assert!(window.harness.query_by_label_contains("it takes about").is_none());
    window.does(Command::Trace);
    window.harness.run_steps(30);
    assert!(window.harness.query_by_label_contains("samples · ").is_none(), "beside the error");
}

#[test]
fn an_error_about_a_long_prompt_leaves_the_list_its_room() {
    let mut window = Window::open();
    window.click("Type a fact");
    window.harness.run_steps(30);
    window.type_into("Prompt", &"once upon a time ".repeat(40));
    window.type_into("Subject", "Egypt");
    window.click("Analyse");
    window.harness.run_steps(30);
    window.sees("The subject “Egypt” does not occur");
    let mut rows = window.harness.query_all_by_label_contains("The capital of France is");
    let row = rows.next().expect("the list is in sight").rect();
    let height = window.harness.ctx.content_rect().height();
    assert!(row.height() > 20.0 && row.bottom() + 30.0 < height, "{row:?}");
}
