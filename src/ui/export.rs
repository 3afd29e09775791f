//! *Export…*: which of a figure's charts go to which file, and in which form.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{Context, Grid, Label, Response, Ui};

use super::command::Command;
use super::dialogs::Purpose;
use super::path_field::PathField;
use super::state::{Exported, FigurePreferences};
use super::widgets::{Choice, Outside, dialog_ui};
use crate::figure::{Caption, Export, Figure, FileFormat, PageWidth, Record, Scale, Tokens};

mod wanted;

use wanted::Rows;
pub use wanted::{Drawn, Wanted};

/// The dialog while it is open.
#[derive(Debug)]
pub struct ExportDialog {
    pub wanted: Wanted,

    /// The charts that can be chosen from.
    charts: Vec<String>,

    /// The file that is written once the records of its figures are there.
    waiting: Option<PathBuf>,

    /// Whether the figure is drawn at this moment, for a file or for the clipboard.
    pub is_drawing: bool,

    /// Where the figure goes. The ending says in which format.
    file: PathField,

    /// The name that was proposed, which changes with what is exported until another is typed.
    proposed: PathBuf,
}

impl ExportDialog {
    /// `chosen`: which of the figures is exported unless something else is chosen. `last`: how the last one
    /// was.
    ///
    /// # Panics
    ///
    /// If there is no figure.
    pub fn new(
        figures: Vec<(String, Figure)>,
        chosen: usize,
        dir: Option<&Path>,
        last: FigurePreferences,
    ) -> Self {
        assert!(chosen < figures.len(), "there is something to export");
        let rows = match last.of {
            Exported::OnOnePage if figures.len() > 1 => Rows::OnOnePage,
            Exported::InFilesOfTheirOwn if figures.len() > 1 => Rows::InFilesOfTheirOwn,
            _ => Rows::One(chosen),
        };
        let file = PathField::new(dir, &proposed_name(&figures, rows, last.format));
        let (proposed, export) = (file.typed(), last.export());
        let wanted = Wanted { figures: figures.into(), rows, export, records: None };
        let charts = wanted.charts();
        Self { wanted, charts, waiting: None, is_drawing: false, file, proposed }
    }

    /// Takes the records of the figures, and gives the file that waits for them.
    pub fn record(&mut self, records: Vec<Option<Arc<Record>>>) -> Option<PathBuf> {
        self.wanted.records = Some(records);
        self.waiting.take()
    }

    /// Whether a file must wait for the records of its figures.
    pub fn must_wait(&mut self, path: &Path) -> bool {
        let is_picture = FileFormat::of(path).is_ok_and(|it| !it.has_numbers());
        let waits = is_picture && self.wanted.records.is_none();
        self.waiting = waits.then(|| path.to_owned());
        waits
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

    /// Whether the files may be written, as [`PathField::may_write`].
    fn may_write(&mut self, path: &Path) -> bool {
        self.wanted.paths(path).iter().all(|path| self.file.may_write(path))
    }

    /// Whose figures are exported. The proposed name follows.
    fn rows_ui(&mut self, ui: &mut Ui) -> Response {
        let Wanted { figures, rows, .. } = &mut self.wanted;
        let one = (0..figures.len()).map(Rows::One);
        let choices: Vec<Rows> = one.chain([Rows::OnOnePage, Rows::InFilesOfTheirOwn]).collect();
        let before = *rows;
        let response = Choice::new("exported rows", WIDTH).show(ui, rows, &choices, |it| {
            let text = match *it {
                Rows::One(nth) => figures[nth].0.clone(),
                Rows::OnOnePage => "both on one page".to_owned(),
                Rows::InFilesOfTheirOwn => "both, each in a file of its own".to_owned(),
            };
            (text.into(), "")
        });
        if *rows != before {
            let format = FileFormat::of(&self.proposed).unwrap_or(FileFormat::Svg);
            let name = proposed_name(figures, *rows, format);
            // Charts have other names on a common page.
            self.wanted.export.charts.clear();
            self.charts = self.wanted.charts();
            if self.file.typed() == self.proposed {
                self.proposed = self.proposed.with_file_name(name);
                let proposed = self.proposed.clone();
                self.file.set(&proposed);
            }
        }
        response
    }

    fn charts_ui(&mut self, ui: &mut Ui) -> Response {
        let names = self.charts.iter().cloned().map(Some);
        let choices: Vec<Option<String>> = [None].into_iter().chain(names).collect();
        let choice = Choice::new("exported chart", WIDTH);
        let charts = &mut self.wanted.export.charts;
        let mut chart = charts.first().cloned();
        let response = choice.show(ui, &mut chart, &choices, |it| {
            (it.clone().unwrap_or_else(|| "all".to_owned()).into(), "")
        });
        *charts = chart.into_iter().collect();
        response
    }

    fn options_ui(&mut self, ui: &mut Ui) {
        let format = FileFormat::of(&self.path()).ok();
        let is_picture = format.is_none_or(|it| !it.has_numbers());
        let n_figures = self.wanted.figures.len();
        if n_figures > 1 {
            row_ui(ui, "Of", true, |ui| self.rows_ui(ui));
        }
        // What has no meaning in a format, or of a row, stays where it is, or all would move while the ending
        // is typed and the row is chosen.
        let has_charts = self.charts.len() > 1;
        if has_charts || n_figures > 1 {
            row_ui(ui, "Chart", has_charts, |ui| self.charts_ui(ui));
        }
        let Export { tokens, page, scale, .. } = &mut self.wanted.export;
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

/// What a file of figures is called unless somebody says otherwise. A page of both is no file of the first.
fn proposed_name(figures: &[(String, Figure)], rows: Rows, format: FileFormat) -> String {
    let nth = if let Rows::One(nth) = rows { nth } else { 0 };
    let name = &figures[nth].1.file_name;
    let name = if name.is_empty() { "figure" } else { name };
    let both = if rows == Rows::OnOnePage { "_both" } else { "" };
    format!("{name}{both}.{}", format.ending())
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
    let ((), is_left) = dialog_ui(ctx, "export", 560.0, Outside::Stays, |ui| {
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
        ui.weak(format!("The ending says what is written: .{}", FileFormat::endings().join(", .")));
        PathField::buttons_ui(ui, |ui| {
            is_accepted |= ui.button("Save").clicked();
            let about = "What would be saved, as text (SVG, CSV, JSON) or as an image (PNG)";
            if ui.button("Copy").on_hover_text(about).clicked() {
                commands.push(Command::CopyExport);
            }
            is_closed = ui.button("Cancel").clicked();
        });
        if dialog.wanted.rows == Rows::InFilesOfTheirOwn {
            let files = dialog.wanted.paths(&dialog.path());
            let names = files.iter().filter_map(|it| it.file_name());
            let names: Vec<String> = names.map(|it| it.to_string_lossy().into_owned()).collect();
            ui.weak(format!("Writes {}", names.join(" and ")));
        }
        dialog.file.about_ui(ui, Purpose::Figure.wants());
    });
    if is_accepted {
        match Purpose::Figure.resolve(dialog.path()) {
            Ok((purpose, path)) if dialog.may_write(&path) => {
                commands.push(purpose.command(path));
            }
            Ok(_) => {}
            Err(error) => dialog.file.refuse(error),
        }
    } else if is_closed || is_left {
        *open = None;
    }
}
