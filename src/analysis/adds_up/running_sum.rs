//! The parts of a logit in the order of layers, each with the sum so far.
//!
//! The final layer norm's scale is held fixed, as in the attribution itself, so each sum is what
//! the logit lens with `final` scale reads there.

use crate::analysis::logit_attribution::{Component, LogitAttribution};

/// The running sum of a logit's parts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningSum {
    /// The sum before the first layer, in logits: the embeddings, the final layer norm's bias, and
    /// if the logit is split by heads the attention biases of all layers.
    pub start: f32,

    /// The parts of attention or its heads and then of the MLP, layer by layer.
    pub steps: Vec<Step>,
}

/// One part, with the sums around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub component: Component,

    /// The part, in logits.
    pub logit: f32,

    /// The sum before the part, in logits.
    pub before: f32,

    /// The sum with the part, in logits.
    pub after: f32,
}

impl Step {
    pub fn layer(&self) -> usize {
        depth(self.component).map_or(0, |it| it.0)
    }

    pub fn is_mlp(&self) -> bool {
        matches!(self.component, Component::MlpOut(_))
    }
}

impl LogitAttribution {
    /// The running sum, which ends at [`Self::sum`] up to rounding.
    pub fn running_sum(&self) -> RunningSum {
        let mut sum = f64::from(self.unembed_bias);
        let mut parts = Vec::with_capacity(self.contributions.len());
        for part in &self.contributions {
            match depth(part.component) {
                Some(depth) => parts.push((depth, *part)),
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

/// The order of components: by layer, attention before the MLP, and by head. `None` if it belongs
/// to no layer.
fn depth(component: Component) -> Option<(usize, bool, usize)> {
    match component {
        Component::Embed | Component::PosEmbed | Component::Bias => None,
        Component::AttnOut(layer) => Some((layer, false, 0)),
        Component::Head { layer, head } => Some((layer, false, head)),
        Component::MlpOut(layer) => Some((layer, true, 0)),
    }
}
