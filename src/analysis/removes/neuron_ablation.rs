//! Ablation of single neurons: estimates the effect of all, and measures the answer without the
//! most important.
//!
//! A model has too many neurons to ablate each. One forward and one backward pass estimate them all
//! to first order at the clean run: replacing an activation `a` by `r` changes a metric `M` by
//! about `Σ_pos (r − a) · dM/da`, which is attribution patching (Nanda 2023; Kramár et al. 2024) of
//! neurons. The neurons with the largest estimates are then ablated, one at a time.
//!
//! The numbers agree with TransformerLens' hooks on `mlp.hook_post`. A neuron that the estimate
//! misses is not found; the agreement of estimates and measurements shows how likely that is.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::analysis::ablation::Replacement;
use crate::analysis::error::{at_least_one, index_below};
use crate::analysis::largest::largest_by_size;
use crate::analysis::memory::{SweepSize, first_of};
use crate::analysis::objective::{Passes, Way, objective, slope};
use crate::analysis::sweep::Asked;
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Correlation, Lab, Measurement, Method, Metric, Positions,
    PromptOf, Sizes, sources,
};
use crate::intervention::{Condition, Intervention, Site, SiteSet, Span};
use crate::model::{Backward, Donors};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// How many neurons are ablated, those with the largest absolute estimates.
    pub n_top: usize,

    /// The layers that neurons are chosen from. An empty list stands for all layers.
    pub layers: Vec<usize>,

    /// The metric that is estimated.
    pub metric: Metric,

    /// The positions at which activations are replaced.
    pub positions: Positions,

    /// What activations are replaced by.
    pub replacement: Replacement,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronAblation {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// How many neurons the layers have.
    pub n_neurons: usize,

    /// The measurement of the clean run.
    pub clean: Measurement,

    /// The neurons that are ablated, the largest absolute estimate first.
    pub neurons: Vec<Neuron>,

    /// How well estimates agree with measured changes of the metric. `None` until all neurons are
    /// ablated.
    pub agreement: Option<Correlation>,
}

/// A neuron that is ablated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neuron {
    pub layer: usize,

    /// Its index in its layer.
    pub index: usize,

    /// Its activations after the nonlinearity in the clean run, at the positions where they are
    /// replaced.
    pub activations: Vec<f32>,

    /// The numbers that replace them.
    pub replacements: Vec<f32>,

    /// What replacing them is estimated to add to the metric.
    pub estimate: f32,

    /// The measurement without the neuron. `None` if it is not computed yet.
    pub ablated: Option<Measurement>,
}

impl NeuronAblation {
    /// The change of a metric by ablating a neuron. A negative change means that the neuron
    /// supports the answer.
    pub fn change(&self, neuron: &Neuron, metric: Metric) -> Option<f32> {
        Some(neuron.ablated.as_ref()?.get(metric)? - self.clean.get(metric)?)
    }
}

impl Spec {
    /// The layers that neurons are chosen from, in order.
    fn chosen_layers(&self, n_layers: usize) -> Result<Vec<usize>, AnalysisError> {
        if self.layers.is_empty() {
            return Ok((0..n_layers).collect());
        }
        let mut layers = self.layers.clone();
        layers.sort_unstable();
        layers.dedup();
        for &layer in &layers {
            index_below("layer", layer, n_layers)?;
        }
        Ok(layers)
    }
}

impl Method for Spec {
    type Found = NeuronAblation;
    const NAME: &'static str = "neuron ablation";
    const ABOUT: About = About {
        text: "The neurons that matter most by a first-order estimate are taken out one at a \
               time, and the answer is measured without each.",
        sources: &[sources::NANDA_2023, sources::KRAMAR_2024],
    };
    const VERB: &'static str = "Ablating";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<NeuronAblation, AnalysisError> {
        let &Lab { model, prompt, .. } = lab;
        at_least_one("the number of neurons", self.n_top)?;
        let layers = self.chosen_layers(model.config.n_layers)?;
        let positions = self.positions.ranges(prompt)?;
        let Some(first_pos) = positions.iter().map(|range| range.start).min() else {
            return Err(AnalysisError::Zero { what: "the number of tokens" });
        };
        // This checks the prompt before anything runs.
        Asked::new(model, prompt)?;
        objective(prompt, self.metric)?;
        let sites: SiteSet = layers.iter().map(|&layer| Site::MlpPost(layer)).collect();
        self.replacement.with_donors(lab, &sites, |donors, lab| {
            let extent = Extent { layers: &layers, positions: &positions, first_pos };
            estimate_and_ablate(lab, self, &extent, donors)
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Sizes { config, prompt, .. } = *sizes;
        let layers = self.chosen_layers(config.n_layers).unwrap_or_default();
        let n_top = self.n_top.min(layers.len() * config.d_mlp);
        let sites: SiteSet = layers.into_iter().map(Site::MlpPost).collect();
        let donors = if self.replacement == Replacement::Zero { 0 } else { sizes.kept(&sites, 1) };
        let ranges = self.positions.ranges(prompt).unwrap_or_default();
        let sweep = SweepSize {
            n_conditions: n_top as u64,
            n_interventions: ranges.len(),
            n_bases: 1,
            n_abreast: n_top,
            first_pos: first_of(&ranges),
            begin_at: sites.clone(),
        };
        let estimated = sizes.there_and_back(&sites, &Backward::sites(config), &sites);
        donors + estimated + sizes.sweep(&sweep)
    }

    fn has_other_prompts(&self) -> bool {
        self.replacement != Replacement::Zero
    }
}

/// The layers and positions whose neurons are estimated.
struct Extent<'a> {
    layers: &'a [usize],
    positions: &'a [Range<usize>],

