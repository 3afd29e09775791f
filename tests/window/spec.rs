//! Experiments as text: filled in, told what is wrong, carried out.

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::{AnalysisResult, AnalysisSpec, logit_lens, prediction};
use factscope::experiment::{Datasets, Experiment, FactSource, Library, Written};
use factscope::ui::Options;
use factscope::ui::command::{ClosingAnswer, Command};
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::RunState;
use factscope::worker::Which;

use super::models::{open as open_two, rounded};
use super::support::Window;

impl Window {
    fn spec_text(&self) -> &str {
        self.app().state.spec.text()
    }

    fn set_spec_text(&mut self, text: &str) {
        self.harness.state_mut().state.spec.set_text(text.to_owned());
        self.show(Pane::Spec);
    }

    #[track_caller]
    fn experiment(&self) -> Experiment {
        Experiment::parse(self.spec_text(), std::path::Path::new("")).unwrap()
    }

    fn press_run(&mut self) {
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
        self.harness.run_steps(3);
    }

    fn n_labelled(&self, label: &str) -> usize {
        self.harness.query_all_by_label(label).count()
    }

    #[track_caller]
    fn spec_result(&mut self) -> AnalysisResult {
        self.wait("the experiment", |app| {
            app.state.error.is_some()
                || app.state.experiment_run().is_some_and(|run| !run.is_running())
        });
        assert_eq!(self.app().state.error, None);
        let run = self.app().state.experiment_run().unwrap();
        (**run.result.as_ref().unwrap()).clone()
    }
}

/// An experiment on the open model about the words of the fact that is looked at.
fn about_the_fact(window: &Window, spec: AnalysisSpec) -> String {
    let experiment = window.app().state.experiment(Pane::Prediction).unwrap();
    let fact =
        FactSource::Text((&experiment.fact.question(&Datasets::default()).unwrap().fact).into());
    Experiment { spec, fact, ..experiment }.to_json().unwrap()
}

/// Asks for a trace of the fact that is looked at, of two samples.
fn traced_twice(window: &mut Window) -> String {
    window.harness.state_mut().state.settings.trace.n_samples = 2;
    window.harness.run_steps(2);
    let trace = window.app().state.trace_spec(Row::First).unwrap();
    let text = about_the_fact(window, AnalysisSpec::CausalTrace(trace));
    window.set_spec_text(&text);
    window.press_run();
    text
}

#[test]
fn what_a_view_was_asked_is_changed_as_text_and_asked_again() {
    let mut window = Window::open();
    window.show(Pane::Spec);
    window.sees("Fill it from a view");
    window.harness.state_mut().command(Command::FillSpec(Pane::Prediction));
    window.harness.run_steps(3);
    let filled = window.experiment();
    assert_eq!(filled.spec, window.app().state.experiment(Pane::Prediction).unwrap().spec);
    let FactSource::Record(record) = &filled.fact else { panic!("{filled:?}") };
    assert!(record.sha256.is_some(), "the dataset is named with its hash");
    let AnalysisSpec::Prediction(prediction::Spec { n_top }) = filled.spec else {
        panic!("{filled:?}")
    };
    let more = window.spec_text().replace(&format!("\"n_top\": {n_top}"), "\"n_top\": 3");
    window.set_spec_text(&more);
    window.press_run();
    let AnalysisResult::Prediction(found) = window.spec_result() else {
        panic!("another analysis")
    };
    assert_eq!(found.top.len(), 3);
    let shown = window.app().state.result(Pane::Prediction).unwrap();
    let AnalysisResult::Prediction(shown) = &**shown else { panic!("another analysis") };
    assert_eq!(found.top, shown.top[..3]);
    window.sees("✔ Complete");
    window.sees("Export");

    // As the text is changed, it says that the figure is of another.
    let text = window.spec_text().replace("\"n_top\": 3", "\"n_top\": 4");
    window.set_spec_text(&text);
    window.sees("The figure is of an earlier text");
}

/// The noise is measured on the subjects of the dataset, which the text names.
#[test]
fn a_text_that_says_what_was_meant_is_asked_with_the_ids() {
    let mut window = Window::open();
    window.harness.state_mut().state.settings.trace.n_samples = 2;
    window.wait("the subjects", |app| app.state.trace_spec(Row::First).is_some());
    window.harness.state_mut().command(Command::FillSpec(Pane::Trace));
    window.harness.run_steps(3);
    let text = window.spec_text().to_owned();
    assert!(text.contains("\"meant\": {\"subjects_of\""), "{text}");
    assert!(text.lines().count() < 40, "{text}");
    window.press_run();
    let AnalysisResult::CausalTrace(found) = window.spec_result() else { panic!("no trace") };
    assert_eq!(found.spec, window.app().state.trace_spec(Row::First).unwrap());
    window.sees("✔ Complete");
    let shown = (**window.app().state.result(Pane::Trace).unwrap()).clone();
    assert_eq!(shown, window.spec_result());

    // Another model is named, and what was meant stays in words.
    let dir = window.app().state.info().unwrap().dir.clone();
    let named = format!("{dir:?}");
    window.set_spec_text(&text.replace(&named, "\"/models/gpt2-large\""));
    window.click("Ask the open model instead");
    assert_eq!(window.spec_text(), text);
}

