//! What the subject becomes, wherever it is corrupted.

use std::sync::Arc;

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, choice_ui};
use crate::analysis::causal_trace;
use crate::analysis::corruption::{
    Closeness, Corruption, Draws, NoiseEntry, NoiseShape, SubjectsOf,
};
use crate::analysis::trace_average::StandIn;

/// What the subject becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CorruptionKind {
    Gaussian,

    /// Of the file in the trace's settings.
    NoiseFile,
    GaussianPerDimension,
    Uniform,
    Replaced,
    NearestByCosine,
    NearestByDistance,
    SameRelation,
    AnySubject,
    Counterpart,
    RandomTokens,
    Zero,
    Mean,
}

impl CorruptionKind {
    const ALL: [Self; 13] = [
        Self::Gaussian,
        Self::NoiseFile,
        Self::GaussianPerDimension,
        Self::Uniform,
        Self::Replaced,
        Self::NearestByCosine,
        Self::NearestByDistance,
        Self::SameRelation,
        Self::AnySubject,
        Self::Counterpart,
        Self::RandomTokens,
        Self::Zero,
        Self::Mean,
    ];

    fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Gaussian => ("Gaussian noise", "Added to its embeddings, as ROME does"),
            Self::NoiseFile => {
                ("noise from a file", "The file that is chosen in the trace's settings")
            }
            Self::GaussianPerDimension => {
                ("Gaussian noise per dimension", "Each dimension with the spread of its own")
            }
            Self::Uniform => ("uniform noise", "ROME's uniform_noise"),
            Self::Replaced => ("noise instead", "Noise in place of its embeddings: ROME's replace"),
            Self::NearestByCosine => (
                "nearest tokens, by angle",
                "The tokens that noisy embeddings are nearest to: a corruption that can be read",
            ),
            Self::NearestByDistance => {
                ("nearest tokens, by distance", "The same by Euclidean distance")
            }
            Self::SameRelation => (
                "others of the relation",
                "Other subjects of the same relation and length: resampling (Chan et al. 2022)",
            ),
            Self::AnySubject => ("any other subjects", "Other subjects of the same length"),
            Self::Counterpart => (
                "one other subject",
                "Symmetric token replacement, which Zhang & Nanda 2024 prefer to noise",
            ),
            Self::RandomTokens => ("random tokens", "As a baseline"),
            Self::Zero => ("zeros", "In place of its embeddings"),
            Self::Mean => ("the mean subject", "The mean embedding of the dataset's subjects"),
        }
    }

    /// Which others stand in for a subject. `None` where that does not depend on the subject.
    pub fn stand_in(self) -> Option<StandIn> {
        match self {
            Self::SameRelation => Some(StandIn::Any(SubjectsOf::Relation)),
            Self::AnySubject => Some(StandIn::Any(SubjectsOf::All)),
            Self::Counterpart => Some(StandIn::Counterpart),
            _ => None,
        }
    }

    /// With the noise, samples and seed of a trace.
    pub fn draws(self, trace: &causal_trace::Spec, about: &About<'_>) -> Result<Draws, String> {
        let mut n_samples = trace.n_samples;
        let noise = |shape, entry| Corruption::Noise { shape, entry };
        let others = |of: SubjectsOf| {
            let ids = (about.substitutes)(of);
            if !ids.is_empty() {
                return Ok(ids);
            }
            let has_relation = about.record.is_some_and(|it| it.relation.is_some());
            Err(match of {
                SubjectsOf::Relation if !has_relation => {
                    "the dataset names no relation of this fact"
                }
                SubjectsOf::Relation => "no other subject of this relation has as many tokens",
                SubjectsOf::All => "no other subject of the dataset has as many tokens",
            })
        };
        let corruption = match self {
            Self::Gaussian => noise(NoiseShape::Gaussian, NoiseEntry::Added),
            Self::NoiseFile => match &trace.corruption {
                it @ Corruption::NoiseFile(_) => it.clone(),
                _ => return Err("Choose a noise file in the trace's settings first".to_owned()),
            },
            Self::GaussianPerDimension => {
                noise(NoiseShape::GaussianPerDimension, NoiseEntry::Added)
            }
            Self::Uniform => noise(NoiseShape::Uniform, NoiseEntry::Added),
            Self::Replaced => noise(NoiseShape::Gaussian, NoiseEntry::Replaced),
            Self::NearestByCosine => Corruption::NearestTokens { by: Closeness::Cosine },
            Self::NearestByDistance => Corruption::NearestTokens { by: Closeness::Distance },
            Self::SameRelation => {
                let ids = others(SubjectsOf::Relation)?;
                n_samples = n_samples.min(ids.len());
                Corruption::OtherSubjects { of: SubjectsOf::Relation, ids }
            }
            Self::AnySubject => {
                let ids = others(SubjectsOf::All)?;
                n_samples = n_samples.min(ids.len());
                Corruption::OtherSubjects { of: SubjectsOf::All, ids }
            }
            Self::Counterpart => {
                let ids = others(SubjectsOf::Relation)?;
                let nth = trace.seed as usize % ids.len();
                Corruption::Counterpart { ids: Arc::from(ids[nth].as_slice()) }
            }
            Self::RandomTokens => Corruption::RandomTokens,
            Self::Zero => Corruption::Zero,
            Self::Mean if about.subjects.is_empty() => {
                let reason = "the mean is taken over the subjects of a dataset, and none is open";
                return Err(reason.to_owned());
            }
            Self::Mean => Corruption::Mean { tokens: Arc::clone(about.subjects) },
        };
        if !corruption.is_drawn() {
            n_samples = 1;
        }
        Ok(Draws { corruption, n_samples, ..trace.draws() })
    }

    pub fn choice_ui(&mut self, ui: &mut Ui) {
        let about = self.about().1;
        choice_ui(ui, "Subject becomes", about, self, &Self::ALL, Self::about);
    }
}
