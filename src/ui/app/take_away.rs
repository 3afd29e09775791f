//! What is taken away from the window: figures, tables, and what was asked.

use std::path::Path;
use std::sync::Arc;

use eframe::egui;

use super::App;
use crate::experiment::quoted;
use crate::figure::{Figure, to_csv};
use crate::ui::command::Command;
use crate::ui::dialogs::Purpose;
use crate::ui::pane::Pane;
use crate::ui::panels;
use crate::whole_file;

/// What was asked, while the user chooses a file for it.
pub(super) struct SpecToSave {
    text: String,

    /// Whether the command that runs the file is copied once it is saved.
    is_run: bool,
}

impl App {
    /// Figures, tables and specs.
    pub(super) fn take_away(&mut self, command: Command, ctx: &egui::Context) {
        match command {
            Command::Export(figure) => self.export_figure(&figure, ctx),
            Command::ExportOf(pane) => self.export_of(pane, ctx),
            Command::ChooseFigurePath => self.ask(Purpose::Figure, ctx),
            Command::SaveFigureTo(path) => self.save_figure(&path, ctx),
            Command::CopyExport => self.copy_export(ctx),
            Command::CopyTableOf(pane) => {
                if let Some(figure) = self.figure_of(pane) {
                    self.handle(Command::CopyTable(figure), ctx);
                }
            }
            Command::CopyImageOf(pane) => {
                if let Some(figure) = self.figure_of(pane) {
                    self.copy_figure(figure, ctx);
                }
            }
            Command::CopyImage(figure) => self.copy_figure(figure, ctx),
            Command::CopyCommandLineOf(pane) => self.copy_command_line(pane, ctx),
            Command::SetFigureScale(times) => {
                self.state.preferences.export.scale = times;
                self.state.notice = Some(command.text());
            }
            Command::SaveSpec(pane) => self.ask_where_to_save(pane, ctx),
            Command::SaveSpecTo(path) => self.save_spec(&path, ctx),
            Command::CopyTable(figure) => {
                ctx.copy_text(to_csv(&figure));
                self.state.notice = Some("Copied the numbers as CSV".to_owned());
            }
            _ => {}
        }
    }

    /// Copies the command that asks what a view asks, for a POSIX shell. Where no flags can say it,
    /// the file for `factscope run` is saved first.
    fn copy_command_line(&mut self, pane: Pane, ctx: &egui::Context) {
        if let Some(line) = self.state.command_line(pane) {
            ctx.copy_text(line);
            self.state.notice = Some("Copied the command line".to_owned());
        } else {
            self.ask_where_to_save(pane, ctx);
            if let Some(spec) = &mut self.spec_to_save {
                spec.is_run = true;
                self.state.notice =
                    Some("No flags can say this: save it for factscope run".to_owned());
            }
        }
    }

    /// Asks for a file to save what a view asks to.
    fn ask_where_to_save(&mut self, pane: Pane, ctx: &egui::Context) {
        match self.state.experiment_text(pane) {
            Some(text) => {
                self.spec_to_save = Some(SpecToSave { text, is_run: false });
                self.ask(Purpose::Spec, ctx);
            }
            None => self.nothing_to_save(pane),
        }
    }

    /// What a view shows of the fact as it is looked at.
    fn figure_of(&mut self, pane: Pane) -> Option<Arc<Figure>> {
        let figure = panels::figure_of(pane, &self.state);
        if figure.is_none() {
            self.nothing_to_save(pane);
        }
        figure
    }

    pub(super) fn nothing_to_save(&mut self, pane: Pane) {
        self.state.error = Some(format!("{} shows no result yet", pane.text()));
    }

    /// Saves what was asked as `factscope run` reads it, and copies that command if it was wanted.
    fn save_spec(&mut self, path: &Path, ctx: &egui::Context) {
        let Some(SpecToSave { text, is_run }) = self.spec_to_save.take() else { return };
        self.state.preferences.screenshot_dir = path.parent().map(Path::to_owned);
        match whole_file::write(path, text.as_bytes()) {
            Ok(()) if is_run => {
                ctx.copy_text(format!("factscope run {}", quoted(&path.display().to_string())));
                let place = path.display();
                self.state.notice = Some(format!("Saved {place} and copied the command line"));
            }
            Ok(()) => self.state.notice = Some(format!("Saved {}", path.display())),
            Err(error) => {
                let error = format!("The file cannot be saved: {error}: {}", path.display());
                self.state.error = Some(error);
            }
        }
    }
}
