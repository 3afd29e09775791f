//! Noise that is given, not drawn: somebody else's, number by number.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisError;

/// A file of noise, and what it was when it was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseFile {
    /// As every path, from the folder that the program runs in, unless it is absolute.
    pub path: PathBuf,

    /// Of the whole file, in hexadecimal digits.
    pub sha256: String,
}

/// What such a file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenNoise {
    /// Samples, tokens of the subject, `d_model`.
    pub shape: [usize; 3],

    /// In embedding units. `[sample, token, d_model]`
    pub values: Vec<f64>,
}

/// Reads a file's noise if it is what it was. The error says to the user what is wrong.
pub type NoiseReader = dyn Fn(&NoiseFile) -> Result<GivenNoise, String>;

impl NoiseFile {
    /// Without its folder.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// The same, and as much of its hash as tells it from another.
    pub fn short_name(&self) -> String {
        format!("{} (SHA-256 {}…)", self.name(), self.sha256.get(..8).unwrap_or(&self.sha256))
    }
}

impl GivenNoise {
    /// The first samples, one after the other, if they fit a subject in a model.
    pub(in crate::analysis) fn samples(
        &self,
        file: &NoiseFile,
        n_samples: usize,
        [n_subject, d_model]: [usize; 2],
    ) -> Result<Vec<&[f64]>, AnalysisError> {
        let [n_found, n_tokens, width] = self.shape;
        if [n_tokens, width] != [n_subject, d_model] {
            return Err(AnalysisError::NoiseShape(NoiseShapeError {
                path: file.path.clone(),
                found: self.shape,
                n_subject,
                d_model,
            }));
        }
        if n_found < n_samples {
            return Err(AnalysisError::FewNoises { n_found, n_samples });
        }
        Ok(self.values.chunks(n_tokens * width).take(n_samples).collect())
    }
}

/// Noise of another subject, or for another model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoiseShapeError {
    path: PathBuf,
    found: [usize; 3],
    n_subject: usize,
    d_model: usize,
}

impl fmt::Display for NoiseShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, found: [samples, n_tokens, width], n_subject, d_model } = self;
        write!(
            f,
            "the noise has the shape ({samples}, {n_tokens}, {width}), and here it must be "
        )?;
        write!(f, "({samples}, {n_subject}, {d_model}): ")?;
        if n_tokens == n_subject {
            write!(f, "the model is {d_model} wide; choose noise that was drawn for this model")?;
        } else {
            write!(f, "the subject has {n_subject} tokens; choose noise for as many")?;
        }
        write!(f, ": {}", path.display())
    }
}
