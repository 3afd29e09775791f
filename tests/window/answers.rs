//! A fact with several right answers: the list, the header, what is found of it and sweeps are of one of
//! them, and say of which.

use egui_kittest::kittest::Queryable as _;
use factscope::analysis::AnalysisResult;
use factscope::facts::Direction;
use factscope::population::Task;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::{Estimated, FactId};
use tempfile::TempDir;

use super::support::Window;

/// Of its inverse, “A person whose mother tongue was German is”, seven answers are right. The built-in
/// model gives another than the fact's own.
const EINSTEIN: &str = "949";
const OWN: &str = "Albert Einstein";
const LIKELIEST: &str = "Max Planck";

/// The built-in model with its facts, of which this one is chosen, and a folder for sweeps.
fn open() -> (Window, TempDir, FactId) {
    let (mut window, home) = Window::with_sweeps();
    let fact = window.app().state.facts.find(EINSTEIN).unwrap();
    window.does(Command::Select(fact));
    window.does(Command::LookAt(Row::Second));
    window.wait_for_predictions();
    (window, home, fact)
}

impl Window {
    /// The answers that the header's prediction and the trace of the inverse are of.
    fn answers_found(&self) -> [String; 2] {
        let state = &self.app().state;
        let prediction = state.run(Pane::Prediction, Row::Second).unwrap();
        let trace = state.trace(Row::Second).unwrap();
        [prediction, trace].map(|run| {
            let prompt = run.result.as_deref().unwrap().prompt().unwrap();
            prompt.answer.as_ref().unwrap().text.trim().to_owned()
        })
    }

    fn token_text(&self, id: u32) -> String {
        self.app().state.info().unwrap().tokenizer.shown(id)
    }

    /// The first token of the answer that the inverse's map in *Fact vs inverse* is of, and of the one that
    /// it is judged by.
    fn answers_compared(&mut self) -> [u32; 2] {
        self.does(Command::Study(Pane::Comparison));
        self.wait("the comparison", |app| {
            let run = app.state.run(Pane::Comparison, Row::First);
            run.is_some_and(|run| run.is_done())
        });
        let result = self.app().state.run(Pane::Comparison, Row::First).unwrap().result.clone();
        let Some(AnalysisResult::Comparison(it)) = result.as_deref() else { panic!("{result:?}") };
        [it.prompts[1].answer.as_ref().unwrap().first(), it.recall[1].right.id]
    }
}

