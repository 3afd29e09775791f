//! An edit's settings: what is taken where nothing is typed, and what was found with others.

use eframe::egui::Key;
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::{AnalysisResult, AnalysisSpec};
use factscope::facts::Fact;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::TypedFact;

use super::studies::open;
use super::support::Window;

fn target(window: &Window) -> Option<String> {
    match window.app().state.spec_of(Pane::Editing, Row::First) {
        Ok(AnalysisSpec::RankOneEdit(it)) => Some(it.target.text.trim().to_owned()),
        _ => None,
    }
}

fn typed(window: &Window, field: &str) -> String {
    window.field(field).value().unwrap_or_default()
}

#[test]
fn a_word_that_is_taken_stands_in_its_field_and_an_example_is_called_one() {
    let mut window = open();
    window.show(Pane::Editing);
    assert_eq!(
        (typed(&window, "Let it say"), target(&window)),
        ("Rome".to_owned(), Some("Rome".to_owned()))
    );
    // It is changed like what is typed.
    window.retype("Let it say", "Lima");
    assert_eq!(target(&window).as_deref(), Some("Lima"));
    window.retype("Let it say", "Rome");
    assert_eq!(
        (typed(&window, "Let it say"), target(&window)),
        ("Rome".to_owned(), Some("Rome".to_owned()))
    );
    for _ in 0.."Rome".len() {
        window.harness.key_press(Key::Backspace);
        window.harness.run_steps(2);
    }
    assert_eq!(typed(&window, "Let it say"), "", "it can be emptied to type another");

    // Both words of a direction, too.
    window.show(Pane::Steering);
    assert_eq!(typed(&window, "Towards"), "Rome");
    assert_eq!(typed(&window, "and away from"), "Paris");

    let fact = Fact::from_text("The sea is", Some("sea")).unwrap();
    window.does(Command::AddFact(Box::new(TypedFact { fact, inverse: None })));
    window.wait_for_predictions();
    window.show(Pane::Editing);
    assert_eq!((typed(&window, "Let it say"), target(&window)), (String::new(), None));
    let field = window.field("Let it say");
    let hint = field.accesskit_node().data().placeholder().unwrap_or_default().to_owned();
    assert_eq!(hint, "for example Lyon");
}

/// With the settings that it was found with, until what the new ones find is there.
#[test]
fn what_was_found_stays_when_a_setting_is_changed() {
    let mut window = open();
    window.show(Pane::Editing);
    let descent = |window: &mut Window, learning_rate: &str| {
        let field = window.region(Pane::Editing);
        field.get_by_role_and_label(Role::SpinButton, "Learning rate").focus();
        window.types_into_number(learning_rate);
    };
    descent(&mut window, "0.4");
    window.ask(Pane::Editing);
    window.sees("at 0.4, until the loss");
    assert!(window.harness.query_by_label_contains("Found with other settings").is_none());
    descent(&mut window, "0.3");
    window.sees("Found with other settings");
    window.sees("at 0.4, until the loss");
    window.ask(Pane::Editing);
    assert!(window.harness.query_by_label_contains("Found with other settings").is_none());
    window.sees("at 0.3, until the loss");
    assert!(window.harness.query_by_label_contains("at 0.4, until the loss").is_none());

    // It is of its fact, and of no other.
    descent(&mut window, "0.2");
    window.sees("at 0.3, until the loss");
    window.does(Command::NextFact);
    window.wait_for_predictions();
    assert!(window.harness.query_by_label_contains("until the loss").is_none());
}

/// Half a table does not tell whether the edit works.
#[test]
fn an_edit_that_is_still_tried_out_is_used_only_when_asked_twice() {
    let mut window = Window::open();
    let settings = &mut window.harness.state_mut().state.settings;
    let mut json = serde_json::to_value(&*settings).unwrap();
    json["studies"]["editing"]["n_steps"] = 1000.into();
    json["studies"]["editing"]["learning_rate"] = 1e-6.into();
    *settings = serde_json::from_value(json).unwrap();
    window.harness.state_mut().command(Command::Study(Pane::Editing));
    window.harness.run_steps(2);
    assert!(window.app().state.jobs.asked().next().is_some());
    window.does(Command::ApplyEdit(Pane::Editing));
    assert!(window.app().state.edits.is_empty());
    window.sees("The edit was not tried out. Use the changed model all the same?");
    window.does(Command::Stop(Pane::Editing));
    window.rests();
}

/// The question that is open goes by what a try finds meanwhile.
#[test]
fn an_edit_that_turns_out_to_work_is_not_doubted() {
    let (mut window, _home) = Window::with_sweeps();
    window.show(Pane::Editing);
    let n_layers = window.app().state.info().unwrap().config.n_layers;
    let works = |window: &Window| match window.app().state.result(Pane::Editing).map(|it| &**it) {
        Some(AnalysisResult::RankOneEdit(it)) => it.works(),
        other => panic!("{other:?}"),
    };
    let doubts =
        |window: &Window, text: &str| window.harness.query_by_label_contains(text).is_some();
    let mut found = Vec::new();
    for layer in 0..n_layers - 1 {
        let settings = &mut window.harness.state_mut().state.settings;
        let mut json = serde_json::to_value(&*settings).unwrap();
        json["studies"]["editing"]["layer"] = layer.into();
        *settings = serde_json::from_value(json).unwrap();
        window.does(Command::ApplyEdit(Pane::Editing));
        assert!(doubts(&window, "was not tried out"), "layer {layer}");
        window.ask(Pane::Editing);
        assert!(!doubts(&window, "was not tried out"), "layer {layer}");
        assert_eq!(doubts(&window, "did not work. Use"), works(&window) == Some(false), "{layer}");
        assert!(window.app().state.edits.is_empty(), "nobody has agreed");
        window.does(Command::LeaveEdit);
        found.push(works(&window));
    }
    assert!(found.contains(&Some(true)) && found.contains(&Some(false)), "{found:?}");
}

/// A change that takes long is stopped by its job, by taking it back and by Escape, and no view says then that
/// the model is changed.
#[test]
fn a_change_that_is_stopped_leaves_the_model_as_it_is() {
    let mut window = Window::open();
    let settings = &mut window.harness.state_mut().state.settings;
    let mut json = serde_json::to_value(&*settings).unwrap();
    json["studies"]["editing"]["n_steps"] = 1000.into();
    json["studies"]["editing"]["learning_rate"] = 1e-6.into();
    *settings = serde_json::from_value(json).unwrap();
    let stops: [fn(&Window) -> Command; 3] = [
        |window| Command::CancelJob(window.app().state.changing().unwrap()),
        |_| Command::DropEdits,
        |_| Command::Cancel,
    ];
    for stop in stops {
        window.harness.state_mut().command(Command::ApplyAnyway(Pane::Editing));
        window.harness.run_steps(1);
        let stop = stop(&window);
        assert_eq!(window.app().state.edits.len(), 1);
        window.harness.state_mut().command(stop);
        window.rests();
        assert!(window.app().state.edits.is_empty());
        window.sees("the model is not changed");
    }
}
