//! How long a frame of the real window takes, over results of GPT-2-large's size.
//!
//! The window opens a random model of 36 layers of 20 heads, narrow so that it answers at once, and
//! a dataset as long as CounterFact. What is timed is the processor's part of a frame: events,
//! layout, and turning shapes into triangles; also the accessibility tree, which a window without a
//! screen reader spares. Drawing the triangles is the graphics card's part, or where there is none
//! that of a software adapter, and is told apart.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use eframe::egui::accesskit::Role;
use eframe::egui::{
    Event, Key, Modifiers, MouseWheelSource, MouseWheelUnit, Pos2, Rect, TouchPhase, Vec2, vec2,
};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::edge_cut::Edge;
use factscope::analysis::logit_attribution::Parts;
use factscope::model::ModelConfig;
use factscope::ui::command::Command;
use factscope::ui::dialogs::{Answer, Picker};
use factscope::ui::pane::{Pane, View};
use factscope::ui::row::Row;
use factscope::ui::state::{
    AttentionSettings, Drawing, FactId, ModelState, Paint, Run, State, UNASKED,
};
use factscope::ui::view::Selection;
use factscope::ui::{App, Options};
use factscope::worker::DeviceChoice;
use serde_json::json;

#[path = "speed/checkpoint.rs"]
mod checkpoint;
#[path = "speed/report.rs"]
#[expect(dead_code, reason = "the other benchmark uses the rest")]
mod report;
#[path = "speed/statistics.rs"]
#[expect(dead_code, reason = "the other benchmark uses the rest")]
mod statistics;

use report::{Report, secs};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure the frames of the window
#[derive(Parser)]
struct Arguments {
    /// Where the model is kept [default: factscope-bench in the user's cache]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,

    /// Also write the report to a file
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,

    /// Also save a picture of what the frames show, where there is something to draw with
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,

    /// cargo says so to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

const SIZE: Vec2 = Vec2::new(1360.0, 850.0);
const LARGE: Vec2 = Vec2::new(2560.0, 1440.0);
const N_FRAMES: usize = 300;

/// As many as CounterFact has.
const N_FACTS: usize = 21_919;

/// GPT-2-large's layers and heads; four numbers a head.
const SHAPE: ModelConfig = ModelConfig { d_model: 80, d_mlp: 320, ..ModelConfig::LARGE };

/// For what the worker does meanwhile.
const PATIENCE: Duration = Duration::from_mins(5);

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let cache = arguments.cache.or_else(|| Some(dirs::cache_dir()?.join("factscope-bench")));
    let cache = cache.context("this system has no cache folder; give one with --cache")?;
    let model = checkpoint::prepare(&cache, "gpt2-large-narrow", &SHAPE)?;
    let facts = tempfile::tempdir()?;
    let facts_file = facts.path().join("facts.json");
    fs::write(&facts_file, dataset())?;

    let mut report = Report::new(arguments.out);
    report.section("Window")?;
    let mut window = Window::open(model, facts_file)?;
    let mut rows = Vec::new();
    let mut scene = |name: &str, frames: &[Frame]| rows.push(row(name, frames));

