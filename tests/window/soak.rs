//! A long use of the window by a hand that does anything at random: it clicks, presses keys, gives commands,
//! and opens other models and datasets. The suite does some hundred things, and asserts that nothing panics;
//! `tests/soak.sh` does ten thousand, and looks at frames and memory too.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Event, Key, Modifiers, MouseWheelSource, MouseWheelUnit, PointerButton, Pos2, TouchPhase, vec2,
};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::Metric;
use factscope::analysis::attention::Weighting;
use factscope::analysis::causal_trace::Component;
use factscope::facts::{Direction, Fact};
#[cfg(feature = "hub")]
use factscope::hub::Settings as Hub;
use factscope::tokens::Bos;
use factscope::ui::Options;
use factscope::ui::command::{ClosingAnswer, Command, KEYS};
use factscope::ui::dialogs::{Answer, Endings, Picker};
use factscope::ui::pane::{Pane, View};
use factscope::ui::row::Row;
use factscope::ui::state::{Convention, FactId, Setting, TypedFact};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::support::{FACTS, Window, tiny};

/// How long a frame may have the processor, in milliseconds.
const LONGEST_FRAME: f64 = 100.0;

/// After so many actions the hand rests, puts everything back and looks at the memory.
const REST: usize = 500;

/// The roles of what can be clicked.
const CLICKED: [Role; 13] = [
    Role::Button,
    Role::Canvas,
    Role::CheckBox,
    Role::ComboBox,
    Role::Label,
    Role::Link,
    Role::MenuItem,
    Role::MultilineTextInput,
    Role::RadioButton,
    Role::SpinButton,
    Role::Tab,
    Role::TextInput,
    Role::Unknown,
];

/// Commands that end the test, or that draw the window as pixels, which is done on a GPU and not here.
const NOT_DONE: [&str; 2] = ["Quit", "Save screenshot…"];

const TEXTS: [&str; 8] = ["paris", "7", "-1", "0.5", "1e99", "“é” 東京", "{", ""];

/// Answers each question with one of the paths, or not at all.
struct AnyPicker {
    rng: Mutex<ChaCha8Rng>,
    opened: Vec<PathBuf>,
    dir: PathBuf,
}

impl AnyPicker {
    fn one_of(&self, paths: &[PathBuf]) -> Answer {
        let rng = &mut *self.rng.lock().unwrap();
        let path = paths.choose(rng).filter(|_| rng.random_bool(0.8)).cloned();
        Box::new(|| path)
    }
}

impl Picker for AnyPicker {
    fn pick_folder(&self, _title: &str, _dir: Option<&Path>) -> Answer {
        self.one_of(&self.opened)
    }

    fn pick_file(&self, _title: &str, _dir: Option<&Path>, _endings: Endings) -> Answer {
        self.one_of(&self.opened)
    }

    fn save_file(&self, _title: &str, _dir: Option<&Path>, name: &str) -> Answer {
        self.one_of(&[self.dir.join(name), self.dir.join("no/such/folder").join(name)])
    }
}

struct Soak {
    window: Window,
    rng: ChaCha8Rng,
    models: Vec<PathBuf>,
    datasets: Vec<PathBuf>,
    session: PathBuf,
    longest: f64,
    slow: Vec<String>,

    /// The last things that were done, for the report of a fault.
    done: Vec<String>,
    _dir: TempDir,
}

