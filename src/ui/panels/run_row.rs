//! The row in a view that starts a run, and says how far it is and how it ended.

use std::time::Instant;

use eframe::egui::{Align, Button, Label, Layout, ProgressBar, Response, RichText, Ui, vec2};

use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{OpenJob, Run, RunState, State};
use crate::ui::theme;
use crate::worker::bytes_text;

/// The button that starts or stops a run: both are of one size, so that nothing moves when one takes the
/// place of the other.
pub(super) fn run_button_ui(ui: &mut Ui, is_enabled: bool, button: Button<'_>) -> Response {
    ui.add_enabled(is_enabled, button.min_size(vec2(110.0, 26.0)))
}

/// The button that stops a run.
pub(super) fn stop_button_ui(
    ui: &mut Ui,
    job: &OpenJob,
    stop: Command,
    commands: &mut Vec<Command>,
) {
    if job.cancel.is_cancelled() {
        run_button_ui(ui, false, Button::new("Cancelling…"));
    } else if run_button_ui(ui, true, Button::new("Stop"))
        .on_hover_text("Keeps what is done")
        .clicked()
    {
        commands.push(stop);
    }
}

/// The least width of a bar, in points, in which its percentage has room.
const LEAST_BAR: f32 = 64.0;

/// How far a run is, and the time left, in the rest of the row. `shown`: what of it is shown already.
pub(super) fn progress_ui(ui: &mut Ui, job: &OpenJob, shown: Option<String>) {
    let left = job.time_left(Instant::now()).unwrap_or_else(|| "starting".to_owned());
    let left = shown.map_or_else(|| left.clone(), |shown| format!("{shown}, {left}"));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.add(Label::new(RichText::new(left).weak()).extend());
        let width = ui.available_width();
        // A shorter bar would clip its percentage; the words beside tell how far it is.
        if width >= LEAST_BAR {
            ui.add(progress_bar(job).desired_width(width));
        }
    });
}

/// The bar of a run, with the words that tell elsewhere how far it is.
pub(super) fn progress_bar(job: &OpenJob) -> ProgressBar {
    ProgressBar::new(job.fraction()).text(job.percent())
}

/// What a run takes in memory, where that is worth a word before it begins.
pub(super) fn memory_ui(ui: &mut Ui, state: &State, pane: Pane, row: Row) {
    let Some(need) = state.memory_of(pane, row) else { return };
    let text = format!("takes about {} of memory", bytes_text(need.total()));
    let about = format!(
        "{} of it are the weights, which the system takes back when it needs room. Above half of the machine's \
         memory it is asked about first",
        bytes_text(need.weights)
    );
    ui.add(Label::new(RichText::new(text).weak()).truncate()).on_hover_text(about);
}

/// Shows how a run has ended. `is_all`: whether all that belong together are done.
pub(super) fn outcome_ui(ui: &mut Ui, run: &Run, is_all: bool) {
    let palette = theme::palette(ui);
    let (text, color) = match &run.state {
        RunState::Running(_) => return,
        RunState::Done if is_all => ("✔ Complete", palette.good),
        RunState::Done => ("1 of 2 done", palette.warning),
        RunState::Cancelled if run.result.is_none() => ("Cancelled", palette.warning),
        RunState::Cancelled => ("Cancelled; partial", palette.warning),
        RunState::Failed(error) => (error.as_str(), palette.error),
    };
    ui.add(Label::new(RichText::new(text).color(color)).truncate());
}
