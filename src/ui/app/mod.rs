//! The window's loop: events and answers in, panels out.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use eframe::egui;
use eframe::{Frame, Storage};

use crate::analysis::ModelEdit;
use crate::facts::Dataset;
use crate::figure::Figure;
#[cfg(feature = "hub")]
use crate::hub;
use crate::session::Session;
use crate::tokens::Bos;
use crate::ui::closing::{Closing, closing_ui};
use crate::ui::command::Command;
use crate::ui::dialogs::Picker;
use crate::ui::ending::Ending;
use crate::ui::errand::{Errand, ErrandOutcome};
use crate::ui::export::{ExportDialog, export_ui};
#[cfg(feature = "hub")]
use crate::ui::get_model::{GetModel, get_model_ui};
use crate::ui::memory_question::memory_question_ui;
use crate::ui::palette::{CommandPalette, palette_ui};
use crate::ui::pane::Pane;
use crate::ui::panels::{self, Help, Views};
use crate::ui::path_prompt::{PathPrompt, path_prompt_ui};
use crate::ui::reply::Reply;
use crate::ui::screenshot::{self, LargePicture};
use crate::ui::settings_file;
use crate::ui::state::{Preferences, Settings, State};
use crate::ui::workspace::Workspace;
use crate::worker::{Event, JobId, Worker};

use self::open::Held;
use self::take_away::SpecToSave;

mod begin;
mod closing;
mod cuts;
#[cfg(feature = "hub")]
mod export;
mod get_model;
mod handle;
mod keys;
mod listen;
mod many;
mod noise;
mod notices;
mod open;
mod queue;
mod recall;
mod report;
mod remembered;
mod run;
mod session;
mod spec;
mod sweep_folder;
mod swept;
mod take_away;
mod typed;
mod unsaved;
mod weigh;

use remembered::{PREFERENCES_KEY, SETTINGS_KEY, WORKSPACE_KEY};
pub use sweep_folder::sweeps_dir;
use unsaved::Keeping;
pub use unsaved::unsaved_dir;

/// Messages of the worker are drawn together, results soon and progress at leisure: where the CPU
/// draws, every frame is taken from the model (at 16 a second, half of GPT-2-large's speed).
const RESULT_REPAINT: Duration = Duration::from_millis(60);
const PROGRESS_REPAINT: Duration = Duration::from_millis(400);

/// From a changed setting to its being written, and how often the rest is: the window's place, and what is
/// unfolded.
const SETTINGS_WAIT: Duration = Duration::from_secs(3);
const AUTO_SAVE: Duration = Duration::from_secs(30);

/// What egui lets a person zoom to.
pub const ZOOMS: RangeInclusive<f32> = 0.2..=5.0;

/// A session that was read, until its model is open.
struct AwaitedSession {
    path: PathBuf,
    session: Session,
    dataset: Option<Dataset>,
}

/// The window.
pub struct App {
    pub state: State,
    worker: Worker,
    picker: Arc<dyn Picker>,
    views: Views,
    commands: Vec<Command>,
    path_prompt: Option<PathPrompt>,
    help: Option<Help>,
    palette: Option<CommandPalette>,
    closing: Closing,

    /// Whether the window may close after this frame.
    is_closed: bool,

    /// What is done once a person agrees to leave what was found.
    left_for: Vec<Command>,

    /// Set while those commands are carried out, which are not asked about again.
    is_let_go: bool,

    /// What those commands open, which was read before a person was asked.
    held: Vec<(Command, Held)>,

    /// The models whose files are being looked at, in their places.
    checking: [Option<PathBuf>; 2],

    /// Session files that are being written.
    n_saving: usize,

    /// The dialog in which a figure is exported, while it is open.
    export: Option<ExportDialog>,

    /// How many such dialogs have been opened.
    n_exports: usize,

    /// How many figures are drawn for files or the clipboard at this moment.
    n_drawing: usize,

    /// The dialog in which models are downloaded, while it is shown or something is downloaded.
    #[cfg(feature = "hub")]
    get_model: Option<GetModel>,
    #[cfg(feature = "hub")]
    hub: Option<hub::Settings>,

    /// The experiment to be saved, while a name is asked for.
    spec_to_save: Option<SpecToSave>,

