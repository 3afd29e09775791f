//! The lists of jobs: those that run, those that wait, and those that are over.

use std::time::{Duration, Instant};

use eframe::egui::{Align, Button, Label, Layout, ProgressBar, RichText, Ui, vec2};

use super::{grouped, status_bar};
use crate::figure::words::counted;
#[cfg(feature = "hub")]
use crate::hub;
use crate::ui::command::Command;
use crate::ui::state::{Ended, JobKind, OpenJob, Outcome, State};
use crate::ui::theme;
use crate::ui::widgets::{command_button_ui, gives};
use crate::worker::JobId;

pub fn jobs_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    running_ui(ui, state, commands);
    waiting_ui(ui, state, commands);
    ended_ui(ui, state, commands);
}

fn heading_ui(ui: &mut Ui, text: &str) {
    ui.add_space(6.0);
    ui.label(RichText::new(text).strong().color(theme::palette(ui).strong_text));
}

fn running_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    heading_ui(ui, "Running");
    let now = Instant::now();
    let mut running =
        state.jobs.iter().filter(|(id, job)| job.kind.is_listed() && !state.jobs.is_held(*id));
    let mut n_running = 0;
    for (id, job) in running.by_ref() {
        n_running += 1;
        ui.push_id(id.0, |ui| {
            ui.horizontal(|ui| {
                right_ui(ui, |ui| cancel_ui(ui, id, job, commands), |ui| title_ui(ui, job));
            });
            ui.horizontal(|ui| {
                let bar = ProgressBar::new(job.own_fraction())
                    .desired_width(180.0)
                    .desired_height(8.0)
                    .fill(theme::palette(ui).accent);
                ui.add(bar);
                let done = match (&job.kind, job.progress) {
                    (JobKind::Load(..), _) => status_bar::stage(job.stage).to_owned(),
                    #[cfg(feature = "hub")]
                    (JobKind::AskHub(_), Some(it)) => {
                        format!("{} of {}", hub::size(it.done), hub::size(it.total))
                    }
                    (_, Some(it)) => {
                        let [done, total] = [it.done, it.total].map(|it| grouped(it as usize));
                        format!("{done} of {total} steps")
                    }
                    (_, None) => "starting".to_owned(),
                };
                let left = job.time_left(now).map(|left| format!(", {left}")).unwrap_or_default();
                ui.weak(format!("{done}{left}"));
            });
        });
    }
    let n_short = |is_meant: fn(&JobKind) -> bool| {
        state.jobs.iter().filter(|(_, job)| is_meant(&job.kind)).count()
    };
    let n_quick = n_short(|kind| kind.finds_a_result() && !kind.is_asked());
    if n_quick > 0 {
        ui.weak(format!("{} about the chosen fact", counted(n_quick, "short question")));
    }
    if n_short(|kind| matches!(kind, JobKind::Recall(..))) > 0 {
        let (done, total) = state.facts.recall().progress();
        let [done, total] = [done, total].map(grouped);
        ui.weak(format!("Asking the model every fact: {done} of {total}"));
    } else if n_running == 0 && n_quick == 0 {
        ui.weak("No job is running");
    }
}

fn waiting_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let n = state.jobs.held().count();
    if n == 0 {
        return;
    }
    heading_ui(ui, "Waiting");
    for (nth, (id, job)) in state.jobs.held().enumerate() {
        ui.push_id(id.0, |ui| {
            ui.horizontal(|ui| {
                let buttons = |ui: &mut Ui| {
                    cancel_ui(ui, id, job, commands);
                    let moves =
                        [(Command::LowerJob(id), nth + 1 < n), (Command::RaiseJob(id), nth > 0)];
                    for (command, is_possible) in moves {
                        let button = ui.add_enabled(is_possible, Button::new(command.text()));
                        gives(button, command, commands);
                    }
                };
                right_ui(ui, buttons, |ui| title_ui(ui, job));
            });
        });
    }
    command_button_ui(ui, Command::CancelAllJobs, commands);
}

fn ended_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    heading_ui(ui, "Done");
    if state.jobs.ended().len() == 0 {
        ui.weak("No job is done yet");
        return;
    }
    for ended in state.jobs.ended() {
        ui.push_id(ended.id.0, |ui| {
            ui.horizontal(|ui| {
                let end = |ui: &mut Ui| {
                    again_ui(ui, ended, commands);
                    ui.label(how(ended));
                };
                right_ui(ui, end, |ui| {
                    ui.add(Label::new(summary(ended)).truncate());
                });
            });
            if let Outcome::Failed(error) = &ended.outcome {
                let text = RichText::new(error).color(theme::palette(ui).error);
                ui.add(Label::new(text).wrap().selectable(true));
            }
        });
    }
    command_button_ui(ui, Command::ForgetEnded, commands);
}

/// Shows the result, or asks for it again.
fn again_ui(ui: &mut Ui, ended: &Ended, commands: &mut Vec<Command>) {
    // Equally wide in each row, so that times stand below each other.
    let size = vec2(56.0, ui.spacing().interact_size.y);
    if ended.asked.is_none() {
        ui.allocate_space(size);
        return;
    }
    let command = match ended.outcome {
        Outcome::Done => Command::ShowEnded(ended.id),
        Outcome::Cancelled | Outcome::Failed(_) => Command::AskAgain(ended.id),
    };
    let button = ui.add(Button::new(command.text()).min_size(size));
    gives(button, command, commands);
}

/// Such as `Trace “The capital of France is”`.
fn summary(ended: &Ended) -> String {
    let text = ended.asked.as_ref().map_or("", |asked| &asked.about);
    format!("{}{text}", ended.name)
}

/// Such as `done in 1.4 s`.
fn how(ended: &Ended) -> String {
    let took = took(ended.took);
    match ended.outcome {
        Outcome::Done => format!("done in {took}"),
        Outcome::Cancelled => format!("cancelled after {took}"),
        Outcome::Failed(_) => format!("failed after {took}"),
    }
}

fn took(took: Duration) -> String {
    let secs = took.as_secs_f64();
    match secs {
        ..1.0 => format!("{:.0} ms", secs * 1e3),
        ..100.0 => format!("{secs:.1} s"),
        _ => format!("{:.0} min", secs / 60.0),
    }
}

fn title_ui(ui: &mut Ui, job: &OpenJob) {
    let text = job.asked.as_ref().map_or("", |asked| &asked.about);
    ui.add(Label::new(format!("{}{text}", job.title())).truncate());
}

fn cancel_ui(ui: &mut Ui, id: JobId, job: &OpenJob, commands: &mut Vec<Command>) {
    if job.cancel.is_cancelled() {
        ui.weak("Cancelling…");
        return;
    }
    command_button_ui(ui, Command::CancelJob(id), commands);
}

/// Buttons at the right, and the rest in the room that they leave.
fn right_ui(ui: &mut Ui, buttons: impl FnOnce(&mut Ui), rest: impl FnOnce(&mut Ui)) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        buttons(ui);
        ui.with_layout(Layout::left_to_right(Align::Center), rest);
    });
}
