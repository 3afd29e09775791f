//! Attention patterns: where each head looks.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::sweep::check_ids;
use super::{AnalysisCtx, AnalysisError};
use crate::intervention::{Site, SiteSet};
use crate::model::Gpt2;
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub layers: Range<usize>,

    /// Of these layers, one head only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,
    pub n_heads: usize,

    /// `[layer, head, query, key]`, the layers and heads of the spec only.
    weights: Vec<f32>,
}

pub fn attention(
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    spec: &Spec,
    ctx: &AnalysisCtx<'_>,
) -> Result<Attention, AnalysisError> {
    let n_layers = model.config.n_layers;
    if spec.layers.end > n_layers {
        let index = spec.layers.end - 1;
        return Err(AnalysisError::OutOfRange { what: "layer", index, n: n_layers });
    }
    let n_heads = model.config.n_heads;
    if let Some(index) = spec.head.filter(|head| *head >= n_heads) {
        return Err(AnalysisError::OutOfRange { what: "head", index, n: n_heads });
    }
    check_ids(model, &prompt.ids, [].into_iter())?;
    ctx.task.checkpoint(Progress { done: 0, total: 1 })?;
    let capture: SiteSet = spec.layers.clone().map(Site::Pattern).collect();
    let run = model.run_clean(&prompt.ids, &capture);
    ctx.task.checkpoint(Progress { done: 1, total: 1 })?;
    let size = prompt.n_pos().pow(2);
    let heads = spec.heads(n_heads);
    let mut weights = Vec::with_capacity(spec.layers.len() * heads.len() * size);
    for layer in spec.layers.clone() {
        let pattern = run.cache.activation(Site::Pattern(layer)).values;
        weights.extend_from_slice(&pattern[heads.start * size..heads.end * size]);
    }
    Ok(Attention { spec: spec.clone(), prompt: prompt.clone(), n_heads, weights })
}

impl Spec {
    /// Every head of some layers.
    pub fn all_heads(layers: Range<usize>) -> Self {
        Self { layers, head: None }
    }

    fn heads(&self, n_heads: usize) -> Range<usize> {
        self.head.map_or(0..n_heads, |head| head..head + 1)
    }
}

impl Attention {
    /// From weights that are known already.
    ///
    /// # Shapes
    ///
    /// - `weights`: `[layer, head, query, key]`, the layers and heads of the spec only
    ///
    /// # Panics
    ///
    /// If `weights` has another length.
    pub fn from_weights(
        spec: Spec,
        prompt: TokenizedPrompt,
        n_heads: usize,
        weights: Vec<f32>,
    ) -> Self {
        let expected = spec.layers.len() * spec.heads(n_heads).len() * prompt.n_pos().pow(2);
        assert_eq!(weights.len(), expected, "one weight per layer, head, query and key");
        Self { spec, prompt, n_heads, weights }
    }

    /// The layer and head of every pattern, in order.
    pub fn shown(&self) -> impl Iterator<Item = (usize, usize)> {
        let heads = self.spec.heads(self.n_heads);
        self.spec.layers.clone().flat_map(move |layer| heads.clone().map(move |head| (layer, head)))
    }

    /// One head's pattern, query by query: `[query, key]`. Nothing if it was not asked for.
    pub fn pattern(&self, layer: usize, head: usize) -> Option<&[f32]> {
        let heads = self.spec.heads(self.n_heads);
        if !self.spec.layers.contains(&layer) || !heads.contains(&head) {
            return None;
        }
        let size = self.prompt.n_pos().pow(2);
        let nth = (layer - self.spec.layers.start) * heads.len() + head - heads.start;
        self.weights.get(nth * size..(nth + 1) * size)
    }
}
