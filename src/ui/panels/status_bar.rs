//! The bar at the bottom of the window: the job that runs, and the last error.

use std::time::{Duration, Instant};

use eframe::egui::{Align, Label, Layout, ProgressBar, RichText, Ui};

use super::memory_meter::memory_ui;
use super::{file_name, grouped};
use crate::session::Origin;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::state::{JobKind, ManyJob, OpenJob, State};
use crate::ui::theme;
use crate::ui::widgets::command_button_ui;
use crate::worker::{JobId, Stage};

/// The job that runs, how the window is drawn, and how much memory is used.
pub fn status_bar_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            memory_ui(ui, state, commands);
            ui.separator();
            if let Some(renderer) = &state.renderer {
                ui.label(RichText::new(renderer).small().weak());
                ui.separator();
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| doing_ui(ui, state));
        });
    });
}

fn doing_ui(ui: &mut Ui, state: &State) {
    let (_, first) = state.jobs.iter().next().unzip();
    let is_running = |(id, _): &(JobId, &OpenJob)| !state.jobs.is_held(*id);
    let sweep = state.jobs.asked().find(is_running).map(|(_, job)| job);
    let told = state.under_way.as_ref().or(state.notice.as_ref());
    let Some(job) = sweep.or(first) else {
        let text = told.map_or("Ready", String::as_str);
        ui.add(Label::new(RichText::new(text).small().weak()).truncate());
        return;
    };
    let fraction = match job.kind {
        JobKind::Recall(..) => {
            let (done, total) = state.facts.recall().progress();
            done as f32 / total.max(1) as f32
        }
        _ => job.fraction(),
    };
    let bar = ProgressBar::new(fraction)
        .desired_width(120.0)
        .desired_height(8.0)
        .fill(theme::palette(ui).accent);
    ui.add(bar);
    let n_waiting = state.jobs.asked().count().saturating_sub(1);
    // A job asks a few facts, and the numbers beside are those of all.
    let is_of_all = !matches!(job.kind, JobKind::Recall(..));
    let left = is_of_all.then(|| job.time_left(Instant::now())).flatten();
    let more = (n_waiting > 0).then(|| format!("{n_waiting} more to follow"));
    let parts: Vec<String> = [Some(doing(state, job)), left, more].into_iter().flatten().collect();
    let told = told.map(|it| format!("  ·  {it}")).unwrap_or_default();
    let text = format!("{}{told}", parts.join(", "));
    ui.add(Label::new(RichText::new(text).small()).truncate());
}

fn doing(state: &State, job: &OpenJob) -> String {
    match &job.kind {
        JobKind::Load(_, dir) => format!("Opening {}: {}", file_name(dir), stage(job.stage)),
        JobKind::CloseBeside => "Closing the second model".to_owned(),
        JobKind::Edit => "Changing the model".to_owned(),
        JobKind::AskHub(what) => what.clone(),
        JobKind::Recall(..) => {
            let (done, total) = state.facts.recall().progress();
            format!("Asking the model what it knows: {} of {}", grouped(done), grouped(total))
        }
        JobKind::Many(_, ManyJob::Estimate) => "Trying a few facts".to_owned(),
        JobKind::Many(_, ManyJob::Fact) => "Looking the fact up".to_owned(),
        JobKind::Many(_, ManyJob::Sweep(_)) => {
            let doing = if job.cancel.is_cancelled() { "Stopping" } else { "Asking many facts" };
            format!("{doing}, {}", job.percent())
        }
        JobKind::Run { pane: Pane::Trace, origin: Origin::Unasked, .. } => {
            "Tracing the chosen fact".to_owned()
        }
        JobKind::Run { origin: Origin::Unasked, .. } => {
            "Running the model on the chosen fact".to_owned()
        }
        JobKind::Run { origin: Origin::Preview, .. } => "Estimating the trace".to_owned(),
        JobKind::Run { pane, origin: Origin::Asked, .. } => {
            if job.cancel.is_cancelled() {
                return format!("Cancelling {}", pane.text());
            }
            let about = job.asked.as_ref().map_or("", |asked| &asked.about);
            let percent = state.jobs.percent_of_all(job);
            match pane {
                Pane::Trace => format!("Tracing{about}, {percent}"),
                Pane::Spec => format!("Carrying out the experiment, {percent}"),
                _ => format!("{}{about}, {percent}", pane.text()),
            }
        }
    }
}

pub fn stage(stage: Option<Stage>) -> &'static str {
    match stage {
        None => "starting",
        Some(Stage::TestingDevice) => "testing the device",
        Some(Stage::ReadingWeights) => "reading weights",
    }
}

/// Whether the system's dialog is waited for longer than one takes to open.
pub fn is_dialog_slow(ui: &Ui, state: &State) -> bool {
    let Some((_, since)) = state.dialog else { return false };
    let left = SLOW.saturating_sub(since.elapsed());
    if !left.is_zero() {
        ui.ctx().request_repaint_after(left);
    }
    left.is_zero()
}

/// The dialog that is waited for, and a button to type the path instead.
pub fn dialog_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let Some((purpose, _)) = state.dialog else { return };
    ui.horizontal(|ui| {
        ui.label(format!("Waiting for the system's dialog: {}", purpose.about().title));
        command_button_ui(ui, Command::TypeInstead, commands);
    });
}

/// How long the system's dialog may take to open.
const SLOW: Duration = Duration::from_secs(3);

/// The whole text of the last error, until it is dismissed.
pub fn error_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let Some(error) = &state.error else { return };
    ui.with_layout(Layout::right_to_left(Align::TOP), |ui| {
        if ui.button(Command::DismissError.text()).clicked() {
            commands.push(Command::DismissError);
        }
        ui.with_layout(Layout::left_to_right(Align::TOP), |ui| {
            let text = RichText::new(error).color(theme::palette(ui).error);
            ui.add(Label::new(text).wrap().selectable(true));
        });
    });
}
