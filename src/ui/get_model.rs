//! *Get a model…*: models that people study or that a search finds, with what they take, and the
//! download of one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use eframe::egui::{
    Align, Context, Grid, Key, Layout, ProgressBar, RichText, ScrollArea, TextEdit, Ui,
};

use super::command::Command;
use super::path_field::PathField;
use super::state::State;
use super::theme::field_color;
use super::widgets::{Outside, dialog_height, dialog_ui};
use crate::hub::{Cached, Found, HubName, KNOWN, Known, Settings, count, find};
use crate::worker::JobId;

/// The dialog. It stays while something is downloaded, whether or not it is shown.
#[derive(Debug)]
pub struct GetModel {
    pub settings: Arc<Settings>,
    pub is_shown: bool,

    /// What is searched for, or the name of a model, as it is typed.
    text: String,
    is_new: bool,
    rows: Vec<Row>,

    /// The search whose finds are listed. `None`: the models that people study.
    searched: Option<String>,
    pub doing: Doing,

    /// What was downloaded last, and where it is.
    pub got: Option<(HubName, PathBuf)>,

    /// What the download does.
    pub said: String,
    pub error: Option<String>,
}

/// What the dialog waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    Nothing,
    Searching(JobId),
    Downloading(JobId, HubName),
}

/// A model that can be had.
#[derive(Debug)]
struct Row {
    name: String,
    n_params: Option<u64>,

    /// What the weights take on disk; none is told of what a search finds.
    weights: Option<String>,
    memory: Option<String>,
    licence: String,
    is_gated: bool,
    cached: Cached,
}

impl Row {
    fn known(known: &Known, settings: &Settings) -> Self {
        Self {
            name: known.name.to_owned(),
            n_params: Some(known.n_params),
            weights: Some(known.size(known.n_bytes())),
            memory: Some(known.size(known.memory())),
            licence: known.licence.to_owned(),
            is_gated: false,
            cached: Cached::of(known.name, &settings.cache),
        }
    }

    fn found(found: &Found, settings: &Settings) -> Self {
        Self {
            cached: Cached::of(&found.name, &settings.cache),
            n_params: found.n_params,
            weights: None,
            memory: None,
            licence: found.licence.clone().unwrap_or_default(),
            is_gated: found.is_gated,
            name: found.name.clone(),
        }
    }
}

impl GetModel {
    pub fn new(settings: Settings) -> Self {
        let rows = KNOWN.iter().map(|it| Row::known(it, &settings)).collect();
        Self {
            settings: Arc::new(settings),
            is_shown: true,
            text: String::new(),
            is_new: true,
            rows,
            searched: None,
            doing: Doing::Nothing,
            got: None,
            said: String::new(),
            error: None,
        }
    }

    pub fn show(&mut self) {
        self.is_shown = true;
        self.is_new = true;
    }

    /// Lists what a search has found.
    pub fn list(&mut self, text: String, found: &[Found]) {
        self.rows = found.iter().map(|it| Row::found(it, &self.settings)).collect();
        self.searched = Some(text);
    }

    /// Looks again at what is in the cache.
    pub fn look(&mut self) {
        for row in &mut self.rows {
            row.cached = Cached::of(&row.name, &self.settings.cache);
        }
    }

    /// Where a model is in the cache.
    fn place(&self, name: &str) -> Option<PathBuf> {
        find(name, &self.settings.cache)
    }

    fn search_ui(&mut self, ui: &mut Ui, commands: &mut Vec<Command>) {
        let label = ui.label("Name, or text to search the hub for");
        ui.horizontal(|ui| {
            let edit = TextEdit::singleline(&mut self.text)
                .hint_text("gpt2-large, OWNER/NAME, OWNER/NAME@REVISION")
                .background_color(field_color(ui))
                .desired_width(ui.available_width() - BUTTONS);
            let field = ui.add(edit).labelled_by(label.id);
            if std::mem::take(&mut self.is_new) {
                field.request_focus();
            }
            let is_entered = field.lost_focus() && ui.input(|it| it.key_pressed(Key::Enter));
            let text = self.text.trim();
            let is_free = self.doing == Doing::Nothing;
            let search = ui.add_enabled_ui(is_free && !text.is_empty(), |ui| {
                ui.button("Search").on_hover_text("Asks the hub; nothing is asked before").clicked()
            });
            if is_free && !text.is_empty() && (search.inner || is_entered) {
                commands.push(Command::SearchHub(text.to_owned()));
            }
            let name: Option<HubName> = text.parse().ok();
            let get = ui.add_enabled_ui(is_free && name.is_some(), |ui| {
                ui.button("Download").on_hover_text("The model of exactly this name").clicked()
            });
            if let (true, Some(name)) = (get.inner, name) {
                commands.push(Command::Download(name));
            }
        });
    }

