use serde::{Deserialize, Serialize};

use super::{AnalysisSpec, ablation, attribution_difference, rank_one_edit, steering};
use crate::model::Processing;

/// A change of the model that every analysis can be run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelEdit {
    /// One matrix is changed; what its spec asks before and after is of no matter.
    RankOne(rank_one_edit::Spec),

    /// A direction is added. Where its positions are not all, they are those of the prompt that is
    /// asked.
    Steering(steering::Spec),

    /// The weights are rewritten, and no probability changes.
    Processing(Processing),
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
            | Self::CorruptionBench(_)
            | Self::TraceCell(_)
            | Self::AttributionPatching(_)
            | Self::LogitAttribution(_)
            | Self::LogitLens(_)
            | Self::Attention(_)
            | Self::AttentionKnockout(_)
            | Self::EdgeCut(_)
            | Self::Generation(_)
            | Self::NeuronAttribution(_)
            | Self::SourceAttribution(_)
            | Self::ThroughHead(_)
            | Self::ResidualNorms(_)
            | Self::AccumulatedResid(_)
            | Self::ContributionGraph(_)
            | Self::Circuit(_)
            | Self::Composition(_) => false,
            Self::AttributionDifference(spec) => {
                matches!(spec.second, attribution_difference::SecondRun::Prompt { .. })
            }
            Self::Ablation(spec) => spec.replacement != ablation::Replacement::Zero,
            Self::NeuronAblation(spec) => spec.replacement != ablation::Replacement::Zero,
            Self::Steering(spec) => matches!(spec.direction, steering::Direction::Prompts { .. }),
            Self::AtpStar(spec) => spec.contrast.is_prompt(),
            Self::EdgeAttribution(spec) => spec.contrast.is_prompt(),
            Self::Comparison(_)
            | Self::RankOneEdit(_)
            | Self::ActivationPatching(_)
            | Self::PathPatching(_)
            | Self::TraceAverage(_)
            | Self::HeadScores(_) => true,
        }
    }

    /// Whether it asks nothing of any prompt.
    pub fn is_of_weights(&self) -> bool {
        matches!(self, Self::Circuit(_) | Self::Composition(_))
    }

    /// Whether it asks something of the prompt that it is run on, and not of its own alone.
    pub fn needs_prompt(&self) -> bool {
        !self.is_of_weights() && !matches!(self, Self::TraceAverage(_))
    }
}
