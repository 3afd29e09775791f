//! Asks before a question takes more than half of the machine's memory.

use eframe::egui::Context;

use super::command::{Command, MemoryAnswer};
use super::state::{MuchMemory, State, capitalized};
use super::widgets::{Outside, dialog_ui};
use crate::figure::words::counted;
use crate::worker::bytes_text;

/// Draws the question about the largest of those that wait, if any does.
pub fn memory_question_ui(ctx: &Context, state: &State, commands: &mut Vec<Command>) {
    let waiting = &state.unsure.waiting;
    let Some(unsure) = waiting.iter().max_by_key(|it| it.memory.need.total()) else { return };
    let mut answer = None;
    let ((), is_left) = dialog_ui(ctx, "much memory", 440.0, Outside::Leaves, |ui| {
        ui.heading("This takes much memory");
        ui.add_space(4.0);
        let MuchMemory { need, lack, machine } = unsure.memory;
        let name = capitalized(&unsure.spec.name());
        let has = machine.map(|it| format!(" This machine has {}.", bytes_text(it.total)));
        ui.label(format!("{name} takes {need}.{}", has.unwrap_or_default()));
        let free = machine.map(|it| format!("{} are free. ", bytes_text(it.available)));
        ui.label(match lack {
            Some(lack) => format!(
                "{}: the system may end the program before it is done. A shorter prompt, or fewer layers, draws \
                 or conditions take less.",
                capitalized(&lack.to_string())
            ),
            None => format!("{}Other programs may become slow meanwhile.", free.unwrap_or_default()),
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
