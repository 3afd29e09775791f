//! A person at the window: opening, searching, choosing, tracing, cancelling, saving.

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::AnalysisResult;
use factscope::analysis::causal_trace::Component;
use factscope::facts::Direction;
use factscope::population::KnownBy;
use factscope::tokens::Bos;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::{FactId, Filter, Known, ModelState, Order, RunState, Settings};
use factscope::ui::{App, Options};

use super::support::{FACTS, FakePicker, SIZE, Window, tiny};

#[test]
fn an_empty_window_says_what_to_do() {
    let mut window = Window::new(Options::default(), None);
    window.harness.run_steps(2);
    window.sees("Open a model folder and a dataset of facts, or drop them here");
    // The program brings a model and facts with it.
    window.click("Built-in model");
    window.wait("the built-in model and its facts", |app| {
        app.state.info().is_some() && app.state.facts.dataset.is_some()
    });
}

#[test]
fn a_fact_is_searched_asked_and_traced() {
    let mut window = Window::open();
    assert_eq!(window.app().state.selected, Some(FactId::Record(0)));
    window.sees("subject = `subject`, answer = `target_true`, template = `prompt`");
    window.sees("1 left out");

    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::F);
    window.harness.run_steps(2);
    window.type_into("Search facts", "FRANCE p36");
    assert_eq!(window.app().state.facts.found(), [FactId::Record(1)]);
    window.click("The capital of France is → Paris");
    assert_eq!(window.app().state.selected, Some(FactId::Record(1)));
    window.wait_for_predictions();
    window.sees("Next token");

    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.trace_state(), Some(RunState::Done));
    window.sees("Complete");
    let n_pos = window.app().state.prompt().unwrap().n_pos();
    assert_eq!(window.trace().unwrap().restored.n_columns(), n_pos);

    let map = window.harness.get_all_by_role(Role::Canvas).next().unwrap().rect();
    window.harness.hover_at(map.center());
    window.harness.step();
    window.harness.drag_at(map.center());
    window.harness.drop_at(map.center());
    window.harness.run_steps(2);
    let selection = window.app().state.selection;
    assert!(selection.layer.is_some() && selection.position.is_some(), "{selection:?}");
}

#[test]
fn a_fact_and_its_inverse_are_looked_at_side_by_side() {
    let mut window = Window::open();
    let with_inverse = r#"[{"case_id": 1, "requested_rewrite": {"prompt": "The capital of {} is",
        "relation_id": "P36", "target_true": {"str": "Paris"}, "subject": "France"},
        "inverse": {"prompt": "{} is the capital of", "target_true": {"str": "France"},
        "subject": "Paris", "answers": ["France", "the French"]}},
        {"case_id": 2, "requested_rewrite": {"prompt": "The mother tongue of {} is",
        "relation_id": "P103", "target_true": {"str": "French"}, "subject": "Edith Piaf"}},
        {"case_id": 3, "requested_rewrite": {"prompt": "The colour of {} is",
        "relation_id": "none", "target_true": {"str": "blue"}, "subject": "the sky"}}]"#;
    let facts = window.file("pairs.json", with_inverse);
    window.drop(facts);
    window.wait("the facts", |app| {
        app.state.facts.dataset_path().is_some_and(|path| path.ends_with("pairs.json"))
    });
    window.wait_for_predictions();
    window.wait_for_label("one of 2 right answers");
    window.click("Trace");
    window.trace_ends();
    let trace_of = |window: &Window, row| {
        let run = window.app().state.trace(row).unwrap();
        match run.result.as_deref() {
            Some(AnalysisResult::CausalTrace(trace)) => trace.prompt.text.clone(),
            other => panic!("no trace: {other:?}"),
        }
    };
    assert_eq!(trace_of(&window, Row::First), "The capital of France is");
    assert_eq!(trace_of(&window, Row::Second), "Paris is the capital of");
    assert_eq!(window.harness.get_all_by_role(Role::Canvas).count(), 2);

    // The views beside the maps follow.
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::I);
    window.harness.run_steps(2);
    window.wait_for_predictions();
    assert_eq!(window.app().state.row, Row::Second);
    assert_eq!(window.app().state.prompt().unwrap().text, "Paris is the capital of");

    // An inverse that the file lacks is written from the catalogue, and says so.
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::ArrowDown);
    window.harness.run_steps(2);
    window.wait_for_predictions();
    window.sees("generated");

    // Without an inverse the fact is looked at forward again.
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::ArrowDown);
    window.harness.run_steps(2);
    window.wait_for_predictions();
    assert_eq!(window.app().state.row, Row::First);
    assert_eq!(window.app().state.rows().count(), 1);
}

