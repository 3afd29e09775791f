//! What each mode of a view draws into its place.

use std::sync::Arc;

use eframe::egui::{
    Align, Id, Layout, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextStyle, Ui, WidgetInfo,
    vec2,
};

use super::drawn::look_of;
use super::jobs_panel::jobs_ui;
use super::spec_panel::spec_panel_ui;
use super::study_panel::study_panel_ui;
use super::sweep_panel::sweep_panel_ui;
use super::swept_row::swept_ui;
use super::trace_panel::traces_ui;
use super::trust_panel::trust_ui;
use super::{LastAnswer, Views};
use crate::analysis::AnalysisResult;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{Run, RunState, Setting, State, capitalized};
use crate::ui::studies::StudySettings;
use crate::ui::theme;
use crate::ui::view::{Hovered, ViewAction, ViewCtx};
use crate::ui::views::{
    AttentionView, CutView, FigureView, attention_ui, attribution_choices_ui, lens_choices_ui,
};

/// Draws a mode of a view.
pub fn pane_ui(
    ui: &mut Ui,
    pane: Pane,
    state: &State,
    views: &mut Views,
    commands: &mut Vec<Command>,
) {
    swept_ui(ui, if pane == Pane::Cell { Pane::Trace } else { pane }, state, commands);
    match pane {
        Pane::Trust => return trust_ui(ui, state, commands),
        Pane::Jobs => return jobs_ui(ui, state, commands),
        Pane::Sweep => return sweep_panel_ui(ui, state, commands),
        Pane::Spec => return spec_panel_ui(ui, state, views, commands),
        _ => {}
    }
    if pane != Pane::Trace && state.prompt().is_none() {
        ui.weak("Choose a fact on the left");
        return;
    }
    match pane {
        Pane::Trace => {
            let rows: Vec<Row> = state.rows().collect();
            traces_ui(ui, state, &rows, views, commands);
        }
        Pane::Prediction => figure_panel_ui(ui, pane, state, views, commands, |_| ()),
        Pane::Attention => attention_panel_ui(ui, state, views, commands),
        Pane::Attribution => {
            let (was_split, was_drawn) = (state.parts_shown(), state.reading(pane).attribution);
            let (mut split, mut form) = (was_split, was_drawn);
            figure_panel_ui(ui, pane, state, views, commands, |ui| {
                attribution_choices_ui(ui, &mut split, &mut form);
            });
            if split != was_split {
                commands.push(Command::View(ViewAction::SplitBy(split)));
            }
            if form != was_drawn {
                commands.push(Command::Set(Box::new(Setting::Attribution(form))));
            }
        }
        Pane::LogitLens => {
            let before = state.reading(pane).lens_choice();
            let mut choice = before;
            figure_panel_ui(ui, pane, state, views, commands, |ui| {
                lens_choices_ui(ui, &mut choice);
            });
            if choice != before {
                commands.push(Command::Set(Box::new(Setting::Lens(choice))));
            }
        }
        Pane::Cell => cell_panel_ui(ui, state, views, commands),
        _ => study_panel_ui(ui, pane, state, views, commands),
    }
}

/// The trace with the runs behind the cell that is picked out: both maps beside them where there is
/// room, else the map that is looked at above them. Another cell is a click away.
fn cell_panel_ui(ui: &mut Ui, state: &State, views: &mut Views, commands: &mut Vec<Command>) {
    /// The width in points from which both have room beside each other, and the trace's share of the
    /// width or the height.
    const WIDE: f32 = 1000.0;
    const SHARE: f32 = 0.5;

    let (room, column) = (ui.available_size(), Layout::top_down(Align::Min));
    let rows: Vec<Row> = state.rows().collect();
    if room.x < WIDE {
        let looked_at = rows.iter().position(|row| *row == state.row);
        let shown = looked_at.map_or(&[][..], |nth| &rows[nth..=nth]);
        let size = vec2(room.x, room.y * SHARE);
        ui.allocate_ui_with_layout(size, column, |ui| traces_ui(ui, state, shown, views, commands));
        ui.separator();
        study_panel_ui(ui, Pane::Cell, state, views, commands);
        return;
    }
    ui.horizontal_top(|ui| {
        let size = vec2(room.x * SHARE, room.y);
        ui.allocate_ui_with_layout(size, column, |ui| traces_ui(ui, state, &rows, views, commands));
        ui.separator();
        let size = vec2(ui.available_width(), room.y);
        ui.allocate_ui_with_layout(size, column, |ui| {
            study_panel_ui(ui, Pane::Cell, state, views, commands);
        });
    });
}

/// The commands that carry out the action of a view.
pub(super) fn asked_by(action: ViewAction, pane: Pane, row: Row) -> Vec<Command> {
    match action {
        ViewAction::Hover(selection) => {
            vec![Command::Hover(Hovered { pane, row, selection })]
        }
        ViewAction::HoldRange { .. } => vec![Command::View(action)],
        ViewAction::Place { chart, nth } => vec![Command::ShowBehind(chart, nth)],
        ViewAction::Select(_) | ViewAction::SplitBy(_) => {
            vec![Command::LookAt(row), Command::View(action)]
        }
    }
}