    /// Answers from threads other than the worker's.
    answers: Receiver<Reply>,
    replies: Sender<Reply>,
    /// What the model had been changed to before it was last changed, to go back to if that fails.
    edits_before: Vec<ModelEdit>,

    /// What the model is to be changed to when the change that runs has ended.
    edits_next: Option<Vec<ModelEdit>>,

    /// A session to be shown when this job has opened its model.
    awaited: Option<(JobId, AwaitedSession)>,
    shown_title: String,

    /// Which of the views that follow what is picked out can be seen.
    in_front: [bool; run::FOLLOWING.len()],
    errand: Option<Errand>,

    /// Whether the first model is asked with BOS, if that was said at the start.
    given_bos: Option<Bos>,

    /// A picture being taken that is larger than the window.
    picture: Option<LargePicture>,
    is_remembered: bool,

    /// The notice that is shown, and since when, in seconds of the window's clock.
    noticed: Option<(String, f64)>,

    /// Settings and preferences as they were last written, and since when they are others.
    written: (Settings, Preferences),
    changed_since: Option<Instant>,

    /// The file for what is not saved.
    keeping: Option<Keeping>,
    ending: Ending,
}

impl App {
    /// From now on the window closes as it should when the process is told to end.
    pub fn heed_the_system(&mut self, ctx: &egui::Context) {
        if self.is_remembered {
            self.ending = Ending::listen(ctx);
        }
    }

    /// Brings a view to the front.
    pub fn show(&mut self, pane: Pane) {
        self.views.workspace.show(pane);
    }

    /// Gives a command, as a click or a key would.
    pub fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// What a view shows of the fact as it is looked at.
    pub fn figure(&self, pane: Pane) -> Option<Arc<Figure>> {
        panels::figure_of(pane, &self.state)
    }

    pub fn workspace(&self) -> &Workspace {
        &self.views.workspace
    }

    pub fn workspace_mut(&mut self) -> &mut Workspace {
        &mut self.views.workspace
    }

    /// Where the errand leaves word of how it went.
    pub fn outcome(&self) -> Option<ErrandOutcome> {
        Some(self.errand.as_ref()?.outcome.clone())
    }

    /// Wakes the window when changed settings are to be written.
    fn look_at_settings(&mut self, ctx: &egui::Context) {
        let is_written =
            (&self.written.0, &self.written.1) == (&self.state.settings, &self.state.preferences);
        if is_written {
            self.changed_since = None;
        } else if self.changed_since.is_none() {
            self.changed_since = Some(Instant::now());
            ctx.request_repaint_after(SETTINGS_WAIT);
        }
    }

    fn take_large_picture(&mut self, ctx: &egui::Context) {
        let Some(picture) = &mut self.picture else { return };
        if let Some(image) = picture.advance(ctx) {
            screenshot::write(Arc::new(image), picture.path.clone(), ctx, &self.replies);
            self.picture = None;
        }
    }

    fn do_errand(&mut self, ctx: &egui::Context) {
        if let Some(mut errand) = self.errand.take() {
            for command in errand.advance(&self.state) {
                self.handle(command, ctx);
            }
            if errand.is_under_way() {
                ctx.request_repaint_after(PROGRESS_REPAINT);
            }
            self.errand = Some(errand);
        }
    }
}

/// How long a window that closes waits for a sweep to write what it has.
const LAST_PART: Duration = Duration::from_secs(10);

