//! How far a job is that was asked for in a view, and how it ended.

use std::time::Instant;

use eframe::egui::{Align, Layout, ProgressBar, RichText, Ui};

use crate::ui::command::Command;
use crate::ui::state::{OpenJob, RunState};
use crate::ui::theme;

/// The way to stop it, and how long it will take.
pub(super) fn running_ui(ui: &mut Ui, job: &OpenJob, stop: Command, commands: &mut Vec<Command>) {
    if job.cancel.is_cancelled() {
        ui.label("Cancelling…");
        return;
    }
    if ui.button("Stop").on_hover_text("Keeps what is done").clicked() {
        commands.push(stop);
    }
    let left = job.time_left(Instant::now()).unwrap_or_else(|| "starting".to_owned());
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.weak(left);
        let width = ui.available_width().max(60.0);
        ui.add(ProgressBar::new(job.fraction()).desired_width(width).show_percentage());
    });
}

/// Shows how a run has ended.
pub(super) fn outcome_ui(ui: &mut Ui, state: &RunState) {
    let palette = theme::palette(ui);
    let (text, color) = match state {
        RunState::Running(_) => return,
        RunState::Done => ("✔ Complete", palette.good),
        RunState::Cancelled => ("Cancelled; partial", palette.warning),
        RunState::Failed(error) => (&**error, palette.error),
    };
    ui.label(RichText::new(text).color(color));
}
