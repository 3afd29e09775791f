//! The chosen fact and what stands beside it, each with its trace.

use std::sync::Arc;
use std::time::Instant;

use eframe::egui::{Align, Button, Id, Label, Layout, RichText, Separator, Ui, Vec2, vec2};

use super::drawn::look_of;
use super::pane::asked_by;
use super::run_row::{memory_ui, progress_bar, run_button_ui};
use super::trace_before::{self, before_ui};
use super::trace_difference::{difference_ui, pair_ui};
use super::trace_heading::heading_ui;
use super::trace_kinds::{kinds_button_ui, kinds_ui};
use super::trace_settings::{has_settings, restored_ui, settings_toggle_ui, settings_ui};
use super::{LastMap, Views, file_name};
use crate::analysis::causal_trace::{CausalTrace, Component};
use crate::figure::words::metric_or_prob;
use crate::figure::{Chart, Figure};
use crate::population::duration;
use crate::tokens::TokenizedPrompt;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{ModelState, OpenJob, Run, RunState, Setting, State, TracePair};
use crate::ui::theme;
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::views::{FigureView, metric_picker_ui, metrics_of};
use crate::ui::widgets::{command_choice_ui, token_strip_ui};
use crate::worker::Which;

/// The chosen fact and its inverse, or only one of them: their tokens, and where restoring a state
/// brings the answer back.
pub fn traces_ui(
    ui: &mut Ui,
    state: &State,
    rows: &[Row],
    views: &mut Views,
    commands: &mut Vec<Command>,
) {
    if rows.is_empty() {
        empty_ui(ui, "No fact is chosen", "Choose one on the left, or type your own");
        return;
    }
    // What is shown does not change where an error takes some of the height: maps are lower meanwhile.
    let passing = views.of_passing_bars;
    if ui.available_height() + passing < rows.len() as f32 * TIGHT_ROW + ABOVE_ROWS {
        ui.spacing_mut().item_spacing.y = TIGHT_GAP;
    }
    let has_subject = rows.iter().any(|&row| {
        let prompt = state.findings_at(row).and_then(|it| it.prompt.as_ref().ok());
        prompt.is_some_and(|prompt| prompt.subject.is_some())
    });
    if has_subject {
        run_ui(ui, state, commands);
        // Where one row stands alone, or the view is low, no more is said than how far a trace is.
        let is_busy = state.running_trace().is_some() || !state.trace_waits.is_empty();
        let has_room = rows.len() == state.rows().count() && ui.available_height() + passing >= LOW;
        if has_room || is_busy {
            status_ui(ui, state);
        }
        if has_settings(state) && !state.shows_swept(Pane::Trace) {
            more_ui(ui, state, commands);
        }
        ui.add_space(2.0);
    }
    let is_pair = rows.len() > 1;
    let all: Vec<Row> = state.rows().collect();
    let TracePair { shows_difference, has_same_scale, .. } = state.preferences.trace_pair;
    let mut blocks = Vec::new();
    for &row in rows {
        blocks.push(Block::Row(row));
        blocks.extend(shows_before(state, row).then_some(Block::Before(row)));
    }
    if is_pair && has_subject && shows_difference {
        blocks.push(Block::Difference);
    }
    let of_pair = (is_pair && has_same_scale).then(|| shared_range(state, rows, views)).flatten();
    let (room, style_gap) = (ui.available_size(), ui.spacing().item_spacing.x);
    let usual_room = room + vec2(0.0, passing);
    let n_beside = n_beside(state, rows, blocks.len(), usual_room);
    let n_lines = blocks.len().div_ceil(n_beside);
    let is_brief = usual_room.y < n_lines as f32 * ROOMY_ROW;
    let between = if is_brief { 2.0 } else { 6.0 };
    if has_subject {
        ui.add(Separator::default().spacing(between));
    }
    // All lines are as high as each other, with a separator and its gaps between two.
    let separators = (between + 2.0 * ui.spacing().item_spacing.y) * (n_lines - 1) as f32;
    let height = (ui.available_height() - separators) / n_lines as f32;
    let shows_tokens = height + passing / n_lines as f32 >= TIGHT_ROW;
    let mut picked = Vec::new();
    for (nth, line) in blocks.chunks(n_beside).enumerate() {
        // A last one alone is no larger than the others, so that all are compared by eye.
        let size = vec2((room.x + GAP) / n_beside as f32 - GAP, height.max(0.0));
        if nth > 0 {
            ui.add(Separator::default().spacing(between));
        }
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = GAP;
            for &block in line {
                ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
                    // The next stays where it is, whatever this one shows.
                    ui.set_min_size(size);
                    ui.spacing_mut().item_spacing.x = style_gap;
                    let (Block::Row(row) | Block::Before(row)) = block else {
                        difference_ui(ui, state, views, commands);
                        return;
                    };
                    let of_row = || shared_range(state, &[row], views);
                    let range = of_pair.or_else(of_row);
                    ui.push_id(block, |ui| {
                        if matches!(block, Block::Before(_)) {
                            before_ui(ui, state, row, range, views, &mut picked);
                        } else {
                            // From a row that stands alone the other is a click away.
                            let names = if is_pair { &[row][..] } else { &all };
                            let form = RowForm { is_brief, shows_tokens, range, names };
                            row_ui(ui, state, (row, form), views, &mut picked);
                        }
                    });
                });
            }
        });
    }
    commands.extend(picked);
}