#[test]
fn list_header_trace_comparison_and_sweep_are_of_one_right_answer() {
    let (mut window, _home, fact) = open();
    let inverse = (fact, Direction::Inverse);
    window.does(Command::Trace);
    window.trace_ends();

    // The list.
    let recalled = window.app().state.recalled(fact, Direction::Inverse).unwrap();
    let answers = window.app().state.facts.get(fact).unwrap().answers(Direction::Inverse).to_vec();
    let place = |answer: &str| answers.iter().position(|it| it == answer).unwrap();
    assert_eq!((recalled.rank, recalled.answer), (0, Some(place(LIKELIEST) as u32)));
    let own_rank = recalled.own_rank.unwrap();
    assert!(own_rank > 0);

    // The header, what is shown unasked, the trace, and what is told of it.
    window.sees(&format!("recalled as {LIKELIEST}, p "));
    window.sees(&format!("this fact's own: {OWN}, rank {}", own_rank + 1));
    assert_eq!(window.answers_found(), [LIKELIEST, LIKELIEST]);
    let line = window.app().state.command_line(Pane::Trace).unwrap();
    assert!(line.contains(&format!("--inverse --answer '{LIKELIEST}'")), "{line}");

    let first = window.app().state.prompt().unwrap().answer.as_ref().unwrap().first();
    assert_eq!(window.answers_compared(), [first, first]);
    let asks_likeliest = |window: &Window| {
        let text = window.app().state.experiment_of_many(Pane::Comparison).unwrap();
        text.contains("\"mapped\": \"likeliest\"")
    };
    assert!(asks_likeliest(&window), "each of many facts is compared by its own likeliest answer");

    // A sweep counts the same answer, and says so.
    window.does(Command::SearchFacts("mother tongue of Albert Einstein".to_owned()));
    window.does(Command::Over(Pane::Attribution));
    window.wait("the estimate", |app| {
        let asking = app.state.many.asking.as_ref();
        asking.is_some_and(|it| !matches!(it.estimate, Estimated::Running(_)))
    });
    window.does(Command::StartSweep);
    window.wait("the sweep", |app| {
        let read = app.state.many.open.as_ref().and_then(|it| it.read.as_ref());
        read.is_some_and(|it| it.is_whole())
    });
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    let of_sweep = read.population.facts.iter().find(|it| it.direction == "inverse").unwrap();
    assert_eq!(of_sweep.answer.as_deref(), Some(LIKELIEST));

    // A user who looks at the fact's own answer is told of both, everywhere.
    window.does(Command::AskFor((fact, Direction::Inverse, place(OWN))));
    window.wait_for_predictions();
    window.does(Command::ShowPane(Pane::Trace));
    window.sees(&format!("not recalled as {OWN}: {own_rank} likelier"));
    window.sees(&format!("✔ recalled as {LIKELIEST}, p "));
    window.does(Command::Trace);
    window.trace_ends();
    assert_eq!(window.answers_found(), [OWN, OWN]);
    let own = window.app().state.prompt().unwrap().answer.as_ref().unwrap().first();
    // Its recall is judged by the answer that is asked for.
    assert_eq!(window.answers_compared(), [own, own]);
    assert!(!asks_likeliest(&window));
    let judged = "which is what recall is judged by";
    assert!(window.harness.query_all_by_label_contains(judged).next().is_none());
    let right = format!("Inverse {}; each map", window.token_text(own));
    window.sees(&right);

    // A click on the sweep's fact opens the answer that the sweep counts.
    let task = Task { record: of_sweep.record, direction: Direction::Inverse };
    window.does(Command::AskFactOfSweep(task));
    window.wait("the fact by itself", |app| {
        app.state.swept.is_some() && app.state.result(Pane::Attribution).is_some()
    });
    assert_eq!((window.app().state.selected, window.app().state.row), (Some(fact), Row::Second));
    assert_eq!(window.app().state.answer_of(inverse.0, inverse.1), Some(place(LIKELIEST)));
    window.wait_for_predictions();
    assert_eq!(window.answers_found(), [LIKELIEST, LIKELIEST], "and its trace is kept");
}

#[test]
fn a_session_keeps_which_answer_was_asked_for() {
    let (mut window, home, fact) = open();
    let answers = window.app().state.facts.get(fact).unwrap().answers(Direction::Inverse).to_vec();
    let own = answers.iter().position(|it| it == OWN).unwrap();
    window.does(Command::AskFor((fact, Direction::Inverse, own)));
    window.wait_for_predictions();
    window.does(Command::Trace);
    window.trace_ends();
    let path = home.path().join("a.factscope");
    window.does(Command::SaveSessionTo(path.clone()));
    window.wait("the session", |app| app.state.session.is_some());

    let mut other = Window::new(Options { session: Some(path), ..Options::default() }, None);
    other.wait("the session", |app| app.state.session.is_some());
    other.wait_for_predictions();
    assert_eq!(other.app().state.answer_of(fact, Direction::Inverse), Some(own));
    assert_eq!(other.answers_found(), [OWN, OWN]);

    // Undo takes the choice back where it was made.
    window.harness.run_steps(3);
    window.does(Command::Undo);
    window.wait_for_predictions();
    let likeliest = answers.iter().position(|it| it == LIKELIEST).unwrap();
    assert_eq!(window.app().state.answer_of(fact, Direction::Inverse), Some(likeliest));
    assert!(window.harness.query_by_label_contains("one of 7 right answers").is_some());
}
