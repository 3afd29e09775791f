//! Analyses that are asked for: each gives its figure, and the file that is saved of it finds the same.

use std::path::Path;

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::causal_trace::Component;
use factscope::analysis::edge_cut::Edge;
use factscope::analysis::{AnalysisCtx, AnalysisResult, Metric};
use factscope::experiment::{Datasets, Library, Written};
use factscope::figure::Pick;
use factscope::task::TaskCtx;
use factscope::tokens::TokenizedPrompt;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::{Pane, View};
use factscope::ui::row::Row;
use factscope::ui::state::{
    Convention, Drawing, JobKind, LensChoice, Outcome, Paint, RunState, Setting,
};
use factscope::worker::{DeviceChoice, Engine};

use super::support::{Window, tiny};

/// Each has others of as many tokens to stand in for it, both ways.
pub const PAIR: &str = r#"[{"case_id": 1, "requested_rewrite": {"prompt": "The capital of {} is",
    "relation_id": "P36", "target_true": {"str": "Paris"}, "target_new": {"str": "Rome"},
    "subject": "France"}, "inverse": {"prompt": "{} is the capital of",
    "target_true": {"str": "France"}, "subject": "Paris", "answers": ["France"]}},
    {"case_id": 2, "requested_rewrite": {"prompt": "The capital of {} is",
    "relation_id": "P36", "target_true": {"str": "Rome"}, "subject": "Italy"}},
    {"case_id": 3, "requested_rewrite": {"prompt": "The capital of {} is",
    "relation_id": "P36", "target_true": {"str": "Lima"}, "subject": "Peru"},
    "inverse": {"prompt": "{} is the capital of", "target_true": {"str": "Peru"},
    "subject": "Lima", "answers": ["Peru"]}}]"#;

pub fn open() -> Window {
    let mut window = Window::open();
    let facts = window.file("pair.json", PAIR);
    window.drop(facts);
    window.wait("the facts", |app| {
        app.state.facts.dataset_path().is_some_and(|path| path.ends_with("pair.json"))
    });
    window.wait_for_predictions();
    window.wait("the noise", |app| app.state.trace_spec(Row::First).is_some());
    window.harness.state_mut().state.settings.trace.n_samples = 2;
    let head = Pick { layer: Some(1), head: Some(2), position: Some(3) };
    window.harness.state_mut().state.selection = head;
    window.harness.run_steps(3);
    window
}

impl Window {
    #[track_caller]
    pub fn ask(&mut self, pane: Pane) {
        self.harness.state_mut().command(Command::Study(pane));
        self.harness.run_steps(3);
        self.wait(pane.text(), |app| {
            app.state.error.is_some()
                || app.state.rows_of(pane).all(|row| {
                    let study = app.state.run(pane, row);
                    study.is_some_and(|it| !matches!(it.state, RunState::Running(_)))
                })
        });
        assert_eq!(self.app().state.error, None, "{pane:?}");
    }
}

#[test]
fn every_study_gives_a_figure_and_its_file_finds_the_same() {
    let mut window = open();
    let engine = Engine::load(&tiny(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
    let edge = Edge { query: 2, key: 0 };
    window.harness.state_mut().command(Command::Paint(Paint::Add(edge)));
    window.harness.run_steps(2);
    for pane in Pane::ALL.into_iter().filter(|pane| pane.is_study()) {
        window.ask(pane);
        assert!(window.app().workspace().is_in_front(pane), "{pane:?}");
        let state = &window.app().state;
        let found: &AnalysisResult = state.result(pane).unwrap_or_else(|| panic!("{pane:?}"));
        let figure = window.app().figure(pane).unwrap();
        assert!(!figure.title.is_empty() && !figure.charts.is_empty(), "{pane:?}");
        window.sees(&figure.title);

        // As a file, and back.
        let text = state.experiment_text(pane).unwrap();
        let path = Path::new("experiment.json");
        let tokenizer = &engine.info.tokenizer;
        let again = Written::parse(&text, path).unwrap();
        let again = again.resolve(&Library::new(tokenizer), path).unwrap();
        assert_eq!(again.spec, state.experiment(pane).unwrap().spec, "{pane:?}: {text}");
        let question = again.fact.question(&Datasets::default()).unwrap();
        let prompt = TokenizedPrompt::new(tokenizer, &question.fact, again.bos).unwrap();
        let same = engine.run(&prompt, &again.spec, &AnalysisCtx::unwatched()).unwrap();
        // Undefined numbers are equal to nothing, so as text.
        assert_eq!(format!("{same:?}"), format!("{found:?}"), "{pane:?}");
    }
}

#[test]
fn an_edit_is_kept_for_all_views_until_it_is_dropped() {
    let mut window = open();
    let answer = |window: &Window| match &**window.app().state.result(Pane::Prediction).unwrap() {
        AnalysisResult::Prediction(it) => it.answer.as_ref().unwrap().prob,
        other => panic!("{other:?}"),
    };
    let before = answer(&window);
    window.show(Pane::Editing);
    window.click("Use the changed model");
    window.sees("The edit was not tried out. Use the changed model all the same?");
    assert!(window.app().state.edits.is_empty());
    window.click("Use it all the same");
    assert_eq!(window.app().state.edits.len(), 1);
    window.wait_for_predictions();
    window.sees("changed model");
    // Until a further change is made the model is not what the views say.
    let (id, _) = window.harness.state_mut().state.jobs.add(JobKind::Edit);
    window.harness.run_steps(1);
    window.sees("changing model");
    assert!(window.harness.query_by_label("changed model").is_none());
    window.harness.state_mut().state.jobs.end(id, Outcome::Done);
    window.harness.run_steps(1);
    window.sees("changed model");
    let edited = answer(&window);
    assert_ne!(before.to_bits(), edited.to_bits());
    // What is saved says so.
    assert_eq!(window.app().state.experiment(Pane::Trace).unwrap().edits.len(), 1);

    window.click("Back");
    window.wait_for_predictions();
    assert_eq!(answer(&window).to_bits(), before.to_bits());
    assert!(window.app().state.edits.is_empty());
}

#[test]
fn what_cannot_be_asked_says_what_is_missing() {
    let mut window = Window::new(Options { model: Some(tiny()), ..Options::default() }, None);
    let facts = window.file(
        "one.json",
        r#"[{"case_id": 1, "requested_rewrite": {"prompt": "The colour of {} is",
        "relation_id": "none", "target_true": {"str": "blue"}, "subject": "the sky"}}]"#,
    );
    window.drop(facts);
    window.wait("the facts", |app| app.state.facts.dataset.is_some() && app.state.info().is_some());
    window.wait_for_predictions();
    assert_eq!(window.app().state.rows_of(Pane::Patching).next(), Some(Row::First));
    for (pane, says) in [
        (Pane::Patching, "keep another fact beside it"),
        (Pane::Comparison, "keep another fact beside it"),
        (Pane::Editing, "Type what the model is to say instead"),
    ] {
        window.show(pane);
        window.sees(says);
    }
}