/// What has a place of its own in the view.
#[derive(Clone, Copy, Debug, Hash)]
enum Block {
    Row(Row),

    /// The row's trace in the model as it was before its last change.
    Before(Row),
    Difference,
}

/// Whether the trace before the model was changed is there, and wanted.
fn shows_before(state: &State, row: Row) -> bool {
    state.preferences.trace_pair.shows_before
        && state.trace_before(row).is_some_and(|run| run.result.is_some())
}

/// Points; where a line of maps has less, only the first of a figure's notes is shown.
const ROOMY_ROW: f32 = 400.0;

/// Points; where a line of maps has less, the prompt's tokens stand beside the rows of its map only.
const TIGHT_ROW: f32 = 255.0;

/// Points; a lower view says no more than how far a trace is.
const LOW: f32 = 240.0;

/// About the points above the rows, and the points between what stands in a row that is tight.
const ABOVE_ROWS: f32 = 70.0;
const TIGHT_GAP: f32 = 2.0;

/// The gap in points between maps beside each other, and the least width of each.
const GAP: f32 = 20.0;
const LEAST_WIDTH: f32 = 420.0;

/// About the room in points that a map's labels take at its sides, and its tokens and words above and
/// below it.
const AROUND: [f32; 2] = [170.0, 210.0];

/// How many of `n` maps stand beside each other, so that cells are as large as can be.
fn n_beside(state: &State, rows: &[Row], n: usize, room: Vec2) -> usize {
    let n_layers = state.info().map_or(1, |info| info.config.n_layers) as f32;
    let prompts = rows.iter().filter_map(|row| state.findings_at(*row)?.prompt.as_ref().ok());
    let n_pos = prompts.map(|it| it.n_pos()).max().unwrap_or(1) as f32;
    let cell = |n_beside: usize| {
        let n_lines = n.div_ceil(n_beside) as f32;
        let width = ((room.x / n_beside as f32 - AROUND[0]) / n_layers).clamp(1.0, 112.0);
        let height = ((room.y / n_lines - AROUND[1]) / n_pos).clamp(1.0, 48.0);
        width * height.min(2.0 * width)
    };
    let most = ((room.x / LEAST_WIDTH) as usize).clamp(1, n);
    let better = |a: usize, b: usize| if cell(b) > cell(a) { b } else { a };
    (1..=most).reduce(better).unwrap_or(1)
}

/// How a row of the trace is drawn.
#[derive(Clone, Copy)]
struct RowForm<'a> {
    /// Whether room is short.
    is_brief: bool,

    /// Whether the prompt stands above the map as a strip of its tokens.
    shows_tokens: bool,

    /// The ends of its colours, where both rows have the same.
    range: Option<(f32, f32)>,

    /// The rows whose names stand above it.
    names: &'a [Row],
}

