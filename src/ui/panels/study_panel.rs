//! A study: its settings, its run, and the figures of its results.

use eframe::egui::{Align, Button, Id, Layout, RichText, Ui, vec2};

use super::Views;
use super::drawn::look_of;
use super::pane::asked_by;
use super::run_row::{memory_ui, outcome_ui, progress_ui, run_button_ui, stop_button_ui};
use crate::figure::{AskedModel, Look};
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{Doubt, Run, Setting, State, capitalized};
use crate::ui::theme;
use crate::ui::view::ViewCtx;
use crate::ui::views::{figure_ui, metric_picker_ui, metrics_of, n_lines};
use crate::ui::widgets::command_button_ui;

pub fn study_panel_ui(
    ui: &mut Ui,
    pane: Pane,
    state: &State,
    views: &mut Views,
    commands: &mut Vec<Command>,
) {
    let Some(mut edited) = state.settings.studies.copy(pane) else { return };
    // Settings that are wider than the pane, such as long prompts, make nothing else wider.
    let width = ui.available_width();
    // What a sweep has asked is told by its figure.
    if !state.shows_swept(pane) {
        _ = state.about(state.row, |about| edited.controls_ui(ui, about));
    }
    let has_metric = edited.study().has_metric();
    if state.settings.studies.copy(pane).as_ref() != Some(&edited) {
        commands.push(Command::Set(Box::new(Setting::Study(edited))));
    }
    let asked = state.rows_of(pane).next().unwrap_or(state.row);
    let spec = state.spec_of(pane, asked);
    if let Err(error) = &spec {
        ui.label(RichText::new(capitalized(error)).color(theme::palette(ui).warning));
        // What is cut is painted there.
        if pane == Pane::Cut && ui.button("Open Pattern").clicked() {
            commands.push(Command::ShowPane(Pane::Attention));
        }
        let rows: Vec<Row> = state.rows_of(pane).collect();
        for row in rows {
            last_ui(ui, pane, row, state, views);
        }
        change_tried_ui(ui, pane, state, views, commands);
        return;
    }
    ui.scope(|ui| {
        ui.set_max_width(width);
        run_ui(ui, state, pane, has_metric, commands);
    });
    if matches!(pane, Pane::Editing | Pane::Steering) {
        let edit = spec.ok().and_then(|spec| spec.edit());
        if edit.as_ref().is_some_and(|it| state.edits.contains(it)) {
            let text = Command::ApplyEdit(pane).text();
            let button = ui.add_enabled(false, Button::new(text));
            button.on_disabled_hover_text(IS_MADE);
        } else {
            let is_doubted = edit.is_some() && edit == state.doubted;
            let doubt = state.doubt_of(pane, state.row).filter(|_| is_doubted);
            apply_ui(ui, pane, doubt, commands);
        }
    }
    ui.add_space(4.0);
    let rows: Vec<Row> = state.rows_of(pane).collect();
    let mut n_shown = 0;
    for row in rows.iter().copied() {
        let result = state.run(pane, row).and_then(|run| run.result.as_ref());
        let (Some(result), Some(ctx)) = (result, ViewCtx::of(state, pane, row)) else {
            n_shown += usize::from(last_ui(ui, pane, row, state, views));
            continue;
        };
        n_shown += 1;
        let Some(look) = look_of(pane, row, state) else { continue };
        let place = Id::unique((pane, row));
        let figure = views.figures.get(place, result, None, &look, &state.settings.ranges);
        views.remember_study(pane, row, state, &figure);
        if n_shown > 1 {
            ui.add_space(ROW_GAP);
        }
        // What is in one row is not hidden below the other, unless it is scrolled anyway.
        let n_left = match rows.iter().skip_while(|it| **it != row).count() {
            _ if n_lines(ui, &figure, width) > 1 => 1.0,
            n => n as f32,
        };
        let below = (n_left - 1.0) * (ROW_GAP + ui.spacing().item_spacing.y);
        let size = vec2(width, ((ui.available_height() - below) / n_left).max(0.0));
        let row_ui = |ui: &mut Ui| {
            if rows.len() > 1 {
                let name = state.name_of(row);
                let model = state.model_name(row).map(|it| format!(", {it}"));
                let name = format!("{name}{}", model.unwrap_or_default());
                let text = study_prompt(state, row);
                ui.label(RichText::new(format!("{name}: {text}")).strong());
            }
            let action = figure_ui(ui, &figure, &ctx, commands);
            commands.extend(action.into_iter().flat_map(|it| asked_by(it, pane, row)));
        };
        ui.push_id(row, |ui| {
            ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), row_ui);
        });
    }
    let is_tried = change_tried_ui(ui, pane, state, views, commands);
    if n_shown == 0 && !is_tried {
        ui.weak(pane.tooltip());
    }
}

/// What the study showed last of a row, set back, while it has no result with the settings as they are now.
/// Returns whether there is any.
fn last_ui(ui: &mut Ui, pane: Pane, row: Row, state: &State, views: &Views) -> bool {
    let (Some(figure), Some(ctx)) =
        (views.last_study(pane, row, state), ViewCtx::of(state, pane, row))
    else {
        return false;
    };
    ui.weak(LAST);
    ui.push_id(("last", row), |ui| {
        ui.add_enabled_ui(false, |ui| {
            ui.multiply_opacity(0.5);
            figure_ui(ui, &figure, &ctx, &mut Vec::new());
        });
    });
    true
}

