//! Above a view that shows a fact as a sweep has asked it: which sweep that is, and the way back to it.

use eframe::egui::Ui;

use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::State;
use crate::ui::widgets::command_button_ui;

/// Draws nothing where the view shows what its own settings ask.
pub(super) fn swept_ui(ui: &mut Ui, pane: Pane, state: &State, commands: &mut Vec<Command>) {
    let Some(swept) = state.swept.as_ref().filter(|_| state.shows_swept(pane)) else { return };
    let is_text = swept.asked.is_empty();
    ui.horizontal_wrapped(|ui| {
        command_button_ui(ui, Command::BackToSweep, commands);
        if !is_text {
            command_button_ui(ui, Command::LeaveSwept, commands);
        }
        let text = if is_text {
            format!("What the sweep asked, as text: {}", swept.why_text)
        } else {
            rows_text(state, pane).to_owned()
        };
        let about = format!(
            "{}. The settings and the seed are the sweep's, so the numbers are those that it has of \
             this fact; they stand below the figure",
            swept.sweep
        );
        ui.weak(text).on_hover_text(about);
    });
}

/// Which of the rows are as the sweep asks them.
fn rows_text(state: &State, pane: Pane) -> &'static str {
    let rows: Vec<Row> = match pane {
        Pane::Trace => state.rows().collect(),
        _ => state.rows_of(pane).collect(),
    };
    match Row::BOTH.map(|row| state.is_swept(pane, row)) {
        [true, false] if rows.len() > 1 => {
            "The first row is as the sweep asks it, the second with this view's settings"
        }
        [false, true] if rows.len() > 1 => {
            "The second row is as the sweep asks it, the first with this view's settings"
        }
        _ => ALL,
    }
}

const ALL: &str = "As the sweep asks it, with its settings and seed";
