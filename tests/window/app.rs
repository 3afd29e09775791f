//! A person at the window: opening, searching, choosing, tracing, cancelling, saving.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Role;
use eframe::egui::{self, Key, Modifiers, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::AnalysisResult;
use factscope::analysis::causal_trace::{CausalTrace, Component};
use factscope::facts::Direction;
use factscope::tokens::Bos;
use factscope::ui::dialogs::{Answer, Picker};
use factscope::ui::state::{
    FactId, Filter, Findings, Known, ModelState, Order, Quick, ReplacementSetting, Slot, StudyKind,
    TraceState,
};
use factscope::ui::{App, Options};
use factscope::worker::DeviceChoice;
use tempfile::TempDir;

const SIZE: Vec2 = Vec2::new(1280.0, 800.0);

/// Not a promise of speed: the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(2);

const FACTS: &str = r#"[
    {"case_id": 3, "requested_rewrite": {"prompt": "{} was created by", "relation_id": "P178",
        "target_new": {"str": "Google"}, "target_true": {"str": "Apple"}, "subject": "Mac OS"}},
    {"case_id": 5, "requested_rewrite": {"prompt": "The capital of {} is", "relation_id": "P36",
        "target_new": {"str": "Rome"}, "target_true": {"str": "Paris"}, "subject": "France"}},
    {"case_id": 8},
    {"case_id": 9, "requested_rewrite": {"prompt": "The capital of {} is", "relation_id": "P36",
        "target_new": {"str": "Paris"}, "target_true": {"str": "Rome"}, "subject": "Italy"}}
]"#;

/// Gives the same answer to every question, at once.
struct FakePicker(Option<PathBuf>);

impl Picker for FakePicker {
    fn pick_folder(&self, _title: &str, _dir: Option<&Path>) -> Answer {
        self.answer()
    }

    fn pick_file(&self, _title: &str, _dir: Option<&Path>) -> Answer {
        self.answer()
    }

    fn save_file(&self, _title: &str, _dir: Option<&Path>, _name: &str) -> Answer {
        self.answer()
    }
}

impl FakePicker {
    fn answer(&self) -> Answer {
        let path = self.0.clone();
        Box::new(|| path)
    }
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("read by path".to_owned())
    }
}

struct Window {
    harness: Harness<'static, App>,
    dir: TempDir,
}

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

impl Window {
    fn new(options: Options, picked: Option<PathBuf>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { device: DeviceChoice::Cpu, ..options };
        let picker = Arc::new(FakePicker(picked));
        let harness = Harness::builder()
            .with_size(SIZE)
            .build_eframe(move |cc| App::new(cc, &options, picker).unwrap());
        Self { harness, dir }
    }

    /// With the tiny model and the facts above.
    fn open() -> Self {
        let mut window = Self::new(Options { model: Some(tiny()), ..Options::default() }, None);
        let facts = window.file("facts.json", FACTS);
        window.drop(facts);
        window.wait("the model and the facts", |app| {
            matches!(app.state.model, ModelState::Open(_)) && app.state.facts.dataset.is_some()
        });
        window.wait_for_predictions();
        window
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn app(&self) -> &App {
        self.harness.state()
    }

    fn drop(&mut self, path: PathBuf) {
        self.harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
        self.harness.step();
    }

    #[track_caller]
    fn wait(&mut self, what: &str, is_done: impl Fn(&App) -> bool) {
        let start = Instant::now();
        while !is_done(self.app()) {
            assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
            self.harness.step();
            sleep(Duration::from_millis(5));
        }
        // The frame in which it is drawn, and the one in which it has its place.
        self.harness.run_steps(2);
    }

    #[track_caller]
    fn wait_for_predictions(&mut self) {
        self.wait("predictions", |app| {
            let found = |findings: &Findings| {
                Quick::ALL
                    .into_iter()
                    .filter(|quick| *quick != Quick::AttributionByHead)
                    .all(|quick| matches!(findings.quick(quick), Slot::Found(_)))
            };
            app.state.findings().is_some_and(found)
        });
    }

    #[track_caller]
    fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.run_steps(3);
    }

    #[track_caller]
    fn sees(&self, label: &str) {
        assert!(self.harness.query_all_by_label_contains(label).next().is_some(), "no “{label}”");
    }