/// What is said above a result that is not of the settings as they are now.
const LAST: &str = "Found with other settings, which stand below it";

/// What is said where an edit is asked for that the open model has.
pub const IS_MADE: &str = "The model is changed so already; “Back” at the top takes it back";

/// The button that makes an edit to the open model; or the question whether to make one that is not known
/// to do what it was made for.
fn apply_ui(ui: &mut Ui, pane: Pane, doubt: Option<Doubt>, commands: &mut Vec<Command>) {
    let Some(doubt) = doubt else {
        command_button_ui(ui, Command::ApplyEdit(pane), commands);
        return;
    };
    ui.horizontal_wrapped(|ui| {
        let why = match doubt {
            Doubt::NotTried => "The edit was not tried out.",
            Doubt::DoesNotWork => "The edit did not work.",
        };
        let text = format!("{why} Use the changed model all the same?");
        ui.label(RichText::new(text).color(theme::palette(ui).warning));
        command_button_ui(ui, Command::ApplyAnyway(pane), commands);
        command_button_ui(ui, Command::LeaveEdit, commands);
    });
}

/// What the change that the model has now was found to do before it was made. Returns whether there is
/// such a result.
fn change_tried_ui(
    ui: &mut Ui,
    pane: Pane,
    state: &State,
    views: &mut Views,
    commands: &mut Vec<Command>,
) -> bool {
    let Some(result) = state.change_tried(pane).and_then(|run| run.result.clone()) else {
        return false;
    };
    let Some(ctx) = ViewCtx::of(state, pane, state.row) else { return false };
    let Some(look) = look_of(pane, state.row, state) else { return false };
    let edits = state.edits.split_last().map_or(&[][..], |it| it.1);
    let model = look.model.map(|it| AskedModel { edits, ..it });
    let look = Look { model, ..look };
    let figure = views.figures.get(
        Id::unique((pane, "tried")),
        &result,
        None,
        &look,
        &state.settings.ranges,
    );
    ui.add_space(ROW_GAP);
    ui.strong("The change that is made: what it does, tried out before");
    ui.push_id("tried", |ui| figure_ui(ui, &figure, &ctx, commands));
    true
}

/// Points between the figures of two rows, besides the gap that all have.
const ROW_GAP: f32 = 6.0;

fn study_prompt(state: &State, row: Row) -> String {
    let prompt = state.findings_at(row).and_then(|it| it.prompt.as_ref().ok());
    prompt.map(|prompt| prompt.text.clone()).unwrap_or_default()
}

/// The width in points from which the metric has room beside the button and how far the run is.
const WIDE: f32 = 420.0;

/// The button that starts the study or stops it, the metric that is shown, and how far the run is.
fn run_ui(ui: &mut Ui, state: &State, pane: Pane, has_metric: bool, commands: &mut Vec<Command>) {
    let rows: Vec<Row> = state.rows_of(pane).collect();
    let runs: Vec<&Run> = rows.iter().filter_map(|row| state.run(pane, *row)).collect();
    let running = runs.iter().find_map(|run| state.jobs.get(run.job()?));
    let is_complete = runs.len() == rows.len() && runs.iter().all(|run| run.is_done());
    let is_wide = ui.available_width() >= WIDE;
    ui.horizontal(|ui| {
        match running {
            Some(job) => stop_button_ui(ui, job, Command::Stop(pane), commands),
            None => start_button_ui(ui, pane, is_complete, commands),
        }
        if ui.available_width() >= WIDE {
            command_button_ui(ui, Command::Over(pane), commands);
        }
        if has_metric && is_wide {
            metric_ui(ui, state, pane, commands);
        }
        // What changes in length comes last.
        if let Some(job) = running {
            progress_ui(ui, job, None);
        } else if let Some(run) = runs.iter().find(|run| !run.is_done()).or_else(|| runs.first()) {
            // The study is complete once all of its runs are.
            outcome_ui(ui, run, is_complete);
        } else if let Some(row) = rows.first() {
            memory_ui(ui, state, pane, *row);
        }
    });
    if has_metric && !is_wide {
        metric_ui(ui, state, pane, commands);
    }
}

fn start_button_ui(ui: &mut Ui, pane: Pane, is_complete: bool, commands: &mut Vec<Command>) {
    let command = Command::Study(pane);
    let button = Button::new(command.text()).fill(theme::palette(ui).accent_fill);
    let response = run_button_ui(ui, !is_complete, button).on_hover_text(command.tooltip());
    let response =
        response.on_disabled_hover_text("This is complete; change a setting to ask for more");
    if response.clicked() {
        commands.push(command);
    }
}

fn metric_ui(ui: &mut Ui, state: &State, pane: Pane, commands: &mut Vec<Command>) {
    let Some(prompt) = state.prompt() else { return };
    let before = state.reading(pane).metric;
    let mut metric = before;
    metric_picker_ui(ui, &mut metric, metrics_of(prompt));
    if metric != before {
        commands.push(Command::Set(Box::new(Setting::Metric(pane, metric))));
    }
}
