//! Attention patterns: where each head attends, and how much it moves from there.
//!
//! A weight says where a head attends, not how much it moves: a head that attends to a token with a
//! small value does nothing. Kobayashi et al. 2020, "Attention is Not Only a Weight", measure the
//! vectors that are moved; Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers",
//! follow attention through all layers below.

use std::iter::repeat_n;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::error::index_below;
use crate::analysis::layer_by_layer::each_layer;
use crate::analysis::sweep::check_ids;
use crate::analysis::{About, AnalysisError, Lab, Method, Needs, PromptOf, Sizes, sources};
use crate::intervention::{Site, SiteSet};
use crate::model::{ActivationCache, Transformer};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The layers whose patterns are read.
    pub layers: Range<usize>,

    /// The only head of each layer that is read. `None` stands for all heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<usize>,

    /// What the patterns show of a query and a key.
    #[serde(default)]
    pub weighting: Weighting,
}

/// The number that a pattern shows for a query and a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// The attention weight, 0 to 1.
    #[default]
    Pattern,

    /// The attention weight times the norm of the key's value vector, `b_V` included.
    ValueWeighted,

    /// The attention weight times the norm of `v W_O`, which is what the head moves. As in
    /// Kobayashi et al., `b_V` is part of the value and `b_O` is left out; a model with
    /// `fold_value_biases` has no `b_V`.
    NormBased,

    /// Attention rollout: the product of `(A + I) / 2` over this layer and all below, where `A` is
    /// the mean of the heads' patterns. It gives one map for each layer instead of one for each
    /// head.
    Rollout,
}

impl Weighting {
    /// The weightings with a map for each head.
    pub const OF_HEADS: [Self; 3] = [Self::Pattern, Self::ValueWeighted, Self::NormBased];
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// How many maps the model has for each layer: one for each head, or a single one for rollout.
    pub n_heads: usize,

    /// The patterns of the spec's layers and heads. `[layer, head, query, key]`
    weights: Arc<[f32]>,
}

impl Method for Spec {
    type Found = Attention;
    const NAME: &'static str = "attention";
    const ABOUT: About = About {
        text: "Which tokens each head looks at, or how much it moves from there.",
        sources: &[sources::KOBAYASHI_2020, sources::ABNAR_2020],
    };
    const VERB: &'static str = "Reading attention";
    const NEEDS: Needs = Needs::Prompt;
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<Attention, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let n_layers = model.config.n_layers;
        if self.layers.start > self.layers.end {
            let what = "the first layer whose attention is read";
            return Err(AnalysisError::OutOfBounds {
                what,
                bounds: "at most the end of the layers",
            });
        }
        if self.layers.end > 0 {
            index_below("layer", self.layers.end - 1, n_layers)?;
        }
        let n_heads = model.config.n_heads;
        if self.weighting == Weighting::Rollout && self.head.is_some() {
            return Err(AnalysisError::NoHeads);
        }
        if let Some(head) = self.head {
            index_below("head", head, n_heads)?;
        }
        check_ids(model, &prompt.ids, [].into_iter())?;
        ctx.task.checkpoint(Progress { done: 0, total: 1 })?;
        let looked_at = match self.weighting {
            Weighting::Rollout => 0..self.layers.end,
            _ => self.layers.clone(),
        };
        let mut capture: SiteSet = looked_at.clone().map(Site::Pattern).collect();
        if matches!(self.weighting, Weighting::ValueWeighted | Weighting::NormBased) {
            capture.extend(looked_at.clone().flat_map(|it| [Site::V(it), Site::AttnMapped(it)]));
        }
        let (n_pos, size) = (prompt.n_pos(), prompt.n_pos().pow(2));
        let of_heads = self.heads(n_heads);
        let n_maps = if self.weighting == Weighting::Rollout { 1 } else { of_heads.len() };
        // The maps of all layers are the most that this takes, so they are there once.
        let mut weights: Arc<[f32]> = repeat_n(0.0, self.layers.len() * n_maps * size).collect();
        let maps = Arc::get_mut(&mut weights).expect("nobody else has them yet");
        let mut maps = maps.chunks_mut((n_maps * size).max(1));
        let mut rollout = Rollout::new(n_pos);
        each_layer(lab, &prompt.ids, &capture, &mut |layer, cache| {
            if !looked_at.contains(&layer) {
                return;
            }
            let pattern = cache.activation(Site::Pattern(layer)).values;
            let (found, first) = if self.weighting == Weighting::Rollout {
                (rollout.advance(&pattern, n_heads), 0)
            } else {
                (self.weighted(model, cache, layer, pattern), of_heads.start)
            };
            if self.layers.contains(&layer) {
                let found = &found[first * size..(first + n_maps) * size];
                maps.next().expect("there is room for each layer").copy_from_slice(found);
            }
        })?;
        ctx.task.checkpoint(Progress { done: 1, total: 1 })?;
        let n_heads = if self.weighting == Weighting::Rollout { 1 } else { n_heads };
        Ok(Attention { spec: self.clone(), prompt: prompt.clone(), n_heads, weights })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let n_heads = sizes.config.n_heads;
        let n_maps =
            if self.weighting == Weighting::Rollout { 1 } else { self.heads(n_heads).len() };
        let maps = (self.layers.len() * n_maps) as u64 * (sizes.pattern() / n_heads as u64);
        // The maps of all layers, and one layer's as it is read.
        maps.saturating_add(sizes.pass_by_steps(&SiteSet::from([Site::Pattern(0)])))
    }
}

