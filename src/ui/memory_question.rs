//! Asks before a question takes more than half of the machine's memory.

use eframe::egui::Context;

use super::command::{Command, MemoryAnswer};
use super::state::{State, capitalized};
use super::widgets::{Outside, dialog_ui};
use crate::figure::words::counted;
use crate::worker::bytes_text;

/// Draws the question about the largest of those that wait, if any does.
pub fn memory_question_ui(ctx: &Context, state: &State, commands: &mut Vec<Command>) {
    let waiting = &state.unsure.waiting;
    let Some(unsure) = waiting.iter().max_by_key(|it| it.need.total()) else { return };
    let mut answer = None;
    let ((), is_left) = dialog_ui(ctx, "much memory", 440.0, Outside::Leaves, |ui| {
        ui.heading("This takes much memory");
        ui.add_space(4.0);
        let (need, machine) = (unsure.need, unsure.machine);
        let name = capitalized(&unsure.spec.name());
        ui.label(format!("{name} takes {need}. This machine has {}.", bytes_text(machine.total)));
        let free = bytes_text(machine.available);
        ui.label(if need.is_too_much_for(&machine) {
            format!(
                "Only {free} are free: the system may end the program before it is done. A shorter prompt, or \
                 fewer layers, draws or conditions take less."
            )
        } else {
            format!("{free} are free. Other programs may become slow meanwhile.")
        });
        // Also where it says nothing: the buttons below stay where they are when one is answered.
        let several = counted(waiting.len(), "question");
        let is_one = waiting.len() == 1;
        ui.label(if is_one {
            String::new()
        } else {
            format!("{several} are asked one after the other.")
        });
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            for it in [MemoryAnswer::Cancel, MemoryAnswer::GoOn] {
                let command = Command::AnswerMemory(it);
                if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
                    answer = Some(it);
                }
            }
        });
    });
    if answer.is_none() && is_left {
        answer = Some(MemoryAnswer::Cancel);
    }
    commands.extend(answer.map(Command::AnswerMemory));
}
