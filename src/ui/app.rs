//! The window's loop: events and answers in, panels out, and the one place where a click becomes
//! a change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use eframe::egui::{self, Popup, ViewportCommand};
use eframe::{APP_KEY, CreationContext, Frame, Storage};

use super::command::Command;
use super::dialogs::{self, PathPrompt, Picker, Purpose, Why};
use super::errand::{Errand, Outcome};
use super::panels::{self, Help, Views};
use super::state::{
    FactId, FactKey, JobKind, ModelState, Quick, Settings, Slot, State, TraceRun, TraceState,
    capitalized, subject_tokens,
};
use super::view::{Selection, ViewAction};
use super::{Options, screenshot, theme};
use crate::analysis::{AnalysisResult, AnalysisSpec};
use crate::facts::Dataset;
use crate::worker::{Event, Job, JobId, ModelInfo, Told, Work, Worker};

/// Messages of the worker are drawn together, results soon and progress at leisure: where the CPU
/// draws, every frame is taken from the model (at 16 a second, half of GPT-2-large's speed).
const RESULT_REPAINT: Duration = Duration::from_millis(60);
const PROGRESS_REPAINT: Duration = Duration::from_millis(400);

pub struct App {
    pub state: State,
    worker: Worker,
    picker: Arc<dyn Picker>,
    views: Views,
    commands: Vec<Command>,
    path_prompt: Option<PathPrompt>,
    help: Option<Help>,

    /// Answers from threads other than the worker's.
    answers: Receiver<Reply>,
    replies: Sender<Reply>,
    errand: Option<Errand>,
    is_remembered: bool,
}

/// What a thread of the window found.
#[derive(Debug)]
pub enum Reply {
    /// `is_missing`: there was no dialog to pick from.
    Picked {
        purpose: Purpose,
        path: Option<PathBuf>,
        is_missing: bool,
    },
    Dataset {
        path: PathBuf,
        dataset: Result<Dataset, String>,
    },
    Subjects {
        dataset: PathBuf,
        model: Arc<ModelInfo>,
        tokens: Arc<[u32]>,
    },
    Screenshot {
        path: PathBuf,
        saved: Result<(), String>,
    },
}

impl App {
    /// Fails if the worker's thread cannot be started.
    pub fn new(
        cc: &CreationContext<'_>,
        options: &Options,
        picker: Arc<dyn Picker>,
    ) -> io::Result<Self> {
        let ctx = &cc.egui_ctx;
        theme::install(ctx);
        let errand = Errand::new(options);
        // A picture must not depend on who takes it, nor change what they come back to.
        let is_remembered = options.screenshot.is_none();
        let stored = cc.storage.filter(|_| is_remembered);
        let mut settings: Settings =
            stored.and_then(|storage| eframe::get_value(storage, APP_KEY)).unwrap_or_default();
        settings.bos = options.bos.unwrap_or(settings.bos);
        ctx.set_theme(options.theme.unwrap_or(settings.theme));
        ctx.set_zoom_factor(settings.zoom);

        let (replies, answers) = mpsc::channel();
        let wake = {
            let ctx = ctx.clone();
            move |told| {
                ctx.request_repaint_after(match told {
                    Told::OnTheWay => PROGRESS_REPAINT,
                    Told::TheEnd => RESULT_REPAINT,
                });
            }
        };
        let mut state = State::new(settings);
        state.device = options.device;
        let mut app = Self {
            state,
            worker: Worker::spawn(wake)?,
            picker,
            views: Views::default(),
            commands: Vec::new(),
            path_prompt: None,
            help: None,
            answers,
            replies,
            errand,
            is_remembered,
        };
        // The first frame is drawn while these are read.
        if let Some(path) = options.facts.clone() {
            app.open_dataset(path, ctx);
        }
        if let Some(dir) = options.model.clone() {
            app.open_model(dir);
        }
        Ok(app)
    }