/// The pattern `[head, query, key]` with each key's weights multiplied by its size `[head, key]`.
fn weighted_by_key(mut pattern: Vec<f32>, sizes: &[f32], n_pos: usize) -> Vec<f32> {
    let heads = pattern.chunks_mut(n_pos * n_pos).zip(sizes.chunks(n_pos));
    for (pattern, sizes) in heads {
        for row in pattern.chunks_mut(n_pos) {
            row.iter_mut().zip(sizes).for_each(|(weight, size)| *weight *= size);
        }
    }
    pattern
}

/// Attention rollout, layer by layer.
struct Rollout {
    n_pos: usize,

    /// The product over the layers so far. `[query, key]`
    so_far: Vec<f64>,
}

impl Rollout {
    fn new(n_pos: usize) -> Self {
        let is_own = |at: usize| if at / n_pos == at % n_pos { 1.0 } else { 0.0 };
        Self { n_pos, so_far: (0..n_pos * n_pos).map(is_own).collect() }
    }

    /// The rollout after one more layer, whose pattern is `[head, query, key]`. `[query, key]`
    fn advance(&mut self, pattern: &[f32], n_heads: usize) -> Vec<f32> {
        let n_pos = self.n_pos;
        let square = n_pos * n_pos;
        let mut next = vec![0.0; square];
        for query in 0..n_pos {
            for key in 0..=query {
                let at = query * n_pos + key;
                let of_heads = pattern.chunks(square).map(|head| f64::from(head[at]));
                let mean = of_heads.sum::<f64>() / n_heads as f64;
                let weight = 0.5 * (mean + if query == key { 1.0 } else { 0.0 });
                let row = &mut next[query * n_pos..(query + 1) * n_pos];
                let below = &self.so_far[key * n_pos..(key + 1) * n_pos];
                row.iter_mut().zip(below).for_each(|(sum, it)| *sum += weight * it);
            }
        }
        self.so_far = next;
        self.so_far.iter().map(|it| *it as f32).collect()
    }
}

impl Spec {
    /// A spec for the patterns of every head of some layers.
    pub fn all_heads(layers: Range<usize>) -> Self {
        Self { layers, head: None, weighting: Weighting::Pattern }
    }

    /// A layer's pattern as it is weighted. `[head, query, key]`, both
    fn weighted(
        &self,
        model: &Transformer,
        cache: &ActivationCache,
        layer: usize,
        mut pattern: Vec<f32>,
    ) -> Vec<f32> {
        if self.weighting == Weighting::Pattern {
            return pattern;
        }
        let v = model.for_queries(cache.get(Site::V(layer)).clone());
        let [_, n_pos, n_heads, d_head] = v.dims();
        let v = v.reshape([n_pos, n_heads, d_head]);
        let moved = match self.weighting {
            Weighting::NormBased => {
                let after = model.norm_after_attention(layer, cache);
                pattern = after.divide_queries(pattern);
                after.unscaled(model.head_results(layer, v))
            }
            _ => v.swap_dims(0, 1),
        };
        let norms = (moved.clone() * moved).sum_dim(2).sqrt();
        let norms: Vec<f32> = norms.into_data().iter::<f32>().collect();
        weighted_by_key(pattern, &norms, n_pos)
    }

    fn heads(&self, n_heads: usize) -> Range<usize> {
        self.head.map_or(0..n_heads, |head| head..head + 1)
    }
}

impl Attention {
    /// A result with weights that are computed already.
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
        Self { spec, prompt, n_heads, weights: weights.into() }
    }

    /// The patterns of the spec's layers and heads, `[layer, head, query, key]`. Two results are
    /// the same if they share this allocation.
    pub fn weights(&self) -> &Arc<[f32]> {
        &self.weights
    }

    /// The number at the end of the colour scale of a layer's maps: 1 for weights, the layer's
    /// largest number for norms.
    pub fn scale(&self, layer: usize) -> f32 {
        match self.spec.weighting {
            Weighting::Pattern | Weighting::Rollout => 1.0,
            Weighting::ValueWeighted | Weighting::NormBased => {
                let heads = self.spec.heads(self.n_heads);
                let patterns = heads.filter_map(|head| self.pattern(layer, head));
                patterns.flatten().copied().filter(|it| it.is_finite()).fold(1e-6, f32::max)
            }
        }
    }

    /// The layer and head of every pattern, in order.
    pub fn shown(&self) -> impl Iterator<Item = (usize, usize)> {
        let heads = self.spec.heads(self.n_heads);
        self.spec.layers.clone().flat_map(move |layer| heads.clone().map(move |head| (layer, head)))
    }

    /// The map of one head, `[query, key]`. `None` if the spec leaves it out.
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
