//! Which facts the model knows, asked in the background: what is seen first, the rest when it takes little or
//! is asked for, and never before what a person asks.

use std::fmt::Write as _;

use egui_kittest::kittest::Queryable as _;
use factscope::analysis::AnalysisCtx;
use factscope::facts::Direction;
use factscope::population::{Entry, KnownBy, Selection, Survey, Ways, Wordings};
use factscope::task::TaskCtx;
use factscope::tokens::Bos;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::{FactId, Filter, JobKind, Known, Recalled};
use factscope::worker::{DeviceChoice, Engine};

use super::support::{Window, tiny};

/// The facts of the long list. Each is asked one way, since none has an inverse.
const N_FACTS: usize = 2000;

/// How many questions a small model is given ahead.
const N_AHEAD: usize = 16;

fn many_facts() -> String {
    let mut facts = String::from("prompt,subject,answer\n");
    for nth in 0..N_FACTS {
        writeln!(facts, "{{}} is in,Town {nth},Peru").unwrap();
    }
    facts
}

/// Many facts, with the tiny model, which counts as a slow one.
fn slow() -> Window {
    let options = Options { model: Some(tiny()), ..Options::default() };
    let mut window = Window::new(options, None);
    window.harness.state_mut().state.pace.recall_secs = 0.0;
    let facts = window.file("facts.csv", &many_facts());
    window.drop(facts);
    window.wait("the model and the facts", |app| {
        app.state.info().is_some() && app.state.subjects.is_some()
    });
    window.wait_for_predictions();
    window
}

/// Of each fact, both ways.
type Answers = Vec<[Option<Recalled>; 2]>;

impl Window {
    fn answers(&self) -> Answers {
        let facts = &self.app().state.facts;
        (0..facts.len()).map(|nth| Direction::ALL.map(|it| facts.recall().get(nth, it))).collect()
    }

    fn n_open(&self) -> usize {
        self.app().state.facts.recall().n_open()
    }

    fn is_idle(&mut self) {
        self.wait("all jobs", |app| app.state.jobs.iter().next().is_none());
        self.harness.run_steps(3);
        self.wait("all jobs", |app| app.state.jobs.iter().next().is_none());
    }
}

/// The list does not wait for its own question where the prediction of the chosen fact is there already.
#[test]
fn the_chosen_fact_is_known_as_its_prediction_says() {
    let mut window = slow();
    window.is_idle();
    let state = &mut window.harness.state_mut().state;
    let chosen = FactId::Record(0);
    assert_eq!(state.selected, Some(chosen));
    let asked = state.recalled(chosen, Direction::Forward).unwrap();
    state.facts.reset_recall();
    let predicted = state.recalled(chosen, Direction::Forward).unwrap();
    assert_eq!(predicted.rank, asked.rank);
    assert!((predicted.prob - asked.prob).abs() < 1e-6 * asked.prob, "{predicted:?}, {asked:?}");
    assert_eq!(state.recalled(FactId::Record(1), Direction::Forward), None, "nobody asked");
}

#[test]
fn only_what_is_seen_is_asked_where_all_would_take_long() {
    let mut window = slow();
    window.is_idle();
    let recall =
        |window: &Window, nth| window.app().state.facts.recall().get(nth, Direction::Forward);
    assert!(recall(&window, 0).is_some() && recall(&window, 5).is_some());
    assert!(recall(&window, 199).is_none());
    window.sees("not asked yet");
    window.sees("Ask all, ");

    // What is scrolled to is asked.
    window.does(Command::SearchFacts("Town 199".to_owned()));
    window.is_idle();
    assert!(recall(&window, 199).is_some());
    window.does(Command::SearchFacts(String::new()));
    window.is_idle();
    let n_open = window.n_open();
    assert!(n_open > 100, "{n_open}");

    // The rest when somebody asks for it, with a way to stop and to go on.
    window.does(Command::AskAllFacts(true));
    window.wait("some answers", |app| app.state.facts.recall().n_open() < n_open);
    window.sees("Stop");
    window.does(Command::AskAllFacts(false));
    window.is_idle();
    let left = window.n_open();
    assert!(left > 0, "it was stopped in time");
    window.does(Command::AskAllFacts(true));
    window.wait("all answers", |app| app.state.facts.recall().n_open() == 0);
    assert!(window.harness.query_by_label_contains("not asked yet").is_none());
}

#[test]
fn what_a_person_asks_goes_first_and_no_question_is_lost_by_that() {
    let mut window = slow();
    window.does(Command::AskAllFacts(true));
    window.wait("a question on its way", |app| {
        app.state.jobs.iter().any(|(_, job)| matches!(job.kind, JobKind::Recall(..)))
    });
    window.harness.state_mut().command(Command::Trace);
    window.harness.step();
    let is_trace_there = window.app().state.jobs.asked().next().is_some();
    assert!(is_trace_there, "it is not over yet");
    for (_, job) in window.app().state.jobs.iter() {
        if matches!(job.kind, JobKind::Recall(..)) {
            assert!(job.cancel.is_cancelled(), "it would be asked before the trace");
        }
    }
    window.trace_ends();
    window.wait("all answers", |app| app.state.facts.recall().n_open() == 0);
    let recall = window.app().state.facts.recall();
    assert!((0..N_FACTS).all(|nth| recall.get(nth, Direction::Forward).is_some()));
}

