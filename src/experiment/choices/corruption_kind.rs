//! The corruptions that a person chooses from, in flags and in the window.

use serde::{Deserialize, Serialize};

use super::{Choices, Words};
use crate::analysis::corruption::{Closeness, Corruption, NoiseEntry, NoiseShape, SubjectsOf};
use crate::analysis::trace_average::StandIn;

/// What the subject becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CorruptionKind {
    Gaussian,
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

impl Choices for CorruptionKind {
    const ALL: &[Self] = &[
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

    fn words(self) -> Words {
        let (key, label, help) = match self {
            Self::Gaussian => (
                "gaussian",
                "Gaussian noise",
                "Gaussian noise added to the subject's embeddings, one spread for all dimensions, as \
                 in ROME",
            ),
            Self::NoiseFile => (
                "noise-file",
                "noise from a file",
                "The noise of a file of numpy's: --noise-file, in the window the trace's settings",
            ),
            Self::GaussianPerDimension => (
                "gaussian-per-dim",
                "Gaussian noise per dimension",
                "Gaussian noise, each dimension with its own spread",
            ),
            Self::Uniform => (
                "uniform",
                "uniform noise",
                "Evenly spread noise between minus and plus the noise level: ROME's uniform_noise",
            ),
            Self::Replaced => (
                "gaussian-instead",
                "noise instead",
                "Gaussian noise in place of the subject's embeddings: ROME's replace",
            ),
            Self::NearestByCosine => (
                "tokens-cosine",
                "nearest tokens, by angle",
                "The tokens whose embeddings are nearest to noisy ones by cosine: a corruption that \
                 can be read",
            ),
            Self::NearestByDistance => (
                "tokens-distance",
                "nearest tokens, by distance",
                "The tokens whose embeddings are nearest to noisy ones by Euclidean distance",
            ),
            Self::SameRelation => (
                "resample",
                "others of the relation",
                "Other subjects of the same relation and token count: resampling (Chan et al. 2022)",
            ),
            Self::AnySubject => (
                "random-subject",
                "any other subjects",
                "Other subjects of the same token count, of any relation",
            ),
            Self::Counterpart => (
                "str",
                "one other subject",
                "One other subject: symmetric token replacement, which Zhang & Nanda 2024 prefer to \
                 noise",
            ),
            Self::RandomTokens => {
                ("random-tokens", "random tokens", "Random tokens, as a baseline")
            }
            Self::Zero => ("zero", "zeros", "Zeros in place of the subject's embeddings"),
            Self::Mean => (
                "mean",
                "the mean subject",
                "The mean embedding of the subjects' tokens that noise is measured on",
            ),
        };
        Words { key, label, help }
    }
}

impl CorruptionKind {
    /// The kind of a corruption.
    pub fn of(corruption: &Corruption) -> Self {
        match corruption {
            Corruption::Noise { shape: NoiseShape::Gaussian, entry: NoiseEntry::Replaced } => {
                Self::Replaced
            }
            Corruption::Noise { shape: NoiseShape::Gaussian, .. } => Self::Gaussian,
            Corruption::Noise { shape: NoiseShape::GaussianPerDimension, .. } => {
                Self::GaussianPerDimension
            }
            Corruption::Noise { shape: NoiseShape::Uniform, .. } => Self::Uniform,
            Corruption::NoiseFile(_) => Self::NoiseFile,
            Corruption::NearestTokens { by: Closeness::Cosine } => Self::NearestByCosine,
            Corruption::NearestTokens { by: Closeness::Distance } => Self::NearestByDistance,
            Corruption::OtherSubjects { of: SubjectsOf::Relation, .. } => Self::SameRelation,
            Corruption::OtherSubjects { of: SubjectsOf::All, .. } => Self::AnySubject,
            Corruption::RandomTokens => Self::RandomTokens,
            Corruption::Counterpart { .. } => Self::Counterpart,
            Corruption::Zero => Self::Zero,
            Corruption::Mean { .. } => Self::Mean,
        }
    }

    /// The corruption, if it needs nothing else to be known.
    pub fn plain(self) -> Option<Corruption> {
        let noise = |shape, entry| Some(Corruption::Noise { shape, entry });
        match self {
            Self::Gaussian => noise(NoiseShape::Gaussian, NoiseEntry::Added),
            Self::GaussianPerDimension => {
                noise(NoiseShape::GaussianPerDimension, NoiseEntry::Added)
            }
            Self::Uniform => noise(NoiseShape::Uniform, NoiseEntry::Added),
            Self::Replaced => noise(NoiseShape::Gaussian, NoiseEntry::Replaced),
            Self::NearestByCosine => Some(Corruption::NearestTokens { by: Closeness::Cosine }),
            Self::NearestByDistance => Some(Corruption::NearestTokens { by: Closeness::Distance }),
            Self::RandomTokens => Some(Corruption::RandomTokens),
            Self::Zero => Some(Corruption::Zero),
            Self::NoiseFile
            | Self::SameRelation
            | Self::AnySubject
            | Self::Counterpart
            | Self::Mean => None,
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
}
