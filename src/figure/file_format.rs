//! The files that a figure is written to, by the endings of their names.

use std::path::Path;

#[cfg(feature = "parquet")]
use super::to_parquet;
use super::{Figure, Scale, to_csv, to_npz, to_pdf, to_png, to_svg};

/// What a figure is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    "no figure is written as `.{0}`; end the name in .{endings}",
    endings = FileFormat::ENDINGS.join(", .")
)]
pub struct UnknownFormat(String);

impl FileFormat {
    /// The endings of names, without the dot.
    pub const ENDINGS: &[&str] = if cfg!(feature = "parquet") {
        &["svg", "pdf", "png", "csv", "json", "npz", "parquet"]
    } else {
        &["svg", "pdf", "png", "csv", "json", "npz"]
    };

    /// By the ending of the name.
    pub fn of(path: &Path) -> Result<Self, UnknownFormat> {
        let ending = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        match ending.to_lowercase().as_str() {
            "svg" => Ok(Self::Svg),
            "pdf" => Ok(Self::Pdf),
            "png" => Ok(Self::Png),
            "npz" => Ok(Self::Npz),
            #[cfg(feature = "parquet")]
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat(ending.to_owned())),
        }
    }

    /// A whole file. `scale` is that of pictures made of pixels.
    ///
    /// # Panics
    ///
    /// Never: a figure is numbers and text, which JSON can hold.
    pub fn bytes(self, figure: &Figure, scale: Scale) -> Vec<u8> {
        match self {
            Self::Svg => to_svg(figure).into_bytes(),
            Self::Pdf => to_pdf(figure),
            Self::Png => to_png(figure, scale),
            Self::Npz => to_npz(figure),
            #[cfg(feature = "parquet")]
            Self::Parquet => to_parquet(figure),
            Self::Csv => to_csv(figure).into_bytes(),
            Self::Json => serde_json::to_vec_pretty(figure).expect("a figure is numbers and text"),
        }
    }
}
