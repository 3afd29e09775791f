//! The parts of the window, from the outside in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use eframe::egui::{CentralPanel, Color32, Frame, Margin, Panel, Ui};

mod drawn;
mod fact_form;
mod fact_row;
mod facts_panel;
mod help;
mod jobs_panel;
mod memory_meter;
mod known_by;
mod menu_bar;
mod pane;
mod run_row;
mod spec_panel;
mod status_bar;
mod stored_bar;
mod study_panel;
mod sweep_form;
mod sweep_panel;
mod swept_row;
mod toolbar;
mod trace_before;
mod trace_difference;
mod trace_heading;
mod trace_kinds;
mod trace_panel;
mod trace_settings;
mod trust_panel;
mod unsaved_bar;
mod wanted_width;
mod welcome;

pub use drawn::{asked_of, figure_of, figure_settings, figures_of};
pub use facts_panel::{FactsView, focus_search, is_search_focused};

pub use help::{Help, drop_hint_ui, help_ui};
pub use study_panel::IS_MADE;

use self::wanted_width::WantedWidth;
use super::command::Command;
use super::pane::Pane;
use super::row::Row;
use super::state::{FactKey, State};
use super::theme;
use super::view::Selection;
use super::views::Figures;
use super::widgets::number::with_thousands;
use super::widgets::pass_over;
use super::workspace::Workspace;
use crate::analysis::{AnalysisResult, ModelEdit};
use crate::figure::Figure;
use crate::worker::ModelInfo;

/// What views remember of how they look; what they show is in the state.
#[derive(Debug, Default)]
pub struct Views {
    pub workspace: Workspace,
    pub facts: FactsView,
    facts_width: WantedWidth,

    /// The height in points of the bars that come and go again, such as that of an error.
    of_passing_bars: f32,
    figures: Figures,

    /// The last map of each row's trace, shown until the next is there.
    last_maps: [Option<LastMap>; 2],

    /// What each mode showed last, until the model has answered anew.
    last_answers: BTreeMap<Pane, LastAnswer>,

    /// What each study showed last of each row, until it is asked with the settings as they are now.
    last_studies: BTreeMap<(Pane, Row), LastStudy>,
}

/// What a study has found of a fact with other settings.
#[derive(Clone, Debug)]
struct LastStudy {
    key: FactKey,
    of: Arc<ModelInfo>,
    edits: Vec<ModelEdit>,
    figure: Arc<Figure>,
}

/// What the model answered last, and what was picked out in it.
#[derive(Clone, Debug)]
struct LastAnswer {
    of: Arc<ModelInfo>,
    result: Arc<AnalysisResult>,
    selection: Selection,
}

/// The map of a trace.
#[derive(Clone, Debug)]
struct LastMap {
    /// Prompt, answer and model that it is of, in words.
    of: String,
    figure: Arc<Figure>,
}

impl Views {
    /// Remembers what a mode shows of the chosen row, or gives what it showed last while the same model has
    /// not answered yet.
    fn last_answer(&mut self, pane: Pane, state: &State) -> Option<LastAnswer> {
        let of = state.info_at(state.row)?;
        let run = state.run(pane, state.row).filter(|run| run.is_done());
        if let Some(result) = run.and_then(|run| run.result.as_ref()) {
            let selection = state.seen(pane, state.row);
            let last = LastAnswer { of: Arc::clone(of), result: Arc::clone(result), selection };
            self.last_answers.insert(pane, last);
            return None;
        }
        self.last_answers.get(&pane).filter(|it| Arc::ptr_eq(&it.of, of)).cloned()
    }

    /// Remembers what a study shows of a row.
    fn remember_study(&mut self, pane: Pane, row: Row, state: &State, figure: &Arc<Figure>) {
        let (Some(key), Some(of)) = (state.key_of(row), state.info_at(row)) else { return };
        let (of, figure) = (Arc::clone(of), Arc::clone(figure));
        let last = LastStudy { key, of, edits: state.edits.clone(), figure };
        self.last_studies.insert((pane, row), last);
    }

    /// Forgets what studies have found.
    pub fn forget_studies(&mut self) {
        self.last_studies.clear();
    }

