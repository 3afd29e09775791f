use serde::{Deserialize, Serialize};

use super::{AnalysisSpec, ablation, rank_one_edit, steering};

/// A change of the model that every analysis can be run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelEdit {
    /// One matrix is changed; what its spec asks before and after is of no matter.
    RankOne(rank_one_edit::Spec),

    /// A direction is added. Where its positions are not all, they are those of the prompt that is
    /// asked.
    Steering(steering::Spec),
}

impl ModelEdit {
    /// The edit that an analysis tries out.
    pub fn tried_by(spec: AnalysisSpec) -> Option<Self> {
        match spec {
            AnalysisSpec::RankOneEdit(spec) => {
                Some(Self::RankOne(rank_one_edit::Spec { asked: Vec::new(), ..spec }))
            }
            AnalysisSpec::Steering(spec) => Some(Self::Steering(spec)),
            _ => None,
        }
    }
}

impl AnalysisSpec {
    /// Whether other prompts than the one asked go through the model, too.
    pub fn has_other_prompts(&self) -> bool {
        match self {
            Self::Prediction(_)
            | Self::CausalTrace(_)
            | Self::AttributionPatching(_)
            | Self::LogitAttribution(_)
            | Self::LogitLens(_)
            | Self::Attention(_)
            | Self::AttentionKnockout(_)
            | Self::Generation(_) => false,
            Self::Ablation(spec) => spec.replacement != ablation::Replacement::Zero,
            Self::Steering(spec) => matches!(spec.direction, steering::Direction::Prompts { .. }),
            Self::AtpStar(spec) => spec.contrast.is_prompt(),
            Self::EdgeAttribution(spec) => spec.contrast.is_prompt(),
            Self::Comparison(_)
            | Self::RankOneEdit(_)
            | Self::ActivationPatching(_)
            | Self::PathPatching(_) => true,
        }
    }
}