impl Soak {
    fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let table = "subject,answer,template\nParis,France,{} lies in\nRome,Italy,{} lies in\n";
        let datasets = vec![
            "builtin".into(),
            write("facts.json", FACTS),
            write("table.csv", table),
            write("broken.json", "{"),
        ];
        let models = vec![tiny(), "builtin".into(), dir.path().to_owned()];
        let session = dir.path().join("soak.factscope");
        let opened = models.iter().chain(&datasets).chain([&session]).cloned().collect();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let picker = AnyPicker { rng: Mutex::new(rng.clone()), opened, dir: dir.path().to_owned() };
        let options = Options {
            model: Some("builtin".into()),
            facts: Some("builtin".into()),
            sweeps: Some(dir.path().join("sweeps")),
            unsaved: Some(dir.path().join("unsaved")),
            #[cfg(feature = "hub")]
            hub: Some(Hub {
                cache: dir.path().to_owned(),
                is_offline: true,
                ..Hub::from_env().unwrap()
            }),
            ..Options::default()
        };
        let window = Window::undrawn(options, Arc::new(picker));
        Self {
            window,
            rng,
            models,
            datasets,
            session,
            longest: 0.0,
            slow: Vec::new(),
            done: Vec::new(),
            _dir: dir,
        }
    }

    /// Draws frames, each of which is timed.
    fn frames(&mut self, n: usize) {
        for _ in 0..n {
            let before = processor_time();
            self.window.harness.step();
            let took = processor_time() - before;
            self.longest = self.longest.max(took);
            if took > LONGEST_FRAME {
                let last = &self.done[self.done.len().saturating_sub(8)..];
                self.slow.push(format!("a frame took {took:.0} ms after {last:#?}"));
            }
        }
    }

    fn does(&mut self, command: Command) {
        self.done.push(format!("{command:?}").chars().take(200).collect());
        self.window.harness.state_mut().command(command);
    }

    fn acts(&mut self) {
        match self.rng.random_range(0..100) {
            0..35 => self.clicks(),
            35..45 => self.presses(),
            45..70 => {
                if let Some(command) = self.command() {
                    self.does(command);
                }
            }
            70..80 => self.moves(),
            80..86 => self.scrolls(),
            86..92 => self.types(),
            92..95 => self.resizes(),
            _ => self.does(Command::Cancel),
        }
        let n = self.rng.random_range(1..4);
        self.frames(n);
    }

    fn event(&self, event: Event) {
        self.window.harness.event(event);
    }

    fn place(&mut self) -> Pos2 {
        let area = self.window.harness.ctx.content_rect();
        let mut within = |low: f32, high: f32| self.rng.random_range(low..high);
        Pos2::new(within(area.left(), area.right()), within(area.top(), area.bottom()))
    }

    /// Clicks something that can be seen, with either button.
    fn clicks(&mut self) {
        let harness = &self.window.harness;
        let nodes: Vec<_> = harness
            .root()
            .children_recursive()
            .filter(|it| {
                let node = it.accesskit_node();
                CLICKED.contains(&node.role()) && !node.is_disabled()
            })
            .filter(|it| it.accesskit_node().label().is_none_or(|it| !NOT_DONE.contains(&&*it)))
            .collect();
        let Some(node) = nodes.choose(&mut self.rng) else { return };
        let button = if self.rng.random_bool(0.9) {
            PointerButton::Primary
        } else {
            PointerButton::Secondary
        };
        let (role, label) = (node.accesskit_node().role(), node.accesskit_node().label());
        let said = format!("{button:?} click on {role:?} {label:?}");
        let place = node.rect().center();
        drop(nodes);
        self.done.push(said);
        let (pos, modifiers) = (place, Modifiers::NONE);
        self.event(Event::PointerMoved(pos));
        for pressed in [true, false] {
            self.event(Event::PointerButton { pos, button, pressed, modifiers });
        }
    }

    fn presses(&mut self) {
        let plain = [Key::Enter, Key::Tab, Key::Space, Key::Escape, Key::Home, Key::PageDown];
        let keys: Vec<_> = KEYS
            .iter()
            .flat_map(|(_, keyed)| keyed.iter())
            .filter(|(command, _)| !NOT_DONE.contains(&&*command.text()))
            .flat_map(|(_, keys)| keys.iter().map(|it| (it.modifiers, it.logical_key)))
            .chain(plain.map(|key| (Modifiers::NONE, key)))
            .collect();
        let &(modifiers, key) = keys.choose(&mut self.rng).unwrap();
        self.done.push(format!("{modifiers:?} {key:?}"));
        self.window.harness.key_press_modifiers(modifiers, key);
    }

    /// Moves the pointer, sometimes with its button down.
    fn moves(&mut self) {
        let (from, to) = (self.place(), self.place());
        let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
        let drags = self.rng.random_bool(0.3);
        self.done.push(format!("from {from} to {to}, drags: {drags}"));
        let press = |pos, pressed| Event::PointerButton { pos, button, pressed, modifiers };
        self.event(Event::PointerMoved(from));
        if drags {
            self.event(press(from, true));
            self.frames(1);
        }
        self.event(Event::PointerMoved(from.lerp(to, 0.5)));
        self.frames(1);
        self.event(Event::PointerMoved(to));
        if drags {
            self.event(press(to, false));
        }
    }

    fn scrolls(&mut self) {
        let place = self.place();
        let delta = vec2(self.rng.random_range(-90.0..90.0), self.rng.random_range(-400.0..400.0));
        let modifiers =
            if self.rng.random_bool(0.1) { Modifiers::COMMAND } else { Modifiers::NONE };
        self.done.push(format!("scrolls {delta} at {place}"));
        self.event(Event::PointerMoved(place));
        let (unit, phase) = (MouseWheelUnit::Point, TouchPhase::Move);
        let source = MouseWheelSource::Wheel;
        self.event(Event::MouseWheel { unit, delta, modifiers, phase, source });
    }

    fn types(&mut self) {
        let text = *TEXTS.choose(&mut self.rng).unwrap();
        self.done.push(format!("types {text}"));
        if self.rng.random_bool(0.5) {
            self.window.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        }
        self.event(Event::Text(text.to_owned()));
    }

    fn resizes(&mut self) {
        let sizes = [[1280.0, 720.0], [900.0, 600.0], [1600.0, 1000.0], [640.0, 400.0]];
        let size = *sizes.choose(&mut self.rng).unwrap();
        self.done.push(format!("{size:?}"));
        self.window.harness.set_size(size.into());
    }

    /// A command with what it carries.
    fn command(&mut self) -> Option<Command> {
        use Command as C;
        let rng = &mut self.rng;
        let state = &self.window.app().state;
        let model = self.models.choose(rng).unwrap().clone();
        let dataset = self.datasets.choose(rng).unwrap().clone();
        let pane = *Pane::ALL.choose(rng).unwrap();
        let view = *View::ALL.choose(rng).unwrap();
        let n_facts = state.facts.len().max(1);
        let record = FactId::Record(rng.random_range(0..n_facts));
        let fact = if rng.random_bool(0.1) { FactId::Typed(0) } else { record };
        let row = *[Row::First, Row::Second].choose(rng).unwrap();
        let job = state.jobs.iter().next().map(|(id, _)| id);
        let is_on = rng.random_bool(0.5);
        let direction = if is_on { Direction::Forward } else { Direction::Inverse };
        let component = *Component::ALL.choose(rng).unwrap();
        let mut trace = state.settings.trace.clone();
        trace.component = component;
        trace.n_samples = rng.random_range(0..12);
        trace.own_window = is_on.then(|| rng.random_range(0..20));
        let typed = TypedFact {
            fact: Fact {
                prompt: "The capital of France is".to_owned(),
                subject: Some(15..21),
                answer: Some("Paris".to_owned()),
                foil: None,
            },
            inverse: None,
        };
        Some(match rng.random_range(0..62) {
            0 => C::OpenModelAt(model),
            1 => C::OpenModelBesideAt(model),
            2 => C::CloseModelBeside,
            3 => C::AskBoth(direction),
            4 => C::OpenDatasetAt(dataset),
            5 => C::OpenSessionAt(self.session.clone()),
            6 => C::SaveSessionTo(self.session.clone()),
            7 => C::Over(pane),
            8 => C::LeaveAsking,
            9 => C::StartSweep,
            10 => C::ExportOf(pane),
            11 => C::CopyTableOf(pane),
            12 => C::CopyImageOf(pane),
            13 => C::CopyCommandLineOf(pane),
            14 => C::SaveSpec(pane),
            15 => C::FillSpec(pane),
            16 => C::RunSpec,
            17 => C::SetSpecText((*TEXTS.choose(rng).unwrap()).to_owned()),
            18 => C::AnswerClosing(ClosingAnswer::Cancel),
            19 => C::ZoomIn,
            20 => C::ZoomOut,
            21 => C::ZoomReset,
            22..26 => C::ShowPane(pane),
            26 => C::CloseView(view),
            27 => C::ResetLayout,
            28 => C::SpreadViews,
            29 => C::SetBos(if is_on { Bos::On } else { Bos::Off }),
            30..34 => C::Select(fact),
            34 => C::LookAt(row),
            35 => C::Flip,
            36 => C::KeepBeside,
            37 => C::ShowBeside(record),
            38 => C::DropBeside,
            39 => C::SearchFacts((*TEXTS.choose(rng).unwrap()).to_owned()),
            40 => C::AddFact(Box::new(typed)),
            41 => C::ReplaceFact((fact, Box::new(typed))),
            42 => C::EditFact,
            43 => C::RemoveFact,
            44 => C::Trace,
            45 => C::TraceKinds,
            46 => C::ShowKind(component),
            47 => C::Set(Box::new(Setting::Trace(trace))),
            48 => {
                let weightings =
                    [Weighting::Pattern, Weighting::ValueWeighted, Weighting::NormBased];
                C::WeighAttention(*weightings.choose(rng).unwrap())
            }
            49..53 => C::Study(pane),
            53 => C::Stop(pane),
            54 => C::ApplyEdit(pane),
            55 => C::DropEdits,
            56 => C::Set(Box::new(Setting::Metric(pane, *Metric::ALL.choose(rng)?))),
            57 => C::Match(*Convention::ALL.choose(rng).unwrap()),
            58 => C::CancelJob(job?),
            59 => C::AskAgain(job?),
            60 => C::Undo,
            _ => C::Redo,
        })
    }

    /// Bytes of the picture of all glyphs, which doubles its height when a zoom has no room in it, up to 16 MB.
    fn glyphs(&self) -> usize {
        let [width, height] = self.window.harness.ctx.fonts(|it| it.font_image_size());
        4 * width * height
    }

    /// Puts everything back to where a window begins. Bytes that the program holds then, but for glyphs.
    fn rests(&mut self) -> usize {
        for command in [
            // The list's facts would all be asked again.
            Command::SetMeasuresRecall(false),
            Command::AnswerClosing(ClosingAnswer::Cancel),
            Command::LeaveAsking,
            Command::CancelAllJobs,
            Command::CloseModelBeside,
            Command::DropEdits,
            Command::OpenModelAt("builtin".into()),
        ] {
            self.does(command);
            self.frames(3);
        }
        for _ in 0..4 {
            self.does(Command::Cancel);
            self.frames(2);
        }
        // Another model is opened only after a question, where something would be lost. It is asked once the
        // model is read, which may be after the question about the second model was answered.
        for _ in 0..100 {
            let discard = self.window.harness.query_by_role_and_label(Role::Button, "Discard");
            if let Some(it) = discard {
                it.click();
            }
            self.frames(5);
            if self.window.app().state.info().is_some_and(|it| it.name == "builtin") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        self.does(Command::OpenDatasetAt("builtin".into()));
        self.frames(2);
        self.window.wait("the built-in model", |app| {
            app.state.info().is_some_and(|it| it.name == "builtin")
                && app.state.jobs.iter().next().is_none()
        });
        self.does(Command::ForgetResults);
        self.does(Command::ResetLayout);
        self.does(Command::ZoomReset);
        self.window.harness.set_size(vec2(1280.0, 720.0));
        self.frames(10);
        let held = resident() - self.glyphs();
        self.does(Command::SetMeasuresRecall(true));
        held
    }
}