    /// What a study showed last of a row, if it is the same fact in the same model.
    fn last_study(&self, pane: Pane, row: Row, state: &State) -> Option<Arc<Figure>> {
        let (key, of) = (state.key_of(row)?, state.info_at(row)?);
        let last = self.last_studies.get(&(pane, row))?;
        let is_same = last.key == key && Arc::ptr_eq(&last.of, of) && last.edits == state.edits;
        is_same.then(|| Arc::clone(&last.figure))
    }

    pub fn new(workspace: Workspace) -> Self {
        Self { workspace, ..Self::default() }
    }
}

pub fn window_ui(ui: &mut Ui, state: &State, views: &mut Views, commands: &mut Vec<Command>) {
    let filled = Frame::NONE.fill(ui.visuals().panel_fill);
    let bar = filled.inner_margin(Margin::symmetric(10, 4));
    Panel::top("menu")
        .frame(bar)
        .resizable(false)
        .show_separator_line(false)
        .show(ui, |ui| menu_bar::menu_bar_ui(ui, state, &views.workspace, commands));
    Panel::top("toolbar")
        .frame(bar)
        .resizable(false)
        .show(ui, |ui| toolbar::toolbar_ui(ui, state, commands));
    Panel::bottom("status")
        .frame(bar)
        .resizable(false)
        .show(ui, |ui| status_bar::status_bar_ui(ui, state, commands));
    let usual_height = ui.available_height();
    if status_bar::is_dialog_slow(ui, state) {
        Panel::bottom("dialog")
            .frame(bar)
            .resizable(false)
            .show(ui, |ui| status_bar::dialog_ui(ui, state, commands));
    }
    if state.error.is_some() {
        let fill = mix(theme::palette(ui).background, theme::palette(ui).error);
        let frame = bar.fill(fill);
        Panel::bottom("error")
            .frame(frame)
            .resizable(false)
            .show(ui, |ui| status_bar::error_ui(ui, state, commands));
    }
    views.of_passing_bars = usual_height - ui.available_height();
    if state.stored.is_some() {
        let fill = mix(theme::palette(ui).background, theme::palette(ui).warning);
        Panel::top("stored")
            .frame(bar.fill(fill))
            .resizable(false)
            .show(ui, |ui| stored_bar::stored_ui(ui, state, commands));
    }
    if !state.left_over.is_empty() {
        let fill = mix(theme::palette(ui).background, theme::palette(ui).warning);
        Panel::top("unsaved")
            .frame(bar.fill(fill))
            .resizable(false)
            .show(ui, |ui| unsaved_bar::unsaved_ui(ui, state, commands));
    }
    if state.info().is_none() && state.facts.is_empty() {
        CentralPanel::default_margins().show(ui, |ui| welcome::welcome_ui(ui, state, commands));
        return;
    }

    let width = ui.available_width();
    let side = filled.inner_margin(Margin::symmetric(10, 8));
    views.facts_width.restore(ui, FACTS, width);
    // The pointer alone drags the edge of the list.
    let edge = ui.scope_id().with(FACTS).with("__resize");
    pass_over(ui, |response| response.id == edge);
    let shown = Panel::left(FACTS)
        .frame(side)
        .default_size((width * 0.22).clamp((width * 0.28).clamp(200.0, 250.0), 340.0))
        .size_range(200.0..=width * 0.4)
        .show(ui, |ui| facts_panel::facts_ui(ui, state, &mut views.facts, commands));
    views.facts_width.remember(width, shown.response.rect.width());
    CentralPanel::no_frame().frame(filled).show(ui, |ui| {
        if state.info().is_none() {
            welcome::no_model_ui(ui, state, commands);
            return;
        }
        let mut workspace = std::mem::take(&mut views.workspace);
        workspace.ui(ui, commands, &mut |ui, pane, commands| {
            pane::pane_ui(ui, pane, state, views, commands);
        });
        views.workspace = workspace;
    });
}

/// What the panel of facts is called among those of the window.
const FACTS: &str = "facts";

/// A background with a little of `color` in it.
fn mix(background: Color32, color: Color32) -> Color32 {
    background.lerp_to_gamma(color, 0.12)
}

/// `21,919`
pub fn grouped(count: usize) -> String {
    with_thousands(count as u64)
}

pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