#[test]
fn the_list_shows_and_filters_by_what_the_model_knows() {
    let mut window = Window::open();
    window.wait("recall", |app| {
        let (done, total) = app.state.facts.recall().progress();
        done == total
    });
    let state = &window.app().state;
    let (n_known, n_measured) = state.facts.recall().count(Direction::Forward, KnownBy::FIRST);
    assert_eq!(n_measured, 3);
    assert_eq!(state.facts.recall().count(Direction::Inverse, KnownBy::FIRST).1, 3);

    let filter = Filter { known: Some(Known::Forward), ..Filter::default() };
    window.harness.state_mut().state.facts.set_filter(filter);
    assert_eq!(window.app().state.facts.found().len(), n_known);
    let filter = Filter { relation: Some("P36".to_owned()), ..Filter::default() };
    window.harness.state_mut().state.facts.set_filter(filter);
    assert_eq!(window.app().state.facts.found(), [FactId::Record(1), FactId::Record(2)]);
    let filter = Filter { order: Order::Rank, ..Filter::default() };
    window.harness.state_mut().state.facts.set_filter(filter);
    let ranks: Vec<u32> = window
        .app()
        .state
        .facts
        .found()
        .iter()
        .map(|id| match id {
            FactId::Record(nth) => {
                window.app().state.facts.recall().get(*nth, Direction::Forward).unwrap().rank
            }
            _ => panic!("nothing was typed"),
        })
        .collect();
    assert!(ranks.is_sorted(), "{ranks:?}");
}

#[test]
fn what_was_traced_is_there_when_one_comes_back() {
    let mut window = Window::open();
    window.click("Trace");
    window.trace_ends();
    window.click("MLP");
    assert!(window.trace().is_none());
    window.harness.key_press(Key::F5);
    window.harness.run_steps(2);
    window.trace_ends();
    assert_eq!(window.trace().unwrap().spec.component, Component::Mlp);

    window.click("Hidden state");
    assert_eq!(window.trace_state(), Some(RunState::Done));
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::ArrowDown);
    window.harness.run_steps(2);
    assert_eq!(window.app().state.selected, Some(FactId::Record(1)));
    assert!(window.trace().is_none());
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::ArrowUp);
    window.harness.run_steps(2);
    assert_eq!(window.trace_state(), Some(RunState::Done));
    assert_eq!(window.app().state.jobs.asked().count(), 0);
}

#[test]
fn a_cancelled_trace_keeps_what_it_found() {
    let mut window = Window::open();
    window.harness.state_mut().state.settings.trace.n_samples = 1000;
    window.harness.run_steps(2);
    window.click("Trace");
    window.wait("a first part", |app| {
        app.state.trace(Row::First).is_some_and(|run| run.result.is_some())
    });
    window.click("Cancel");
    window.trace_ends();
    assert_eq!(window.trace_state(), Some(RunState::Cancelled));
    assert!(window.trace().is_some());
    window.sees("Cancelled; partial");
}

