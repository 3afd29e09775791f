//! The bar that says that results are shown without their model.

use eframe::egui::{Label, RichText, Ui};

use crate::builtin;
use crate::ui::command::Command;
use crate::ui::state::{State, capitalized};
use crate::ui::theme;
use crate::ui::widgets::command_button_ui;

/// Says that the results on screen are not of the model that is there now, and how the two differ.
pub fn stored_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let Some(stored) = &state.stored else { return };
    let color = theme::palette(ui).warning;
    let title = format!("All results are from {}", stored.origin());
    ui.label(RichText::new(title).color(color).strong());
    for difference in &stored.differences {
        ui.add(Label::new(capitalized(difference)).wrap().selectable(true));
    }
    ui.horizontal_wrapped(|ui| {
        ui.weak("No new results are computed beside them.");
        let is_there = builtin::find(&stored.model).is_some() || stored.model.exists();
        if is_there {
            let button = ui.button("Open the model as it is now");
            if button.on_hover_text("Leaves the results of the session file").clicked() {
                commands.push(Command::OpenModelAt(stored.model.clone()));
            }
        }
        command_button_ui(ui, Command::OpenModel, commands);
    });
}
