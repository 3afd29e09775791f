//! *Export…*: which of a figure's charts go to which file, and in which form.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{
    Align, ComboBox, Context, Grid, Id, Key, Layout, Modal, Response, RichText, TextEdit, Ui,
};

use super::command::Command;
use super::dialogs::{Purpose, typed_path};
use super::theme::field_color;
use crate::figure::{Caption, Chart, Export, Figure, FileFormat, PageWidth, Scale, Tokens};
use crate::whole_file;

/// The dialog while it is open.
#[derive(Debug)]
pub struct ExportDialog {
    pub figure: Arc<Figure>,
    pub export: Export,

    /// Where the figure goes, as it is typed. The ending says in which format.
    path: String,
    error: Option<String>,
    is_new: bool,
}

impl ExportDialog {
    pub fn new(figure: Arc<Figure>, dir: Option<&Path>, scale: Scale) -> Self {
        let name = if figure.file_name.is_empty() { "figure" } else { &figure.file_name };
        let path = dir.unwrap_or_else(|| Path::new("")).join(format!("{name}.svg"));
        let path = path.display().to_string();
        let export = Export { scale, ..Export::default() };
        Self { figure, export, path, error: None, is_new: true }
    }

    /// The file's name without its folder.
    pub fn file_name(&self) -> String {
        let path = self.path();
        path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub fn path(&self) -> PathBuf {
        typed_path(&self.path)
    }

    /// Says what is wrong with a path, which stays as it was typed or chosen.
    pub fn refuse(&mut self, path: &Path, error: String) {
        self.path = path.display().to_string();
        self.error = Some(error);
        self.is_new = true;
    }

    /// Says that the system shows no dialog to choose a file with.
    pub fn has_no_picker(&mut self) {
        self.error = Some("This system shows no file dialog; type the path".to_owned());
        self.is_new = true;
    }

    /// Writes the figure in the format that the name's ending says.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        let format = FileFormat::of(path).map_err(|error| invalid(error.to_string()))?;
        let bytes = format.bytes(&self.figure, &self.export);
        whole_file::write(path, &bytes.map_err(|error| invalid(error.to_string()))?)
    }

    fn charts_ui(&mut self, ui: &mut Ui) -> Response {
        let chosen = &mut self.export.chart;
        let text = chosen.clone().unwrap_or_else(|| "all".to_owned());
        let combo = ComboBox::from_id_salt("exported chart").selected_text(text).width(WIDTH);
        let shown = combo.show_ui(ui, |ui| {
            ui.selectable_value(chosen, None, "all");
            for name in self.figure.charts.iter().map(Chart::name) {
                ui.selectable_value(chosen, Some(name.to_owned()), name);
            }
        });
        shown.response
    }

    fn options_ui(&mut self, ui: &mut Ui) {
        let format = FileFormat::of(&self.path()).ok();
        let is_picture = format.is_none_or(|it| !it.has_numbers());
        if self.figure.charts.len() > 1 {
            row_ui(ui, "Chart", |ui| self.charts_ui(ui));
        }
        let Export { tokens, page, scale, .. } = &mut self.export;
        if is_picture {
            row_ui(ui, "Width", |ui| {
                choice_ui(ui, "exported width", &mut page.width, &PageWidth::ALL, PageWidth::text)
            });
            let mut is_shown = page.caption == Caption::Shown;
            row_ui(ui, "Caption", |ui| ui.checkbox(&mut is_shown, "title, warnings and notes"));
            page.caption = if is_shown { Caption::Shown } else { Caption::Hidden };
        }
        row_ui(ui, "Tokens", |ui| {
            choice_ui(ui, "exported tokens", tokens, &Tokens::ALL, Tokens::text)
        });
        if format == Some(FileFormat::Png) {
            row_ui(ui, "Size", |ui| {
                choice_ui(ui, "exported size", scale, &Scale::ALL, Scale::text)
            });
        }
    }
}

/// How wide combo boxes are, and the room for the button beside the path, in points.
const WIDTH: f32 = 260.0;
const CHOOSE_WIDTH: f32 = 90.0;

/// A control beside its name.
fn row_ui(ui: &mut Ui, name: &str, control: impl FnOnce(&mut Ui) -> Response) {
    let label = ui.label(name);
    control(ui).labelled_by(label.id);
    ui.end_row();
}

fn choice_ui<T: Copy + PartialEq>(
    ui: &mut Ui,
    id: &str,
    chosen: &mut T,
    choices: &[T],
    text: fn(T) -> &'static str,
) -> Response {
    let combo = ComboBox::from_id_salt(id).selected_text(text(*chosen)).width(WIDTH);
    let shown = combo.show_ui(ui, |ui| {
        for choice in choices {
            ui.selectable_value(chosen, *choice, text(*choice));
        }
    });
    shown.response
}

/// Draws the dialog while it is open, and takes it away when it is cancelled. Once the figure is written
/// the app takes it away.
pub fn export_ui(ctx: &Context, open: &mut Option<ExportDialog>, commands: &mut Vec<Command>) {
    let Some(dialog) = open else { return };
    let (mut is_accepted, mut is_closed) = (false, false);
    let modal = Modal::new(Id::unique("export")).show(ctx, |ui| {
        ui.set_width(ui.ctx().content_rect().width().min(640.0) - 80.0);
        ui.heading("Export figure");
        ui.add_space(6.0);
        Grid::new("export options")
            .num_columns(2)
            .spacing([12.0, 6.0])
            .show(ui, |ui| dialog.options_ui(ui));
        ui.add_space(6.0);
        let label = ui.label("File");
        ui.horizontal(|ui| {
            let edit = TextEdit::singleline(&mut dialog.path)
                .hint_text("/path/to/figure.svg")
                .background_color(field_color(ui))
                .desired_width(ui.available_width() - CHOOSE_WIDTH)
                .cursor_at_end(true);
            let field = ui.add(edit).labelled_by(label.id);
            if std::mem::take(&mut dialog.is_new) {
                field.request_focus();
            }
            if field.changed() {
                dialog.error = None;
            }
            is_accepted = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            if ui.button("Choose…").on_hover_text("With the system's own dialog").clicked() {
                commands.push(Command::ChooseFigurePath);
            }
        });
        ui.weak(format!("The ending says what is written: .{}", FileFormat::ENDINGS.join(", .")));
        if let Some(error) = &dialog.error {
            ui.label(RichText::new(error).color(ui.visuals().error_fg_color));
        }
        ui.add_space(8.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            is_accepted |= ui.button("Save").clicked();
            let about = "What would be saved, as text (SVG, CSV, JSON) or as an image (PNG)";
            if ui.button("Copy").on_hover_text(about).clicked() {
                commands.push(Command::CopyExport);
            }
            is_closed = ui.button("Cancel").clicked();
        });
    });
    if is_accepted {
        let path = dialog.path();
        match Purpose::Figure.accept(path) {
            Ok(command) => commands.push(command),
            Err(error) => {
                dialog.error = Some(error);
                dialog.is_new = true;
            }
        }
    } else if is_closed || modal.should_close() {
        *open = None;
    }
}