/// In the order of the answers, however busy the machine is.
#[test]
fn the_fact_that_is_shown_is_traced_before_the_list_is_asked() {
    let options = Options { model: Some(tiny()), ..Options::default() };
    let mut window = Window::new(options, None);
    let state = &mut window.harness.state_mut().state;
    state.pace.quick_secs = 1e9;
    state.preferences.traces_at_once = true;
    let facts = window.file("facts.csv", &many_facts());
    window.drop(facts);
    window.wait("the trace", |app| {
        let recall = app.state.facts.recall();
        let is_asked = (0..N_FACTS).any(|nth| recall.get(nth, Direction::Forward).is_some());
        assert!(!is_asked, "facts of the list were asked before");
        app.state.trace(Row::First).is_some()
    });
    window.trace_ends();
}

/// A machine that was busy when the model was opened makes its first answers slow.
#[test]
fn what_turns_out_to_be_quick_is_traced_before_the_rest_of_the_list_is_asked() {
    let mut window = slow();
    window.harness.state_mut().state.pace.quick_secs = 0.0;
    window.does(Command::SetTracesAtOnce(true));
    window.does(Command::AskAllFacts(true));
    window.wait("some answers", |app| app.state.facts.recall().n_open() < N_FACTS - 100);
    assert!(window.app().state.trace(Row::First).is_none());
    let n_open = window.n_open();
    window.harness.state_mut().state.pace.quick_secs = 1e9;
    window.wait("the trace", |app| app.state.trace(Row::First).is_some());
    let n_asked = n_open - window.n_open();
    assert!(n_asked <= 2 * N_AHEAD, "{n_asked} facts were asked before the trace");
    window.trace_ends();
    window.wait("all answers", |app| app.state.facts.recall().n_open() == 0);
}

#[test]
fn the_list_says_of_each_fact_what_the_commands_say() {
    let mut window = Window::open();
    window.wait("recall", |app| app.state.facts.recall().n_open() == 0);
    let ctx = AnalysisCtx::unwatched();
    let cpu = DeviceChoice::Cpu;
    let engine = Engine::load(&tiny(), cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
    let selection = Selection { ways: Ways::Both, ..Selection::default() };
    let dataset = window.app().state.facts.dataset.clone().unwrap();
    let bos = window.app().state.settings.bos;
    let survey =
        Survey::of(&engine, &dataset, &selection, (Wordings::Own, bos), None, &ctx).unwrap();
    assert_eq!(survey.entries.len(), 6, "{survey:?}");
    for entry in &survey.entries {
        let nth = dataset.records.iter().position(|it| it.id == entry.case).unwrap();
        let found = window.app().state.facts.recall().get(nth, entry.direction).unwrap();
        assert_eq!(found.rank as usize, entry.recall.rank);
        assert_eq!(found.prob, entry.recall.prob);
        assert_eq!(found.choice.map(|it| it as usize), entry.recall.choice);
        assert!(found.choice.is_some_and(|it| it <= found.rank));
    }

    // The list and its filter go by what is chosen, and say so.
    let forward: Vec<&Entry> =
        survey.entries.iter().filter(|it| it.direction == Direction::Forward).collect();
    let worst = forward.iter().map(|it| it.recall.rank).max().unwrap();
    for known_by in [KnownBy::FIRST, KnownBy::Rank(worst), KnownBy::Choice] {
        let n = forward.iter().filter(|it| it.recall.is_known(known_by)).count();
        let filter = Filter { known: Some(Known::Forward), known_by, ..Filter::default() };
        window.does(Command::FilterFacts(Box::new(filter)));
        assert_eq!(window.app().state.facts.found().len(), n, "{known_by}");
    }
    assert!(worst > 0, "one of them is not the first guess");
    window.does(Command::FilterFacts(Box::new(Filter {
        known_by: KnownBy::Choice,
        ..Filter::default()
    })));
    window.click("Filter and sort ●");
    window.sees("by choice among the relation's answers");
    assert_eq!(window.app().state.facts.found().len(), 3);
}

/// A person who has waited for all answers need not wait again.
#[test]
fn what_the_model_knows_is_kept_for_each_bos_and_each_change_of_it_and_in_sessions() {
    let (mut window, _dir, path) = Window::to_be_saved();
    let all = |window: &mut Window| {
        window.does(Command::AskAllFacts(true));
        window.wait("all answers", |app| {
            app.state.facts.recall().n_open() == 0 && app.state.jobs.iter().next().is_none()
        });
        window.answers()
    };
    let is_kept = |window: &Window, before: &Answers| assert_eq!(window.answers(), *before);
    let without = all(&mut window);
    window.does(Command::SetBos(Bos::On));
    assert!(window.app().state.facts.recall().n_open() > 0);
    let with = all(&mut window);
    assert_ne!(with, without);
    window.does(Command::SetBos(Bos::Off));
    is_kept(&window, &without);
    window.does(Command::Undo);
    is_kept(&window, &with);
    window.does(Command::SetBos(Bos::Off));

    window.does(Command::Study(Pane::Steering));
    window.is_idle();
    window.does(Command::ApplyEdit(Pane::Steering));
    window.is_idle();
    let changed = all(&mut window);
    window.does(Command::SaveSessionTo(path.clone()));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));
    let options = Options { session: Some(path), ..Options::default() };
    let mut again = Window::new(options, None);
    again.wait("the session", |app| app.state.session.is_some());
    again.is_idle();
    is_kept(&again, &changed);
    again.does(Command::DropEdits);
    again.is_idle();
    is_kept(&again, &without);
    again.does(Command::SetBos(Bos::On));
    is_kept(&again, &with);
}
