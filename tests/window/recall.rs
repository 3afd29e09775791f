//! Which facts the model knows, asked in the background: what is seen first, the rest when it takes little or
//! is asked for, and never before what a person asks.

use std::fmt::Write as _;

use egui_kittest::kittest::Queryable as _;
use factscope::analysis::AnalysisCtx;
use factscope::facts::Direction;
use factscope::population::{Entry, KnownBy, Selection, Survey, Ways, Wordings};
use factscope::task::TaskCtx;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::state::{Filter, JobKind, Known};
use factscope::worker::{DeviceChoice, Engine};

use super::support::{Window, tiny};

/// Many facts, with the tiny model, which counts as a slow one.
fn slow() -> Window {
    let mut facts = String::from("prompt,subject,answer\n");
    for nth in 0..2000 {
        writeln!(facts, "{{}} is in,Town {nth},Peru").unwrap();
    }
    let options = Options { model: Some(tiny()), ..Options::default() };
    let mut window = Window::new(options, None);
    window.harness.state_mut().state.pace.recall_secs = 0.0;
    let facts = window.file("facts.csv", &facts);
    window.drop(facts);
    window.wait("the model and the facts", |app| {
        app.state.info().is_some() && app.state.subjects.is_some()
    });
    window.wait_for_predictions();
    window
}

impl Window {
    fn n_open(&self) -> usize {
        self.app().state.facts.recall().n_open()
    }

    fn is_idle(&mut self) {
        self.wait("all jobs", |app| app.state.jobs.iter().next().is_none());
        self.harness.run_steps(3);
        self.wait("all jobs", |app| app.state.jobs.iter().next().is_none());
    }
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
    assert!((0..2000).all(|nth| recall.get(nth, Direction::Forward).is_some()));
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
    let survey = Survey::of(&engine, &dataset, &selection, Wordings::Own, bos, &ctx).unwrap();
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
