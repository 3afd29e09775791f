//! What the dialog *Export…* was asked for, drawn and written on a thread of its own: large maps take longer
//! than a frame.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;

use crate::figure::words::capitalized;
use crate::figure::{Export, Figure, FileFormat, Record, behind};
use crate::ui::state::Exported;
use crate::whole_file;

/// Figures, and how they leave the window.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What a view shows of each row, with the row's name; at least one.
    pub figures: Arc<[(String, Figure)]>,
    pub rows: Rows,
    pub export: Export,

    /// What the pictures of the figures carry; `None` while the weights are hashed.
    pub records: Option<Vec<Option<Arc<Record>>>>,
}

/// Whose figures are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    One(usize),
    OnOnePage,
    InFilesOfTheirOwn,
}

impl Rows {
    /// The choice without the number of the row, which the next export does not share.
    pub fn exported(self) -> Exported {
        match self {
            Self::One(_) => Exported::One,
            Self::OnOnePage => Exported::OnOnePage,
            Self::InFilesOfTheirOwn => Exported::InFilesOfTheirOwn,
        }
    }
}

/// What became of a figure.
#[derive(Debug)]
pub enum Drawn {
    /// It was written to these files.
    Files(Vec<PathBuf>),

    /// It goes to the clipboard.
    Text(String),
    Image(RgbImage),
}

impl Wanted {
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
    fn one_figure(&self) -> Result<(Figure, Export), String> {
        match self.rows {
            Rows::One(nth) => Ok((self.figures[nth].1.clone(), self.export_of(nth))),
            Rows::OnOnePage => match self.row_of_charts() {
                // Title and notes of the other would be about nothing that is there.
                Some(nth) => {
                    let (name, figure) = &self.figures[nth];
                    let own = |it: &String| it.strip_prefix(&behind(name, "")).map(str::to_owned);
                    let export = self.export_of(nth);
                    let charts = export.charts.iter().filter_map(own).collect();
                    Ok((figure.clone(), Export { charts, ..export }))
                }
                None => Ok((Figure::together(&self.figures), self.export_of_page())),
            },
            Rows::InFilesOfTheirOwn => {
                Err("Two files cannot be copied; choose one, or both on one page".to_owned())
            }
        }
    }

    /// The figure that all charts are of that are chosen from a page.
    fn row_of_charts(&self) -> Option<usize> {
        let charts = &self.export.charts;
        let is_of = |name: &str| charts.iter().all(|it| it.starts_with(&behind(name, "")));
        self.figures.iter().position(|(name, _)| !charts.is_empty() && is_of(name))
    }

    /// The names of the charts that can be chosen from. Where each figure has a file, all have the same.
    pub fn charts(&self) -> Vec<String> {
        let names = |figure: &Figure| figure.charts.iter().map(|it| it.name().to_owned()).collect();
        match self.rows {
            Rows::One(nth) => names(&self.figures[nth].1),
            Rows::OnOnePage => names(&Figure::together(&self.figures)),
            Rows::InFilesOfTheirOwn => names(&self.figures[0].1),
        }
    }

    /// The files that are written.
    pub fn paths(&self, path: &Path) -> Vec<PathBuf> {
        match self.rows {
            Rows::One(_) | Rows::OnOnePage => vec![path.to_owned()],
            Rows::InFilesOfTheirOwn => {
                self.figures.iter().map(|(name, _)| path_of(path, name)).collect()
            }
        }
    }

    /// Writes what was chosen in the format that the name's ending says.
    pub fn save(&self, path: &Path) -> io::Result<Drawn> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        let format = FileFormat::of(path).map_err(|error| invalid(error.to_string()))?;
        let figures = if let Ok(one) = self.one_figure() {
            vec![one]
        } else {
            let figures = self.figures.iter().enumerate();
            figures.map(|(nth, (_, it))| (it.clone(), self.export_of(nth))).collect()
        };
        let paths = self.paths(path);
        let mut files = Vec::new();
        for (path, (figure, export)) in paths.iter().zip(figures) {
            let bytes = format.bytes(&figure, &export);
            files.push((path, bytes.map_err(|error| invalid(error.to_string()))?));
        }
        for (path, bytes) in &files {
            whole_file::write(path, bytes)?;
        }
        Ok(Drawn::Files(paths))
    }

    /// What would be written, for the clipboard.
    pub fn copy(&self, path: &Path) -> Result<Drawn, String> {
        let format = FileFormat::of(path).map_err(|error| capitalized(&error))?;
        let (figure, export) = self.one_figure()?;
        let bytes = || format.bytes(&figure, &export).map_err(|error| capitalized(&error));
        match format {
            FileFormat::Png => {
                let image = image::load_from_memory(&bytes()?);
                Ok(Drawn::Image(image.map_err(|error| capitalized(&error))?.into_rgb8()))
            }
            FileFormat::Svg | FileFormat::Csv | FileFormat::Json => {
                Ok(Drawn::Text(String::from_utf8_lossy(&bytes()?).into_owned()))
            }
            _ => {
                Err("Only SVG, PNG, CSV and JSON can be copied; this format can be saved"
                    .to_owned())
            }
        }
    }
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
