//! The bar that offers what a window has left that ended without being closed.

use std::time::Duration;

use eframe::egui::{RichText, Ui};

use crate::ui::command::Command;
use crate::ui::state::State;
use crate::ui::theme;
use crate::ui::widgets::command_button_ui;

/// Says when it was written, which is all that is known of when the window ended, and asks what to do with
/// it.
pub fn unsaved_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let Some(left) = state.left_over.first() else { return };
    ui.horizontal_wrapped(|ui| {
        let ago = ago(left.age());
        // Another click in the place of *Discard…* keeps it.
        let (text, buttons) = if state.is_discarding {
            let text = format!("What that window had found, last written {ago}, would be lost for good");
            (text, [Command::DiscardForGood, Command::KeepUnsaved])
        } else {
            let text = format!(
                "Factscope ended without being closed. What it had found is kept, last written {ago}"
            );
            (text, [Command::RestoreUnsaved, Command::DiscardUnsaved])
        };
        ui.label(RichText::new(text).color(theme::palette(ui).warning).strong());
        for command in buttons {
            command_button_ui(ui, command, commands);
        }
    });
}

/// Such as `3 minutes ago`.
fn ago(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    let (n, unit) = match minutes {
        0 => return "just now".to_owned(),
        1..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_as_a_person_would() {
        let check = |minutes: u64, expected: &str| {
            assert_eq!(ago(Duration::from_mins(minutes)), expected);
        };
        check(0, "just now");
        check(1, "1 minute ago");
        check(59, "59 minutes ago");
        check(119, "1 hour ago");
        check(3000, "2 days ago");
    }
}
