//! Direct logit attribution by neuron: splits the answer's logit into what each MLP neuron writes.
//!
//! An MLP's output is the sum over neurons of activation times output weights, so its part of the
//! logit splits further (Elhage et al. 2021; Geva et al. 2022, "Transformer Feed-Forward Layers
//! Build Predictions by Promoting Concepts in the Vocabulary Space"). TransformerLens'
//! `stack_neuron_results` through `apply_ln_to_stack` gives the same numbers; here no neuron's
//! vector is computed, only its product with the answer's direction.

use serde::{Deserialize, Serialize};

use super::logit_split::{LogitSplit, at_end};
use crate::analysis::largest::largest_by_size;
use crate::analysis::{About, AnalysisError, Lab, Method, PromptOf, Sizes, sources};
use crate::intervention::Site;
use crate::model::{ActivationCache, LogitDirection, Transformer};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// How many neurons are listed.
    pub n_top: usize,

    /// Whether neurons are listed overall or for each layer.
    pub listing: Listing,
}

/// The neurons among which the largest are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    /// All neurons of the model.
    Overall,

    /// The neurons of each layer, so that `n_top` are listed for every layer.
    PerLayer,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronAttribution {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The neurons with the largest absolute parts, largest first; layer after layer if they are
    /// listed for each layer.
    pub top: Vec<Neuron>,

    /// The sum of the parts of each layer's neurons. `[layer]`
    pub layers: Vec<f32>,

    /// The part of the embeddings, of attention and `b_out` in all layers, and of steering.
    pub others: f32,

    /// What the final layer norm's bias adds to the logit.
    pub unembed_bias: f32,

    /// The answer's logit minus the foil's, or without a foil minus the mean over the vocabulary.
    pub logit: f32,
}

/// A neuron with its part of the logit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neuron {
    pub layer: usize,

    /// Its index in its layer.
    pub index: usize,

    /// Its activation after the nonlinearity, at the last position.
    pub activation: f32,

    /// What the neuron adds to the logit per unit of its activation.
    pub per_unit: f32,

    /// Its part of the logit: `activation` times `per_unit`.
    pub logit: f32,
}

impl NeuronAttribution {
    /// The sum of all parts, which equals `logit` up to rounding.
    pub fn sum(&self) -> f32 {
        let neurons: f64 = self.layers.iter().map(|&it| f64::from(it)).sum();
        (neurons + f64::from(self.others) + f64::from(self.unembed_bias)) as f32
    }
}

impl Method for Spec {
    type Found = NeuronAttribution;
    const NAME: &'static str = "neuron attribution";
    const ABOUT: About = About {
        text: "The answer's logit is split into what each MLP neuron writes, with the scale of \
               the final layer norm held fixed.",
        sources: &[sources::ELHAGE_2021, sources::GEVA_2022],
    };
    const VERB: &'static str = "Attributing";
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<NeuronAttribution, AnalysisError> {
        let &Lab { model, prompt, .. } = lab;
        let in_layer = |layer| [&[Site::AttnOut(layer)][..], &sites(layer)].concat();
        let split = LogitSplit::new(lab, in_layer)?;
        let (cache, direction) = (&split.run.cache, &split.direction);

        let mut others = split.embeddings();
        let mut layers = Vec::with_capacity(model.config.n_layers);
        let mut top: Vec<Neuron> = Vec::new();
        for layer in split.layers() {
            let layer = layer?;
            let Written { activations, per_unit, bias } =
                written(model, cache, layer, prompt.last(), direction);
            others += split.part(Site::AttnOut(layer)) + f64::from(bias);
            others += f64::from(model.read_additions(layer, prompt.last(), direction));
            let logits: Vec<f32> = activations.iter().zip(&per_unit).map(|(a, b)| a * b).collect();
            layers.push(logits.iter().map(|&it| f64::from(it)).sum::<f64>() as f32);
            let listed = largest_by_size(&logits, self.n_top).into_iter().map(|index| Neuron {
                layer,
                index,
                activation: activations[index],
                per_unit: per_unit[index],
                logit: logits[index],
            });
            top.extend(listed);
        }
        if self.listing == Listing::Overall {
            let logits: Vec<f32> = top.iter().map(|it| it.logit).collect();
            top = largest_by_size(&logits, self.n_top).into_iter().map(|nth| top[nth]).collect();
        }
        Ok(NeuronAttribution {
            spec: *self,
            prompt: prompt.clone(),
            top,
            layers,
            others: others as f32,
            unembed_bias: direction.constant,
            logit: split.logit,
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let of = |it| [Site::AttnOut(it), Site::MlpPost(it), Site::MlpMapped(it)];
        sizes.pass(&(0..sizes.config.n_layers).flat_map(of).collect())
    }
}

/// What the neurons of a layer write along a direction.
pub(super) struct Written {
    /// Each neuron's activation after the nonlinearity. `[d_mlp]`
    pub activations: Vec<f32>,

    /// What each adds along the direction per unit of its activation. `[d_mlp]`
    pub per_unit: Vec<f32>,

    /// What the output's bias adds.
    pub bias: f32,
}

/// The sites of a layer that a run must keep for its neurons to be read.
pub(super) fn sites(layer: usize) -> [Site; 2] {
    [Site::MlpPost(layer), Site::MlpMapped(layer)]
}

/// Reads the neurons of a layer at the last position, `last`, of a run that kept their sites.
pub(super) fn written(
    model: &Transformer,
    run: &ActivationCache,
    layer: usize,
    last: usize,
    direction: &LogitDirection,
) -> Written {
    let into = model.norm_after_mlp(layer, run).direction_at(last, direction);
    let (per_unit, bias) = model.read_neurons(layer, &into);
    let numbers = |it: burn::tensor::Tensor<1>| it.into_data().iter::<f32>().collect();
    let activations = numbers(at_end(run, Site::MlpPost(layer)));
    Written { activations, per_unit: numbers(per_unit), bias }
}
