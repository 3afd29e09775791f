//! What a prompt is compared with where effects are estimated from gradients.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::AnalysisError;
use super::causal_trace::NoiseLevel;
use super::sweep::{Asked, check_ids};
use crate::intervention::{Condition, Edit, Intervention, Noise, NoiseRng, Site, Span};
use crate::model::{Gpt2, Row};
use crate::tokens::TokenizedPrompt;

/// How the corrupted run comes about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Contrast {
    /// Another prompt of as many tokens.
    Prompt { ids: Arc<[u32]> },

    /// Gaussian noise on the subject's embeddings, as in a causal trace.
    Noise { noise: NoiseLevel, rng: NoiseRng, seed: u32, n_samples: usize },
}

/// The corrupted runs, before they are run.
pub(super) struct CorruptedRuns {
    /// `[pos]`, the answer's tokens appended.
    ids: Vec<u32>,
    n_editable: usize,

    /// One for each run.
    conditions: Vec<Condition>,

    /// All positions before this one equal the clean run.
    pub first_pos: usize,

    /// The standard deviation of the noise, if it is noise.
    pub noise_std: Option<f64>,
}

impl Contrast {
    pub fn is_prompt(&self) -> bool {
        matches!(self, Self::Prompt { .. })
    }

    pub(super) fn corrupt(
        &self,
        model: &Gpt2,
        prompt: &TokenizedPrompt,
        asked: &Asked,
    ) -> Result<CorruptedRuns, AnalysisError> {
        let n_editable = prompt.n_pos();
        match self {
            Self::Prompt { ids } => {
                if ids.len() != n_editable {
                    let n_other = ids.len();
                    return Err(AnalysisError::OtherLength { n_pos: n_editable, n_other });
                }
                check_ids(model, ids, [].into_iter())?;
                let first_pos = ids.iter().zip(&prompt.ids).position(|(a, b)| a != b);
                let first_pos = first_pos.ok_or(AnalysisError::SamePrompt)?;
                let ids = [ids, &asked.ids[n_editable..]].concat();
                let conditions = vec![Vec::new()];
                Ok(CorruptedRuns { ids, n_editable, conditions, first_pos, noise_std: None })
            }
            Self::Noise { noise, rng, seed, n_samples } => {
                if *n_samples == 0 {
                    return Err(AnalysisError::Zero { what: "the number of samples" });
                }
                let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
                let std = noise.std(model)?;
                let condition = |sample| {
                    let noise = Noise { rng: *rng, seed: *seed, std, sample };
                    let positions = Span::Only(subject.clone());
                    vec![Intervention::at(Site::Embed, positions, Edit::AddNoise(noise))]
                };
                Ok(CorruptedRuns {
                    ids: asked.ids.clone(),
                    n_editable,
                    conditions: (0..*n_samples).map(condition).collect(),
                    first_pos: subject.start,
                    noise_std: Some(std),
                })
            }
        }
    }
}

impl CorruptedRuns {
    pub fn n_runs(&self) -> usize {
        self.conditions.len()
    }

    pub fn rows(&self, runs: Range<usize>) -> Vec<Row<'_>> {
        let conditions = self.conditions[runs].iter();
        let (ids, n_editable) = (self.ids.as_slice(), self.n_editable);
        conditions.map(|condition| Row { ids, n_editable, condition }).collect()
    }
}
