//! What gives a command when it is clicked.

use eframe::egui::{Response, Ui};

use crate::ui::command::Command;

/// A button that gives a command. Returns whether it was clicked.
pub fn command_button_ui(ui: &mut Ui, command: Command, commands: &mut Vec<Command>) -> bool {
    let button = ui.button(command.text());
    gives(button, command, commands)
}

/// A choice that gives a command, and is marked while it is chosen.
pub fn command_choice_ui(
    ui: &mut Ui,
    is_chosen: bool,
    command: Command,
    commands: &mut Vec<Command>,
) {
    let choice = ui.selectable_label(is_chosen, command.text());
    gives(choice, command, commands);
}

/// Explains a command on hover over a widget, and gives it when that is clicked. Returns whether it was.
pub fn gives(widget: Response, command: Command, commands: &mut Vec<Command>) -> bool {
    let about = command.tooltip();
    let widget = if about.is_empty() { widget } else { widget.on_hover_text(about) };
    let is_clicked = widget.clicked();
    if is_clicked {
        commands.push(command);
    }
    is_clicked
}