    #[track_caller]
    fn trace_ends(&mut self) {
        self.wait("the trace", |app| {
            let is_over =
                |direction| app.state.trace(direction).is_some_and(|run| !run.is_running());
            app.state.directions().all(is_over)
        });
    }

    fn trace(&self) -> Option<&CausalTrace> {
        match self.app().state.trace(Direction::Forward)?.result.as_deref()? {
            AnalysisResult::CausalTrace(trace) => Some(trace),
            _ => None,
        }
    }

    fn trace_state(&self) -> Option<TraceState> {
        Some(self.app().state.trace(Direction::Forward)?.state.clone())
    }

    #[track_caller]
    fn wait_for_label(&mut self, label: &str) {
        let start = Instant::now();
        while self.harness.query_all_by_label(label).next().is_none() {
            assert!(start.elapsed() < PATIENCE, "waited too long for “{label}”");
            self.harness.step();
            sleep(Duration::from_millis(5));
        }
        self.harness.run_steps(3);
    }

    #[track_caller]
    fn type_into(&mut self, field: &str, text: &str) {
        self.harness.get_by_role_and_label(Role::TextInput, field).focus();
        self.harness.run_steps(2);
        self.harness.get_by_role_and_label(Role::TextInput, field).type_text(text);
        self.harness.run_steps(2);
    }

    /// Over what was there.
    #[track_caller]
    fn retype(&mut self, field: &str, text: &str) {
        self.harness.get_by_role_and_label(Role::TextInput, field).focus();
        self.harness.run_steps(2);
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        self.harness.run_steps(2);
        self.type_into(field, text);
    }
}

#[test]
fn an_empty_window_says_what_to_do() {
    let mut window = Window::new(Options::default(), None);
    window.harness.run_steps(2);
    window.sees("Open a model folder and a dataset of facts, or drop them here");
    window.sees("factscope model random --config gpt2");
}

#[test]
fn a_fact_is_searched_asked_and_traced() {
    let mut window = Window::open();
    assert_eq!(window.app().state.selected, Some(FactId::Record(0)));
    window.sees("1 skipped");

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
    assert_eq!(window.trace_state(), Some(TraceState::Complete));
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
    window.sees("one of 2 right answers");
    window.click("Trace");
    window.trace_ends();
    let trace_of = |window: &Window, direction| {
        let run = window.app().state.trace(direction).unwrap();
        match run.result.as_deref() {
            Some(AnalysisResult::CausalTrace(trace)) => trace.prompt.text.clone(),
            other => panic!("no trace: {other:?}"),
        }
    };
    assert_eq!(trace_of(&window, Direction::Forward), "The capital of France is");
    assert_eq!(trace_of(&window, Direction::Inverse), "Paris is the capital of");
    assert_eq!(window.harness.get_all_by_role(Role::Canvas).count(), 2);

    // The views beside the maps follow.
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::I);
    window.harness.run_steps(2);
    window.wait_for_predictions();
    assert_eq!(window.app().state.direction, Direction::Inverse);
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
    assert_eq!(window.app().state.direction, Direction::Forward);
    assert_eq!(window.app().state.directions().count(), 1);
}

#[test]
fn the_list_shows_and_filters_by_what_the_model_knows() {
    let mut window = Window::open();
    window.wait("recall", |app| {
        let (done, total) = app.state.facts.recall().progress();
        done == total
    });
    let state = &window.app().state;
    let (n_known, n_measured) = state.facts.recall().count(Direction::Forward);
    assert_eq!(n_measured, 3);
    assert_eq!(state.facts.recall().count(Direction::Inverse).1, 3);

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
            FactId::Typed(_) => panic!("nothing was typed"),
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
    assert_eq!(window.trace_state(), Some(TraceState::Complete));
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::ArrowDown);
    window.harness.run_steps(2);
    assert_eq!(window.app().state.selected, Some(FactId::Record(1)));
    assert!(window.trace().is_none());
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::ArrowUp);
    window.harness.run_steps(2);
    assert_eq!(window.trace_state(), Some(TraceState::Complete));
    assert_eq!(window.app().state.jobs.sweeps().count(), 0);
}

