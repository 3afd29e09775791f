//! The files that a figure is written to, by the endings of their names.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::pdf::pdf_with;
use super::record::{in_png, in_svg};
#[cfg(feature = "parquet")]
use super::to_parquet;
use super::{Export, Figure, NoSuchChart, to_csv, to_npz, to_png, to_svg};

/// What a figure is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    Svg,
    Pdf,
    Png,
    Csv,
    Json,
    Npz,
    #[cfg(feature = "parquet")]
    Parquet,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}; end the name in .{endings}",
    if self.0.is_empty() {
        "the ending of the name says how a figure is written, and this has none".to_owned()
    } else {
        format!("no figure is written as `.{}`", self.0)
    },
    endings = FileFormat::endings().join(", .")
)]
pub struct UnknownFormat(String);

impl FileFormat {
    const ALL: &[(&'static str, Self)] = &[
        ("svg", Self::Svg),
        ("pdf", Self::Pdf),
        ("png", Self::Png),
        ("csv", Self::Csv),
        ("json", Self::Json),
        ("npz", Self::Npz),
        #[cfg(feature = "parquet")]
        ("parquet", Self::Parquet),
    ];

    /// The endings of names, without the dot.
    pub fn endings() -> Vec<&'static str> {
        Self::ALL.iter().map(|(ending, _)| *ending).collect()
    }

    /// The ending of names of this format, without the dot.
    pub fn ending(self) -> &'static str {
        Self::ALL.iter().find(|(_, it)| *it == self).map_or("", |(ending, _)| ending)
    }

    /// The format that the ending of a name says.
    pub fn of(path: &Path) -> Result<Self, UnknownFormat> {
        let ending = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        let lower = ending.to_lowercase();
        let found = Self::ALL.iter().find(|(it, _)| *it == lower);
        found.map(|(_, it)| *it).ok_or_else(|| UnknownFormat(ending.to_owned()))
    }

    /// Whether files of this format hold numbers, not a picture.
    pub fn has_numbers(self) -> bool {
        !matches!(self, Self::Svg | Self::Pdf | Self::Png)
    }

    /// A whole file.
    ///
    /// # Errors
    ///
    /// If the figure lacks the chart that is asked for.
    ///
    /// # Panics
    ///
    /// Never: a figure is numbers and text, which JSON can hold.
    pub fn bytes(self, figure: &Figure, export: &Export) -> Result<Vec<u8>, NoSuchChart> {
        let Export { charts, tokens, page, scale, record } = export;
        let mut figure = figure.only(charts)?;
        let record = record.as_ref().map(|it| it.of(&figure));
        if tokens.are_plain(self.has_numbers()) {
            figure = figure.with_plain_tokens();
        }
        Ok(match self {
            Self::Svg => {
                let svg = to_svg(&figure, *page);
                record.map(|record| in_svg(&svg, &record)).unwrap_or(svg).into_bytes()
            }
            Self::Pdf => pdf_with(&figure, *page, record.as_ref()),
            Self::Png => {
                let png = to_png(&figure, *page, *scale);
                record.map(|record| in_png(&png, &record)).unwrap_or(png)
            }
            Self::Npz => to_npz(&figure),
            #[cfg(feature = "parquet")]
            Self::Parquet => to_parquet(&figure),
            Self::Csv => to_csv(&figure).into_bytes(),
            Self::Json => serde_json::to_vec_pretty(&figure).expect("a figure is numbers and text"),
        })
    }
}
