//! An experiment as text: it is typed and checked here, carried out, and its figure is drawn below.

use std::ops::Range;

use eframe::egui::text::CCursor;
use eframe::egui::text_edit::TextEditOutput;
use eframe::egui::{
    Align2, Button, FontId, Id, Margin, RichText, ScrollArea, Stroke, TextEdit, TextStyle, Ui, pos2,
};

use super::Views;
use super::pane::asked_by;
use super::run_row::{outcome_ui, progress_ui, run_button_ui, stop_button_ui};
use crate::experiment::{Experiment, Written};
use crate::figure::Look;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::state::{Fault, Reading, Run, Setting, State};
use crate::ui::theme;
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::views::{figure_ui, metric_picker_ui, metrics_of};
use crate::ui::widgets::{gives, menu_ui};
use crate::worker::{ModelInfo, Which};

/// The fewest lines that are seen at once, and the most where a figure stands below.
const N_LINES: usize = 12;
const MAX_LINES: f32 = 24.0;

/// Points that the controls around the text need.
const AROUND: f32 = 150.0;

const LABEL: &str = "Experiment";

pub fn spec_panel_ui(ui: &mut Ui, state: &State, views: &mut Views, commands: &mut Vec<Command>) {
    let read = state.spec.read();
    files_ui(ui, state, read.is_ok(), commands);
    ui.add_space(4.0);
    let mut text = state.spec.text().to_owned();
    let has_figure = state.experiment_run().is_some_and(|run| run.result.is_some());
    text_ui(ui, &mut text, read.as_ref().err(), has_figure);
    let is_empty = text.trim().is_empty();
    if text != state.spec.text() {
        commands.push(Command::SetSpecText(text));
    }
    ui.add_space(4.0);
    match read {
        Err(_) if is_empty => {
            ui.weak(
                "Fill it from a view, open a file that --save-spec has written, or type: model, \
                 fact and spec",
            );
        }
        Err(Fault { line, column, reason }) => {
            let text = format!("Line {line}, column {column}: {reason}");
            ui.label(RichText::new(text).color(theme::palette(ui).error));
        }
        Ok(written) => run_ui(ui, state, written, commands),
    }
    ui.add_space(6.0);
    result_ui(ui, state, views, commands);
}

/// The ways to fill the text from a view or a file, and to save or copy it.
fn files_ui(ui: &mut Ui, state: &State, is_right: bool, commands: &mut Vec<Command>) {
    ui.horizontal_wrapped(|ui| {
        let menu = menu_ui(ui, "From view", |ui| {
            let mut n_listed = 0;
            for pane in Pane::ALL.into_iter().filter(|pane| is_asked(state, *pane)) {
                n_listed += 1;
                if ui.button(pane.text()).on_hover_text(pane.tooltip()).clicked() {
                    commands.push(Command::FillSpec(pane));
                    ui.close();
                }
            }
            if n_listed == 0 {
                ui.weak("No view shows a result yet");
            }
        });
        menu.on_hover_text("What a view was asked, with its settings");
        let files = [
            (Command::OpenSpec, true),
            (Command::SaveSpec(Pane::Spec), is_right),
            (Command::CopyCommandLineOf(Pane::Spec), is_right),
        ];
        for (command, is_possible) in files {
            let button = ui.add_enabled(is_possible, Button::new(command.text()));
            let button = button.on_hover_text(command.tooltip());
            if button.on_disabled_hover_text("The text is no experiment yet").clicked() {
                commands.push(command);
            }
        }
    });
}

/// Whether a view shows a result, whose question can be written as text.
fn is_asked(state: &State, pane: Pane) -> bool {
    pane.has_results() && state.result(pane).is_some()
}

/// The text with the numbers of its lines, and a mark at its first fault.
fn text_ui(ui: &mut Ui, text: &mut String, fault: Option<&Fault>, has_figure: bool) {
    let label = ui.label(RichText::new(LABEL).strong());
    let font = TextStyle::Monospace.resolve(ui.style());
    let n_lines = text.lines().count().max(N_LINES);
    let digits = n_lines.to_string().len().max(2) as f32;
    let digit = ui.fonts_mut(|fonts| fonts.glyph_width(&font, '0'));
    let gutter = (digits + 1.5) * digit;
    let line = ui.fonts_mut(|fonts| fonts.row_height(&font));
    let room = if has_figure { MAX_LINES * line } else { ui.clip_rect().height() - AROUND };
    let height = room.max(N_LINES as f32 * line);
    let area = ScrollArea::vertical().id_salt(LABEL).max_height(height);
    area.show(ui, |ui| {
        let output = TextEdit::multiline(text)
            .font(TextStyle::Monospace)
            .margin(Margin { left: gutter.ceil().min(100.0) as i8, right: 6, top: 4, bottom: 4 })
            .desired_rows(if has_figure { N_LINES } else { (height / line) as usize })
            .desired_width(f32::INFINITY)
            .background_color(theme::field_color(ui))
            .show(ui);
        output.response.response.clone().labelled_by(label.id);
        marks_ui(ui, text, fault, &output, digit, &font);
    });
}

