//! Another fact in the place of the inverse.

use eframe::egui::{Key, Modifiers};
use factscope::analysis::AnalysisSpec;
use factscope::analysis::comparison::Second;
use factscope::facts::Direction;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::{Beside, FactId, RunState};

use super::support::{FACTS, Window};

const FRANCE: FactId = FactId::Record(0);
const ITALY: FactId = FactId::Record(1);

impl Window {
    /// The prompts of both rows.
    pub fn rows(&self) -> [Option<&str>; 2] {
        Row::BOTH.map(|row| Some(&*self.app().state.fact_at(row)?.prompt))
    }

    fn prompt_of(&self, fact: FactId) -> &str {
        &self.app().state.facts.get(fact).unwrap().fact.prompt
    }
}

fn open() -> Window {
    let mut window = Window::open();
    window.does(Command::Select(FRANCE));
    window.does(Command::ShowBeside(ITALY));
    window.wait_for_predictions();
    window
}

#[test]
fn another_fact_is_traced_and_compared_in_the_inverses_place() {
    let mut window = open();
    assert_eq!(window.rows(), [FRANCE, ITALY].map(|it| Some(window.prompt_of(it))));
    window.sees("Other fact");
    window.does(Command::ShowDifference(true));
    window.click("Trace");
    window.trace_ends();
    window.sees("Fact − other fact");

    window.does(Command::Study(Pane::Comparison));
    window.wait("the comparison", |app| app.state.result(Pane::Comparison).is_some());
    let spec = window.app().state.spec_of(Pane::Comparison, Row::First).unwrap();
    let AnalysisSpec::Comparison(spec) = spec else { panic!("{spec:?}") };
    assert_eq!((&*spec.inverse.text, spec.second), (window.prompt_of(ITALY), Second::Fact));
    assert!(spec.right.iter().all(|it| it.len() == 1));
    let figure = window.app().figure(Pane::Comparison).unwrap();
    assert!(figure.title.starts_with("A fact beside another"), "{}", figure.title);
    assert!(!format!("{figure:?}").to_lowercase().contains("inverse"));

    // What was found is the fact's own, wherever it stands.
    window.does(Command::DropBeside);
    window.does(Command::Select(ITALY));
    assert_eq!(window.trace_state(), Some(RunState::Done));
}

#[test]
fn a_kept_fact_stays_while_others_are_chosen() {
    let mut window = Window::open();
    window.does(Command::Select(ITALY));
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::B);
    window.harness.run_steps(3);
    window.does(Command::Select(FRANCE));
    assert_eq!(window.rows(), [FRANCE, ITALY].map(|it| Some(window.prompt_of(it))));
    // It can be looked at as an inverse can, and choosing a fact looks at that one.
    window.does(Command::Flip);
    assert_eq!(window.app().state.fact().unwrap().prompt, window.prompt_of(ITALY));
    window.wait_for_predictions();
    window.does(Command::NextFact);
    assert_eq!(window.app().state.row, Row::First);

    window.does(Command::Undo);
    window.does(Command::DropBeside);
    assert_eq!(window.app().state.beside, None);
    window.does(Command::Undo);
    assert_eq!(
        window.app().state.beside,
        Some(Beside { fact: ITALY, direction: Direction::Forward })
    );

    // Another dataset has other facts at its place.
    let other = window.file("other.json", FACTS);
    window.drop(other);
    window.wait("the facts", |app| {
        app.state.facts.dataset_path().is_some_and(|path| path.ends_with("other.json"))
    });
    assert_eq!(window.app().state.beside, None);
}

#[test]
fn a_click_with_ctrl_puts_a_fact_beside_the_chosen_one() {
    let mut window = Window::open();
    window.does(Command::Select(FRANCE));
    let label = {
        let fact = &window.app().state.facts.get(ITALY).unwrap().fact;
        format!("{} → {}", fact.prompt, fact.answer.as_ref().unwrap())
    };
    let row = egui_kittest::kittest::Queryable::get_by_label(&window.harness, &label);
    row.click_modifiers(Modifiers::COMMAND);
    window.harness.run_steps(3);
    assert_eq!(window.app().state.selected, Some(FRANCE));
    assert_eq!(window.app().state.beside.unwrap().fact, ITALY);
    window.sees(", kept beside");
}

#[test]
fn a_session_keeps_what_stands_beside() {
    let mut window = open();
    let path = window.dir.path().join("pair.factscope");
    window.click("Trace");
    window.trace_ends();
    window.does(Command::SaveSessionTo(path.clone()));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));

    let options = factscope::ui::Options { session: Some(path), ..Default::default() };
    let mut again = Window::new(options, None);
    again.wait("the session", |app| app.state.session.is_some());
    assert_eq!(again.rows(), window.rows());
    assert_eq!(again.app().state.n_found, 0, "something was computed");
    for row in Row::BOTH {
        let [now, then] =
            [&again, &window].map(|it| it.app().state.trace(row).unwrap().result.clone());
        assert_eq!(now, then);
    }
}