    fn rows_ui(&self, ui: &mut Ui, commands: &mut Vec<Command>) {
        let heads = ["Model", "Parameters", "Weights", "Memory", "Licence", ""];
        // As high whatever is listed, so that nothing jumps.
        let height = ROWS.min(dialog_height(ui) - AROUND);
        ScrollArea::vertical().max_height(height).auto_shrink(false).show(ui, |ui| {
            let grid = Grid::new("models of the hub").num_columns(heads.len()).striped(true);
            grid.spacing([24.0, 6.0]).show(ui, |ui| {
                for head in heads {
                    let label = ui.weak(head);
                    if head == "Weights" {
                        label.on_hover_text(
                            "What they take on disk. “from”: in 16 bits a number; the hub tells the true \
                             size before a download begins",
                        );
                    }
                }
                ui.end_row();
                for row in &self.rows {
                    ui.label(&row.name);
                    let sizes =
                        [row.n_params.map(count), row.weights.clone(), row.memory.clone()];
                    for text in sizes {
                        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                            ui.label(text.unwrap_or_else(|| "–".to_owned()));
                        });
                    }
                    ui.horizontal(|ui| {
                        ui.label(&row.licence);
                        if row.is_gated {
                            ui.weak("gated").on_hover_text(
                                "Its owners want their terms accepted on its page first",
                            );
                        }
                    });
                    self.button_ui(ui, row, commands);
                    ui.end_row();
                }
            });
            if self.rows.is_empty() {
                let text = self.searched.as_deref().unwrap_or_default();
                ui.label(format!("No model that writes text has “{text}” in its name"));
            }
        });
    }

    fn button_ui(&self, ui: &mut Ui, row: &Row, commands: &mut Vec<Command>) {
        ui.push_id(&row.name, |ui| match (row.cached, self.place(&row.name)) {
            (Cached::All, Some(dir)) => {
                if ui.button("Open").on_hover_text(format!("Opens {}", row.name)).clicked() {
                    commands.push(Command::OpenModelAt(dir));
                }
            }
            (cached, _) => {
                let text = if cached == Cached::Part { "Download the rest" } else { "Download" };
                let is_free = self.doing == Doing::Nothing;
                let button = ui.add_enabled_ui(is_free, |ui| ui.button(text)).inner;
                let name = row.name.parse().ok();
                if let (true, Some(name)) =
                    (button.on_hover_text(format!("Downloads {}", row.name)).clicked(), name)
                {
                    commands.push(Command::Download(name));
                }
            }
        });
    }

    fn got_ui(&self, ui: &mut Ui, commands: &mut Vec<Command>) {
        let Some((name, path)) = &self.got else { return };
        ui.horizontal(|ui| {
            ui.label(format!("{name} is downloaded"));
            if ui.button("Open it").clicked() {
                commands.push(Command::OpenModelAt(path.clone()));
            }
        });
    }

    fn progress_ui(&self, ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
        let id = match &self.doing {
            Doing::Nothing => return,
            Doing::Searching(id) | Doing::Downloading(id, _) => *id,
        };
        let Some(job) = state.jobs.get(id) else { return };
        ui.horizontal(|ui| {
            if let Doing::Downloading(..) = self.doing {
                ui.add(ProgressBar::new(job.fraction()).desired_width(180.0).show_percentage());
                let left = job.time_left(Instant::now()).map(|it| format!(", {it}"));
                ui.label(format!("{}{}", self.said, left.unwrap_or_default()));
            } else {
                ui.spinner();
                ui.label("Asking the hub");
            }
            let is_stopping = job.cancel.is_cancelled();
            let cancel = ui.add_enabled_ui(!is_stopping, |ui| {
                ui.button("Stop").on_hover_text("What was downloaded stays, and is gone on with")
            });
            if cancel.inner.clicked() {
                commands.push(Command::CancelJob(id));
            }
        });
    }
}

/// The room beside the field, the height of the list, and that of what is around it, in points.
const BUTTONS: f32 = 170.0;
const ROWS: f32 = 280.0;
const AROUND: f32 = 180.0;

/// Draws the dialog while it is shown.
pub fn get_model_ui(
    ctx: &Context,
    open: &mut Option<GetModel>,
    state: &State,
    commands: &mut Vec<Command>,
) {
    let Some(dialog) = open.as_mut().filter(|it| it.is_shown) else { return };
    let mut is_closed = false;
    let ((), is_left) = dialog_ui(ctx, "get a model", 780.0, Outside::Stays, |ui| {
        ui.heading("Get a model");
        ui.add_space(6.0);
        dialog.search_ui(ui, commands);
        ui.add_space(6.0);
        dialog.rows_ui(ui, commands);
        PathField::buttons_ui(ui, |ui| {
            is_closed = ui.button("Close").clicked();
        });
        // What comes and goes stands below the buttons, which stay where they are.
        dialog.progress_ui(ui, state, commands);
        dialog.got_ui(ui, commands);
        if let Some(error) = &dialog.error {
            ui.label(RichText::new(error).color(ui.visuals().error_fg_color));
        }
        let cache = dialog.settings.cache.display();
        ui.weak(format!("Kept in Hugging Face's cache, which Python shares: {cache}"));
    });
    let is_opened = commands.iter().any(|it| matches!(it, Command::OpenModelAt(_)));
    if is_closed || is_opened || is_left {
        dialog.is_shown = false;
    }
    if !dialog.is_shown && dialog.doing == Doing::Nothing {
        *open = None;
    }
}
