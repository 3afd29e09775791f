//! How a window begins: with what was kept from the last one, and with what it was asked to open.

use std::io;
use std::sync::{Arc, mpsc};

use eframe::CreationContext;

use super::remembered::{self, PREFERENCES_KEY, Remembered, SETTINGS_KEY, WORKSPACE_KEY};
use super::{App, PROGRESS_REPAINT, RESULT_REPAINT, ZOOMS};
use crate::ui::closing::Closing;
use crate::ui::dialogs::Picker;
use crate::ui::ending::Ending;
use crate::ui::errand::Errand;
use crate::ui::in_turn::InTurn;
use crate::ui::panels::Views;
use crate::ui::state::{Preferences, Settings, State};
use crate::ui::workspace::Workspace;
use crate::ui::{Options, settings_file, theme};
use crate::worker::{Told, Which, Worker, keep_before_the_end};

impl App {
    /// Fails if the worker's thread cannot be started.
    pub fn new(
        cc: &CreationContext<'_>,
        options: &Options,
        picker: Arc<dyn Picker>,
    ) -> io::Result<Self> {
        let ctx = &cc.egui_ctx;
        theme::install(ctx);
        ctx.add_plugin(InTurn::default());
        let errand = Errand::new(options);
        // A picture must not depend on who takes it, nor change what they come back to.
        let is_remembered = options.screenshot.is_none();
        let storage = cc.storage.filter(|_| is_remembered);
        if let Some(storage) = storage {
            settings_file::note(storage, &remembered::KEYS);
        }
        let mut remembered = Remembered::new(storage);
        let mut settings: Settings = remembered.fields(SETTINGS_KEY);
        let mut preferences: Preferences = remembered.fields(PREFERENCES_KEY);
        settings.bos = options.bos.unwrap_or(settings.bos);
        preferences.measures_recall &= is_remembered;
        preferences.screenshot_scale = options.scale.unwrap_or(preferences.screenshot_scale);
        ctx.set_theme(options.theme.unwrap_or(preferences.theme));
        // A window cannot be made that is larger than any screen, or has no size.
        preferences.zoom = Some(preferences.zoom).filter(|it| ZOOMS.contains(it)).unwrap_or(1.0);
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
        let mut workspace: Workspace = remembered.whole(WORKSPACE_KEY).unwrap_or_default();
        if let Some(pane) = options.pane {
            workspace.show(pane);
        }
        let written = (settings.clone(), preferences.clone());
        let mut state = State::new(settings, preferences);
        state.spec.set_text(remembered.spec_text());
        state.device = options.device;
        state.many.home.clone_from(&options.sweeps);
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
            is_closed: false,
            left_for: Vec::new(),
            is_let_go: false,
            held: Vec::new(),
            checking: [None, None],
            n_saving: 0,
            export: None,
            n_exports: 0,
            n_drawing: 0,
            #[cfg(feature = "hub")]
            get_model: None,
            #[cfg(feature = "hub")]
            hub: options.hub.clone(),
            spec_to_save: None,
            answers,
            replies,
            edits_before: Vec::new(),
            edits_next: None,
            awaited: None,
            shown_title: "Factscope".to_owned(),
            in_front: Default::default(),
            errand,
            given_bos: options.bos,
            picture: None,
            is_remembered,
            noticed: None,
            written,
            changed_since: None,
            keeping: None,
            ending: Ending::default(),
        };
        if let Some(dir) = options.unsaved.as_deref().filter(|_| is_remembered) {
            app.find_left_over(dir);
            keep_before_the_end();
        }
        let complaint = remembered.complaint();
        // The first frame is drawn while these are read.
        if let Some(path) = options.facts.clone() {
            app.open_dataset(path, ctx);
        }
        if let Some(dir) = options.model.clone() {
            app.open_model(Which::Main, dir, ctx);
        }
        if let Some(dir) = options.model_beside.clone() {
            app.open_model(Which::Beside, dir, ctx);
        }
        if let Some(path) = options.session.clone() {
            app.open_session(path, ctx);
        }
        if let Some(dir) = options.sweep.clone() {
            app.open_sweep(dir);
        }
        app.state.error = app.state.error.take().or(complaint);
        Ok(app)
    }
}
