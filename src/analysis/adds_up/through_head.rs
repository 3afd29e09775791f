//! Splits a head's part of the logit by the earlier components that it reads.
//!
//! A head at the last position writes `Σ_s pattern[s] LN(x_s) W_V W_O`. With the scales of both
//! layer norms held fixed, the one before the head at each source `s` and the final one, that is
//! linear in the residual stream, so each earlier component `c` has its own part
//!
//! ```text
//! pattern[s] · ((x_{c,s} − mean) / σ1_s) W_V W_O · (W_U[answer] − W_U[foil]) / σ_final
//! ```
//!
//! This is the V-composition of `c` with the head on one prompt (Elhage et al. 2021, "virtual
//! weights"). The pattern is held fixed as well, so effects through a change of attention are not
//! counted. Gains are those of `fold_ln`; the biases of the layer norm and of the values belong to
//! no part.

use std::cmp::Ordering;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::logit_split::LogitSplit;
use crate::analysis::error::index_below;
use crate::analysis::logit_attribution::{Component, Parts, in_layer};
use crate::analysis::{About, AnalysisError, Grid, Lab, Method, PromptOf, Sizes, sources};
use crate::intervention::Site;
use crate::model::{ActivationCache, LogitDirection, Transformer};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub layer: usize,
    pub head: usize,

    /// The components that the residual stream before the head is split into.
    pub by: Parts,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThroughHead {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The components, in the order of TransformerLens' decompositions up to that layer.
    pub components: Vec<Component>,

    /// Each component's part of the logit if the head attended to one position only.
    /// `[component, source]`
    pub values: Grid<f32>,

    /// The head's attention weights from the last position, 0 to 1. `[source]`
    pub pattern: Vec<f32>,

    /// The head's part of the logit.
    pub logit: f32,
}

impl ThroughHead {
    /// A component's part of the logit through the head, over all sources, weighted by the pattern.
    pub fn weighted(&self, component: usize) -> f32 {
        let sources = self.pattern.iter().enumerate();
        let parts = sources.map(|(source, weight)| {
            f64::from(*weight) * f64::from(*self.values.get(component, source).unwrap_or(&0.0))
        });
        parts.sum::<f64>() as f32
    }

    /// The sum of all parts, which equals `logit` up to rounding.
    pub fn sum(&self) -> f32 {
        (0..self.components.len()).map(|it| f64::from(self.weighted(it))).sum::<f64>() as f32
    }
}

impl Method for Spec {
    type Found = ThroughHead;
    const NAME: &'static str = "attribution through a head";
    const ABOUT: About = About {
        text: "What earlier parts of the model give one head to write towards the answer's \
               logit, with its pattern and the scales of both layer norms held fixed.",
        sources: &[sources::ELHAGE_2021],
    };
    const VERB: &'static str = "Attributing";
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<ThroughHead, AnalysisError> {
        let &Lab { model, prompt, .. } = lab;
        let Self { layer, head, by } = *self;
        index_below("layer", layer, model.config.n_layers)?;
        index_below("head", head, model.config.n_heads)?;
        let n_pos = prompt.n_pos();
        let LogitSplit { run, direction, .. } = LogitSplit::new(lab, |at| match at.cmp(&layer) {
            Ordering::Less => in_layer(by, at),
            Ordering::Equal => {
                vec![Site::Ln1Scale(at), Site::Pattern(at), Site::Z(at), Site::AttnMapped(at)]
            }
            Ordering::Greater => Vec::new(),
        })?;
        let after = model.norm_after_attention(layer, &run.cache);
        let direction = after.direction_at(n_pos - 1, &direction);
        let into = model.through_head(layer, head, &direction);
        let (components, parts) = split(model, &run.cache, *self, &into);
        let values = Tensor::cat(parts, 0);
        let values = if model.config.has(Site::Ln1Scale(layer)) {
            values / run.cache.get(Site::Ln1Scale(layer)).clone().reshape([1, n_pos])
        } else {
            values
        };
        let values = values.into_data().iter::<f32>().collect();
        let at_last = |site: Site| {
            let activation = run.cache.get(site).clone();
            let [_, n_kept, n_heads, width] = activation.dims();
            activation.narrow(1, n_kept - 1, 1).reshape([n_heads, width])
        };
        let pattern = at_last(Site::Pattern(layer)).narrow(0, head, 1);
        let (heads, _) = model.project_heads(layer, at_last(Site::Z(layer)), &direction);
        Ok(ThroughHead {
            spec: *self,
            prompt: prompt.clone(),
            components,
            values: Grid::new(n_pos, values),
            pattern: pattern.into_data().iter::<f32>().collect(),
            logit: heads[head],
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let below = (0..self.layer.min(sizes.config.n_layers))
            .flat_map(|it| in_layer(self.by, it))
            .collect();
        sizes.pass_by_steps(&below)
    }
}

/// The components of the residual stream before a layer, and what each writes along a direction.
/// `[1, pos]` each
fn split(
    model: &Transformer,
    cache: &ActivationCache,
    Spec { layer, by, .. }: Spec,
    into: &LogitDirection,
) -> (Vec<Component>, Vec<Tensor<2>>) {
    let stream =
        |site: Site| cache.stream(site).matmul(into.weights.clone().unsqueeze_dim(1)).transpose();
    let mut embeddings = vec![(Component::Embed, stream(Site::Embed))];
    if model.config.has(Site::PosEmbed) {
        embeddings.push((Component::PosEmbed, stream(Site::PosEmbed)));
    }
    let mlp = |before| (Component::MlpOut(before), stream(Site::MlpOut(before)));
    let mut parts = Vec::new();
    match by {
        Parts::Layers => {
            parts.extend(embeddings);
            for before in 0..layer {
                parts.push((Component::AttnOut(before), stream(Site::AttnOut(before))));
                parts.push(mlp(before));
            }
        }
        Parts::Heads => {
            let mut bias = embeddings[0].1.zeros_like();
            for before in 0..layer {
                let z = cache.get(Site::Z(before)).clone();
                let [_, n_pos, n_heads, d_head] = z.dims();
                let z = z.reshape([n_pos, n_heads, d_head]);
                let after = model.norm_after_attention(before, cache);
                let into = after.unscaled_direction(into);
                let heads = after.divide(model.read_heads(before, z, &into));
                parts.extend((0..n_heads).map(|head| {
                    let component = Component::Head { layer: before, head };
                    (component, heads.clone().narrow(1, head, 1).transpose())
                }));
                let ones = Tensor::ones([n_pos, 1], &bias.device());
                let brought = after.divide(ones * model.attention_bias(before, &into));
                bias = bias + brought.transpose();
            }
            parts.extend((0..layer).map(mlp));
            parts.extend(embeddings.clone());
            parts.push((Component::Bias, bias));
        }
    }
    parts.into_iter().unzip()
}