#[test]
fn a_command_line_is_one_line_and_names_the_fact_by_its_case() {
    let mut window = Window::open();
    window.wait("the subjects", |app| app.state.trace_spec(Row::First).is_some());
    let line = window.app().state.command_line(Pane::Trace).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("factscope trace --model "), "{line}");
    for part in [" --facts ", " --case ", " --kind hidden ", " --noise 3s ", " --seed 1 "] {
        assert!(line.contains(part), "{line}");
    }
    window.harness.state_mut().command(Command::FillSpec(Pane::Trace));
    window.harness.run_steps(3);
    let tokenizer = window.app().state.info().unwrap().tokenizer.clone();
    let written = Written::parse(window.spec_text(), std::path::Path::new("")).unwrap();
    assert!(!written.is_resolved());
    let asked = written.resolve(&Library::new(&tokenizer), std::path::Path::new("")).unwrap();
    assert_eq!(asked.spec, window.app().state.experiment(Pane::Trace).unwrap().spec);
    assert_eq!(window.app().state.command_line(Pane::Spec).unwrap(), line);
}

#[test]
fn what_is_wrong_is_said_while_it_is_typed() {
    let mut window = Window::open();
    let spec = AnalysisSpec::LogitLens(logit_lens::Spec::default());
    let text = about_the_fact(&window, spec);
    window.set_spec_text(&text.replace("\"bos\"", "\"boss\""));
    window.sees("column 8: unknown field `boss`, expected one of");
    window.press_run();
    window.sees("Line 3, column 8: unknown field `boss`");
    assert!(window.app().state.experiment_run().is_none(), "nothing is asked");

    window.set_spec_text("{\n  \"model\": \"builtin\",\n}");
    window.sees("column 1: not valid JSON at “}”; take the comma before it away");

    window.set_spec_text(&text);
    assert!(
        window.harness.query_by_label_contains("unknown field").is_none() || {
            // The error of the attempt stays until it is dismissed.
            window.click("Dismiss");
            window.harness.query_by_label_contains("unknown field").is_none()
        }
    );
    let field = window.harness.get_by_role_and_label(Role::MultilineTextInput, "Experiment");
    field.focus();
    window.harness.run_steps(2);
    let field = window.harness.get_by_role_and_label(Role::MultilineTextInput, "Experiment");
    field.type_text("}");
    window.harness.run_steps(2);
    window.sees("Line ");
    window.sees("not valid JSON at");
}

/// The fact's own view shows it, too, and other facts know nothing of it.
#[test]
fn an_experiment_about_the_chosen_fact_is_a_result_of_that_fact() {
    let mut window = Window::open();
    let text = traced_twice(&mut window);
    let found = window.spec_result();
    let shown = window.app().state.result(Pane::Trace).unwrap();
    assert_eq!(**shown, found);

    let other = text.replace("Mac OS was created by", "Mac OS was made by");
    assert_ne!(other, text);
    window.set_spec_text(&other);
    window.press_run();
    let other = window.spec_result();
    assert_ne!(other, found);
    assert_eq!(**window.app().state.result(Pane::Trace).unwrap(), found);
}

#[test]
fn an_experiment_on_another_model_says_so_and_offers_what_to_do() {
    let mut window = Window::open();
    let spec = AnalysisSpec::LogitLens(logit_lens::Spec::default());
    let experiment = window.app().state.experiment(Pane::Prediction).unwrap();
    let asked = Experiment { model: "/models/gpt2-large".into(), spec, ..experiment };
    window.set_spec_text(&asked.to_json().unwrap());
    window.sees("This asks /models/gpt2-large, and tiny is open");
    window.sees("Open its model");
    window.press_run();
    assert!(window.app().state.experiment_run().is_none());
    window.click("Dismiss");
    window.click("Ask the open model instead");
    assert_eq!(window.experiment().model, window.app().state.info().unwrap().dir);
    window.press_run();
    assert!(matches!(window.spec_result(), AnalysisResult::LogitLens(_)));
}

#[test]
fn a_long_experiment_is_stopped_and_keeps_what_it_has_found() {
    let mut window = Window::open();
    let mut trace = window.app().state.trace_spec(Row::First).unwrap();
    trace.n_samples = 4000;
    let text = about_the_fact(&window, AnalysisSpec::CausalTrace(trace));
    window.set_spec_text(&text);
    window.press_run();
    window.wait("a part of the map", |app| {
        app.state.experiment_run().is_some_and(|run| run.result.is_some())
    });
    window.harness.key_press(Key::Escape);
    let AnalysisResult::CausalTrace(found) = window.spec_result() else { panic!("no trace") };
    let run = window.app().state.experiment_run().unwrap();
    assert_eq!(run.state, RunState::Cancelled);
    assert!(found.restored.values().iter().any(Vec::is_empty));
    window.sees("Cancelled; partial");
}

