//! The window's loop: events and answers in, panels out.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use eframe::egui::{self, Popup};
use eframe::{APP_KEY, CreationContext, Frame, Storage};
use serde::de::DeserializeOwned;

use crate::experiment::Experiment;
use crate::figure::Figure;
use crate::session::Session;
use crate::ui::closing::{Closing, closing_ui};
use crate::ui::command::Command;
use crate::ui::dialogs::{self, PathPrompt, Picker};
use crate::ui::errand::{Errand, ErrandOutcome};
use crate::ui::palette::{CommandPalette, palette_ui};
use crate::ui::pane::Pane;
use crate::ui::panels::{self, Help, Views};
use crate::ui::reply::Reply;
use crate::ui::screenshot::{self, LargePicture};
use crate::ui::state::{FirstSettings, Preferences, Settings, State};
use crate::ui::workspace::Workspace;
use crate::ui::{Options, theme};
use crate::worker::{Told, Worker};

mod closing;
mod cuts;
mod handle;
mod listen;
mod noise;
mod open;
mod queue;
mod run;
mod session;
mod spec;
mod take_away;
mod weigh;

/// Messages of the worker are drawn together, results soon and progress at leisure: where the CPU
/// draws, every frame is taken from the model (at 16 a second, half of GPT-2-large's speed).
const RESULT_REPAINT: Duration = Duration::from_millis(60);
const PROGRESS_REPAINT: Duration = Duration::from_millis(400);

/// Each apart, so that none is lost with another that an older version wrote.
const SETTINGS_KEY: &str = "settings";
const PREFERENCES_KEY: &str = "preferences";
const SPEC_TEXT_KEY: &str = "experiment";
const WORKSPACE_KEY: &str = "workspace";

/// What was kept at the end of the last start. All but the workspace was under one name before.
fn kept<T: DeserializeOwned>(storage: &dyn Storage, key: &str) -> Option<T> {
    eframe::get_value(storage, key).or_else(|| eframe::get_value(storage, APP_KEY))
}

fn kept_spec_text(storage: &dyn Storage) -> String {
    let first = || Some(eframe::get_value::<FirstSettings>(storage, APP_KEY)?.spec_text);
    eframe::get_value(storage, SPEC_TEXT_KEY).or_else(first).unwrap_or_default()
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

    /// Session files that are being written.
    n_saving: usize,

    /// To be written when it is known where to.
    figure: Option<Arc<Figure>>,
    experiment: Option<Experiment>,

    /// Answers from threads other than the worker's.
    answers: Receiver<Reply>,
    replies: Sender<Reply>,
    /// To be shown when its model is open.
    awaited: Option<(PathBuf, Session)>,
    shown_title: String,

    /// Which of the views that follow what is picked out can be seen.
    in_front: [bool; run::FOLLOWING.len()],
    errand: Option<Errand>,

    /// Of the window, larger than it is.
    picture: Option<LargePicture>,
    is_remembered: bool,
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
            stored.and_then(|it| kept(it, SETTINGS_KEY)).unwrap_or_default();
        let mut preferences: Preferences =
            stored.and_then(|it| kept(it, PREFERENCES_KEY)).unwrap_or_default();
        settings.bos = options.bos.unwrap_or(settings.bos);
        preferences.measures_recall &= is_remembered;
        preferences.screenshot_scale = options.scale.unwrap_or(preferences.screenshot_scale);
        ctx.set_theme(options.theme.unwrap_or(preferences.theme));
        ctx.set_zoom_factor(preferences.zoom);

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
        let mut workspace: Workspace =
            stored.and_then(|it| eframe::get_value(it, WORKSPACE_KEY)).unwrap_or_default();
        if let Some(pane) = options.pane {
            workspace.show(pane);
        }
        let mut state = State::new(settings, preferences);
        state.spec.set_text(stored.map(kept_spec_text).unwrap_or_default());
        state.device = options.device;
        let mut app = Self {
            state,
            worker: Worker::spawn(wake)?,
            picker,
            views: Views::new(workspace),
            commands: Vec::new(),
            path_prompt: None,
            help: None,
            palette: None,
            closing: Closing::No,
            n_saving: 0,
            figure: None,
            experiment: None,
            answers,
            replies,
            awaited: None,
            shown_title: "Factscope".to_owned(),
            in_front: Default::default(),
            errand,
            picture: None,
            is_remembered,
        };
        // The first frame is drawn while these are read.
        if let Some(path) = options.facts.clone() {
            app.open_dataset(path, ctx);
        }
        if let Some(dir) = options.model.clone() {
            app.open_model(dir);
        }
        if let Some(dir) = options.model_beside.clone() {
            app.open_model_beside(dir);
        }
        if let Some(path) = options.session.clone() {
            app.open_session(path, ctx);
        }
        Ok(app)
    }

    /// Brings a view to the front.
    pub fn show(&mut self, pane: Pane) {
        self.views.workspace.show(pane);
    }

    /// As a click or a key would.
    pub fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// What a view shows of the fact as it is looked at.
    pub fn figure(&self, pane: Pane) -> Option<Arc<Figure>> {
        self.views.figure_of(pane, &self.state)
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

    fn keys(&mut self, ctx: &egui::Context) {
        // Dialogs and menus have their own keys.
        let has_dialog = self.path_prompt.is_some()
            || self.help.is_some()
            || self.palette.is_some()
            || self.closing != Closing::No;
        if has_dialog || Popup::is_any_open(ctx) {
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
        self.hear_close_request(ctx);
        self.take_large_picture(ctx);
        self.do_errand(ctx);
        self.release_jobs();
        self.measure_recall();
        for command in std::mem::take(&mut self.commands) {
            self.handle(command, ctx);
        }
        self.show_title(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        let ctx = ui.ctx().clone();
        self.look_at_memory();
        self.keys(&ctx);
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        // More than one: a model and a dataset may come together.
        for file in dropped {
            self.drop_file(file.path(), &ctx);
        }

        let (state, views, commands) = (&self.state, &mut self.views, &mut self.commands);
        panels::window_ui(ui, state, views, commands);
        dialogs::path_prompt_ui(&ctx, &mut self.path_prompt, commands);
        palette_ui(&ctx, &mut self.palette, state, &views.workspace, commands);
        panels::help_ui(&ctx, &mut self.help);
        closing_ui(&ctx, &mut self.closing, state, commands);
        panels::drop_hint_ui(&ctx);

        let hovered = self.state.hovered.take();
        self.state.preferences.zoom = ctx.zoom_factor();
        for command in std::mem::take(&mut self.commands) {
            let is_hover = matches!(command, Command::Hover(_));
            self.handle(command, &ctx);
            if !is_hover {
                ctx.request_repaint();
            }
        }
        if self.state.hovered != hovered {
            ctx.request_repaint();
        }
        self.follow_cut();
        self.follow_to_front();
        if !ctx.input(|input| input.pointer.any_down()) {
            self.state.remember_step();
        }
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

    fn save(&mut self, storage: &mut dyn Storage) {
        if self.is_remembered {
            eframe::set_value(storage, SETTINGS_KEY, &self.state.settings);
            eframe::set_value(storage, PREFERENCES_KEY, &self.state.preferences);
            eframe::set_value(storage, SPEC_TEXT_KEY, &self.state.spec.text());
            eframe::set_value(storage, WORKSPACE_KEY, &self.views.workspace);
        }
    }

    fn persist_egui_memory(&self) -> bool {
        self.is_remembered
    }
}
