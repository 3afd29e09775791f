//! The window as a person has it, without a display.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Role;
use eframe::egui::{self, Key, Modifiers, Pos2, TexturesDelta, Vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, HarnessBuilder, Node, TestRenderer};
use factscope::analysis::AnalysisResult;
use factscope::analysis::causal_trace::CausalTrace;
use factscope::builtin;
use factscope::facts::Dataset;
use factscope::ui::command::Command;
use factscope::ui::dialogs::{Answer, Endings, Picker};
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::{JobKind, ModelState, RunState, UNASKED};
use factscope::ui::{App, Options};
use factscope::worker::DeviceChoice;
use image::RgbaImage;
use tempfile::TempDir;

pub const SIZE: Vec2 = Vec2::new(1280.0, 800.0);

/// Not a promise of speed: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_mins(2);

pub const FACTS: &str = r#"[
    {"case_id": 3, "requested_rewrite": {"prompt": "{} was created by", "relation_id": "P178",
        "target_new": {"str": "Google"}, "target_true": {"str": "Apple"}, "subject": "Mac OS"}},
    {"case_id": 5, "requested_rewrite": {"prompt": "The capital of {} is", "relation_id": "P36",
        "target_new": {"str": "Rome"}, "target_true": {"str": "Paris"}, "subject": "France"}},
    {"case_id": 8},
    {"case_id": 9, "requested_rewrite": {"prompt": "The capital of {} is", "relation_id": "P36",
        "target_new": {"str": "Paris"}, "target_true": {"str": "Rome"}, "subject": "Italy"}}
]"#;

/// Draws nothing. Another renderer keeps all changes of textures for its first picture.
struct Undrawn;

impl TestRenderer for Undrawn {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        delta.clear();
    }

    fn render(&mut self, _: &egui::Context, _: &egui::FullOutput) -> Result<RgbaImage, String> {
        Err("nothing is drawn here".to_owned())
    }
}

/// Gives the same answer to every question.
pub struct FakePicker {
    pub picked: Option<PathBuf>,

    /// How long a question waits for its answer. `None` waits for ever, as for a portal whose other side
    /// has died.
    pub after: Option<Duration>,
    pub is_there: bool,
}

impl Picker for FakePicker {
    fn pick_folder(&self, _title: &str, _dir: Option<&Path>) -> Answer {
        self.answer()
    }

    fn pick_file(&self, _title: &str, _dir: Option<&Path>, _endings: Endings) -> Answer {
        self.answer()
    }

    fn save_file(&self, _title: &str, _dir: Option<&Path>, _name: &str) -> Answer {
        self.answer()
    }

    fn is_there(&self) -> bool {
        self.is_there
    }
}

impl FakePicker {
    /// Answers at once.
    pub fn of(picked: Option<PathBuf>) -> Self {
        Self { picked, after: Some(Duration::ZERO), is_there: true }
    }

    /// Picks nothing, after longer than a person needs to cancel.
    pub fn slow(is_there: bool) -> Self {
        Self { picked: None, after: Some(Duration::from_millis(400)), is_there }
    }

