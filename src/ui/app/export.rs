//! *Export…*: its dialog, and the threads that hash, draw and write for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, ColorImage};
use image::RgbImage;

use super::App;
use crate::figure::{Figure, FileFormat, Page, Record, to_image};
use crate::ui::asked::Asked;
use crate::ui::dialogs::Purpose;
use crate::ui::export::{Drawn, ExportDialog, Wanted};
use crate::ui::pane::Pane;
use crate::ui::panels;
use crate::ui::reply::{Reply, aside};
use crate::ui::row::Row;

impl App {
    /// Opens the dialog for what a view shows, which offers both rows.
    pub(super) fn export_of(&mut self, pane: Pane, ctx: &egui::Context) {
        let shown = self.state.shown_row(pane);
        let rows = panels::figures_of(pane, &self.state);
        match rows.iter().position(|(row, _)| Some(*row) == shown) {
            Some(chosen) => self.export(Some(pane), &rows, chosen, ctx),
            None => self.nothing_to_save(pane),
        }
    }

    /// Opens the dialog for a figure, which offers that of the other row as well.
    pub(super) fn export_figure(&mut self, figure: &Arc<Figure>, ctx: &egui::Context) {
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
        let origin = self.origin();
        let figures = rows.iter().map(|(row, figure)| {
            let name = self.state.name_of(*row).to_owned();
            (name, signed(figure, origin.as_deref()))
        });
        let dir = self.last_dir(Purpose::Figure);
        let last = self.state.preferences.export;
        let dialog = ExportDialog::new(figures.collect(), chosen, dir.as_deref(), last);
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
            self.recorded(self.n_exports, Err(error.to_string()), ctx);
        }
    }

    /// `nth`: the dialog that the records are for, which may have closed since.
    pub(super) fn recorded(
        &mut self,
        nth: usize,
        records: Result<Vec<Option<Record>>, String>,
        ctx: &egui::Context,
    ) {
        let Some(dialog) = self.export.as_mut().filter(|_| nth == self.n_exports) else { return };
        let records = records.unwrap_or_else(|error| {
            self.state.error =
                Some(format!("The picture cannot carry what it was made of: {error}"));
            Vec::new()
        });
        let records = records.into_iter().map(|it| it.map(Arc::new));
        if let Some(path) = dialog.record(records.collect()) {
            self.save_figure(&path, ctx);
        }
    }

    /// Writes the figure of the open dialog, which stays open until it is written, and with what is wrong
    /// if that fails.
    pub(super) fn save_figure(&mut self, path: &Path, ctx: &egui::Context) {
        let Some(dialog) = self.export.as_mut().filter(|it| !it.is_drawing) else { return };
        if dialog.must_wait(path) {
            self.state.notice =
                Some("Hashing the model's weights, which the picture names…".to_owned());
            return;
        }
        if let Ok(format) = FileFormat::of(path) {
            let Wanted { export, rows, figures, .. } = &dialog.wanted;
            let last = &mut self.state.preferences.export;
            // One figure alone says nothing of whose are wanted where there are two.
            let of = if figures.len() > 1 { rows.exported() } else { last.of };
            last.remember(export, of, format);
        }
        self.draw_export(path.to_owned(), ctx, |wanted, path| {
            wanted.save(path).map_err(|error| format!("The figure cannot be saved: {error}"))
        });
    }

    /// Copies what the open dialog would write.
    pub(super) fn copy_export(&mut self, ctx: &egui::Context) {
        let Some(dialog) = self.export.as_ref().filter(|it| !it.is_drawing) else { return };
        self.draw_export(dialog.path(), ctx, Wanted::copy);
    }

    /// Draws what the open dialog is asked for.
    fn draw_export(
        &mut self,
        path: PathBuf,
        ctx: &egui::Context,
        draw: fn(&Wanted, &Path) -> Result<Drawn, String>,
    ) {
        let Some(dialog) = &mut self.export else { return };
        dialog.is_drawing = true;
        let wanted = dialog.wanted.clone();
        self.draw(Some(self.n_exports), path, ctx, move |path| draw(&wanted, path));
    }

    /// Copies a figure as pixels, without a dialog.
    pub(super) fn copy_figure(&mut self, figure: Arc<Figure>, ctx: &egui::Context) {
        let (origin, scale) = (self.origin(), self.state.preferences.export.export().scale);
        self.draw(None, PathBuf::new(), ctx, move |_| {
            let figure = signed(&figure, origin.as_deref());
            Ok(Drawn::Image(to_image(&figure, Page::default(), scale)))
        });
    }

    /// `nth`: the dialog that asks for it, if one does.
    fn draw(
        &mut self,
        nth: Option<usize>,
        path: PathBuf,
        ctx: &egui::Context,
        draw: impl FnOnce(&Path) -> Result<Drawn, String> + Send + 'static,
    ) {
        self.n_drawing += 1;
        let path_then = path.clone();
        let thread = aside("draw", &self.replies, ctx, move || {
            let drawn = draw(&path);
            Reply::Drawn { nth, path, drawn }
        });
        if let Err(error) = thread {
            self.drawn(nth, &path_then, Err(error.to_string()), ctx);
        }
    }

    /// Whether figures are drawn for files or the clipboard at this moment.
    pub fn is_drawing(&self) -> bool {
        self.n_drawing > 0
    }

    pub(super) fn drawn(
        &mut self,
        nth: Option<usize>,
        path: &Path,
        drawn: Result<Drawn, String>,
        ctx: &egui::Context,
    ) {
        self.n_drawing = self.n_drawing.saturating_sub(1);
        let dialog = self.export.as_mut().filter(|_| nth == Some(self.n_exports));
        match (drawn, dialog) {
            (Ok(Drawn::Files(files)), dialog) => {
                if dialog.is_some() {
                    self.export = None;
                }
                self.state.preferences.screenshot_dir = path.parent().map(Path::to_owned);
                let files: Vec<String> = files.iter().map(|it| it.display().to_string()).collect();
                self.state.notice = Some(format!("Saved {}", files.join(" and ")));
            }
            (Ok(drawn), dialog) => {
                if let Some(dialog) = dialog {
                    dialog.is_drawing = false;
                }
                self.copy_drawn(path, drawn, ctx);
            }
            (Err(error), Some(dialog)) => {
                dialog.is_drawing = false;
                dialog.refuse(path, error);
            }
            (Err(error), None) => self.state.error = Some(error),
        }
    }

    fn copy_drawn(&mut self, path: &Path, drawn: Drawn, ctx: &egui::Context) {
        let copied = match drawn {
            Drawn::Image(image) => copy_image(&image, ctx),
            Drawn::Text(text) => {
                ctx.copy_text(text);
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                format!("Copied {name}")
            }
            Drawn::Files(_) => return,
        };
        self.state.notice = Some(copied);
    }

    /// Where the results come from, if that is not the open model.
    fn origin(&self) -> Option<String> {
        self.state.stored.as_ref().map(|it| format!("From {}", it.origin()))
    }
}

fn copy_image(image: &RgbImage, ctx: &egui::Context) -> String {
    let size = [image.width(), image.height()].map(|it| it as usize);
    ctx.copy_image(ColorImage::from_rgb(size, image.as_raw()));
    format!("Copied an image of {} × {}", size[0], size[1])
}

/// A figure as it leaves the window, with what it was made with.
fn signed(figure: &Figure, origin: Option<&str>) -> Figure {
    let mut figure = figure.clone().signed();
    figure.notes.extend(origin.map(str::to_owned));
    figure
}

/// Whether two figures are of the same result. Their numbers may be none, which equal nothing.
fn is_about_the_same(one: &Figure, other: &Figure) -> bool {
    let about = |it: &Figure| (it.file_name.clone(), it.title.clone(), it.notes.clone());
    about(one) == about(other)
}
