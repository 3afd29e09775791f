//! Which keys are commands, whatever has the focus.

use std::cmp::Reverse;

use eframe::egui::{self, Key, KeyboardShortcut, Modifiers, Popup};

use super::App;
use crate::ui::closing::Closing;
use crate::ui::command::{Command, KEYS};
use crate::ui::panels;
use crate::ui::widgets::is_choice_focused;

impl App {
    /// Gives the commands whose keys are pressed.
    pub(super) fn keys(&mut self, ctx: &egui::Context) {
        // Dialogs have their own keys.
        let has_dialog = self.path_prompt.is_some()
            || self.export.is_some()
            || self.is_getting_model()
            || self.help.is_some()
            || self.palette.is_some()
            || !matches!(self.closing, Closing::No | Closing::Naming);
        if has_dialog {
            return;
        }
        // Escape in the form of a typed fact is about that form, whatever runs.
        if self.views.facts.is_typing()
            && !Popup::is_any_open(ctx)
            && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
        {
            self.views.facts.leave_form();
        }
        let keyed = KEYS.iter().flat_map(|(_, keyed)| *keyed).filter(|it| !it.0.is_zoom());
        let mut keyed: Vec<(&Command, &KeyboardShortcut)> = keyed
            .flat_map(|(command, keys)| keys.iter().map(move |keys| (command, keys)))
            .filter(|(command, keys)| is_heard(ctx, command, **keys))
            .collect();
        // Shortcuts with more modifiers first: egui lets Ctrl+O match Ctrl+Shift+O.
        keyed.sort_by_key(|(_, keys)| Reverse([keys.modifiers.shift, keys.modifiers.alt]));
        for (command, keys) in keyed {
            if ctx.input_mut(|input| input.consume_shortcut(keys)) {
                Popup::close_all(ctx);
                self.commands.push(command.clone());
            }
        }
    }
}

/// Whether keys are a command's now. Without modifiers they may belong to the widget that has the focus:
/// all to a field for text, arrows to any but a box with a list, which goes up and down only.
fn is_heard(ctx: &egui::Context, command: &Command, keys: KeyboardShortcut) -> bool {
    if keys.modifiers.any() || keys.logical_key >= Key::F1 {
        return true;
    }
    if Popup::is_any_open(ctx) {
        return false;
    }
    if ctx.memory(|memory| memory.focused()).is_none() {
        return true;
    }
    let is_step = matches!(command, Command::NextFact | Command::PreviousFact);
    if panels::is_search_focused(ctx) {
        return is_step;
    }
    match keys.logical_key {
        Key::ArrowDown | Key::ArrowUp => false,
        Key::ArrowLeft | Key::ArrowRight => is_choice_focused(ctx),
        _ => !ctx.text_edit_focused(),
    }
}