/// The ends of colours in which the maps of these rows fit, and those before the model was changed.
/// `None` unless there are several.
fn shared_range(state: &State, rows: &[Row], views: &mut Views) -> Option<(f32, f32)> {
    let mut figures = Vec::new();
    for &row in rows {
        figures.push(trace_figure(state, row, state.settings.trace.component, views));
        if shows_before(state, row) {
            figures.push(trace_before::figure(state, row, views));
        }
    }
    let range = |figure: Option<Arc<Figure>>| match figure?.charts.first()? {
        Chart::Map(map) => Some(map.range),
        _ => None,
    };
    let ranges: Vec<(f32, f32)> = figures.into_iter().map(range).collect::<Option<_>>()?;
    if ranges.len() < 2 {
        return None;
    }
    let low = ranges.iter().map(|it| it.0).fold(f32::INFINITY, f32::min);
    let high = ranges.iter().map(|it| it.1).fold(f32::NEG_INFINITY, f32::max);
    Some((low, high)).filter(|(low, high)| low < high)
}

/// A fact asked one way.
fn row_ui(
    ui: &mut Ui,
    state: &State,
    (row, form): (Row, RowForm<'_>),
    views: &mut Views,
    commands: &mut Vec<Command>,
) {
    // Beside the title there is room for a button only where the figure says all that it has to say.
    let figure =
        form.is_brief.then(|| trace_figure(state, row, state.settings.trace.component, views));
    let figure = figure.flatten();
    let head = (form.names, form.is_brief, figure.as_ref());
    heading_ui(ui, state, row, head, commands);
    let (Some(findings), Some(ctx)) =
        (state.findings_at(row), ViewCtx::of(state, Pane::Trace, row))
    else {
        if let ModelState::Loading { dir, .. } = state.model_of(state.which(row)) {
            ui.weak(format!("Opening {}…", file_name(dir)));
        }
        return;
    };
    let prompt = match &findings.prompt {
        Ok(prompt) => prompt,
        Err(error) => {
            ui.label(RichText::new(error).color(theme::palette(ui).error));
            return;
        }
    };
    let mut picked = None;
    // Where there is no map, the tokens are all that there is to see.
    if form.shows_tokens || prompt.subject.is_none() {
        picked = token_strip_ui(ui, prompt, &ctx);
    }
    if prompt.subject.is_none() {
        let about = "A trace corrupts the subject, and none is marked in this prompt";
        empty_ui(ui, "Nothing to trace", about);
    } else {
        kinds_ui(ui, state, row, views, &ctx, commands);
        let in_map = result_ui(ui, state, (row, form), views, &ctx, commands);
        picked = picked.or(in_map);
    }
    commands.extend(picked.into_iter().flat_map(|it| asked_by(it, Pane::Trace, row)));
}

/// The trace of all rows, of which that of one is taken: it is complete once all are.
fn traced(state: &State) -> Option<&Run> {
    let mut runs = state.rows().filter_map(|row| state.trace(row));
    runs.find(|run| !run.is_done()).or_else(|| state.trace(state.row))
}

/// What is restored, and the button that traces it or stops that.
fn run_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        restored_ui(ui, state, commands);
        ui.add_space(6.0);
        match state.running_trace().and_then(|id| state.jobs.get(id)) {
            Some(job) if job.cancel.is_cancelled() => {
                run_button_ui(ui, false, Button::new("Cancelling…"));
            }
            Some(_) => {
                if run_button_ui(ui, true, Button::new("Cancel")).clicked() {
                    commands.push(Command::Cancel);
                }
            }
            None => trace_button_ui(ui, state, traced(state), commands),
        }
        if !state.shows_swept(Pane::Trace) {
            settings_toggle_ui(ui, state, commands);
        }
    });
}

