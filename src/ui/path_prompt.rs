//! A small window in which a path is typed, for all that can be opened or saved.

use std::path::{Path, PathBuf};

use eframe::egui::Context;

use super::command::Command;
use super::dialogs::{Purpose, Wants};
use super::path_field::PathField;
use super::widgets::{Outside, dialog_ui};
use crate::{builtin, hub};

/// A small window with a field for a path.
#[derive(Debug)]
pub struct PathPrompt {
    purpose: Purpose,
    field: PathField,
    why: Why,
}

/// Why a path is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Wanted,

    /// The system shows no dialogs.
    NoDialog,
}

impl PathPrompt {
    pub fn new(purpose: Purpose, dir: Option<&Path>, why: Why) -> Self {
        let name = purpose.file_name().unwrap_or_default();
        Self { purpose, field: PathField::new(dir, name), why }
    }

    /// What is typed, as it is meant.
    fn path(&self) -> PathBuf {
        let (typed, path) = (self.field.typed(), self.field.path());
        let is_model = matches!(self.purpose.about().wants, Wants::Anything | Wants::Folder);
        let is_name =
            || builtin::find(&typed).is_some() || hub::find_unless_folder(&typed).is_some();
        if is_model && !path.exists() && is_name() { typed } else { path }
    }

    /// What is asked for by the path, or `None` after an error is shown.
    fn accept(&mut self) -> Option<Command> {
        match self.purpose.resolve(self.path()) {
            Ok((purpose, path)) => {
                let is_written = purpose.file_name().is_some();
                let may_be = !is_written || self.field.may_write(&path);
                may_be.then(|| purpose.command(path))
            }
            Err(error) => {
                self.field.refuse(error);
                None
            }
        }
    }
}

/// Draws the prompt while there is one, and takes it away when it is answered.
pub fn path_prompt_ui(ctx: &Context, prompt: &mut Option<PathPrompt>, commands: &mut Vec<Command>) {
    let Some(open) = prompt else { return };
    let (mut is_accepted, mut is_closed) = (false, false);
    let about = open.purpose.about();
    let ((), is_left) = dialog_ui(ctx, "path prompt", 560.0, Outside::Stays, |ui| {
        ui.heading(about.title);
        ui.add_space(4.0);
        if open.why == Why::NoDialog {
            ui.label(
                "This system shows no file dialog (it has neither a desktop portal nor zenity). \
                 You can type the path instead",
            );
        }
        let label = ui.label(about.label);
        is_accepted = open.field.field_ui(ui, &label, about.example, f32::INFINITY);
        PathField::buttons_ui(ui, |ui| {
            let text = if open.purpose.file_name().is_some() { "Save" } else { "Open" };
            is_accepted |= ui.button(text).clicked();
            is_closed = ui.button("Cancel").clicked();
        });
        open.field.about_ui(ui, open.purpose.wants());
    });
    if is_accepted {
        let accepted = open.accept();
        is_closed = accepted.is_some();
        commands.extend(accepted);
    } else if is_left {
        is_closed = true;
    }
    if is_closed {
        *prompt = None;
    }
}