#[test]
fn a_fact_and_its_inverse_are_ablated_and_cut() {
    let mut window = Window::open();
    let facts = window.file(
        "pair.json",
        r#"[{"case_id": 1, "requested_rewrite": {"prompt": "The capital of {} is",
        "relation_id": "P36", "target_true": {"str": "Paris"}, "subject": "France"},
        "inverse": {"prompt": "{} is the capital of", "target_true": {"str": "France"},
        "subject": "Paris", "answers": ["France"]}}]"#,
    );
    window.drop(facts);
    window.wait("the facts", |app| {
        app.state.facts.dataset_path().is_some_and(|path| path.ends_with("pair.json"))
    });
    window.wait_for_predictions();
    for (pane, button) in [(Pane::Ablation, "Ablate"), (Pane::Knockout, "Cut attention")] {
        window.show(pane);
        window.click(button);
        window.wait("both rows", |app| {
            Row::BOTH.into_iter().all(|row| {
                let study = app.state.run(pane, row);
                study.is_some_and(|study| study.state == RunState::Done)
            })
        });
        window.sees("Complete");
    }
    // The inverse's subject is its first word.
    window.sees("The subject is at position 0");
    assert_eq!(window.harness.get_all_by_label_contains("Attention knockout").count(), 4);

    // Neurons are drawn from their figure, with the estimates that they were chosen by.
    window.show(Pane::Ablation);
    window.click("Neurons");
    window.click("Ablate");
    window.wait("the neurons", |app| {
        let study = app.state.run(Pane::Ablation, Row::First);
        study.is_some_and(|study| study.state == RunState::Done)
    });
    window.sees("Estimated against ablated");
    window.sees("without each neuron");

    // There is no other fact to resample from, and the window says so.
    window.show(Pane::Ablation);
    window.harness.get_by_role_and_label(Role::ComboBox, "Put in").click();
    window.harness.run_steps(2);
    window.click("a resample");
    window.sees("to resample from; replace by zeros or by the mean");
}

#[test]
fn an_estimate_is_there_before_the_trace_is() {
    let mut window = Window::open();
    window.harness.state_mut().state.settings.trace.n_samples = 1000;
    window.harness.run_steps(2);
    window.click("Trace");
    window
        .wait("the estimate", |app| app.state.preview_of(Row::First, Component::Hidden).is_some());
    assert!(matches!(window.trace_state(), Some(RunState::Running(_))));
    window.harness.run_steps(2);
    let restored = &window.trace().unwrap().restored;
    assert!(restored.values().iter().any(Vec::is_empty), "the trace is over already");
    window.harness.get_all_by_label_contains("dotted are estimates").next().unwrap();
    window.click("Cancel");
    window.trace_ends();
    window.harness.get_all_by_label_contains("dotted are estimates").next().unwrap();
}

#[test]
fn bos_is_one_more_position() {
    let mut window = Window::open();
    let n_pos = window.app().state.prompt().unwrap().n_pos();
    window.harness.get_by_role_and_label(Role::ComboBox, "BOS").click();
    window.harness.run_steps(2);
    window.click("TransformerLens (BOS)");
    assert_eq!(window.app().state.settings.bos, Bos::On);
    assert_eq!(window.app().state.prompt().unwrap().n_pos(), n_pos + 1);
    window.wait_for_predictions();
}

/// What the system keeps of a window.
#[derive(Default)]
struct Memory(BTreeMap<String, String>);

impl eframe::Storage for Memory {
    fn get_string(&self, key: &str) -> Option<String> {
        self.0.get(key).cloned()
    }

    fn set_string(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), value);
    }

    fn remove_string(&mut self, key: &str) {
        self.0.remove(key);
    }

    fn flush(&mut self) {}
}

impl Memory {
    /// A window that remembers it.
    fn open(self) -> Harness<'static, App> {
        let memory: &'static Self = Box::leak(Box::new(self));
        Harness::builder().build_eframe(|cc| {
            cc.storage = Some(memory);
            App::new(cc, &Options::default(), Arc::new(FakePicker::of(None))).unwrap()
        })
    }
}

