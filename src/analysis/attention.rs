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
pub struct Spec {
    pub layers: Range<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,
    pub n_heads: usize,

    /// `[layer, head, query, key]`, the layers of the spec only.
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
    check_ids(model, &prompt.ids, [].into_iter())?;
    ctx.task.checkpoint(Progress { done: 0, total: 1 })?;
    let capture: SiteSet = spec.layers.clone().map(Site::Pattern).collect();
    let run = model.run_clean(&prompt.ids, &capture);
    ctx.task.checkpoint(Progress { done: 1, total: 1 })?;
    let patterns = spec.layers.clone().map(|layer| run.cache.activation(Site::Pattern(layer)));
    Ok(Attention {
        spec: spec.clone(),
        prompt: prompt.clone(),
        n_heads: model.config.n_heads,
        weights: patterns.flat_map(|pattern| pattern.values).collect(),
    })
}

impl Attention {
    /// From weights that are known already.
    ///
    /// # Shapes
    ///
    /// - `weights`: `[layer, head, query, key]`, the layers of the spec only
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
        let expected = spec.layers.len() * n_heads * prompt.n_pos().pow(2);
        assert_eq!(weights.len(), expected, "one weight per layer, head, query and key");
        Self { spec, prompt, n_heads, weights }
    }

    /// One head's pattern, query by query: `[query, key]`. Nothing if it was not asked for.
    pub fn pattern(&self, layer: usize, head: usize) -> Option<&[f32]> {
        if !self.spec.layers.contains(&layer) || head >= self.n_heads {
            return None;
        }
        let size = self.prompt.n_pos().pow(2);
        let nth = (layer - self.spec.layers.start) * self.n_heads + head;
        self.weights.get(nth * size..(nth + 1) * size)
    }
}