    window.ask_all()?;
    for pane in Pane::ALL.into_iter().filter(|it| *it != Pane::Trace) {
        eprintln!("frames at rest, {pane:?}");
        window.show(pane);
        let frames = window.frames(|_, _| ());
        scene(&format!("at rest: list, map and {}", pane.text().to_lowercase()), &frames);
    }
    // The most there is to draw: 20 heads.
    window.show(Pane::Attention);
    eprintln!("frames with the pointer over all heads");
    let heads = window.rect_of("All heads: ")?;
    scene(
        "the pointer moves over the small maps of 720 heads",
        &window.frames(|harness, nth| wander(harness, heads, nth)),
    );
    eprintln!("frames of attention as lines");
    window.harness.state_mut().state.settings.attention =
        AttentionSettings { drawing: Drawing::Lines, threshold: 0.01, ..Default::default() };
    window.harness.run_steps(3);
    let lines = window.rect_of("Attention lines")?;
    scene(
        "the pointer moves over attention as lines",
        &window.frames(|harness, nth| wander(harness, lines, nth)),
    );
    window.harness.state_mut().state.settings.attention.drawing = Drawing::Map;
    window.harness.run_steps(3);
    eprintln!("frames while edges are painted");
    scene("an edge a frame is painted, and the model answers", &window.painting());
    eprintln!("frames with the pointer moving");
    let map = window.map()?;
    scene(
        "the pointer moves over the map",
        &window.frames(|harness, nth| wander(harness, map, nth)),
    );
    eprintln!("frames while the list scrolls");
    scene("21,919 facts are scrolled through", &window.frames(scroll));
    eprintln!("frames while the search is typed");
    scene("a search in them is typed", &window.searching());
    eprintln!("frames while a trace runs");
    scene("a trace runs on all cores, its map grows", &window.tracing(map)?);
    eprintln!("frames of all views at once");
    window.look_back()?;
    let shown = window.harness.state();
    let without =
        Pane::ALL.into_iter().filter(|it| it.has_results() && shown.figure(*it).is_none());
    let without: Vec<&str> = without.map(Pane::text).collect();
    window.harness.set_size(LARGE);
    window.harness.state_mut().command(Command::SpreadViews);
    window.harness.run_steps(5);
    let name =
        format!("all {} views side by side, at {:.0} × {:.0}", View::ALL.len(), LARGE.x, LARGE.y);
    scene(&name, &window.frames(|_, _| ()));
    let all = Rect::from_min_size(Pos2::ZERO, LARGE);
    scene("the pointer moves over them", &window.frames(|harness, nth| wander(harness, all, nth)));
    let is_idle = window.is_idle();
    let drawn = window.drawn();
    if let Some(path) = arguments.picture {
        let picture = window.harness.render().map_err(anyhow::Error::msg)?;
        picture.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
    }

    report.say(&format!(
        "Frames of {:.0} × {:.0} points over results of a model of 36 layers of 20 heads, unless told \
         otherwise with attention at the side: the processor's part, drawing aside. 60 frames a \
         second leave 16.7 ms for each.",
        SIZE.x, SIZE.y
    ))?;
    report.say(&format!(
        "All views show results{}. Left alone, the window {}.",
        if without.is_empty() {
            String::new()
        } else {
            format!(", but for: {}", without.join(", "))
        },
        if is_idle { "asks for no further frame" } else { "goes on asking for frames" }
    ))?;
    report.table(["While", "least", "median", "95 % within", "longest", "frames"], &rows)?;
    match drawn {
        Ok(drawn) => report.say(&format!(
            "Drawing such a frame off screen and reading it back takes another {} here.",
            secs(drawn)
        )),
        Err(reason) => report.say(&format!("Drawing was not measured: {reason}")),
    }
}

/// Layout, and triangles, in seconds.
type Frame = [f64; 2];

struct Window {
    harness: Harness<'static, App>,
}

impl Window {
    /// Looks at the fact whose studies were run, and at the cell they were asked about.
    fn look_back(&mut self) -> anyhow::Result<()> {
        self.harness.state_mut().command(Command::Select(FactId::Record(0)));
        self.harness.run_steps(2);
        self.pick();
        // What was painted meanwhile is gone, and what was cut with it.
        self.paint();
        self.harness.state_mut().command(Command::Study(Pane::Cut));
        self.harness.run_steps(3);
        self.wait(|app| app.state.jobs.iter().next().is_none())
    }

    /// An edge to cut.
    fn paint(&mut self) {
        let state = &mut self.harness.state_mut().state;
        if let Some(key) = state.key() {
            state.painted.change(key, Paint::Add(Edge { query: 2, key: 1 }));
        }
    }

    fn pick(&mut self) {
        self.harness.state_mut().state.selection =
            Selection { layer: Some(12), head: Some(3), position: Some(1) };
    }

    /// Runs every study, so that its view has something to show.
    fn ask_all(&mut self) -> anyhow::Result<()> {
        // The facts have no inverse to be compared with.
        self.harness.state_mut().command(Command::ShowBeside(FactId::Record(1)));
        self.harness.run_steps(2);
        self.wait(|app| app.state.jobs.iter().next().is_none())?;
        for pane in Pane::ALL.into_iter().filter(|it| it.is_study()) {
            eprintln!("asking for {}", pane.text());
            // A cell to look into, and an edge to cut.
            self.pick();
            self.paint();
            self.harness.state_mut().command(Command::Study(pane));
            self.harness.run_steps(2);
            self.wait(|app| app.state.jobs.iter().next().is_none())?;
        }
        Ok(())
    }

