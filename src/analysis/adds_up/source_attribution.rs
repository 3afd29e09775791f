//! Direct logit attribution by source position: splits each head's part of the logit by the token
//! that it attends to.
//!
//! A head's output is the mean of the values over source positions, weighted by its pattern. So its
//! part of the logit splits by source: `pattern[source] · v[source] W_O`, read through the final
//! layer norm with its scale held fixed (Elhage et al. 2021). The value bias counts as bias, as
//! with TransformerLens' `fold_value_biases`.

use serde::{Deserialize, Serialize};

use super::logit_split::LogitSplit;
use crate::analysis::{About, AnalysisError, Lab, Method, PromptOf, Sizes, sources};
use crate::intervention::Site;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceAttribution {
    pub prompt: TokenizedPrompt,
    pub n_heads: usize,

    /// The parts of the logit. `[layer, head, source]`
    values: Vec<f32>,

    /// The part of the embeddings, and of MLPs and attention biases in all layers.
    pub others: f32,

    /// What the final layer norm's bias adds to the logit.
    pub unembed_bias: f32,

    /// The answer's logit minus the foil's, or without a foil minus the mean over the vocabulary.
    pub logit: f32,
}

impl SourceAttribution {
    /// The parts that a head wrote from each source position, whose sum is the head's part of the
    /// logit. `[source]`. `None` if there is no such head.
    pub fn head(&self, layer: usize, head: usize) -> Option<&[f32]> {
        let n_pos = self.prompt.n_pos();
        let nth = layer * self.n_heads + head;
        if head >= self.n_heads {
            return None;
        }
        self.values.get(nth * n_pos..(nth + 1) * n_pos)
    }

    /// The layer and number of every head, with the parts that it wrote from each source position.
    pub fn heads(&self) -> impl Iterator<Item = (usize, usize, &[f32])> {
        let heads = self.values.chunks(self.prompt.n_pos()).enumerate();
        heads.map(|(nth, values)| (nth / self.n_heads, nth % self.n_heads, values))
    }

    /// The part of each source position, summed over all heads. `[source]`
    pub fn sources(&self) -> Vec<f32> {
        let mut sums = vec![0.0_f64; self.prompt.n_pos()];
        for (_, _, values) in self.heads() {
            sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        sums.into_iter().map(|it| it as f32).collect()
    }

    /// The sum of all parts, which equals `logit` up to rounding.
    pub fn sum(&self) -> f32 {
        let heads: f64 = self.values.iter().map(|&it| f64::from(it)).sum();
        (heads + f64::from(self.others) + f64::from(self.unembed_bias)) as f32
    }
}

impl Method for Spec {
    type Found = SourceAttribution;
    const NAME: &'static str = "source attribution";
    const ABOUT: About = About {
        text: "What each head writes towards the answer's logit is split by the token that the \
               head brought it from.",
        sources: &[sources::ELHAGE_2021],
    };
    const VERB: &'static str = "Attributing";
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<SourceAttribution, AnalysisError> {
        let &Lab { model, prompt, .. } = lab;
        let (n_layers, n_pos, last) = (model.config.n_layers, prompt.n_pos(), prompt.last());
        let (n_heads, d_head) = (model.config.n_heads, model.config.d_head());
        let in_layer = |layer| {
            vec![Site::V(layer), Site::Pattern(layer), Site::AttnMapped(layer), Site::MlpOut(layer)]
        };
        let split = LogitSplit::new(lab, in_layer)?;
        let (cache, direction) = (&split.run.cache, &split.direction);

        let mut others = split.embeddings();
        let mut values = Vec::with_capacity(n_layers * n_heads * n_pos);
        for layer in split.layers() {
            let layer = layer?;
            let v = model.for_queries(cache.get(Site::V(layer)).clone());
            let v = v.reshape([n_pos, n_heads, d_head]);
            // [head, source]
            let into = model.norm_after_attention(layer, cache).direction_at(last, direction);
            let read = model.read_heads(layer, v, &into).transpose();
            let pattern = cache.get(Site::Pattern(layer)).clone();
            let weighted = read * pattern.reshape([n_heads, n_pos]);
            values.extend(weighted.into_data().iter::<f32>());
            others += split.part(Site::MlpOut(layer));
            others += f64::from(model.attention_bias(layer, &into));
        }
        Ok(SourceAttribution {
            prompt: prompt.clone(),
            n_heads,
            values,
            others: others as f32,
            unembed_bias: direction.constant,
            logit: split.logit,
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let sites = |it| [Site::V(it), Site::AttnMapped(it), Site::MlpOut(it)];
        sizes.pass_by_steps(&(0..sizes.config.n_layers).flat_map(sites).collect())
    }
}
