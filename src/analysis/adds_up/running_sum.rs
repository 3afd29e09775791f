//! The parts of a logit in order of depth, each with the sum so far.
//!
//! The final layer norm's scale is held fixed as in the attribution itself, so a sum is what would be
//! read off the residual stream there under that scale: the logit lens with `final` scale.

use crate::analysis::logit_attribution::{Component, LogitAttribution};

#[derive(Clone, Debug, PartialEq)]
pub struct RunningSum {
    /// What is there before the first layer, in logits: the embeddings, the final layer norm's bias,
    /// and where the logit is split by heads the attention biases of all layers.
    pub start: f32,

    /// Attention or its heads, then the MLP, layer by layer.
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub component: Component,

    /// What it adds, in logits.
    pub logit: f32,

    /// The sum without it and all later ones, in logits.
    pub before: f32,

    /// The sum with it.
    pub after: f32,
}

impl Step {
    pub fn layer(&self) -> usize {
        place(self.component).map_or(0, |it| it.0)
    }

    pub fn is_mlp(&self) -> bool {
        matches!(self.component, Component::MlpOut(_))
    }
}

impl LogitAttribution {
    /// The last sum is [`Self::sum`], up to rounding.
    pub fn running_sum(&self) -> RunningSum {
        let mut sum = f64::from(self.unembed_bias);
        let mut parts = Vec::with_capacity(self.contributions.len());
        for part in &self.contributions {
            match place(part.component) {
                Some(place) => parts.push((place, *part)),
                None => sum += f64::from(part.logit),
            }
        }
        parts.sort_by_key(|it| it.0);
        let start = sum as f32;
        let mut step = |component: Component, logit: f32| {
            let before = sum as f32;
            sum += f64::from(logit);
            Step { component, logit, before, after: sum as f32 }
        };
        let steps = parts.iter().map(|(_, part)| step(part.component, part.logit)).collect();
        RunningSum { start, steps }
    }
}

/// Layer, then attention before MLP, then head. Nothing for what is of no layer.
fn place(component: Component) -> Option<(usize, bool, usize)> {
    match component {
        Component::Embed | Component::PosEmbed | Component::Bias => None,
        Component::AttnOut(layer) => Some((layer, false, 0)),
        Component::Head { layer, head } => Some((layer, false, head)),
        Component::MlpOut(layer) => Some((layer, true, 0)),
    }
}