#[test]
fn settings_outlive_the_window() {
    let mut window = Window::open();
    window.click("MLP");
    window.harness.get_by_role_and_label(Role::ComboBox, "BOS").click();
    window.harness.run_steps(2);
    window.click("TransformerLens (BOS)");
    window.does(Command::SetSpecText("{".to_owned()));
    let mut memory = Memory::default();
    eframe::App::save(window.harness.state_mut(), &mut memory);

    let harness = memory.open();
    let state = &harness.state().state;
    assert_eq!(state.settings, window.app().state.settings);
    assert_eq!(state.preferences, window.app().state.preferences);
    assert_eq!(state.settings.bos, Bos::On);
    assert_eq!(state.settings.trace.component, Component::Mlp);
    assert_eq!(state.preferences.recent_models, [tiny()]);
    assert_eq!(state.spec.text(), "{");
}

/// Earlier versions kept them as eframe does.
#[test]
fn settings_in_another_form_are_told_of() {
    let kept = "(bos:on,trace:(component:mlp,n_samples:3))";
    let memory = Memory([("settings".to_owned(), kept.to_owned())].into());
    let harness = memory.open();
    let state = &harness.state().state;
    assert_eq!(state.settings, Settings::default());
    let told = state.error.as_ref().expect("the window says so");
    assert!(format!("{told:?}").contains("at the first start: settings"), "{told:?}");
}

#[test]
fn a_wrong_dataset_is_reported_and_the_old_one_stays() {
    let mut window = Window::open();
    let wrong = window.file("wrong.json", r#"{"not": "a list"}"#);
    window.drop(wrong.clone());
    window.wait("the error", |app| app.state.error.is_some());
    window.sees("No facts were found: it is an object with `not`");
    window.sees("wrong.json");
    assert_eq!(window.app().state.facts.len(), 3);
    window.click("Dismiss");
    assert_eq!(window.app().state.error, None);
}

#[test]
fn a_broken_model_is_reported_and_the_old_one_stays() {
    let mut window = Window::open();
    let config = window.file("config.json", r#"{"model_type": "llama"}"#);
    window.drop(config.parent().unwrap().to_owned());
    window.wait("the error", |app| app.state.error.is_some());
    window.sees("The model tiny is still open");
    assert_eq!(window.app().state.facts.len(), 3);
    window.wait_for_predictions();

    let mut window = Window::new(Options::default(), None);
    window.drop(config.parent().unwrap().to_owned());
    window.wait("the error", |app| app.state.error.is_some());
    window.sees("No model is open now");
    assert!(matches!(window.app().state.model, ModelState::None));
}

#[test]
fn what_is_dropped_is_opened_as_what_it_is() {
    let mut window = Window::new(Options::default(), None);
    window.drop(tiny());
    window.wait("the model", |app| app.state.info().is_some());
    assert_eq!(window.app().state.info().unwrap().name, "tiny");
    let notes = window.file("notes.pdf", "no facts");
    window.drop(notes);
    window.harness.run_steps(2);
    window.sees("neither a model folder");
    // A slip does not cost the model.
    assert!(window.app().state.info().is_some());

    // A model may be a file, and is found again among the recent ones.
    let small = tiny().with_file_name("formats/gguf/small.gguf");
    window.drop(small.clone());
    window.wait("the file", |app| app.state.info().is_some_and(|it| it.name == "small"));
    assert_eq!(window.app().state.preferences.recent_models[0], small);
}

#[test]
fn without_a_system_dialog_a_path_can_be_typed() {
    let mut window = Window::open();
    let facts = window.file("more.json", FACTS);
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::O);
    window.wait_for_label("Dataset file");
    window.sees("This system shows no file dialog");
    window.retype("Dataset file", "/nowhere/at/all.json");
    window.harness.key_press(Key::Enter);
    window.harness.run_steps(3);
    window.sees("There is no such file: /nowhere/at/all.json");
    window.retype("Dataset file", facts.to_str().unwrap());
    window.harness.key_press(Key::Enter);
    window.wait("the dataset", |app| app.state.facts.dataset_path() == Some(&facts));

    window.harness.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::O);
    window.wait_for_label("Model folder or file");
    window.harness.key_press(Key::Escape);
    window.harness.run_steps(3);
    assert!(window.harness.query_by_label("Model folder or file").is_none());
}