/// Milliseconds that this thread has had of a processor.
fn processor_time() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}

/// Bytes of memory that this process has.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Does so many things. The slow frames, and the bytes that the program held at each rest.
#[expect(clippy::print_stdout, reason = "a long run tells how far it is, and its seed")]
fn soak(seed: u64, n: usize) -> (Vec<String>, Vec<usize>) {
    println!("seed {seed}, {n} actions");
    let mut soak = Soak::new(seed);
    soak.frames(3);
    let mut held = Vec::new();
    for i in 1..=n {
        soak.acts();
        if i % REST == 0 || i == n {
            let bytes = soak.rests();
            println!("{i}: {} MB, longest frame {:.0} ms", bytes >> 20, soak.longest);
            held.push(bytes);
        }
    }
    (soak.slow, held)
}

#[test]
fn a_hand_that_does_anything_breaks_nothing() {
    soak(1, 300);
}

#[test]
#[ignore = "takes minutes, and asserts a time: `tests/soak.sh` runs it alone"]
fn thousands_of_actions_leave_nothing_behind() {
    // Names that are typed without a folder are of files in this one.
    let dir = tempfile::tempdir().unwrap();
    std::env::set_current_dir(dir.path()).unwrap();
    let asked = std::env::var("FACTSCOPE_SOAK").unwrap();
    let (seed, n) = asked.split_once(' ').unwrap();
    let (slow, held) = soak(seed.parse().unwrap(), n.parse().unwrap());
    assert!(slow.is_empty(), "{}", slow.join("\n"));
    let (warming, warm) = held.split_at(held.len() / 2);
    let (before, after) = (warming.iter().max().unwrap(), warm.iter().max().unwrap());
    assert!(*after <= before + before / 10, "memory grows: {before} bytes, then {after}");
}