/// The numbers of the lines, and a line under the word at fault.
fn marks_ui(
    ui: &Ui,
    text: &str,
    fault: Option<&Fault>,
    output: &TextEditOutput,
    digit: f32,
    font: &FontId,
) {
    let fault = fault.filter(|_| !text.trim().is_empty());
    let palette = theme::palette(ui);
    let (left, right) = (output.response.response.rect.left(), output.text_clip_rect.right());
    let clip = output.text_clip_rect.with_min_x(left).with_max_x(right);
    let painter = ui.painter_at(clip.intersect(ui.clip_rect()));
    let mut line = 1;
    let mut begins = true;
    for row in &output.galley.rows {
        if begins {
            let is_wrong = fault.is_some_and(|it| it.line == line);
            let color = if is_wrong { palette.error } else { palette.weak_text };
            let y = output.galley_pos.y + row.rect().center().y;
            let at = pos2(output.galley_pos.x - 0.7 * digit, y);
            painter.text(at, Align2::RIGHT_CENTER, line, font.clone(), color);
            line += 1;
        }
        begins = row.ends_with_newline;
    }
    let Some(fault) = fault else { return };
    let wrong = wrong_part(text, fault);
    let [from, to] = [wrong.start, wrong.end].map(|at| {
        let place = output.galley.pos_from_cursor(CCursor::new(at));
        place.translate(output.galley_pos.to_vec2()).left_bottom()
    });
    // Where the text ends too soon there is no word: the line is as wide as a digit.
    let end = if to.y > from.y || to.x <= from.x { from.x + digit } else { to.x };
    let stroke = Stroke::new(2.0, palette.error);
    painter.line_segment([pos2(from.x, from.y - 1.0), pos2(end, from.y - 1.0)], stroke);
}

/// The place of the word at fault, in characters. A fault names the column where that word ends.
fn wrong_part(text: &str, fault: &Fault) -> Range<usize> {
    let before = text.split('\n').take(fault.line.saturating_sub(1));
    let start: usize = before.map(|line| line.chars().count() + 1).sum();
    let line: Vec<char> =
        text.split('\n').nth(fault.line.saturating_sub(1)).unwrap_or_default().chars().collect();
    let end = fault.column.min(line.len());
    let is_part = |it: &char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.');
    let quoted = end > 0 && line[end - 1] == '"';
    let word = if quoted {
        line[..end - 1].iter().rposition(|it| *it == '"').unwrap_or(end - 1)
    } else {
        line[..end].iter().rposition(|it| !is_part(it)).map_or(0, |at| (at + 1).min(end - 1))
    };
    start + word..start + end.max(word + 1)
}

/// The button that runs the experiment, or how far it is; or why it cannot be run here, and what to do.
fn run_ui(ui: &mut Ui, state: &State, written: &Written, commands: &mut Vec<Command>) {
    let experiment = &written.outline;
    let Some(info) = state.info() else {
        ui.weak("Open a model to carry it out");
        return;
    };
    let asked = state.model_asked(experiment);
    models_ui(ui, state, asked, commands);
    let running = state.experiment_run().and_then(Run::job);
    let running = running.and_then(|id| Some((id, state.jobs.get(id)?)));
    if let Some((id, job)) = running {
        ui.horizontal(|ui| {
            stop_button_ui(ui, job, Command::CancelJob(id), commands);
            progress_ui(ui, job, None);
        });
        return;
    }
    if asked.is_none() {
        let is_named = state.spec.is_of(&experiment.model, info);
        let why = other_model(state, experiment, info, is_named);
        ui.label(RichText::new(why).color(theme::palette(ui).warning));
        let open = Command::OpenModelAt(experiment.model.clone());
        let first = if is_named { Command::TakeEditsOfSpec } else { open };
        // Of two open models one is chosen above.
        let other = (!state.has_model_beside()).then_some(Command::AskOpenModel(Which::Main));
        ui.horizontal_wrapped(|ui| {
            for command in [Some(first), other].into_iter().flatten() {
                let text = match &command {
                    Command::OpenModelAt(_) => "Open its model".to_owned(),
                    _ => command.text(),
                };
                gives(ui.button(text), command, commands);
            }
        });
        return;
    }
    ui.horizontal(|ui| {
        let command = Command::RunSpec;
        let fill = theme::palette(ui).accent_fill;
        let button = Button::new(command.text()).fill(fill);
        gives(run_button_ui(ui, true, button), command, commands);
        let (Some(run), Some(asked)) = (state.experiment_run(), &state.spec.asked) else { return };
        if run.is_done() && !asked.is_of(written) {
            ui.weak("The figure is of an earlier text");
        } else {
            outcome_ui(ui, run, true);
        }
    });
}