/// How far the trace is, in one line.
fn status_ui(ui: &mut Ui, state: &State) {
    // As high whatever it says.
    let size = vec2(ui.available_width(), ui.spacing().interact_size.y);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_size(size);
        if state.is_settling() {
            ui.weak("Asking which of the right answers the model finds likeliest…");
        } else if !state.trace_waits.is_empty() {
            ui.weak("Measuring the noise on the dataset's subjects…");
        } else if let Some(job) = state.running_trace().and_then(|id| state.jobs.get(id)) {
            progress_ui(ui, state, job);
        } else {
            if let Some(run) = traced(state) {
                let is_one = state.rows().any(|row| state.trace(row).is_some_and(Run::is_done));
                outcome_ui(ui, run, is_all_traced(state), is_one);
            } else if let Some(row) = state.rows().next() {
                memory_ui(ui, state, Pane::Trace, row);
            }
            // An error needs the line for itself.
            let has_failed =
                traced(state).is_some_and(|run| matches!(run.state, RunState::Failed(_)));
            if !has_failed && !state.shows_swept(Pane::Trace) {
                let summary = RichText::new(state.settings.trace.summary()).weak();
                ui.add(Label::new(summary).truncate());
            }
        }
    });
}

/// The settings of the trace, and what else its maps can show.
fn more_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    settings_ui(ui, state, commands);
    ui.horizontal_wrapped(|ui| {
        kinds_button_ui(ui, state, commands);
        if state.rows().count() > 1 {
            pair_ui(ui, state, commands);
        }
        if !state.edits.is_empty() {
            let command = Command::ShowBefore(!state.preferences.trace_pair.shows_before);
            let is_on = state.preferences.trace_pair.shows_before;
            command_choice_ui(ui, is_on, command, commands);
        }
    });
}

/// Whether every row that has a subject is traced whole.
fn is_all_traced(state: &State) -> bool {
    state.rows().all(|row| {
        let prompt = state.findings_at(row).and_then(|it| it.prompt.as_ref().ok());
        prompt.is_some_and(|prompt| prompt.subject.is_none())
            || state.trace(row).is_some_and(Run::is_done)
    })
}

fn trace_button_ui(ui: &mut Ui, state: &State, run: Option<&Run>, commands: &mut Vec<Command>) {
    let is_complete = is_all_traced(state);
    let is_stopped =
        run.is_some_and(|run| run.state == RunState::Cancelled && run.result.is_some());
    let button = Button::new(if is_stopped { "Go on" } else { "Trace" });
    let button = button.fill(theme::palette(ui).accent_fill);
    let keys = Command::Trace.keys_text();
    let about = format!(
        "{} ({}). What traces of this fact have in common is computed once: more samples, or a \
         stopped trace, go on from what is there",
        Command::Trace.tooltip(),
        keys.unwrap_or_default()
    );
    let response = run_button_ui(ui, !is_complete, button).on_hover_text(about);
    let response =
        response.on_disabled_hover_text("This trace is complete; change a setting to make another");
    if response.clicked() {
        commands.push(Command::Trace);
    }
}

fn progress_ui(ui: &mut Ui, state: &State, job: &OpenJob) {
    let first = state.jobs.asked().next().map(|(id, _)| id);
    let is_first = first == state.running_trace();
    let text = job.time_left(Instant::now()).unwrap_or_else(|| {
        if is_first { "starting".to_owned() } else { "waits its turn".to_owned() }
    });
    let width = (ui.available_width() - 130.0).max(80.0);
    ui.add(progress_bar(job).desired_width(width));
    ui.add(Label::new(RichText::new(text).weak()).truncate());
}

fn outcome_ui(ui: &mut Ui, run: &Run, is_all: bool, is_one: bool) {
    let palette = theme::palette(ui);
    let (text, color) = match &run.state {
        RunState::Running(_) => return,
        RunState::Done if !is_all => ("One of two is traced".to_owned(), palette.warning),
        RunState::Done => ("✔ Complete".to_owned(), palette.good),
        RunState::Cancelled => {
            let text = match run.trace() {
                Some(trace) => format!("Cancelled; {}", share(trace)),
                None if is_one => "Cancelled; one of two is traced".to_owned(),
                None => "Cancelled before the first cell".to_owned(),
            };
            (text, palette.warning)
        }
        RunState::Failed(error) => (error.clone(), palette.error),
    };
    ui.add(Label::new(RichText::new(text).color(color)).truncate());
}

