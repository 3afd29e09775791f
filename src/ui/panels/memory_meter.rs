//! The memory meter: how much memory is used, and by what.

use eframe::egui::containers::menu::MenuButton;
use eframe::egui::{Button, Grid, RichText, Ui, vec2};

use super::grouped;
use crate::ui::command::Command;
use crate::ui::state::State;
use crate::ui::widgets::{command_button_ui, number_field};
use crate::worker::{Which, bytes_text};

/// The button that says how much memory is used, and its menu with the parts and the limit.
pub fn memory_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let memory = &state.memory;
    let total = memory.system().map_or_else(|| memory.results(), |it| it.process);
    let text = RichText::new(format!("Memory {}", bytes_text(total))).small();
    // The width does not follow the text, so that the button stays where it is.
    let button = Button::new(text).min_size(vec2(116.0, 0.0));
    let (response, _) = MenuButton::from_button(button).ui(ui, |ui| {
        ui.set_min_width(340.0);
        table_ui(ui, state);
        ui.separator();
        limit_ui(ui, state, commands);
        if command_button_ui(ui, Command::ForgetResults, commands) {
            ui.close();
        }
    });
    let tooltip = format!(
        "What this process has in memory; {} of it results. Click for more",
        bytes_text(memory.results())
    );
    response.on_hover_text(tooltip).accessible_name("Memory");
}

fn table_ui(ui: &mut Ui, state: &State) {
    let memory = &state.memory;
    Grid::new("memory").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
        let mut row = |name: &str, value: String, about: &str| {
            ui.label(name).on_hover_text(about);
            ui.label(RichText::new(value).monospace()).on_hover_text(about);
            ui.end_row();
        };
        if let Some(info) = state.info() {
            let about = "The size of the weight files, of both models if two are open. On the CPU they are read where they lie, so \
                         that they count only as far as the system keeps them; on a GPU they are in \
                         its own memory";
            let beside = state.info_of(Which::Beside).map_or(0, |info| info.n_bytes);
            row("Weights", bytes_text(info.n_bytes + beside), about);
        }
        let n = grouped(memory.n_results());
        let about = "Bytes of values, as a session file has them before it is compressed";
        row("Results", format!("{} ({n})", bytes_text(memory.results())), about);
        match memory.system() {
            Some(system) => {
                let caches = system.process_own.saturating_sub(memory.results());
                let about = "Activations kept for reuse, copies of weights, the window itself: what \
                             no file stands behind, without the results";
                row("Caches and the rest", bytes_text(caches), about);
                row("This process", bytes_text(system.process), "All that it has in memory (VmRSS)");
                let used = system.total.saturating_sub(system.available);
                let text = format!("{} of {}", bytes_text(used), bytes_text(system.total));
                row("Machine", text, "Used by all programs (MemTotal − MemAvailable)");
            }
            None => row("This process", "not told by this system".to_owned(), ""),
        }
    });
}

fn limit_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        let label = ui.label("Results up to");
        let mut limit = state.preferences.results_limit_mb;
        let drag = number_field(&mut limit).range(16..=65_536).speed(8).suffix(" MB");
        let drag = ui.add(drag).labelled_by(label.id);
        let about = "Beyond it the oldest results are forgotten; they can be asked for again. Results on \
                     screen stay";
        if drag.on_hover_text(about).changed() {
            commands.push(Command::SetResultsLimit(limit));
        }
    });
}
