use std::path::Path;

use super::{Figure, to_csv, to_pdf, to_svg};

/// What a figure is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    Svg,
    Pdf,
    Csv,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no figure is written as `.{0}`; end the name in .svg, .pdf, .csv or .json")]
pub struct UnknownFormat(String);

impl FileFormat {
    /// By the ending of the name.
    pub fn of(path: &Path) -> Result<Self, UnknownFormat> {
        let ending = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        match ending.to_lowercase().as_str() {
            "svg" => Ok(Self::Svg),
            "pdf" => Ok(Self::Pdf),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat(ending.to_owned())),
        }
    }

    /// A whole file.
    pub fn bytes(self, figure: &Figure) -> Vec<u8> {
        match self {
            Self::Svg => to_svg(figure).into_bytes(),
            Self::Pdf => to_pdf(figure),
            Self::Csv => to_csv(figure).into_bytes(),
            Self::Json => serde_json::to_vec_pretty(figure).expect("a figure is numbers and text"),
        }
    }
}