#[test]
fn a_cancelled_trace_keeps_what_it_found() {
    let mut window = Window::open();
    window.harness.state_mut().state.settings.trace.n_samples = 1000;
    window.harness.run_steps(2);
    window.click("Trace");
    window.wait("a first part", |app| {
        app.state.trace(Direction::Forward).is_some_and(|run| run.result.is_some())
    });
    window.click("Cancel");
    window.trace_ends();
    assert_eq!(window.trace_state(), Some(TraceState::Cancelled));
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
    for (tab, button, kind) in [
        ("Ablation", "Ablate", StudyKind::Ablation),
        ("Knockout", "Cut attention", StudyKind::Knockout),
    ] {
        window.click(tab);
        window.click(button);
        window.wait("both directions", |app| {
            [Direction::Forward, Direction::Inverse].into_iter().all(|direction| {
                let study = app.state.study(kind, direction);
                study.is_some_and(|study| study.state == TraceState::Complete)
            })
        });
        window.sees("Complete");
    }
    // The inverse's subject is its first word.
    window.sees("The subject is at position 0");
    assert_eq!(window.harness.get_all_by_label_contains("Attention knockout").count(), 4);

    // There is no other fact to resample from, and the window says so.
    window.click("Ablation");
    window.harness.state_mut().state.settings.ablation.replacement = ReplacementSetting::Resample;
    window.harness.run_steps(2);
    window.click("Ablate");
    window.sees("to resample from; replace by zeros or by the mean");
}

#[test]
fn an_estimate_is_there_before_the_trace_is() {
    let mut window = Window::open();
    window.harness.state_mut().state.settings.trace.n_samples = 1000;
    window.harness.run_steps(2);
    window.click("Trace");
    window.wait("the estimate", |app| {
        app.state.trace(Direction::Forward).is_some_and(|run| run.preview.is_some())
    });
    assert!(matches!(window.trace_state(), Some(TraceState::Running(_))));
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

#[test]
fn settings_outlive_the_window() {
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

    let mut window = Window::open();
    window.click("MLP");
    window.harness.get_by_role_and_label(Role::ComboBox, "BOS").click();
    window.harness.run_steps(2);
    window.click("TransformerLens (BOS)");
    let memory: &'static mut Memory = Box::leak(Box::default());
    eframe::App::save(window.harness.state_mut(), memory);

    let harness = Harness::builder().build_eframe(|cc| {
        cc.storage = Some(memory);
        App::new(cc, &Options::default(), Arc::new(FakePicker(None))).unwrap()
    });
    let settings = &harness.state().state.settings;
    assert_eq!(settings, &window.app().state.settings);
    assert_eq!(settings.bos, Bos::On);
    assert_eq!(settings.trace.component, Component::Mlp);
    assert_eq!(settings.recent_models, [tiny()]);
}

#[test]
fn a_wrong_dataset_is_reported_and_the_old_one_stays() {
    let mut window = Window::open();
    let wrong = window.file("wrong.json", r#"{"not": "a list"}"#);
    window.drop(wrong.clone());
    window.wait("the error", |app| app.state.error.is_some());
    window.sees("Expected a JSON list of records");
    window.sees("wrong.json");
    assert_eq!(window.app().state.facts.len(), 3);
    window.click("Dismiss");
    assert_eq!(window.app().state.error, None);
}

#[test]
fn a_broken_model_is_reported_and_leaves_none_open() {
    let mut window = Window::open();
    let config = window.file("config.json", r#"{"model_type": "llama"}"#);
    window.drop(config.parent().unwrap().to_owned());
    window.wait("the error", |app| app.state.error.is_some());
    window.sees("No model is open now");
    window.sees("Open a model folder, or drop it here");
    // The facts do not depend on the model.
    assert_eq!(window.app().state.facts.len(), 3);
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
    window.sees("Neither a model folder");
    // A slip does not cost the model.
    assert!(window.app().state.info().is_some());
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
    window.wait_for_label("Model folder");
    window.harness.key_press(Key::Escape);
    window.harness.run_steps(3);
    assert!(window.harness.query_by_label("Model folder").is_none());
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
    assert_eq!(window.trace_state(), Some(TraceState::Complete));
}

#[test]
fn a_screenshot_is_a_png_of_the_window() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("window.png");
    let options = Options { model: Some(tiny()), ..Options::default() };
    let mut window = Window::new(options, Some(path.clone()));
    window.wait("the model", |app| app.state.info().is_some());
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::S);
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