impl App {
    /// Waits until a sweep that was stopped has written what it has.
    fn wait_for_sweep(&mut self) {
        let end = Instant::now() + LAST_PART;
        let sweeps = || self.state.jobs.iter().filter(|(_, job)| job.kind.is_sweep());
        let mut left: Vec<JobId> = sweeps().map(|(id, _)| id).collect();
        while !left.is_empty() {
            let rest = end.saturating_duration_since(Instant::now());
            match self.worker.events.recv_timeout(rest) {
                Ok(Event::Done(id) | Event::Cancelled(id) | Event::Failed(id, _)) => {
                    left.retain(|it| *it != id);
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

/// In a program that was built without downloads.
#[cfg(not(feature = "hub"))]
impl App {
    #[expect(clippy::unused_self, reason = "as with downloads")]
    fn is_getting_model(&self) -> bool {
        false
    }

    fn hub_command(&mut self, _command: Command, _ctx: &egui::Context) {
        let error = "This factscope was built without downloads; open a model folder, or a model that \
                     Python has downloaded by its name";
        self.state.error = Some(error.to_owned());
    }
}

/// The worker's thread must not go on for a window that is gone.
impl Drop for App {
    fn drop(&mut self) {
        self.state.jobs.cancel(|_| true);
        self.wait_for_sweep();
        // Else it is offered at the next start.
        let is_told = self.ending.was_told();
        if !is_told && (self.is_closed || self.closing == Closing::Agreed) {
            self.forget_unsaved();
        }
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
        if self.is_remembered
            && let Some(complaint) = settings_file::complaint()
        {
            self.state.error = Some(complaint);
        }
        self.hear_ending(ctx);
        self.hear_close_request(ctx);
        self.take_large_picture(ctx);
        self.do_errand(ctx);
        self.release_jobs();
        self.settle_answers();
        self.measure_recall();
        self.read_sweep(ctx);
        self.keep_on_refusal(ctx);
        self.keep_unsaved(ctx);
        for command in std::mem::take(&mut self.commands) {
            self.carry_out(command, ctx);
        }
        self.show_title(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        let ctx = ui.ctx().clone();
        self.look_at_memory();
        self.keys(&ctx);
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        // A model and a dataset may be dropped together.
        for file in dropped {
            self.commands.push(Command::OpenAt(file.path().to_owned()));
        }

        let (state, views, commands) = (&self.state, &mut self.views, &mut self.commands);
        panels::window_ui(ui, state, views, commands);
        let had_prompt = self.path_prompt.is_some();
        path_prompt_ui(&ctx, &mut self.path_prompt, commands);
        let is_unnamed = had_prompt && self.path_prompt.is_none() && commands.is_empty();
        export_ui(&ctx, &mut self.export, commands);
        #[cfg(feature = "hub")]
        get_model_ui(&ctx, &mut self.get_model, state, commands);
        palette_ui(&ctx, &mut self.palette, state, &views.workspace, commands);
        panels::help_ui(&ctx, &mut self.help);
        memory_question_ui(&ctx, state, commands);
        closing_ui(&ctx, &mut self.closing, self.left_for.first(), state, commands);
        panels::drop_hint_ui(&ctx);

        let hovered = self.state.hovered.take();
        self.state.preferences.zoom = ctx.zoom_factor();
        if is_unnamed {
            self.stay_unless_named();
        }
        for command in std::mem::take(&mut self.commands) {
            let is_hover = matches!(command, Command::Hover(_));
            self.carry_out(command, &ctx);
            if !is_hover {
                ctx.request_repaint();
            }
        }
        if self.state.hovered != hovered {
            ctx.request_repaint();
        }
        self.follow_cut();
        self.follow_to_front();
        // Other facts may be seen now.
        self.settle_answers();
        self.measure_recall();
        if !ctx.input(|input| input.pointer.any_down()) {
            self.state.remember_step();
        }
        self.look_at_settings(&ctx);
        self.let_notice_go(&ctx);
    }

    fn raw_input_hook(&mut self, _ctx: &egui::Context, input: &mut egui::RawInput) {
        // A picture must not depend on where the pointer happens to be.
        if !self.is_remembered {
            input.events.retain(|event| !matches!(event, egui::Event::PointerMoved(_)));
        }
        if let Some(picture) = &self.picture {
            picture.input(input);
        }
    }

    /// Settings that are changed are written soon: whatever ends the window may not leave time for it.
    fn auto_save_interval(&self) -> Duration {
        if self.changed_since.is_some_and(|it| it.elapsed() >= SETTINGS_WAIT) {
            Duration::ZERO
        } else {
            AUTO_SAVE
        }
    }

    fn save(&mut self, storage: &mut dyn Storage) {
        self.written = (self.state.settings.clone(), self.state.preferences.clone());
        self.changed_since = None;
        if self.is_remembered {
            remembered::keep(storage, SETTINGS_KEY, &self.state.settings);
            remembered::keep(storage, PREFERENCES_KEY, &self.state.preferences);
            remembered::set_spec_text(storage, self.state.spec.text());
            remembered::keep(storage, WORKSPACE_KEY, &self.views.workspace);
            settings_file::keep(storage, &remembered::KEYS);
        }
    }

    fn persist_egui_memory(&self) -> bool {
        self.is_remembered
    }
}
