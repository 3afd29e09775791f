//! How strong noise is: a number, or a multiple of how far the embeddings of some tokens are spread.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisError;
use crate::analysis::error::at_least_one;
use crate::analysis::sweep::check_ids;
use crate::model::Transformer;

/// How strong the noise is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum NoiseLevel {
    /// The standard deviation, in embedding units.
    Std(f64),

    /// A multiple of the standard deviation over all entries of the embeddings of these tokens.
    /// ROME uses 3 × that of the subjects' tokens, its `s3`.
    Multiple { factor: f64, tokens: Arc<[u32]> },
}

impl NoiseLevel {
    /// Refuses what is no strength: a negative number, or none.
    pub(in crate::analysis) fn check(&self) -> Result<(), AnalysisError> {
        let (what, value) = match self {
            Self::Std(std) => ("the standard deviation of the noise", *std),
            Self::Multiple { factor, .. } => ("the factor of the noise", *factor),
        };
        if value.is_finite() && value >= 0.0 {
            return Ok(());
        }
        Err(AnalysisError::OutOfBounds { what, bounds: "a number from 0 on" })
    }

    /// The level as a standard deviation, in embedding units.
    ///
    /// The deviation of tokens is ROME's `collect_embedding_std`: unbiased, over all entries at once,
    /// without position embeddings.
    pub fn std(&self, model: &Transformer) -> Result<f64, AnalysisError> {
        match self {
            Self::Std(std) => Ok(*std),
            Self::Multiple { factor, tokens } => Ok(factor * Spread::of(model, tokens)?.std()),
        }
    }

    /// The level as an unbiased standard deviation for each dimension, in embedding units.
    /// `[d_model]`
    pub fn std_per_dimension(&self, model: &Transformer) -> Result<Vec<f64>, AnalysisError> {
        match self {
            Self::Multiple { factor, tokens } if tokens.len() > 1 => {
                let stds = Spread::of(model, tokens)?.std_per_dimension();
                Ok(stds.into_iter().map(|std| factor * std).collect())
            }
            _ => Err(AnalysisError::NoSpread),
        }
    }
}

/// Sums over the embeddings of some tokens.
pub(super) struct Spread {
    n_tokens: usize,

    /// The sum of all entries.
    sum: f64,

    /// The sum of their squares.
    squares: f64,

    /// The sum of each dimension. `[d_model]`
    sums: Vec<f64>,

    /// The sum of squared distances from each dimension's mean. `[d_model]`
    deviations: Vec<f64>,
}

impl Spread {
    pub fn of(model: &Transformer, tokens: &[u32]) -> Result<Self, AnalysisError> {
        at_least_one("the number of tokens noise is measured on", tokens.len())?;
        check_ids(model, &[], tokens.iter().copied())?;
        let d_model = model.config.d_model;
        let zeros = || vec![0.0; d_model];
        let mut spread =
            Self { n_tokens: 0, sum: 0.0, squares: 0.0, sums: zeros(), deviations: zeros() };
        let mut means = zeros();
        // The embeddings of a large dataset's subjects, all at once, would take as much memory as
        // the vocabulary.
        for tokens in tokens.chunks(1024) {
            for embedding in model.embeddings(tokens).chunks(d_model) {
                spread.n_tokens += 1;
                for (nth, &value) in embedding.iter().enumerate() {
                    let value = f64::from(value);
                    spread.sum += value;
                    spread.squares += value.powi(2);
                    spread.sums[nth] += value;
                    // Welford's recurrence (1962) for the variance.
                    let before = value - means[nth];
                    means[nth] += before / spread.n_tokens as f64;
                    spread.deviations[nth] += before * (value - means[nth]);
                }
            }
        }
        Ok(spread)
    }

    fn std(&self) -> f64 {
        let n = (self.n_tokens * self.sums.len()) as f64;
        ((self.squares - self.sum * self.sum / n) / (n - 1.0)).sqrt()
    }

    fn std_per_dimension(&self) -> Vec<f64> {
        let n = self.n_tokens as f64;
        self.deviations.iter().map(|squares| (squares / (n - 1.0)).sqrt()).collect()
    }

    pub fn mean(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum / self.n_tokens as f64).collect()
    }
}