#[test]
fn a_dataset_is_read_for_an_experiment_and_what_lacks_is_said() {
    let mut window = Window::open();
    let text = |case: &str| {
        format!(
            r#"{{"model": {:?}, "fact": {{"record": {{"facts": {:?}, "case": "{case}"}}}},
                "spec": {{"Prediction": {{"n_top": 2}}}}}}"#,
            window.app().state.info().unwrap().dir,
            window.dir.path().join("facts.json"),
        )
    };
    let (right, wrong) = (text("9"), text("77"));
    window.set_spec_text(&right);
    window.press_run();
    let AnalysisResult::Prediction(found) = window.spec_result() else { panic!("another") };
    assert_eq!(found.prompt.text, "The capital of Italy is");
    window.set_spec_text(&wrong);
    window.press_run();
    window.wait("the complaint", |app| app.state.error.is_some());
    window.sees("There is no case 77");
}

#[test]
fn text_is_opened_saved_and_kept_with_the_session() {
    let (mut window, dir, session) = Window::to_be_saved();
    let spec = AnalysisSpec::LogitLens(logit_lens::Spec::default());
    let text = about_the_fact(&window, spec);
    let path = dir.path().join("mine.json");
    std::fs::write(&path, &text).unwrap();
    // An experiment, though it ends as a dataset may.
    window.drop(path);
    window.harness.run_steps(3);
    assert_eq!(window.spec_text(), text);
    assert!(window.app().workspace().is_in_front(Pane::Spec));

    let copy = dir.path().join("copy.json");
    window.harness.state_mut().command(Command::SaveSpec(Pane::Spec));
    window.harness.run_steps(2);
    window.harness.state_mut().command(Command::SaveSpecTo(copy.clone()));
    window.wait("the file", |_| copy.is_file());
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), text);

    window.harness.state_mut().command(Command::SaveSessionTo(session.clone()));
    window.wait("the session", |app| app.state.is_unsaved() == Some(false));
    window.set_spec_text("{}");
    assert_eq!(window.app().state.is_unsaved(), Some(true));
    let options = Options { session: Some(session), ..Options::default() };
    let mut again = Window::new(options, None);
    again.wait("the session", |app| app.state.session.is_some());
    assert_eq!(again.spec_text(), text);
}

/// The second model is named in the text as any other, so a file asks it too.
#[test]
fn one_of_two_models_is_chosen_and_named_with_the_result() {
    let mut window = open_two(rounded());
    let text = traced_twice(&mut window);
    let first = window.spec_result();

    let names = [Which::Main, Which::Beside].map(|it| window.app().state.place_of_model(it));
    let [name, other] = names.map(Option::unwrap);
    assert_eq!((&*name, &*other), ("First model: tiny", "Second model: tiny-bf16"));
    window.click(&other);
    let dir = window.app().state.info_of(Which::Beside).unwrap().dir.clone();
    assert_eq!(window.experiment().model, dir);
    assert_eq!(window.experiment().spec, serde_json::from_value(spec_of(&text)).unwrap());
    // To be chosen, and above the figure, which is still the first model's.
    assert_eq!(window.n_labelled(&name), 2);
    window.sees("The figure is of an earlier text");
    window.press_run();
    let second = window.spec_result();
    assert_ne!(first, second);
    assert_eq!((window.n_labelled(&name), window.n_labelled(&other)), (1, 2));
    // Each is a result of its own row.
    let of = |row| window.app().state.trace(row).unwrap().result.as_deref().cloned();
    let found = [Row::First, Row::Second].map(of);
    assert_eq!(found, [Some(first), Some(second)]);

    window.does(Command::CloseModelBeside);
    window.does(Command::AnswerClosing(ClosingAnswer::Discard));
    assert!(window.app().state.experiment_run().is_none(), "its model is gone");
    window.sees("and tiny is open");
}

fn spec_of(text: &str) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(text).unwrap()["spec"].take()
}

#[test]
fn the_result_of_other_words_is_shown_again_with_the_session() {
    let mut window = open_two(rounded());
    let spec = AnalysisSpec::LogitLens(logit_lens::Spec::default());
    let text = about_the_fact(&window, spec).replace("Mac OS was created by", "Mac OS was made by");
    for which in [Which::Main, Which::Beside] {
        window.set_spec_text(&text);
        window.does(Command::AskOpenModel(which));
        window.press_run();
        let found = window.spec_result();
        assert!(!window.app().state.is_experiment_of_fact());
        let path = window.dir.path().join(format!("{which:?}.factscope"));
        window.does(Command::SaveSessionTo(path.clone()));
        window.wait("the file", |app| app.state.is_unsaved() == Some(false));

        let options = Options { session: Some(path), ..Options::default() };
        let mut again = Window::new(options, None);
        again.wait("the session", |app| app.state.session.is_some());
        again.wait("both models", |app| app.state.info_of(Which::Beside).is_some());
        assert_eq!(again.spec_result(), found);
        again.show(Pane::Spec);
        let name = again.app().state.place_of_model(which).unwrap();
        assert_eq!(again.n_labelled(&name), 2);
        again.sees("✔ Complete");
        again.sees("Mac OS was made by");
        assert_eq!(again.app().state.n_found, 0, "something was computed");
        assert_eq!(again.app().state.is_unsaved(), Some(false));
    }
}