    /// The first position.
    first_pos: usize,
}

fn estimate_and_ablate(
    lab: &Lab<'_>,
    spec: &Spec,
    extent: &Extent<'_>,
    donors: &Donors,
) -> Result<NeuronAblation, AnalysisError> {
    let &Lab { model, prompt, ctx } = lab;
    let Extent { layers, positions, first_pos } = *extent;
    let (n_layers, d_mlp) = (model.config.n_layers, model.config.d_mlp);
    let asked = Asked::new(model, prompt)?;
    let objective = objective(prompt, spec.metric)?;
    let sites: SiteSet = layers.iter().map(|&layer| Site::MlpPost(layer)).collect();
    let n_steps = 2 * n_layers;
    let mut passes = Passes::new(lab, &asked, objective, first_pos, n_steps, spec.n_top);
    let clean = passes.clean(&sites, Way::ForthAndBack)?;
    let gradients = passes.back(&clean.run, &sites)?;

    let activations = |layer: usize| at(positions, 0, clean.run.cache.get(Site::MlpPost(layer)));
    let replacements = |layer: usize| {
        let donor = spec.replacement.donor().and_then(|donor| donors.get(&donor));
        match donor {
            Some(run) => at(positions, 0, run.get(Site::MlpPost(layer))),
            None => activations(layer).zeros_like(),
        }
    };
    let estimates = layers.iter().map(|&layer| {
        let gradient = at(positions, first_pos, gradients.get(Site::MlpPost(layer)));
        ((replacements(layer) - activations(layer)) * gradient).sum_dim(0)
    });
    // All layers are copied back at once.
    let estimates = Tensor::cat(estimates.collect(), 1).into_data();
    let per_unit = slope(&clean.measured, spec.metric);
    let estimates: Vec<f32> = estimates.iter::<f32>().map(|it| it * per_unit).collect();

    let chosen = largest_by_size(&estimates, spec.n_top);
    let mut neurons: Vec<Neuron> = chosen
        .iter()
        .map(|&nth| Neuron {
            layer: layers[nth / d_mlp],
            index: nth % d_mlp,
            activations: Vec::new(),
            replacements: Vec::new(),
            estimate: estimates[nth],
            ablated: None,
        })
        .collect();
    for &layer in layers {
        let mut here: Vec<&mut Neuron> =
            neurons.iter_mut().filter(|neuron| neuron.layer == layer).collect();
        if here.is_empty() {
            continue;
        }
        let indices: Vec<usize> = here.iter().map(|neuron| neuron.index).collect();
        let activations = columns(activations(layer), &indices);
        let replacements = columns(replacements(layer), &indices);
        for (nth, neuron) in here.iter_mut().enumerate() {
            neuron.activations.clone_from(&activations[nth]);
            neuron.replacements.clone_from(&replacements[nth]);
        }
    }

    let conditions = plan(spec, &neurons, positions);
    let mut result = NeuronAblation {
        spec: spec.clone(),
        prompt: prompt.clone(),
        n_neurons: estimates.len(),
        clean: clean.measured,
        neurons,
        agreement: None,
    };
    (ctx.partial)(AnalysisResult::NeuronAblation(result.clone()));
    let filled = |found: &[Option<Measurement>]| {
        let mut result = result.clone();
        for (neuron, found) in result.neurons.iter_mut().zip(found) {
            neuron.ablated = *found;
        }
        result
    };
    let found = passes.sweep_the_rest(&conditions, clean.reference, donors, &mut |so_far| {
        (ctx.partial)(AnalysisResult::NeuronAblation(filled(so_far)));
    })?;
    let found: Vec<Option<Measurement>> = found.into_iter().map(Some).collect();
    result = filled(&found);
    let pairs = result
        .neurons
        .iter()
        .filter_map(|neuron| Some((neuron.estimate, result.change(neuron, spec.metric)?)));
    result.agreement = Some(Correlation::of_pairs(pairs));
    Ok(result)
}

/// The conditions that ablate each neuron alone, in order.
pub fn plan(spec: &Spec, neurons: &[Neuron], positions: &[Range<usize>]) -> Vec<Condition> {
    let without = |neuron: &Neuron| {
        let replaced = positions.iter().map(|range| {
            let (site, at) = (Site::MlpPost(neuron.layer), Span::Only(range.clone()));
            Intervention::at(site, at, spec.replacement.edit(range))
                .of_units(Span::one(neuron.index))
        });
        replaced.collect()
    };
    neurons.iter().map(without).collect()
}

/// The activation of one row at some positions. `first_pos` is the position that it begins with.
/// `[1, pos, 1, width]` to `[pos, width]`
fn at(positions: &[Range<usize>], first_pos: usize, x: &Tensor<4>) -> Tensor<2> {
    let [_, _, _, width] = x.dims();
    let here = positions.iter().map(|range| {
        let here = x.clone().narrow(1, range.start - first_pos, range.len());
        here.reshape([range.len(), width])
    });
    Tensor::cat(here.collect(), 0)
}

/// The numbers of some columns. `[pos, width]` to `[column, pos]`
fn columns(x: Tensor<2>, indices: &[usize]) -> Vec<Vec<f32>> {
    let [n_rows, _] = x.dims();
    let ids: Vec<i32> = indices.iter().map(|&index| index as i32).collect();
    let ids = TensorData::new(ids, [indices.len()]);
    let ids = Tensor::<1, Int>::from_data(ids, &x.device());
    let values = x.select(1, ids).transpose().into_data();
    let values: Vec<f32> = values.iter::<f32>().collect();
    values.chunks(n_rows).map(<[f32]>::to_vec).collect()
}
