//! The corrupted runs that a prompt is compared with when effects are estimated from gradients.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::corruption::{Corrupted, Drawn, Draws};
use crate::analysis::sweep::{Asked, check_ids};
use crate::analysis::{AnalysisError, Lab, Measurement, Sizes};
use crate::intervention::Condition;
use crate::model::BatchRow;

/// How the corrupted runs are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Contrast {
    /// Another prompt with as many tokens.
    Prompt { ids: Arc<[u32]> },

    /// The subject is corrupted, as in a causal trace. Several draws are averaged.
    #[serde(alias = "noise")]
    Subject(Draws),
}

/// What is measured of the clean and of the corrupted runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContrastedRuns {
    /// The standard deviation of the noise, in embedding units, if there is noise.
    pub noise_std: Option<f64>,

    /// What the prompt became in each corrupted run.
    #[serde(default)]
    pub corruptions: Vec<Corrupted>,

    /// The measurement of the clean run.
    pub clean: Measurement,

    /// The measurement of each corrupted run.
    pub corrupted: Vec<Measurement>,
}

/// The rows of the corrupted runs.
pub(in crate::analysis) struct CorruptedRuns {
    /// The tokens of every run, with the answer's appended. `[pos]`
    ids: Vec<u32>,
    n_editable: usize,

    /// The condition of each run.
    conditions: Vec<Condition>,

    /// The first position that differs from the clean run.
    pub first_pos: usize,

    noise_std: Option<f64>,
    shown: Vec<Corrupted>,
}

impl Contrast {
    pub fn is_prompt(&self) -> bool {
        matches!(self, Self::Prompt { .. })
    }

    pub fn n_runs(&self) -> usize {
        match self {
            Self::Prompt { .. } => 1,
            Self::Subject(draws) => draws.n_samples,
        }
    }

    pub(in crate::analysis) fn check(&self) -> Result<(), AnalysisError> {
        match self {
            Self::Prompt { .. } => Ok(()),
            Self::Subject(draws) => draws.check(),
        }
    }

    /// What the corrupted runs take before they are run.
    pub(in crate::analysis) fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        match self {
            Self::Prompt { .. } => 0,
            Self::Subject(draws) => draws.memory(sizes),
        }
    }

    pub(in crate::analysis) fn corrupt(
        &self,
        lab: &Lab<'_>,
        asked: &Asked,
    ) -> Result<CorruptedRuns, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let n_editable = prompt.n_pos();
        match self {
            Self::Prompt { ids } => {
                if ids.len() != n_editable {
                    let n_other = ids.len();
                    return Err(AnalysisError::OtherLength { n_pos: n_editable, n_other });
                }
                check_ids(model, ids, [].into_iter())?;
                let first_pos = ids.iter().zip(&prompt.ids).position(|(a, b)| a != b);
                Ok(CorruptedRuns {
                    ids: [ids, &asked.ids[n_editable..]].concat(),
                    n_editable,
                    conditions: vec![Vec::new()],
                    first_pos: first_pos.ok_or(AnalysisError::SamePrompt)?,
                    noise_std: None,
                    shown: vec![Corrupted::prompt(ids.to_vec(), ctx)],
                })
            }
            Self::Subject(draws) => {
                let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
                let Drawn { noise_std, edits, shown } = draws.draw(lab)?;
                Ok(CorruptedRuns {
                    ids: asked.ids.clone(),
                    n_editable,
                    conditions: edits.into_iter().map(|edit| vec![edit]).collect(),
                    first_pos: subject.start,
                    noise_std: draws.corruption.has_noise().then_some(noise_std),
                    shown,
                })
            }
        }
    }
}

impl CorruptedRuns {
    pub fn n_runs(&self) -> usize {
        self.conditions.len()
    }

    /// What is measured of the runs.
    pub fn measured(&self, clean: Measurement, corrupted: Vec<Measurement>) -> ContrastedRuns {
        let (noise_std, corruptions) = (self.noise_std, self.shown.clone());
        ContrastedRuns { noise_std, corruptions, clean, corrupted }
    }

    pub fn rows(&self, runs: Range<usize>) -> Vec<BatchRow<'_>> {
        let conditions = self.conditions[runs].iter();
        let (ids, n_editable) = (self.ids.as_slice(), self.n_editable);
        conditions.map(|condition| BatchRow { ids, n_editable, condition }).collect()
    }
}
