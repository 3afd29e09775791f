//! Noise that is read from a file instead of drawn.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisError;

/// A noise file, with its hash when it was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseFile {
    /// A relative path starts from the folder that the program runs in.
    pub path: PathBuf,

    /// The SHA-256 of the whole file, in hexadecimal digits.
    pub sha256: String,
}

/// The content of a noise file.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenNoise {
    /// The number of samples, of the subject's tokens, and `d_model`.
    pub shape: [usize; 3],

    /// The noise, in embedding units. `[sample, token, d_model]`
    pub values: Vec<f64>,
}

/// Reads a noise file if it has not changed. The error tells the user what is wrong.
pub type NoiseReader = dyn Fn(&NoiseFile) -> Result<GivenNoise, String>;

impl NoiseFile {
    /// The file's name without its folder.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// The file's name with the beginning of its hash.
    pub fn short_name(&self) -> String {
        format!("{} (SHA-256 {}…)", self.name(), self.sha256.get(..8).unwrap_or(&self.sha256))
    }
}

impl GivenNoise {
    /// The first `n_samples` samples, if they fit the subject and the model.
    /// `[sample, token, d_model]`
    pub(in crate::analysis) fn samples(
        &self,
        file: &NoiseFile,
        n_samples: usize,
        [n_subject, d_model]: [usize; 2],
    ) -> Result<Vec<&[f64]>, AnalysisError> {
        let [n_found, n_tokens, width] = self.shape;
        if [n_tokens, width] != [n_subject, d_model] {
            let remedy = if n_tokens == n_subject {
                format!(
                    "the model's width is {d_model}; choose noise that was drawn for this model"
                )
            } else {
                format!("the subject has {n_subject} tokens; choose noise for as many")
            };
            let (found, path) = (self.shape, file.path.clone());
            return Err(AnalysisError::NoiseShape { found, n_subject, d_model, remedy, path });
        }
        if n_found < n_samples {
            return Err(AnalysisError::FewNoises { n_found, n_samples });
        }
        Ok(self.values.chunks(n_tokens * width).take(n_samples).collect())
    }
}