    /// Whether no frame is asked for when nothing happens.
    fn is_idle(&mut self) -> bool {
        self.harness.run_steps(30);
        !self.harness.ctx.has_requested_repaint()
    }

    fn show(&mut self, pane: Pane) {
        self.harness.state_mut().show(pane);
        self.harness.run_steps(3);
    }

    /// With the first fact chosen, and all of its results there.
    fn open(model: PathBuf, facts: PathBuf) -> anyhow::Result<Self> {
        let options = Options {
            model: Some(model),
            facts: Some(facts),
            device: DeviceChoice::Cpu,
            ..Options::default()
        };
        // A model of random weights finds tokens of all scripts likely.
        let builder = Harness::builder().with_size(SIZE).allow_missing_glyphs();
        let harness = builder.build_eframe(move |cc| {
            App::new(cc, &options, Arc::new(NoPicker)).expect("the worker's thread starts")
        });
        let mut window = Self { harness };
        window.harness.state_mut().state.parts = Parts::Heads;
        // What is measured are frames, not what else the worker could do.
        let preferences = &mut window.harness.state_mut().state.preferences;
        preferences.measures_recall = false;
        preferences.traces_at_once = false;
        eprintln!("opening the window's model and facts");
        window.wait(|app| {
            matches!(app.state.model, ModelState::Open(_)) && app.state.facts.dataset.is_some()
        })?;
        window.wait(|app| {
            let is_found =
                |state: &State, pane| state.run(pane, Row::First).is_some_and(Run::is_done);
            UNASKED.into_iter().all(|pane| is_found(&app.state, pane))
        })?;
        window.trace();
        window.wait(is_traced)?;
        Ok(window)
    }

    fn trace(&mut self) {
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::T);
        self.harness.run_steps(2);
    }

    fn wait(&mut self, is_done: impl Fn(&App) -> bool) -> anyhow::Result<()> {
        let start = Instant::now();
        while !is_done(self.harness.state()) {
            let state = &self.harness.state().state;
            if let Some(error) = &state.error {
                anyhow::bail!("the window says: {error}");
            }
            anyhow::ensure!(start.elapsed() < PATIENCE, "the window took too long");
            self.harness.step();
            sleep(Duration::from_millis(5));
        }
        self.harness.run_steps(3);
        Ok(())
    }

    fn map(&self) -> anyhow::Result<Rect> {
        let map = self.harness.query_all_by_role(Role::Canvas).next();
        Ok(map.context("the window shows no map")?.rect())
    }

    fn rect_of(&self, label: &str) -> anyhow::Result<Rect> {
        let found = self.harness.query_all_by_label_contains(label).next();
        Ok(found.with_context(|| format!("the window shows no “{label}”"))?.rect())
    }

    /// Each edge replaces what was asked with one more, or one less.
    fn painting(&mut self) -> Vec<Frame> {
        let last = self.harness.state().state.prompt().map_or(0, |prompt| prompt.last());
        let frames = (0..N_FRAMES).map(|nth| {
            let edge = Edge { query: last, key: nth % last.max(1) };
            self.harness.state_mut().command(Command::Paint(Paint::Toggle(edge)));
            self.frame()
        });
        let frames = frames.collect();
        self.harness.state_mut().command(Command::Paint(Paint::Clear));
        self.harness.run_steps(3);
        frames
    }

    fn frames(&mut self, mut event: impl FnMut(&Harness<'static, App>, usize)) -> Vec<Frame> {
        (0..N_FRAMES)
            .map(|nth| {
                event(&self.harness, nth);
                self.frame()
            })
            .collect()
    }

    fn frame(&mut self) -> Frame {
        let start = Instant::now();
        self.harness.step();
        let layout = start.elapsed();
        let shapes = self.harness.output().shapes.clone();
        let start = Instant::now();
        let ctx = &self.harness.ctx;
        std::hint::black_box(ctx.tessellate(shapes, ctx.pixels_per_point()));
        [layout, start.elapsed()].map(|it| it.as_secs_f64())
    }

    /// A letter a frame: the list is filtered anew each time.
    fn searching(&mut self) -> Vec<Frame> {
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::F);
        self.harness.run_steps(2);
        let letters = "Monument 1234".chars().cycle();
        let frames = letters.take(26).map(|letter| {
            self.harness.event(Event::Text(letter.to_string()));
            self.frame()
        });
        let frames = frames.collect();
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        self.harness.key_press(Key::Delete);
        self.harness.run_steps(3);
        frames
    }

    /// As many frames as the trace of another fact lasts, with the pointer where the map appears, at
    /// most 60 a second: a window that draws without a break would be timed against itself.
    fn tracing(&mut self, map: Rect) -> anyhow::Result<Vec<Frame>> {
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::ArrowDown);
        self.harness.run_steps(3);
        self.trace();
        let mut frames = Vec::new();
        let start = Instant::now();
        while !is_traced(self.harness.state()) {
            anyhow::ensure!(start.elapsed() < PATIENCE, "the trace took too long");
            wander(&self.harness, map, frames.len());
            let frame = self.frame();
            frames.push(frame);
            let left = 1.0 / 60.0 - frame[0] - frame[1];
            sleep(Duration::from_secs_f64(left.max(0.0)));
        }
        Ok(frames)
    }

    /// The median time of drawing off screen, where there is something to draw with.
    fn drawn(&mut self) -> Result<f64, String> {
        let mut times = Vec::new();
        for nth in 0..10 {
            self.harness.step();
            let start = Instant::now();
            self.harness.render()?;
            // The first one builds the pipeline.
            if nth > 0 {
                times.push(start.elapsed().as_secs_f64());
            }
        }
        statistics::median(&times).ok_or_else(|| "nothing was drawn".to_owned())
    }
}

