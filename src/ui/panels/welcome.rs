//! What is shown while no model is open.

use std::time::Instant;

use eframe::egui::{Align, Button, Layout, ProgressBar, RichText, Ui, vec2};

use super::file_name;
use super::status_bar::stage;
use crate::builtin;
use crate::facts::Dataset;
use crate::ui::command::Command;
use crate::ui::state::{ModelState, State, capitalized};
use crate::ui::widgets::gives;

/// What is shown before a model or a dataset is open.
pub fn welcome_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.vertical_centered(|ui| {
        ui.set_max_width(560.0);
        ui.add_space((ui.available_height() * 0.16).min(140.0));
        ui.label(RichText::new("Factscope").size(30.0).strong());
        ui.label(RichText::new("A microscope for facts in GPT-2").weak());
        ui.add_space(28.0);
        if loading_ui(ui, state, commands) {
            return;
        }
        ui.label("Open a model folder and a dataset of facts, or drop them here");
        ui.add_space(8.0);
        ui.allocate_ui_with_layout(vec2(404.0, 34.0), Layout::left_to_right(Align::Center), |ui| {
            for command in [Command::OpenModel, Command::OpenDataset] {
                let button = Button::new(command.text()).min_size(vec2(198.0, 34.0));
                gives(ui.add(button), command, commands);
            }
        });
        builtin_ui(ui, state, commands);
        recent_ui(ui, state, commands);
    });
}

/// What is shown where facts are open, and no model is.
pub fn no_model_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.vertical_centered(|ui| {
        ui.set_max_width(460.0);
        ui.add_space((ui.available_height() * 0.2).min(160.0));
        if loading_ui(ui, state, commands) {
            return;
        }
        ui.heading("No model is open");
        ui.add_space(4.0);
        ui.label("Open a model folder, or drop it here, to see what it makes of these facts");
        ui.add_space(8.0);
        let button = Button::new(Command::OpenModel.text()).min_size(vec2(198.0, 34.0));
        if ui.add(button).on_hover_text(Command::OpenModel.tooltip()).clicked() {
            commands.push(Command::OpenModel);
        }
        builtin_ui(ui, state, commands);
        recent_ui(ui, state, commands);
    });
}

/// Draws how far opening a model is. Returns whether a model is being opened.
fn loading_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) -> bool {
    let ModelState::Loading { job, dir } = &state.model else { return false };
    ui.heading(format!("Opening {}", file_name(dir)));
    ui.add_space(6.0);
    let Some(job) = state.jobs.get(*job) else { return true };
    if job.cancel.is_cancelled() {
        ui.label("Cancelling…");
        return true;
    }
    ui.label(capitalized(&stage(job.stage)));
    ui.add_space(6.0);
    ui.add(ProgressBar::new(job.fraction()).desired_width(360.0).show_percentage());
    let left = job.time_left(Instant::now());
    ui.label(RichText::new(left.unwrap_or_else(|| " ".to_owned())).weak());
    ui.add_space(6.0);
    if ui.button(Command::CancelLoading.text()).clicked() {
        commands.push(Command::CancelLoading);
    }
    true
}

fn recent_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let preferences = &state.preferences;
    let models = preferences.recent_models.iter().take(4).cloned().map(Command::OpenModelAt);
    let datasets = preferences.recent_datasets.iter().take(4).cloned().map(Command::OpenDatasetAt);
    // An open dataset need not be opened.
    let is_open = state.facts.dataset.is_some();
    let groups: [(&str, Vec<Command>); 2] = [
        ("Recent models", models.collect()),
        ("Recent datasets", if is_open { Vec::new() } else { datasets.collect() }),
    ];
    for (title, recent) in groups {
        if recent.is_empty() {
            continue;
        }
        ui.add_space(18.0);
        ui.label(RichText::new(title).weak());
        for command in recent {
            if ui.link(command.text()).clicked() {
                commands.push(command);
            }
        }
    }
}

/// The models and the facts that are part of the program.
fn builtin_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.add_space(18.0);
    ui.label(RichText::new("No model at hand? These are part of the program").weak());
    for builtin in builtin::ALL {
        if ui.link(builtin.title).on_hover_text(builtin.about).clicked() {
            // The built-in facts are those that it was taught.
            if state.facts.is_empty() {
                commands.push(Command::OpenDatasetAt(Dataset::BUNDLED.into()));
            }
            commands.push(Command::OpenModelAt(builtin.name.into()));
        }
    }
}