    fn answer(&self) -> Answer {
        let (path, after) = (self.picked.clone(), self.after);
        Box::new(move || {
            let Some(after) = after else {
                let (_other_side, silence) = mpsc::channel();
                return silence.recv().ok();
            };
            sleep(after);
            path
        })
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

pub struct Window {
    pub harness: Harness<'static, App>,
    pub dir: TempDir,
}

pub fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

impl Window {
    pub fn new(options: Options, picked: Option<PathBuf>) -> Self {
        Self::with_picker(options, Arc::new(FakePicker::of(picked)))
    }

    pub fn with_picker(options: Options, picker: Arc<dyn Picker>) -> Self {
        Self::built(Harness::builder(), options, picker)
    }

    /// One of which no picture can be made.
    pub fn undrawn(options: Options, picker: Arc<dyn Picker>) -> Self {
        Self::built(Harness::builder().renderer(Undrawn), options, picker)
    }

    fn built(builder: HarnessBuilder<App>, options: Options, picker: Arc<dyn Picker>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { device: DeviceChoice::Cpu, ..options };
        let harness = builder.with_size(SIZE).build_eframe(move |cc| {
            let mut app = App::new(cc, &options, picker).unwrap();
            // What is computed is what a test asks for.
            app.state.preferences.traces_at_once = false;
            app
        });
        Self { harness, dir }
    }

    /// With the tiny model and the facts above, and the settings of traces shown.
    pub fn open() -> Self {
        let mut window = Self::new(Options { model: Some(tiny()), ..Options::default() }, None);
        let facts = window.file("facts.json", FACTS);
        window.drop(facts);
        window.wait("the model and the facts", |app| {
            matches!(app.state.model, ModelState::Open(_)) && app.state.facts.dataset.is_some()
        });
        window.wait_for_predictions();
        window.does(Command::ShowMoreOfTrace(true));
        window
    }

    /// The built-in model with its facts, and a folder for sweeps.
    pub fn with_sweeps() -> (Self, TempDir) {
        let home = tempfile::tempdir().unwrap();
        let options = Options {
            model: Some(builtin::FACTS.name.into()),
            facts: Some(Dataset::BUNDLED.into()),
            sweeps: Some(home.path().to_owned()),
            ..Options::default()
        };
        let mut window = Self::new(options, None);
        window.wait("model and facts", |app| {
            app.state.info().is_some() && !app.state.facts.is_empty()
        });
        window.wait_for_predictions();
        window.wait("the noise", |app| app.state.trace_spec(Row::First).is_some());
        (window, home)
    }

    /// With the tiny model, and the facts above in a folder of their own: the window, the folder, and
    /// where a session can be saved in it.
    pub fn to_be_saved() -> (Self, TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (facts, path) = (dir.path().join("facts.json"), dir.path().join("a.factscope"));
        std::fs::write(&facts, FACTS).unwrap();
        let options = Options { model: Some(tiny()), facts: Some(facts), ..Options::default() };
        let mut window = Self::new(options, None);
        window.wait("the model", |app| app.state.info().is_some() && !app.state.facts.is_empty());
        window.wait_for_predictions();
        // A result that comes after the file is one that it lacks.
        window.wait("short questions", |app| {
            app.state.jobs.iter().all(|(_, job)| matches!(job.kind, JobKind::Recall(..)))
        });
        (window, dir, path)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn app(&self) -> &App {
        self.harness.state()
    }

    pub fn drop(&mut self, path: PathBuf) {
        self.harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
        self.harness.step();
    }

    #[track_caller]
    pub fn wait(&mut self, what: &str, is_done: impl Fn(&App) -> bool) {
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
    pub fn wait_for_predictions(&mut self) {
        self.wait("predictions", |app| {
            UNASKED.into_iter().all(|pane| app.state.result(pane).is_some())
        });
    }

    #[track_caller]
    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.run_steps(3);
        self.draws();
    }

    #[track_caller]
    pub fn does(&mut self, command: Command) {
        self.harness.state_mut().command(command);
        self.harness.run_steps(3);
        self.draws();
    }

    /// Waits for the figures that threads draw.
    #[track_caller]
    fn draws(&mut self) {
        if self.app().is_drawing() {
            self.wait("the figure", |app| !app.is_drawing());
        }
    }

    /// Drags what is at one place to another.
    pub fn drags(&mut self, from: Pos2, to: Pos2) {
        self.harness.hover_at(from);
        self.harness.run_steps(2);
        self.harness.drag_at(from);
        self.harness.run_steps(2);
        self.harness.hover_at(to);
        self.harness.run_steps(2);
        self.harness.drop_at(to);
        self.harness.run_steps(3);
    }

    pub fn show(&mut self, pane: Pane) {
        self.harness.state_mut().show(pane);
        self.harness.run_steps(3);
    }

    #[track_caller]
    pub fn sees(&self, label: &str) {
        assert!(self.harness.query_all_by_label_contains(label).next().is_some(), "no “{label}”");
    }

    #[track_caller]
    pub fn trace_ends(&mut self) {
        self.wait("the trace", |app| {
            let is_over = |row| app.state.trace(row).is_some_and(|run| !run.is_running());
            app.state.rows().all(is_over)
        });
    }

    pub fn trace(&self) -> Option<&CausalTrace> {
        match self.app().state.trace(Row::First)?.result.as_deref()? {
            AnalysisResult::CausalTrace(trace) => Some(trace),
            _ => None,
        }
    }

    pub fn trace_state(&self) -> Option<RunState> {
        Some(self.app().state.trace(Row::First)?.state.clone())
    }

    #[track_caller]
    pub fn wait_for_label(&mut self, label: &str) {
        let start = Instant::now();
        while self.harness.query_all_by_label(label).next().is_none() {
            assert!(start.elapsed() < PATIENCE, "waited too long for “{label}”");
            self.harness.step();
            sleep(Duration::from_millis(5));
        }
        self.harness.run_steps(3);
    }

    /// A field for text, of one line or more.
    pub fn find_field<'a>(&'a self, name: &'a str) -> Option<Node<'a>> {
        self.harness.query_all_by_label(name).find(|it| {
            let role = it.accesskit_node().role();
            matches!(role, Role::TextInput | Role::MultilineTextInput)
        })
    }

    #[track_caller]
    pub fn field<'a>(&'a self, name: &'a str) -> Node<'a> {
        self.find_field(name).unwrap_or_else(|| panic!("no field “{name}”"))
    }

    #[track_caller]
    pub fn type_into(&mut self, field: &str, text: &str) {
        self.field(field).focus();
        self.harness.run_steps(2);
        self.field(field).type_text(text);
        self.harness.run_steps(2);
    }

    /// Over what was there.
    #[track_caller]
    pub fn retype(&mut self, field: &str, text: &str) {
        self.field(field).focus();
        self.harness.run_steps(2);
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        self.harness.run_steps(2);
        self.type_into(field, text);
    }
}