fn is_traced(app: &App) -> bool {
    app.state.trace(Row::First).is_some_and(|run| !run.is_running())
}

/// Along a line that meets every cell in time.
fn wander(harness: &Harness<'static, App>, map: Rect, nth: usize) {
    let along = |step: f32, length: f32| (nth as f32 * step).rem_euclid(length);
    harness.hover_at(map.min + vec2(along(7.3, map.width()), along(3.1, map.height())));
}

/// The wheel, over the list at the left edge.
fn scroll(harness: &Harness<'static, App>, nth: usize) {
    let down = if nth % 200 < 100 { -120.0 } else { 120.0 };
    if nth == 0 {
        harness.hover_at(Pos2::new(120.0, 0.7 * SIZE.y));
    }
    harness.event(Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, down),
        phase: TouchPhase::Move,
        modifiers: Modifiers::NONE,
        source: MouseWheelSource::Wheel,
    });
}

fn row(name: &str, frames: &[Frame]) -> [String; 6] {
    let whole: Vec<f64> = frames.iter().map(|frame| frame[0] + frame[1]).collect();
    let cell = |value: Option<f64>| value.map_or_else(|| "missing".to_owned(), secs);
    [
        name.to_owned(),
        cell(percentile(&whole, 0.0)),
        cell(statistics::median(&whole)),
        cell(percentile(&whole, 0.95)),
        cell(percentile(&whole, 1.0)),
        frames.len().to_string(),
    ]
}

/// The value that a share of all, 0 to 1, does not exceed.
fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    sorted.get((share * last as f64).round() as usize).copied()
}

/// Facts of 10 tokens, in CounterFact's form.
fn dataset() -> String {
    let records: Vec<_> = (0..N_FACTS)
        .map(|nth| {
            let subject =
                if nth == 0 { "Space Needle".to_owned() } else { format!("Monument {nth}") };
            json!({
                "case_id": nth,
                "requested_rewrite": {
                    "prompt": "The {} is located in the city of",
                    "relation_id": "none",
                    "target_new": { "str": "Rome" },
                    "target_true": { "str": "Seattle" },
                    "subject": subject,
                },
            })
        })
        .collect();
    serde_json::Value::from(records).to_string()
}

/// Nothing is picked in a benchmark.
struct NoPicker;

impl Picker for NoPicker {
    fn pick_folder(&self, _title: &str, _dir: Option<&Path>) -> Answer {
        Box::new(|| None)
    }

    fn pick_file(
        &self,
        _title: &str,
        _dir: Option<&Path>,
        _kind: (&'static str, &'static [&'static str]),
    ) -> Answer {
        Box::new(|| None)
    }

    fn save_file(&self, _title: &str, _dir: Option<&Path>, _name: &str) -> Answer {
        Box::new(|| None)
    }
}