    /// Where the errand leaves word of how it went.
    pub fn outcome(&self) -> Option<Outcome> {
        Some(self.errand.as_ref()?.outcome.clone())
    }

    fn handle(&mut self, command: Command, ctx: &egui::Context) {
        match command {
            Command::OpenModel => self.ask(Purpose::Model, ctx),
            Command::OpenDataset => self.ask(Purpose::Dataset, ctx),
            Command::SaveScreenshot => self.ask(Purpose::Screenshot, ctx),
            Command::TypeModelPath => self.prompt_for(Purpose::Model, Why::Wanted),
            Command::TypeDatasetPath => self.prompt_for(Purpose::Dataset, Why::Wanted),
            Command::TypeScreenshotPath => self.prompt_for(Purpose::Screenshot, Why::Wanted),
            Command::OpenModelAt(dir) => self.open_model(dir),
            Command::OpenDatasetAt(path) => self.open_dataset(path, ctx),
            Command::SaveScreenshotTo(path) => {
                self.state.settings.screenshot_dir = path.parent().map(Path::to_owned);
                screenshot::capture(ctx, path, &self.replies);
            }
            Command::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),

            Command::SetTheme(theme) => {
                self.state.settings.theme = theme;
                ctx.set_theme(theme);
            }
            Command::ZoomIn => egui::gui_zoom::zoom_in(ctx),
            Command::ZoomOut => egui::gui_zoom::zoom_out(ctx),
            Command::ZoomReset => ctx.set_zoom_factor(1.0),

            Command::SetBos(bos) => {
                self.state.settings.bos = bos;
                self.state.selection = Selection::default();
                self.look();
            }
            Command::SetDevice(device) => {
                self.state.device = device;
                let dir = match &self.state.model {
                    ModelState::None => return,
                    ModelState::Loading { dir, .. } => dir.clone(),
                    ModelState::Open(info) => info.dir.clone(),
                };
                self.open_model(dir);
            }

            Command::Select(fact) => self.select(fact),
            Command::NextFact => self.step(1),
            Command::PreviousFact => self.step(-1),
            Command::FocusSearch => panels::focus_search(ctx),
            Command::AddFact(fact) => {
                let id = self.state.facts.add(fact);
                self.select(id);
                self.views.facts.reveal();
            }

            Command::Trace => self.trace(),
            Command::Cancel => self.cancel(),
            Command::CancelLoading => {
                self.state.jobs.cancel(|kind| matches!(kind, JobKind::Load(_)));
            }
            Command::View(ViewAction::Select(selection)) => {
                self.state.selection = selection;
                self.look();
            }
            Command::View(ViewAction::SplitBy(parts)) => {
                self.state.parts = parts;
                self.look();
            }

            Command::DismissError => self.state.error = None,
            Command::ShowShortcuts => self.help = Some(Help::Shortcuts),
            Command::ShowAbout => self.help = Some(Help::About),
        }
    }

    // Opening.

    fn ask(&mut self, purpose: Purpose, ctx: &egui::Context) {
        let dir = self.last_dir(purpose);
        let asked = dialogs::ask(&self.picker, purpose, dir.as_deref(), ctx, &self.replies);
        if asked.is_err() {
            self.prompt_for(purpose, Why::NoDialog);
        }
    }

    fn prompt_for(&mut self, purpose: Purpose, why: Why) {
        let dir = self.last_dir(purpose);
        self.path_prompt = Some(PathPrompt::new(purpose, dir.as_deref(), why));
    }

    fn last_dir(&self, purpose: Purpose) -> Option<PathBuf> {
        let settings = &self.state.settings;
        match purpose {
            Purpose::Model => Some(settings.recent_models.first()?.parent()?.to_owned()),
            Purpose::Dataset => Some(settings.recent_datasets.first()?.parent()?.to_owned()),
            Purpose::Screenshot => settings.screenshot_dir.clone(),
        }
    }

    fn open_model(&mut self, dir: PathBuf) {
        // Checked here, so that a slip does not cost the model that is open.
        let dir = match Purpose::Model.accept(dir) {
            Ok(Command::OpenModelAt(dir)) => std::path::absolute(&dir).unwrap_or(dir),
            Ok(_) => return,
            Err(error) => {
                self.state.error = Some(error);
                return;
            }
        };
        self.state.jobs.abandon(|kind| matches!(kind, JobKind::Load(_)));
        self.state.forget(|_| true);
        self.state.subjects = None;
        self.state.trace_waits = false;
        self.state.selection = Selection::default();
        self.state.error = None;
        let (id, cancel) = self.state.jobs.add(JobKind::Load(dir.clone()));
        self.state.model = ModelState::Loading { job: id, dir: dir.clone() };
        let work = Work::Load { dir, device: self.state.device };
        self.worker.submit(Job { id, work, cancel });
    }

    fn open_dataset(&mut self, path: PathBuf, ctx: &egui::Context) {
        let path = std::path::absolute(&path).unwrap_or(path);
        self.state.error = None;
        self.state.reading = Some(path.clone());
        let (ctx, replies, path_then) = (ctx.clone(), self.replies.clone(), path.clone());
        let thread = thread::Builder::new().name("dataset".to_owned()).spawn(move || {
            let dataset = Dataset::load(&path).map_err(|error| capitalized(&error));
            // The window has closed: nobody to tell.
            _ = replies.send(Reply::Dataset { path, dataset });
            ctx.request_repaint();
        });
        if let Err(error) = thread {
            let dataset = Err(format!("The dataset cannot be read: {error}"));
            self.hear(Reply::Dataset { path: path_then, dataset }, &egui::Context::default());
        }
    }

    /// The tokens that noise is measured on; for a large dataset they take a while.
    fn count_subjects(&mut self, ctx: &egui::Context) {
        self.state.subjects = None;
        let (Some(model), Some(dataset)) =
            (self.state.info().cloned(), self.state.facts.dataset.as_ref())
        else {
            return;
        };
        let subjects: Vec<String> = dataset.subjects().map(str::to_owned).collect();
        let dataset = dataset.path.clone();
        let (ctx, replies) = (ctx.clone(), self.replies.clone());
        let thread = thread::Builder::new().name("subjects".to_owned()).spawn(move || {
            let subjects = subjects.iter().map(String::as_str);
            let tokens = subject_tokens(&model.tokenizer, subjects);
            // The window has closed: nobody to tell.
            _ = replies.send(Reply::Subjects { dataset, model, tokens });
            ctx.request_repaint();
        });
        if let Err(error) = thread {
            self.state.error = Some(format!("The subjects cannot be counted: {error}"));
        }
    }

    /// What is dropped on the window is opened as what it looks like.
    fn drop_file(&mut self, path: &Path, ctx: &egui::Context) {
        let is_json = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("json"));
        if path.is_dir() {
            self.open_model(path.to_owned());
        } else if path.file_name().is_some_and(|name| name == "config.json")
            && let Some(dir) = path.parent()
        {
            self.open_model(dir.to_owned());
        } else if is_json {
            self.open_dataset(path.to_owned(), ctx);
        } else {
            self.state.error = Some(format!(
                "Neither a model folder (with a config.json) nor a dataset (a .json file) was \
                 dropped: {}",
                path.display()
            ));
        }
    }

    // Choosing.

    fn select(&mut self, fact: FactId) {
        if self.state.selected != Some(fact) {
            self.state.selected = Some(fact);
            self.state.selection = Selection::default();
            self.state.trace_waits = false;
        }
        self.look();
    }

    fn step(&mut self, step: isize) {
        if let Some(fact) = self.state.facts.neighbour(self.state.selected, step) {
            self.select(fact);
            self.views.facts.reveal();
        }
    }

    /// Asks for what the panels show of the chosen fact and is not known yet.
    fn look(&mut self) {
        let key = self.state.visit();
        self.leave(key);
        let (Some(key), Some(prompt)) = (key, self.state.prompt().cloned()) else { return };
        let Some(config) = self.state.info().map(|info| info.config) else { return };
        let layer = self.state.selection.layer.unwrap_or(0).min(config.n_layers - 1);
        for quick in panels::wanted(self.state.parts) {
            let Some(findings) = self.state.findings_of(key) else { return };
            let is_needed = match findings.quick(quick) {
                Slot::Missing => true,
                Slot::Found(result) => match &**result {
                    AnalysisResult::Attention(it) => !it.spec.layers.contains(&layer),
                    _ => false,
                },
                Slot::Waiting(_) | Slot::Failed(_) => false,
            };
            if is_needed {
                let spec = quick.spec(&config, prompt.n_pos(), layer);
                let id = self.analyse(JobKind::Quick(key, quick), Arc::clone(&prompt), spec);
                if let Some(findings) = self.state.findings_of(key) {
                    *findings.quick_mut(quick) = Slot::Waiting(id);
                }
            }
        }
    }

    /// Nobody looks at the facts that were chosen before.
    fn leave(&mut self, now: Option<FactKey>) {
        let is_left = |kind: &JobKind| matches!(kind, JobKind::Quick(key, _) if Some(*key) != now);
        let left: Vec<(FactKey, Quick)> = self
            .state
            .jobs
            .iter()
            .filter_map(|(_, job)| match job.kind {
                JobKind::Quick(key, quick) if is_left(&job.kind) => Some((key, quick)),
                _ => None,
            })
            .collect();
        for (key, quick) in left {
            if let Some(findings) = self.state.findings_of(key) {
                *findings.quick_mut(quick) = Slot::Missing;
            }
        }
        self.state.jobs.abandon(is_left);
    }

    fn analyse(
        &mut self,
        kind: JobKind,
        prompt: Arc<crate::tokens::TokenizedPrompt>,
        spec: AnalysisSpec,
    ) -> JobId {
        let (id, cancel) = self.state.jobs.add(kind);
        self.worker.submit(Job { id, work: Work::Analyse { prompt, spec }, cancel });
        id
    }

    // Tracing.

    /// Starts the trace that the controls describe, unless it is there or on its way.
    pub(super) fn trace(&mut self) {
        let (Some(key), Some(prompt)) = (self.state.key(), self.state.prompt().cloned()) else {
            return;
        };
        if prompt.subject.is_none() {
            return;
        }
        let Some(spec) = self.state.trace_spec() else {
            self.state.trace_waits = true;
            return;
        };
        self.state.trace_waits = false;
        let known = self.state.trace().map(|run| &run.state);
        if matches!(known, Some(TraceState::Running(_) | TraceState::Complete)) {
            return;
        }
        let id = self.analyse(JobKind::Trace(key), prompt, AnalysisSpec::CausalTrace(spec.clone()));
        if let Some(findings) = self.state.findings_of(key) {
            findings.traces.retain(|run| run.spec != spec);
            findings.traces.push(TraceRun { spec, state: TraceState::Running(id), result: None });
        }
    }

    fn cancel(&mut self) {
        let running = self.state.running_trace();
        let any = || self.state.jobs.traces().next().map(|(id, _)| id);
        if let Some(job) = running.or_else(any).and_then(|id| self.state.jobs.get(id)) {
            job.cancel.cancel();
        } else if self.state.trace_waits {
            self.state.trace_waits = false;
        } else if self.state.selection != Selection::default() {
            self.state.selection = Selection::default();
        } else {
            self.state.error = None;
        }
    }

    // Hearing.

    fn apply(&mut self, event: Event, ctx: &egui::Context) {
        let now = Instant::now();
        match event {
            Event::Stage(id, stage) => {
                if let Some(job) = self.state.jobs.get_mut(id) {
                    job.enter(stage);
                }
            }
            Event::Progress(id, progress) => {
                if let Some(job) = self.state.jobs.get_mut(id) {
                    job.advance(progress, now);
                }
            }
            Event::Partial(id, result) => {
                if let Some(run) = self.trace_run(id) {
                    run.result = Some(result);
                }
            }
            Event::Loaded(id, info) => {
                if self.state.jobs.remove(id).is_some() {
                    self.loaded(info, ctx);
                }
            }
            Event::Finished(id, result) => {
                if let Some(run) = self.trace_run(id) {
                    run.result = Some(Arc::clone(&result));
                    run.state = TraceState::Complete;
                }
                self.settle(id, Slot::Found(result));
            }
            Event::Cancelled(id) => {
                if let Some(run) = self.trace_run(id) {
                    run.state = TraceState::Cancelled;
                }
                if self.is_loading(id) {
                    self.state.model = ModelState::None;
                    self.state.notice = Some("Cancelled; no model is open".to_owned());
                }
                self.settle(id, Slot::Missing);
            }
            Event::Failed(id, message) => {
                let message = capitalized(&message);
                if let Some(run) = self.trace_run(id) {
                    run.state = TraceState::Failed(message.clone());
                    self.state.error = Some(message.clone());
                }
                if self.is_loading(id) {
                    self.state.model = ModelState::None;
                    self.state.error = Some(format!("{message}\nNo model is open now"));
                }
                self.settle(id, Slot::Failed(message));
            }
        }
    }

    fn is_loading(&self, id: JobId) -> bool {
        matches!(self.state.model, ModelState::Loading { job, .. } if job == id)
    }

    fn trace_run(&mut self, id: JobId) -> Option<&mut TraceRun> {
        let JobKind::Trace(key) = self.state.jobs.get(id)?.kind else { return None };
        self.state.findings_of(key)?.trace_mut(id)
    }

    /// A job has ended.
    fn settle(&mut self, id: JobId, slot: Slot) {
        let Some(job) = self.state.jobs.remove(id) else { return };
        let JobKind::Quick(key, quick) = job.kind else { return };
        if let Some(findings) = self.state.findings_of(key) {
            *findings.quick_mut(quick) = slot;
        }
    }

    fn loaded(&mut self, info: Arc<ModelInfo>, ctx: &egui::Context) {
        self.state.settings.remember_model(&info.dir);
        self.state.notice = Some(format!("Opened {} in {:.1} s", info.name, info.load_secs));
        self.state.model = ModelState::Open(info);
        self.count_subjects(ctx);
        self.look();
    }

    fn hear(&mut self, reply: Reply, ctx: &egui::Context) {
        match reply {
            Reply::Picked { purpose, path: Some(path), .. } => match purpose.accept(path) {
                Ok(command) => self.commands.push(command),
                Err(error) => self.state.error = Some(error),
            },
            Reply::Picked { purpose, path: None, is_missing: true } => {
                self.prompt_for(purpose, Why::NoDialog);
            }
            Reply::Picked { .. } => {}
            Reply::Dataset { path, dataset } => {
                if self.state.reading.as_ref() == Some(&path) {
                    self.state.reading = None;
                    match dataset {
                        Ok(dataset) => self.adopt(dataset, ctx),
                        Err(error) => self.state.error = Some(error),
                    }
                }
            }
            Reply::Subjects { dataset, model, tokens } => {
                let is_current = self.state.facts.dataset_path() == Some(&dataset)
                    && self.state.info().is_some_and(|info| Arc::ptr_eq(info, &model));
                if is_current {
                    self.state.subjects = Some(tokens);
                    if self.state.trace_waits {
                        self.trace();
                    }
                }
            }
            Reply::Screenshot { path, saved } => {
                if let Some(errand) = &mut self.errand {
                    errand.saved();
                }
                match saved {
                    Ok(()) => self.state.notice = Some(format!("Saved {}", path.display())),
                    Err(error) => {
                        let place = path.display();
                        self.state.error =
                            Some(format!("The screenshot cannot be saved: {error}: {place}"));
                    }
                }
            }
        }
    }

    fn adopt(&mut self, dataset: Dataset, ctx: &egui::Context) {
        self.state.forget(|fact| matches!(fact, FactId::Record(_)));
        self.state.settings.remember_dataset(&dataset.path);
        let n_facts = dataset.records.len();
        let name = panels::file_name(&dataset.path);
        self.state.notice = Some(format!("Opened {name} with {} facts", panels::grouped(n_facts)));
        self.state.facts.open(dataset);
        self.state.trace_waits = false;
        self.count_subjects(ctx);
        if !matches!(self.state.selected, Some(FactId::Typed(_))) {
            self.state.selected = None;
            self.select(FactId::Record(0));
            self.views.facts.reveal();
        }
    }

    fn do_errand(&mut self, ctx: &egui::Context) {
        if let Some(mut errand) = self.errand.take() {
            for command in errand.advance(&mut self.state) {
                self.handle(command, ctx);
            }
            if errand.is_under_way() {
                ctx.request_repaint_after(PROGRESS_REPAINT);
            }
            self.errand = Some(errand);
        }
    }

    fn keys(&mut self, ctx: &egui::Context) {
        // Dialogs and menus have their own keys.
        if self.path_prompt.is_some() || self.help.is_some() || Popup::is_any_open(ctx) {
            return;
        }
        // Plain keys belong to the widget that has the focus.
        let is_free = ctx.memory(|memory| memory.focused().is_none());
        let is_search = panels::is_search_focused(ctx);
        for command in Command::WITH_KEYS {
            if command.is_zoom() {
                continue;
            }
            let is_step = matches!(command, Command::NextFact | Command::PreviousFact);
            for keys in command.shortcuts() {
                let is_plain = keys.modifiers.is_none() && keys.logical_key < egui::Key::F1;
                if is_plain && !(is_free || is_search && is_step) {
                    continue;
                }
                if ctx.input_mut(|input| input.consume_shortcut(keys)) {
                    self.commands.push(command.clone());
                }
            }
        }
    }
}

