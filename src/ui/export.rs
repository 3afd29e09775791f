//! *Export…*: which of a figure's charts go to which file, and in which form.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{Context, Grid, Label, Response, Ui};

use super::command::Command;
use super::dialogs::Purpose;
use super::path_field::PathField;
use super::widgets::{Choice, Outside, dialog_ui};
use crate::figure::{Caption, Export, Figure, FileFormat, PageWidth, Record, Scale, Tokens};
use crate::whole_file;

/// The dialog while it is open.
#[derive(Debug)]
pub struct ExportDialog {
    /// What a view shows of each row, with the row's name; at least one.
    figures: Vec<(String, Figure)>,
    rows: Rows,
    pub export: Export,

    /// What the pictures of the figures carry; `None` while the weights are hashed.
    records: Option<Vec<Option<Arc<Record>>>>,

    /// The file that is written once they are there.
    waiting: Option<PathBuf>,

    /// Where the figure goes. The ending says in which format.
    file: PathField,

    /// The name that was proposed, which changes with what is exported until another is typed.
    proposed: PathBuf,
}

/// Whose figures are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    One(usize),
    OnOnePage,
    InFilesOfTheirOwn,
}

impl ExportDialog {
    /// `chosen`: which of the figures is exported unless something else is chosen.
    ///
    /// # Panics
    ///
    /// If there is no figure.
    pub fn new(
        figures: Vec<(String, Figure)>,
        chosen: usize,
        dir: Option<&Path>,
        scale: Scale,
    ) -> Self {
        assert!(chosen < figures.len(), "there is something to export");
        let file = PathField::new(dir, &proposed_name(&figures[chosen].1));
        let proposed = file.typed();
        let export = Export { scale, ..Export::default() };
        let (rows, records, waiting) = (Rows::One(chosen), None, None);
        Self { figures, rows, export, records, waiting, file, proposed }
    }

    /// Takes the records of the figures, and gives the file that waits for them.
    pub fn record(&mut self, records: Vec<Option<Arc<Record>>>) -> Option<PathBuf> {
        self.records = Some(records);
        self.waiting.take()
    }

    /// Whether a file must wait for the records of its figures.
    pub fn must_wait(&mut self, path: &Path) -> bool {
        let is_picture = FileFormat::of(path).is_ok_and(|it| !it.has_numbers());
        let waits = is_picture && self.records.is_none();
        self.waiting = waits.then(|| path.to_owned());
        waits
    }

    /// What is exported of one of the figures.
    fn export_of(&self, nth: usize) -> Export {
        Export { record: self.record_of(nth), ..self.export.clone() }
    }

    fn record_of(&self, nth: usize) -> Option<Arc<Record>> {
        self.records.as_ref().and_then(|it| it.get(nth)?.clone())
    }

    /// What is exported of all figures on one page, which carries what each was made of.
    fn export_of_page(&self) -> Export {
        let names = self.figures.iter().enumerate();
        let records = names.map(|(nth, (name, _))| (name.clone(), self.record_of(nth)));
        let record = Record::together(&records.collect::<Vec<_>>());
        Export { record: record.map(Arc::new), ..self.export.clone() }
    }

    /// The figure that goes to one file, and how.
    ///
    /// # Errors
    ///
    /// If each goes to a file of its own.
    pub fn one_figure(&self) -> Result<(Figure, Export), String> {
        match self.rows {
            Rows::One(nth) => Ok((self.figures[nth].1.clone(), self.export_of(nth))),
            Rows::OnOnePage => Ok((Figure::together(&self.figures), self.export_of_page())),
            Rows::InFilesOfTheirOwn => {
                Err("Two files cannot be copied; choose one, or both on one page".to_owned())
            }
        }
    }

    /// The files that are written, and what goes to each.
    fn files(&self, path: &Path) -> Vec<(PathBuf, Figure, Export)> {
        if let Ok((figure, export)) = self.one_figure() {
            return vec![(path.to_owned(), figure, export)];
        }
        let figures = self.figures.iter().enumerate();
        let file = |(nth, (name, figure)): (usize, &(String, Figure))| {
            (path_of(path, name), figure.clone(), self.export_of(nth))
        };
        figures.map(file).collect()
    }

