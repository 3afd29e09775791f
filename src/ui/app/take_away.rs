//! What is taken away from the window: figures, tables, and what was asked.

use std::path::Path;
use std::sync::Arc;

use eframe::egui::{self, ColorImage};
use image::RgbImage;

use super::App;
use crate::experiment::quoted;
use crate::figure::words::capitalized;
use crate::figure::{Figure, FileFormat, Page, Record, Scale, to_csv, to_image};
use crate::ui::asked::Asked;
use crate::ui::command::Command;
use crate::ui::dialogs::Purpose;
use crate::ui::export::ExportDialog;
use crate::ui::pane::Pane;
use crate::ui::panels;
use crate::ui::reply::{Reply, aside};
use crate::ui::row::Row;
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
            Command::SaveFigureTo(path) => self.save_figure(&path),
            Command::CopyExport => self.copy_export(ctx),
            Command::CopyTableOf(pane) => {
                if let Some(figure) = self.figure_of(pane) {
                    self.handle(Command::CopyTable(figure), ctx);
                }
            }
            Command::CopyImageOf(pane) => {
                if let Some(figure) = self.figure_of(pane) {
                    self.handle(Command::CopyImage(figure), ctx);
                }
            }
            Command::CopyImage(figure) => {
                let image = to_image(&self.signed(&figure), Page::default(), self.figure_scale());
                self.copy_image(&image, ctx);
            }
            Command::CopyCommandLineOf(pane) => self.copy_command_line(pane, ctx),
            Command::SetFigureScale(times) => {
                self.state.preferences.figure_scale = times;
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

    /// Opens the dialog for what a view shows, which offers both rows.
    fn export_of(&mut self, pane: Pane, ctx: &egui::Context) {
        let shown = self.state.shown_row(pane);
        let rows = panels::figures_of(pane, &self.state);
        match rows.iter().position(|(row, _)| Some(*row) == shown) {
            Some(chosen) => self.export(Some(pane), &rows, chosen, ctx),
            None => self.nothing_to_save(pane),
        }
    }

    /// Opens the dialog for a figure, which offers that of the other row as well.
    fn export_figure(&mut self, figure: &Arc<Figure>, ctx: &egui::Context) {
        let shown = Pane::ALL.into_iter().filter(|pane| pane.has_results());
        let found = shown.into_iter().find_map(|pane| {
            let rows = panels::figures_of(pane, &self.state);
            let chosen = rows.iter().position(|(_, it)| is_about_the_same(it, figure))?;
            Some((Some(pane), rows, chosen))
        });
        let alone = || (None, vec![(Row::First, Arc::clone(figure))], 0);
        let (pane, rows, chosen) = found.unwrap_or_else(alone);
        self.export(pane, &rows, chosen, ctx);
    }

    /// `pane`: the view that shows the figures, if each is of one result.
    fn export(
        &mut self,
        pane: Option<Pane>,
        rows: &[(Row, Arc<Figure>)],
        chosen: usize,
        ctx: &egui::Context,
    ) {
        let figures = rows.iter().map(|(row, figure)| {
            let name = self.state.name_of(*row).to_owned();
            (name, self.signed(figure))
        });
        let dir = self.last_dir(Purpose::Figure);
        let scale = self.figure_scale();
        let dialog = ExportDialog::new(figures.collect(), chosen, dir.as_deref(), scale);
        self.export = Some(dialog);
        let asked = rows.iter().map(|(row, _)| panels::asked_of(pane?, *row, &self.state));
        self.record(asked.collect(), ctx);
    }

    /// Makes the records of the figures in the dialog on a thread of its own, since weights of some
    /// gigabytes take a while to hash.
    fn record(&mut self, asked: Vec<Option<Asked>>, ctx: &egui::Context) {
        self.n_exports += 1;
        let nth = self.n_exports;
        let thread = aside("record", &self.replies, ctx, move || {
            let records = asked.iter().map(|it| it.as_ref().map(Asked::record).transpose());
            Reply::Recorded { nth, records: records.collect() }
        });
        if let Err(error) = thread {
            self.recorded(self.n_exports, Err(error.to_string()));
        }
    }

    /// `nth`: the dialog that the records are for, which may have closed since.
    pub(super) fn recorded(&mut self, nth: usize, records: Result<Vec<Option<Record>>, String>) {
        let Some(dialog) = self.export.as_mut().filter(|_| nth == self.n_exports) else { return };
        let records = records.unwrap_or_else(|error| {
            self.state.error =
                Some(format!("The picture cannot carry what it was made of: {error}"));
            Vec::new()
        });
        let records = records.into_iter().map(|it| it.map(Arc::new));
        if let Some(path) = dialog.record(records.collect()) {
            self.save_figure(&path);
        }
    }

    fn figure_scale(&self) -> Scale {
        Scale::new(self.state.preferences.figure_scale).unwrap_or_default()
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

    /// A figure as it leaves the window, with what it was made with.
    fn signed(&self, figure: &Figure) -> Figure {
        let mut figure = figure.clone().signed();
        let stored = self.state.stored.as_ref();
        figure.notes.extend(stored.map(|it| format!("From {}", it.origin())));
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

    /// Writes the figure of the open dialog, which stays open with what is wrong if that fails.
    fn save_figure(&mut self, path: &Path) {
        let Some(dialog) = &mut self.export else { return };
        if dialog.must_wait(path) {
            self.state.notice =
                Some("Hashing the model's weights, which the picture names…".to_owned());
            return;
        }
        self.state.preferences.figure_scale = dialog.export.scale.times();
        match dialog.save(path) {
            Ok(written) => {
                self.state.preferences.screenshot_dir = path.parent().map(Path::to_owned);
                let written: Vec<String> =
                    written.iter().map(|it| it.display().to_string()).collect();
                self.state.notice = Some(format!("Saved {}", written.join(" and ")));
                self.export = None;
            }
            Err(error) => dialog.refuse(path, format!("The figure cannot be saved: {error}")),
        }
    }

    /// Copies what the open dialog would write.
    fn copy_export(&mut self, ctx: &egui::Context) {
        let Some(dialog) = &mut self.export else { return };
        let path = dialog.path();
        let copied = FileFormat::of(&path).map_err(|error| capitalized(&error)).and_then(|it| {
            let (figure, export) = dialog.one_figure()?;
            let bytes = it.bytes(&figure, &export);
            Ok((it, bytes.map_err(|error| capitalized(&error))?))
        });
        match copied {
            Ok((FileFormat::Png, bytes)) => match image::load_from_memory(&bytes) {
                Ok(image) => self.copy_image(&image.into_rgb8(), ctx),
                Err(error) => dialog.refuse(&path, capitalized(&error)),
            },
            Ok((FileFormat::Svg | FileFormat::Csv | FileFormat::Json, bytes)) => {
                ctx.copy_text(String::from_utf8_lossy(&bytes).into_owned());
                self.state.notice = Some(format!("Copied {}", dialog.file_name()));
            }
            Ok(_) => {
                let error = "Only SVG, PNG, CSV and JSON can be copied; this format can be saved";
                dialog.refuse(&path, error.to_owned());
            }
            Err(error) => dialog.refuse(&path, error),
        }
    }

    fn copy_image(&mut self, image: &RgbImage, ctx: &egui::Context) {
        let size = [image.width(), image.height()].map(|it| it as usize);
        ctx.copy_image(ColorImage::from_rgb(size, image.as_raw()));
        self.state.notice = Some(format!("Copied an image of {} × {}", size[0], size[1]));
    }
}

/// Whether two figures are of the same result. Their numbers may be none, which equal nothing.
fn is_about_the_same(one: &Figure, other: &Figure) -> bool {
    let about = |it: &Figure| (it.file_name.clone(), it.title.clone(), it.notes.clone());
    about(one) == about(other)
}