/// The figure of a result that is shown unasked, with the choices of how it is drawn.
fn figure_panel_ui(
    ui: &mut Ui,
    pane: Pane,
    state: &State,
    views: &mut Views,
    commands: &mut Vec<Command>,
    choices: impl FnOnce(&mut Ui),
) {
    let last = views.last_answer(pane, state);
    answer_ui(ui, state, (pane, last), commands, |ui, result, ctx, commands| {
        let look = look_of(pane, state.row, state)?;
        let place = Id::unique((pane, state.row));
        let figure = views.figures.get(place, result, None, &look, &state.settings.ranges);
        FigureView::new(&figure).show(ui, ctx, commands, choices)
    });
}

fn attention_panel_ui(ui: &mut Ui, state: &State, views: &mut Views, commands: &mut Vec<Command>) {
    let mut settings = state.settings.attention;
    let mut cut = state.settings.studies.cut.clone();
    let config = state.info_at(state.row).map(|info| &info.config);
    let n_layers = config.map_or(0, |it| it.n_layers);
    let n_sharing = config.map_or(1, |it| it.n_heads / it.n_kv_heads());
    let painted = state.painted.of(state.key());
    let wanted = state.spec_of(Pane::Cut, state.row);
    let known = |run: &Run| match run.result.as_deref() {
        Some(AnalysisResult::EdgeCut(_)) => run.result.clone(),
        _ => None,
    };
    let runs = state.findings().map_or(&[][..], |findings| &findings.runs);
    let current = wanted.as_ref().ok().and_then(|spec| runs.iter().find(|it| it.spec == *spec));
    let current = current.and_then(known);
    let found = current.clone().or_else(|| runs.iter().rev().find_map(known));
    let last = views.last_answer(Pane::Attention, state);
    answer_ui(ui, state, (Pane::Attention, last), commands, |ui, result, ctx, commands| {
        let AnalysisResult::Attention(it) = &**result else { return None };
        let look = look_of(Pane::Cut, state.row, state)?;
        let place = Id::unique(("painted", state.row));
        let ranges = &state.settings.ranges;
        let found = found.map(|it| views.figures.get(place, &it, None, &look, ranges));
        let is_current = current.is_some();
        let error = wanted.err().map(|error| capitalized(&error));
        let cut = CutView { painted, settings: &mut cut, error, found, is_current };
        let settings = &mut settings;
        let mut view = AttentionView { attention: it, n_layers, n_sharing, settings, cut };
        attention_ui(ui, &mut view, ctx, commands)
    });
    if settings != state.settings.attention {
        commands.push(Command::Set(Box::new(Setting::Attention(settings))));
    }
    if cut != state.settings.studies.cut {
        let cut = StudySettings::Cut(cut);
        commands.push(Command::Set(Box::new(Setting::Study(cut))));
    }
}

/// Shows a result, or says why there is none yet. `last`: what is shown meanwhile, set back.
fn answer_ui(
    ui: &mut Ui,
    state: &State,
    (pane, last): (Pane, Option<LastAnswer>),
    commands: &mut Vec<Command>,
    show: impl FnOnce(
        &mut Ui,
        &Arc<AnalysisResult>,
        &ViewCtx<'_>,
        &mut Vec<Command>,
    ) -> Option<ViewAction>,
) {
    let Some(ctx) = ViewCtx::of(state, pane, state.row) else { return };
    if let Some(name) = state.model_name(state.row) {
        ui.label(RichText::new(name).small().strong());
    }
    let run = state.run(pane, state.row);
    match run.map(|run| (&run.state, &run.result)) {
        Some((RunState::Done, Some(result))) => {
            let action = show(ui, result, &ctx, commands);
            commands.extend(action.into_iter().flat_map(|it| asked_by(it, pane, state.row)));
        }
        Some((RunState::Failed(error), _)) => {
            ui.label(RichText::new(error).color(theme::palette(ui).error));
        }
        _ if state.stored.is_some() => {
            ui.weak("The session file does not hold this");
        }
        _ => {
            let Some(last) = last else {
                // No spinner: it would be drawn all the time, on the cores that the model needs.
                ui.weak(RUNNING);
                return;
            };
            let place = ui.max_rect().intersect(ui.clip_rect());
            ui.add_enabled_ui(false, |ui| {
                ui.multiply_opacity(0.5);
                let ctx = ViewCtx { selection: last.selection, planted: None, ..ctx };
                show(ui, &last.result, &ctx, &mut Vec::new());
            });
            let of = last.result.prompt().map(|prompt| prompt.text.as_str());
            let is_other = of != state.prompt().map(|prompt| prompt.text.as_str());
            waiting_ui(ui, place, of.filter(|_| is_other));
        }
    }
}

const RUNNING: &str = "Running the model…";

/// Says over what is set back that it is not of what was asked. `of`: the prompt that it is of, if that
/// is another.
fn waiting_ui(ui: &Ui, place: Rect, of: Option<&str>) {
    let text = of.map_or_else(|| RUNNING.to_owned(), |of| format!("{RUNNING} Below it is “{of}”"));
    let (colors, margin) = (theme::palette(ui), vec2(12.0, 8.0));
    let font = TextStyle::Body.resolve(ui.style());
    let most = (place.width() - 4.0 * margin.x).max(1.0);
    let galley = ui.painter().layout(text.clone(), font, colors.text, most);
    let rect = Rect::from_center_size(place.center(), galley.size() + 2.0 * margin);
    ui.painter().rect_filled(rect, 4.0, colors.background);
    ui.painter().rect_stroke(rect, 4.0, Stroke::new(1.0, colors.line), StrokeKind::Inside);
    ui.painter().galley(rect.min + margin, galley, colors.text);
    let said = ui.interact(rect, ui.scope_id().with("running"), Sense::hover());
    said.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
}
