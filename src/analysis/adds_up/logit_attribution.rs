//! Direct logit attribution: splits the answer's logit into what each component writes.
//!
//! The final residual stream is the sum of what all components wrote to it. With the final layer
//! norm's scale held fixed the logit is linear in that sum, so it splits exactly.
//!
//! Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits". Labels, order and
//! values are those of TransformerLens' `decompose_resid` and `get_full_resid_decomposition`
//! through `apply_ln_to_stack`, with `fold_ln`, `center_writing_weights`, `center_unembed` and
//! `fold_value_biases`; the weights themselves are not changed.

use serde::{Deserialize, Serialize};

use super::logit_split::{LogitSplit, at_end};
use crate::analysis::{About, AnalysisCtx, AnalysisError, Lab, Method, PromptOf, Sizes, sources};
use crate::intervention::{Site, SiteSet};
use crate::model::{ActivationCache, LogitDirection, Transformer};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The components that the logit is split into.
    pub by: Parts,
}

/// The components that a logit is split into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parts {
    /// Embeddings, then attention and MLP of each layer.
    Layers,

    /// Every head, every MLP, the embeddings, and the attention biases.
    Heads,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogitAttribution {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,
    /// The part of each component.
    pub contributions: Vec<Contribution>,

    /// What the final layer norm's bias adds to the logit: TransformerLens' `b_U`.
    pub unembed_bias: f32,

    /// The answer's logit minus the foil's, or without a foil minus the mean over the vocabulary,
    /// as the model computed it.
    pub logit: f32,

    /// The answer's logit, as the model computed it, before a cap on logits.
    pub raw_logit: f32,

    /// The cap on the model's logits, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logit_cap: Option<f64>,
}

/// Whether the parts of a logit add up to it: to a thousandth of it, or of 1 where it is smaller.
///
/// Both are sums of some hundred numbers of either sign, each about 1 and rounded to an `f32`, which the
/// forward pass adds in another order: they differ by up to 1e-4 or so, whatever the sum is. So a logit
/// near 0 is not held to a share of itself.
pub fn adds_up(sum: f32, whole: f32) -> bool {
    (sum - whole).abs() <= 1e-3 * whole.abs().max(1.0)
}

/// A component's part of a logit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    pub component: Component,

    /// The part, in logits.
    pub logit: f32,
}

/// A component that writes to the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Component {
    /// The token embedding.
    Embed,

    /// The position embedding.
    PosEmbed,

    /// The attention of a layer, `b_O` included.
    AttnOut(usize),

    /// The MLP of a layer, `b_out` included.
    MlpOut(usize),

    /// A head, without any bias.
    Head { layer: usize, head: usize },

    /// The attention biases of all layers.
    Bias,
}

/// Written as in TransformerLens: `embed`, `3_attn_out`, `L3H5`, …
impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embed => f.write_str("embed"),
            Self::PosEmbed => f.write_str("pos_embed"),
            Self::AttnOut(layer) => write!(f, "{layer}_attn_out"),
            Self::MlpOut(layer) => write!(f, "{layer}_mlp_out"),
            Self::Head { layer, head } => write!(f, "L{layer}H{head}"),
            Self::Bias => f.write_str("bias"),
        }
    }
}

impl LogitAttribution {
    /// The sum of all parts and the bias, which equals `logit` up to rounding.
    pub fn sum(&self) -> f32 {
        let parts: f64 = self.contributions.iter().map(|it| f64::from(it.logit)).sum();
        (parts + f64::from(self.unembed_bias)) as f32
    }
}

impl Method for Spec {
    type Found = LogitAttribution;
    const NAME: &'static str = "logit attribution";
    const ABOUT: About = About {
        text: "The answer's logit is split exactly into what each part of the model wrote to \
               the residual stream, with the scale of the final layer norm held fixed.",
        sources: &[sources::ELHAGE_2021],
    };
    const VERB: &'static str = "Attributing";
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<LogitAttribution, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let LogitSplit { asked, run, direction, logit, .. } =
            LogitSplit::new(lab, |layer| in_layer(self.by, layer))?;
        Ok(LogitAttribution {
            spec: *self,
            prompt: prompt.clone(),
            contributions: contributions(model, &run.cache, self.by, &direction, ctx)?,
            unembed_bias: direction.constant,
            logit,
            raw_logit: asked.raw_logit(model, &run),
            logit_cap: model.config.logit_cap,
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        sizes.pass(&sites(self.by, sizes.config.n_layers))
    }
}

/// The sites that a run must keep to be split.
pub(in crate::analysis) fn sites(by: Parts, n_layers: usize) -> SiteSet {
    let mut sites: SiteSet = (0..n_layers).flat_map(|layer| in_layer(by, layer)).collect();
    sites.extend([Site::Embed, Site::PosEmbed, Site::ResidPost(n_layers - 1)]);
    sites
}

/// The sites of a layer's components.
pub(super) fn in_layer(by: Parts, layer: usize) -> Vec<Site> {
    match by {
        Parts::Layers => vec![Site::AttnOut(layer), Site::MlpOut(layer)],
        Parts::Heads => vec![Site::Z(layer), Site::AttnMapped(layer), Site::MlpOut(layer)],
    }
}

/// What each component wrote along a direction at the last position.
pub(in crate::analysis) fn contributions(
    model: &Transformer,
    cache: &ActivationCache,
    by: Parts,
    direction: &LogitDirection,
    ctx: &AnalysisCtx<'_>,
) -> Result<Vec<Contribution>, AnalysisError> {
    let n_layers = model.config.n_layers;
    let step = |layer: usize| {
        ctx.task.checkpoint(Progress { done: layer as u64 + 1, total: n_layers as u64 + 1 })
    };
    let project =
        |site: Site| (at_end(cache, site) * direction.weights.clone()).sum().into_scalar::<f32>();
    let part = |component: Component, logit: f32| Contribution { component, logit };

    let mut embeddings = vec![part(Component::Embed, project(Site::Embed))];
    if model.config.has(Site::PosEmbed) {
        embeddings.push(part(Component::PosEmbed, project(Site::PosEmbed)));
    }
    let mut contributions = Vec::new();
    match by {
        Parts::Layers => {
            contributions.extend(embeddings);
            for layer in 0..n_layers {
                step(layer)?;
                let attn_out = project(Site::AttnOut(layer));
                contributions.push(part(Component::AttnOut(layer), attn_out));
                contributions.push(part(Component::MlpOut(layer), project(Site::MlpOut(layer))));
            }
        }
        Parts::Heads => {
            let mut bias = 0.0;
            for layer in 0..n_layers {
                step(layer)?;
                let z = cache.get(Site::Z(layer)).clone();
                let [_, n_pos, n_heads, d_head] = z.dims();
                let z = z.narrow(1, n_pos - 1, 1).reshape([n_heads, d_head]);
                let into = model.norm_after_attention(layer, cache);
                let into = into.direction_at(n_pos - 1, direction);
                let (heads, layer_bias) = model.project_heads(layer, z, &into);
                bias += f64::from(layer_bias);
                contributions.extend(
                    heads
                        .into_iter()
                        .enumerate()
                        .map(|(head, logit)| part(Component::Head { layer, head }, logit)),
                );
            }
            contributions.extend(
                (0..n_layers)
                    .map(|layer| part(Component::MlpOut(layer), project(Site::MlpOut(layer)))),
            );
            contributions.extend(embeddings);
            contributions.push(part(Component::Bias, bias as f32));
        }
    }
    Ok(contributions)
}