/// The choice of the model that is asked, where two are open.
fn models_ui(ui: &mut Ui, state: &State, asked: Option<Which>, commands: &mut Vec<Command>) {
    if !state.has_model_beside() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.label("Ask");
        for which in [Which::Main, Which::Beside] {
            let Some(name) = state.place_of_model(which) else { continue };
            let command = Command::AskOpenModel(which);
            let label = ui.selectable_label(asked == Some(which), name);
            gives(label, command, commands);
        }
    });
}

/// How the open models differ from the one that is asked. `is_named` says that the first model is the
/// one that is named, with other changes.
fn other_model(state: &State, experiment: &Experiment, info: &ModelInfo, is_named: bool) -> String {
    let Experiment { model, edits, .. } = experiment;
    let n = |edits: &[_]| match edits.len() {
        0 => "none".to_owned(),
        n => n.to_string(),
    };
    if is_named {
        return format!(
            "This asks the model with other changes ({}) than the open one has ({})",
            n(edits),
            n(&state.edits)
        );
    }
    match state.info_of(Which::Beside) {
        Some(beside) if state.spec.is_of(model, beside) => format!(
            "This asks {} with changes ({}), and only the first model can be changed",
            beside.name,
            n(edits)
        ),
        Some(beside) => {
            format!("This asks {}, and {} and {} are open", model.display(), info.name, beside.name)
        }
        None => format!("This asks {}, and {} is open", model.display(), info.name),
    }
}

/// The figure of the result.
fn result_ui(ui: &mut Ui, state: &State, views: &mut Views, commands: &mut Vec<Command>) {
    let Some(result) = state.experiment_run().and_then(|run| run.result.as_ref()) else { return };
    let (Some(asked), Some(prompt)) = (&state.spec.asked, state.experiment_prompt()) else {
        return;
    };
    let which = asked.key.which;
    let Some(info) = state.info_of(which) else { return };
    ui.separator();
    if let Some(name) = state.place_of_model(which).filter(|_| state.has_model_beside()) {
        ui.label(RichText::new(name).strong());
    }
    let reading = state.reading(Pane::Spec);
    let mut metric = reading.metric;
    ui.horizontal(|ui| {
        ui.label("Show");
        metric_picker_ui(ui, &mut metric, metrics_of(prompt));
    });
    if metric != reading.metric {
        commands.push(Command::Set(Box::new(Setting::Metric(Pane::Spec, metric))));
    }
    let is_of_fact = state.is_experiment_of_fact();
    let selection = if is_of_fact { state.selection } else { state.spec.selection };
    let model = state.asked_model(which);
    let Reading { effect, attribution, lens, .. } = reading;
    let look = Look {
        metric,
        effect,
        attribution,
        lens,
        pick: selection,
        model,
        ..Look::new(&info.tokenizer)
    };
    let place = Id::unique((Pane::Spec, state.row));
    let figure = views.figures.get(place, result, None, &look, &state.settings.ranges);
    let shown = if is_of_fact { state.seen(Pane::Spec, state.row) } else { selection };
    let ctx = ViewCtx {
        selection: shown,
        tokenizer: &info.tokenizer,
        ranges: &state.settings.ranges,
        planted: None,
        picks_places: false,
        is_compared: false,
    };
    let action = figure_ui(ui, &figure, &ctx, commands);
    match action {
        Some(action) if is_of_fact => {
            commands.extend(asked_by(action, Pane::Spec, state.row));
        }
        Some(ViewAction::Select(selection)) => commands.push(Command::SelectInSpec(selection)),
        Some(action @ ViewAction::HoldRange { .. }) => commands.push(Command::View(action)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_is_wrong_is_marked() {
        let text = "{\n  \"größe\": tru,\n";
        let part = |line, column| {
            let fault = Fault { line, column, reason: String::new() };
            let range = wrong_part(text, &fault);
            text.chars().skip(range.start).take(range.len()).collect::<String>()
        };
        assert_eq!(part(2, 9), "\"größe\"");
        assert_eq!(part(2, 14), "tru");
        assert_eq!(part(2, 10), ":");
        // Beyond the end.
        assert_eq!(wrong_part(text, &Fault { line: 3, column: 1, reason: String::new() }), 18..19);
        assert_eq!(wrong_part("", &Fault { line: 1, column: 0, reason: String::new() }), 0..1);
    }
}
