//! *Export…*: which of a figure's charts go to which file, and in which form.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{Context, Grid, Label, Response, Ui};

use super::command::Command;
use super::dialogs::Purpose;
use super::path_field::PathField;
use super::widgets::{self, Choice};
use crate::figure::{Caption, Export, Figure, FileFormat, PageWidth, Scale, Tokens};
use crate::whole_file;

/// The dialog while it is open.
#[derive(Debug)]
pub struct ExportDialog {
    pub figure: Arc<Figure>,
    pub export: Export,

    /// Where the figure goes. The ending says in which format.
    file: PathField,
}

impl ExportDialog {
    pub fn new(figure: Arc<Figure>, dir: Option<&Path>, scale: Scale) -> Self {
        let name = if figure.file_name.is_empty() { "figure" } else { &figure.file_name };
        let file = PathField::new(dir, &format!("{name}.svg"));
        let export = Export { scale, ..Export::default() };
        Self { figure, export, file }
    }

    /// The file's name without its folder.
    pub fn file_name(&self) -> String {
        let path = self.path();
        path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub fn path(&self) -> PathBuf {
        self.file.path()
    }

    /// Says what is wrong with a path, which stays as it was typed or chosen.
    pub fn refuse(&mut self, path: &Path, error: String) {
        self.file.set(path);
        self.file.refuse(error);
    }

    /// Says that the system shows no dialog to choose a file with.
    pub fn has_no_picker(&mut self) {
        self.file.refuse("This system shows no file dialog; type the path".to_owned());
    }

    /// Writes the figure in the format that the name's ending says.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        let format = FileFormat::of(path).map_err(|error| invalid(error.to_string()))?;
        let bytes = format.bytes(&self.figure, &self.export);
        whole_file::write(path, &bytes.map_err(|error| invalid(error.to_string()))?)
    }

    fn charts_ui(&mut self, ui: &mut Ui) -> Response {
        let names = self.figure.charts.iter().map(|it| Some(it.name().to_owned()));
        let choices: Vec<Option<String>> = [None].into_iter().chain(names).collect();
        let choice = Choice::new("exported chart", WIDTH);
        choice.show(ui, &mut self.export.chart, &choices, |it| {
            (it.clone().unwrap_or_else(|| "all".to_owned()).into(), "")
        })
    }

    fn options_ui(&mut self, ui: &mut Ui) {
        let format = FileFormat::of(&self.path()).ok();
        let is_picture = format.is_none_or(|it| !it.has_numbers());
        if self.figure.charts.len() > 1 {
            row_ui(ui, "Chart", true, |ui| self.charts_ui(ui));
        }
        // What has no meaning in a format stays where it is, or all would move while its ending is typed.
        let Export { tokens, page, scale, .. } = &mut self.export;
        row_ui(ui, "Width", is_picture, |ui| {
            choice_ui(ui, "exported width", &mut page.width, &PageWidth::ALL, PageWidth::text)
        });
        let mut is_shown = page.caption == Caption::Shown;
        row_ui(ui, "Caption", is_picture, |ui| {
            ui.checkbox(&mut is_shown, "title, warnings and notes")
        });
        page.caption = if is_shown { Caption::Shown } else { Caption::Hidden };
        row_ui(ui, "Tokens", true, |ui| {
            choice_ui(ui, "exported tokens", tokens, &Tokens::ALL, Tokens::text)
        });
        row_ui(ui, "Size of PNG", format == Some(FileFormat::Png), |ui| {
            choice_ui(ui, "exported size", scale, &Scale::ALL, Scale::text)
        });
    }
}

/// How wide combo boxes are, and the room for the button beside the path, in points.
const WIDTH: f32 = 260.0;
const CHOOSE_WIDTH: f32 = 90.0;

/// A control beside its name, enabled where it has a meaning.
fn row_ui(ui: &mut Ui, name: &str, is_enabled: bool, control: impl FnOnce(&mut Ui) -> Response) {
    let label = ui.add_enabled(is_enabled, Label::new(name));
    ui.add_enabled_ui(is_enabled, control).inner.labelled_by(label.id);
    ui.end_row();
}

fn choice_ui<T: Copy + PartialEq>(
    ui: &mut Ui,
    id: &str,
    chosen: &mut T,
    choices: &[T],
    text: fn(T) -> &'static str,
) -> Response {
    Choice::new(id, WIDTH).show(ui, chosen, choices, |it| (text(*it).into(), ""))
}

/// Draws the dialog while it is open, and takes it away when it is cancelled. Once the figure is written
/// the app takes it away.
pub fn export_ui(ctx: &Context, open: &mut Option<ExportDialog>, commands: &mut Vec<Command>) {
    let Some(dialog) = open else { return };
    let (mut is_accepted, mut is_closed) = (false, false);
    let modal = widgets::dialog(ctx, "export").show(ctx, |ui| {
        ui.set_width(ui.ctx().content_rect().width().min(640.0) - 80.0);
        ui.heading(Purpose::Figure.about().title);
        ui.add_space(6.0);
        Grid::new("export options")
            .num_columns(2)
            .spacing([12.0, 6.0])
            .show(ui, |ui| dialog.options_ui(ui));
        ui.add_space(6.0);
        let label = ui.label("File");
        ui.horizontal(|ui| {
            let width = ui.available_width() - CHOOSE_WIDTH;
            let example = Purpose::Figure.about().example;
            is_accepted = dialog.file.field_ui(ui, &label, example, width);
            if ui.button("Choose…").on_hover_text("With the system's own dialog").clicked() {
                commands.push(Command::ChooseFigurePath);
            }
        });
        ui.weak(format!("The ending says what is written: .{}", FileFormat::ENDINGS.join(", .")));
        dialog.file.about_ui(ui, Purpose::Figure.wants());
        PathField::buttons_ui(ui, |ui| {
            is_accepted |= ui.button("Save").clicked();
            let about = "What would be saved, as text (SVG, CSV, JSON) or as an image (PNG)";
            if ui.button("Copy").on_hover_text(about).clicked() {
                commands.push(Command::CopyExport);
            }
            is_closed = ui.button("Cancel").clicked();
        });
        dialog.file.error_ui(ui);
    });
    if is_accepted {
        match Purpose::Figure.resolve(dialog.path()) {
            Ok((purpose, path)) if dialog.file.may_write(&path) => {
                commands.push(purpose.command(path));
            }
            Ok(_) => {}
            Err(error) => dialog.file.refuse(error),
        }
    } else if is_closed || modal.should_close() {
        *open = None;
    }
}