/// Which prompt a row asks, for which answer, and of which model.
fn told(state: &State, row: Row, prompt: &TokenizedPrompt) -> String {
    let answer =
        prompt.answer.as_ref().map_or_else(String::new, |it| format!(" → {}", it.text.trim()));
    let model = state.info_at(row).map_or("a model that is closed", |it| &it.name);
    let is_changed = state.which(row) == Which::Main && !state.edits.is_empty();
    let changed = if is_changed { " as it was changed" } else { "" };
    format!("“{}”{answer}, by {model}{changed}", prompt.text)
}

fn result_ui(
    ui: &mut Ui,
    state: &State,
    (row, form): (Row, RowForm<'_>),
    views: &mut Views,
    ctx: &ViewCtx<'_>,
    commands: &mut Vec<Command>,
) -> Option<ViewAction> {
    let run = state.trace(row);
    let Some(trace) = run.and_then(Run::trace) else {
        let is_coming = run.is_some_and(Run::is_running) || !state.trace_waits.is_empty();
        let last = views.last_maps[row as usize].clone();
        // It would stand twice where it is that of before the change.
        match last.filter(|_| !shows_before(state, row)) {
            // So that the window is not emptied by each choice and each setting.
            Some(last) => {
                let now = if is_coming { "Tracing".to_owned() } else { untraced(state, row) };
                ui.weak(format!("{now}. Below is the last map, of {}", last.of));
                ui.add_enabled_ui(false, |ui| {
                    ui.multiply_opacity(0.5);
                    let view = FigureView { is_brief: true, ..FigureView::new(&last.figure) };
                    view.show(ui, ctx, &mut Vec::new(), |_| ());
                });
            }
            None if is_coming => {}
            None => {
                let about = "Trace shows which states, put back into a corrupted run, bring the \
                             answer back";
                empty_ui(ui, &untraced(state, row), about);
            }
        }
        return None;
    };
    let figure = trace_figure(state, row, state.settings.trace.component, views)?;
    let (of, map) = (told(state, row, &trace.prompt), Arc::clone(&figure));
    views.last_maps[row as usize] = Some(LastMap { of, figure: map });
    // Where a prompt lacks what others are shown by, its map shows the probability.
    let before = metric_or_prob(state.reading(Pane::Trace).metric, &trace.clean);
    let mut metric = before;
    let RowForm { is_brief, range, .. } = form;
    let view = FigureView { is_brief, range, figure: &figure };
    let action = view.show(ui, ctx, commands, |ui| {
        metric_picker_ui(ui, &mut metric, metrics_of(&trace.prompt));
    });
    if metric != before {
        commands.push(Command::Set(Box::new(Setting::Metric(Pane::Trace, metric))));
    }
    action
}

/// Says that there is no trace, and why it was not made unasked.
fn untraced(state: &State, row: Row) -> String {
    let why = match state.too_long(row) {
        Some(error) => format!(": {error}"),
        None => state
            .slow_trace(row)
            .map(|secs| format!(": it takes about {}", duration(secs)))
            .unwrap_or_default(),
    };
    format!("Not traced yet{why}")
}

/// The figure of a row's trace of some kind, as the metric is chosen.
pub(super) fn trace_figure(
    state: &State,
    row: Row,
    component: Component,
    views: &mut Views,
) -> Option<Arc<Figure>> {
    let run = state.trace_of(row, component)?;
    let look = look_of(Pane::Trace, row, state)?;
    let place = Id::unique((Pane::Trace, row, component as usize));
    let (result, preview) = (run.result.as_ref()?, state.preview_result_of(row, component));
    Some(views.figures.get(place, result, preview, &look, &state.settings.ranges))
}

/// How much of a partial result there is.
fn share(trace: &CausalTrace) -> String {
    let cells = trace.restored.values();
    let n_done = cells.iter().filter(|runs| !runs.is_empty()).count();
    format!("partial, {n_done} of {} cells", cells.len())
}

fn empty_ui(ui: &mut Ui, title: &str, about: &str) {
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.25).min(120.0));
        ui.heading(title);
        ui.add_space(2.0);
        ui.weak(about);
    });
}