    /// A figure whose charts can be chosen from: all that are exported have the same.
    fn charts(&self) -> Vec<String> {
        let figure = self.one_figure().map_or_else(|_| self.figures[0].1.clone(), |it| it.0);
        figure.charts.iter().map(|it| it.name().to_owned()).collect()
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

    /// Writes what was chosen in the format that the name's ending says, and returns the files.
    pub fn save(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        let format = FileFormat::of(path).map_err(|error| invalid(error.to_string()))?;
        let mut files = Vec::new();
        for (path, figure, export) in self.files(path) {
            let bytes = format.bytes(&figure, &export);
            files.push((path, bytes.map_err(|error| invalid(error.to_string()))?));
        }
        for (path, bytes) in &files {
            whole_file::write(path, bytes)?;
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }

    /// Whether the files may be written, as [`PathField::may_write`].
    fn may_write(&mut self, path: &Path) -> bool {
        self.files(path).iter().all(|(path, ..)| self.file.may_write(path))
    }

    /// Whose figures are exported. The proposed name follows.
    fn rows_ui(&mut self, ui: &mut Ui) -> Response {
        let one = (0..self.figures.len()).map(Rows::One);
        let choices: Vec<Rows> = one.chain([Rows::OnOnePage, Rows::InFilesOfTheirOwn]).collect();
        let before = self.rows;
        let figures = &self.figures;
        let response =
            Choice::new("exported rows", WIDTH).show(ui, &mut self.rows, &choices, |it| {
                let text = match *it {
                    Rows::One(nth) => figures[nth].0.clone(),
                    Rows::OnOnePage => "both on one page".to_owned(),
                    Rows::InFilesOfTheirOwn => "both, each in a file of its own".to_owned(),
                };
                (text.into(), "")
            });
        if self.rows != before {
            // Charts have other names on a common page.
            self.export.charts.clear();
            let nth = if let Rows::One(nth) = self.rows { nth } else { 0 };
            let name = proposed_name(&self.figures[nth].1);
            if self.file.typed() == self.proposed {
                self.proposed = self.proposed.with_file_name(name);
                let proposed = self.proposed.clone();
                self.file.set(&proposed);
            }
        }
        response
    }

    fn charts_ui(&mut self, ui: &mut Ui) -> Response {
        let names = self.charts().into_iter().map(Some);
        let choices: Vec<Option<String>> = [None].into_iter().chain(names).collect();
        let choice = Choice::new("exported chart", WIDTH);
        let mut chart = self.export.charts.first().cloned();
        choice.show(ui, &mut chart, &choices, |it| {
            (it.clone().unwrap_or_else(|| "all".to_owned()).into(), "")
        })
    }

    fn options_ui(&mut self, ui: &mut Ui) {
        let format = FileFormat::of(&self.path()).ok();
        let is_picture = format.is_none_or(|it| !it.has_numbers());
        if self.figures.len() > 1 {
            row_ui(ui, "Of", true, |ui| self.rows_ui(ui));
        }
        // What has no meaning in a format, or of a row, stays where it is, or all would move while the ending
        // is typed and the row is chosen.
        let has_charts = self.charts().len() > 1;
        if has_charts || self.figures.len() > 1 {
            row_ui(ui, "Chart", has_charts, |ui| self.charts_ui(ui));
        }
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

/// What a file of a figure is called unless somebody says otherwise.
fn proposed_name(figure: &Figure) -> String {
    let name = if figure.file_name.is_empty() { "figure" } else { &figure.file_name };
    format!("{name}.svg")
}

/// The file of one row beside those of others: `trace.svg` becomes `trace_other-fact.svg`.
fn path_of(path: &Path, row: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{stem}_{}", row.to_lowercase().replace(' ', "-"));
    let name = match path.extension() {
        Some(ending) => format!("{name}.{}", ending.to_string_lossy()),
        None => name,
    };
    path.with_file_name(name)
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
        ui.weak(format!("The ending says what is written: .{}", FileFormat::ENDINGS.join(", .")));
        PathField::buttons_ui(ui, |ui| {
            is_accepted |= ui.button("Save").clicked();
            let about = "What would be saved, as text (SVG, CSV, JSON) or as an image (PNG)";
            if ui.button("Copy").on_hover_text(about).clicked() {
                commands.push(Command::CopyExport);
            }
            is_closed = ui.button("Cancel").clicked();
        });
        if dialog.rows == Rows::InFilesOfTheirOwn {
            let files = dialog.files(&dialog.path());
            let names = files.iter().filter_map(|(it, ..)| it.file_name());
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