#[test]
fn a_picked_dataset_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let facts = dir.path().join("facts.json");
    std::fs::write(&facts, FACTS).unwrap();
    let mut window = Window::new(Options::default(), Some(facts.clone()));
    window.harness.run_steps(2);
    window.click("Open dataset…");
    window.wait("the dataset", |app| app.state.facts.dataset_path() == Some(&facts));
    window.sees("No model is open");
}

#[test]
fn a_typed_fact_is_asked() {
    let mut window = Window::open();
    window.click("Type a fact");
    // It unfolds.
    window.harness.run_steps(8);
    window.type_into("Prompt", "The sea is ");
    window.type_into("Subject", "moon");
    window.click("Analyse");
    window.sees("The subject “moon” does not occur");
    window.retype("Subject", "sea");
    window.click("Analyse");
    assert_eq!(window.app().state.selected, Some(FactId::Typed(0)));
    assert_eq!(window.app().state.prompt().unwrap().text, "The sea is");
    window.wait_for_predictions();
    // Without an answer, the model's own first guess is traced.
    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.trace_state(), Some(RunState::Done));

    // With one, it says whether the model knows it.
    window.type_into("Answer", "blue");
    window.click("Analyse");
    window.wait_for_predictions();
    window.sees("not recalled");
}

#[test]
fn a_screenshot_is_a_png_of_the_window() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("window.png");
    let options = Options { model: Some(tiny()), ..Options::default() };
    let mut window = Window::new(options, Some(path.clone()));
    window.wait("the model", |app| app.state.info().is_some());
    window.harness.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::ALT), Key::S);
    window.wait("the picture", |app| {
        app.state.notice.as_deref().is_some_and(|notice| notice.starts_with("Saved"))
    });
    let image = image::open(&path).unwrap().into_rgb8();
    assert_eq!(image.dimensions(), (SIZE.x as u32, SIZE.y as u32));
    let first = *image.get_pixel(0, 0);
    assert!(image.pixels().any(|pixel| *pixel != first), "an empty picture");
}

#[test]
fn a_screenshot_can_be_taken_unattended() {
    let dir = tempfile::tempdir().unwrap();
    let (path, facts) = (dir.path().join("window.png"), dir.path().join("facts.json"));
    std::fs::write(&facts, FACTS).unwrap();
    let options = Options {
        model: Some(tiny()),
        facts: Some(facts),
        case: Some("9".to_owned()),
        trace: Some(Component::Attn),
        screenshot: Some(path.clone()),
        ..Options::default()
    };
    let mut window = Window::new(options, None);
    let outcome = window.app().outcome().unwrap();
    window.wait("the errand", |_| outcome.lock().unwrap().is_some());
    assert_eq!(*outcome.lock().unwrap(), Some(Ok(())));
    assert!(path.is_file());
    assert_eq!(window.app().state.selected, Some(FactId::Record(2)));
    assert_eq!(window.trace().unwrap().spec.component, Component::Attn);
}

#[test]
fn a_view_that_needs_the_noise_is_asked_unattended_once_it_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let facts = dir.path().join("facts.json");
    std::fs::write(&facts, FACTS).unwrap();
    let (model, pane) = (Some(tiny()), Some(Pane::Bench));
    let options = Options { model, facts: Some(facts), pane, ..Options::default() };
    let mut window = Window::new(options, None);
    window.wait("the bench", |app| app.state.result(Pane::Bench).is_some());
    assert_eq!(window.app().state.error, None);
}