#[test]
fn what_one_view_shows_changes_no_number_of_another() {
    let mut window = open();
    let others = || Pane::ALL.into_iter().filter(|pane| pane.view() != View::Trace);
    let asked = |window: &Window| {
        let state = &window.app().state;
        others().map(|pane| (pane, state.spec_of(pane, Row::First).ok())).collect::<Vec<_>>()
    };
    let before = asked(&window);
    assert!(before.iter().filter(|it| it.1.is_some()).count() > 10, "{before:?}");
    for component in [Component::Mlp, Component::Attn, Component::Hidden] {
        window.harness.state_mut().state.settings.trace.component = component;
        assert_eq!(asked(&window), before, "{component:?}");
    }
    let settings = &mut window.harness.state_mut().state.settings;
    settings.set_all_metrics(Metric::Logit);
    settings.attention.drawing = Drawing::Lines;
    settings.trace.own_window = Some(2);
    assert_eq!(asked(&window), before);
}

#[test]
fn a_metric_that_is_chosen_in_one_view_is_shown_in_no_other() {
    let mut window = open();
    let metrics = |window: &Window, but: View| -> Vec<(Pane, Metric)> {
        let panes = Pane::ALL.into_iter().filter(|pane| pane.view() != but);
        panes.map(|pane| (pane, window.app().state.reading(pane).metric)).collect()
    };
    for pane in Pane::ALL.into_iter().filter(|pane| pane.has_results()) {
        let before = metrics(&window, pane.view());
        for metric in [Metric::Logit, Metric::LogProb] {
            let setting = match pane {
                Pane::LogitLens => Setting::Lens(LensChoice { metric, ..LensChoice::default() }),
                _ => Setting::Metric(pane, metric),
            };
            window.does(Command::Set(Box::new(setting)));
            assert_eq!(window.app().state.reading(pane).metric, metric, "{pane:?}");
            assert_eq!(metrics(&window, pane.view()), before, "{pane:?}");
        }
    }
    // All as another program has it, in one step.
    window.does(Command::Match(Convention::TransformerLens));
    let shown = metrics(&window, View::Lens);
    assert!(shown.iter().all(|it| it.1 == Metric::LogitDiff), "{shown:?}");
}

/// The views that have a window of layers, each with one that is set in it alone.
const WITH_A_WINDOW: [Pane; 6] =
    [Pane::Variants, Pane::Bench, Pane::Knockout, Pane::Comparison, Pane::Patching, Pane::Averages];

#[test]
fn a_window_that_is_set_in_one_view_is_that_of_no_other() {
    let mut window = open();
    let asked = |window: &Window| {
        let state = &window.app().state;
        Pane::ALL.map(|pane| (pane, state.spec_of(pane, Row::First).ok()))
    };
    window.show(Pane::Patching);
    window.region(Pane::Patching).get_by_label("MLP").click();
    window.harness.run_steps(3);
    let mut last = asked(&window);
    for pane in WITH_A_WINDOW {
        window.show(pane);
        let view = window.region(pane);
        view.get_by_role_and_label(Role::SpinButton, "Window").focus();
        window.types_into_number("2");
        let now = asked(&window);
        let both = last.iter().zip(&now).filter(|(then, now)| then != now);
        let changed: Vec<Pane> = both.map(|(_, now)| now.0).collect();
        assert_eq!(changed, [pane]);
        last = now;
    }
}

/// What a trace's noise, samples and direction are is said wherever they have a part in the numbers.
#[test]
fn a_view_says_which_settings_of_the_trace_it_takes() {
    let mut window = open();
    let asked = |window: &Window, pane| window.app().state.spec_of(pane, Row::First).ok();
    let before = Pane::ALL.map(|pane| asked(&window, pane));
    let trace = &mut window.harness.state_mut().state.settings.trace;
    (trace.n_samples, trace.seed) = (3, 5);
    let mut n_taking = 0;
    for (pane, before) in Pane::ALL.into_iter().zip(before) {
        if pane.view() == View::Trace && pane != Pane::Variants && pane != Pane::Bench {
            continue;
        }
        if asked(&window, pane) != before {
            window.show(pane);
            window.sees("As the causal trace: ");
            window.sees("3 samples · 3 × σ · numpy · seed 5");
            n_taking += 1;
        }
    }
    assert!(n_taking >= 5, "{n_taking}");
}