/// The worker's thread must not go on for a window that is gone.
impl Drop for App {
    fn drop(&mut self) {
        self.state.jobs.cancel(|_| true);
    }
}

impl eframe::App for App {
    /// Also called while the window is hidden, so that work goes on behind a minimised window.
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut Frame) {
        while let Ok(event) = self.worker.events.try_recv() {
            self.apply(event, ctx);
        }
        while let Ok(reply) = self.answers.try_recv() {
            self.hear(reply, ctx);
        }
        self.do_errand(ctx);
        for command in std::mem::take(&mut self.commands) {
            self.handle(command, ctx);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        let ctx = ui.ctx().clone();
        self.keys(&ctx);
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        // More than one: a model and a dataset may come together.
        for file in dropped {
            self.drop_file(file.path(), &ctx);
        }

        let (state, views, commands) = (&mut self.state, &mut self.views, &mut self.commands);
        panels::window_ui(ui, state, views, commands);
        dialogs::path_prompt_ui(&ctx, &mut self.path_prompt, commands);
        panels::help_ui(&ctx, &mut self.help);
        panels::drop_hint_ui(&ctx);

        self.state.settings.zoom = ctx.zoom_factor();
        for command in std::mem::take(&mut self.commands) {
            self.handle(command, &ctx);
            ctx.request_repaint();
        }
    }

    fn raw_input_hook(&mut self, _ctx: &egui::Context, input: &mut egui::RawInput) {
        // A picture must not depend on where the pointer happens to be.
        if !self.is_remembered {
            input.events.retain(|event| !matches!(event, egui::Event::PointerMoved(_)));
        }
    }

    fn save(&mut self, storage: &mut dyn Storage) {
        if self.is_remembered {
            eframe::set_value(storage, APP_KEY, &self.state.settings);
        }
    }

    fn persist_egui_memory(&self) -> bool {
        self.is_remembered
    }
}
