//! Direct logit attribution of a change: splits the difference of the answer's logit between two
//! runs, by component, by head or by neuron.
//!
//! Both runs are split along one direction, that of the clean or of the corrupted run, which holds
//! that run's final layer norm scale fixed. The rest of the difference comes from the change of
//! that scale, and is shown as such.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::logit_split::{SplitTokens, at_end};
use crate::analysis::causal_trace::NoiseLevel;
use crate::analysis::corruption::{Corruption, Drawn, Draws};
use crate::analysis::largest::largest_by_size;
use crate::analysis::logit_attribution::{Component, Contribution, Parts, contributions, sites};
use crate::analysis::neuron_attribution::{self, Written};
use crate::analysis::sweep::check_ids;
use crate::analysis::{About, AnalysisError, Grid, Lab, Method, PromptOf, Sizes, donors, sources};
use crate::intervention::{Condition, NoiseRng, Site, SiteSet};
use crate::model::{ActivationCache, BatchRow, LogitDirection, Transformer};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The components that the difference is split into.
    pub by: Parts,

    /// The run that the clean run is compared with.
    pub second: SecondRun,

    /// The run whose final layer norm scale is used for both.
    pub scale_of: ScaleOf,

    /// How many of the largest neurons are listed, each MLP's part being split into those of its neurons.
    /// `None` splits no MLP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_top: Option<usize>,
}

/// The run that the clean run is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecondRun {
    /// Another prompt of any length, compared at the last positions.
    Prompt { ids: Arc<[u32]> },

    /// Noise on the subject's embeddings, as a causal trace adds it. Several draws are averaged.
    Noise { level: NoiseLevel, rng: NoiseRng, seed: u32, n_samples: usize },

    /// The subject is corrupted in any way of a causal trace, such as by other subjects. Several draws
    /// are averaged, each under its own scale or the clean one.
    Subject(Draws),
}

impl SecondRun {
    /// How the subject is corrupted. `None` for another prompt.
    pub fn draws(&self) -> Option<Draws> {
        match self {
            Self::Prompt { .. } => None,
            Self::Noise { level, rng, seed, n_samples } => Some(Draws {
                corruption: Corruption::default(),
                noise: level.clone(),
                rng: *rng,
                seed: *seed,
                n_samples: *n_samples,
            }),
            Self::Subject(draws) => Some(draws.clone()),
        }
    }
}

/// The run whose final layer norm scale is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScaleOf {
    #[default]
    Clean,
    Corrupted,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributionDifference {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The standard deviation of the noise, in embedding units, if there was noise.
    pub noise_std: Option<f64>,

    /// Each component's part in the clean run minus that in the corrupted run, as a mean over
    /// draws.
    pub differences: Vec<Contribution>,

    /// Each neuron's part in the clean run minus that in the corrupted run, as a mean over draws; those of
    /// a layer and the change of its output's bias add up to that of its MLP. `None` unless MLPs are
    /// split. `[layer, neuron]`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neurons: Option<Grid<f32>>,

    /// What the change of the final layer norm's scale adds to the difference.
    pub scale_change: f32,

    /// The clean run's logit of the answer minus the foil's, or without a foil minus the mean over
    /// the vocabulary.
    pub clean_logit: f32,

    /// The corrupted run's logit of the same token, as a mean over draws.
    pub corrupted_logit: f32,
}

impl AttributionDifference {
    /// The sum of all parts and the change of the scale, which equals the difference of the logits
    /// up to rounding.
    pub fn sum(&self) -> f32 {
        let parts: f64 = self.differences.iter().map(|it| f64::from(it.logit)).sum();
        (parts + f64::from(self.scale_change)) as f32
    }

    /// The neurons with the largest absolute differences, as many as are asked for, largest first: layer,
    /// index in the layer, and difference.
    pub fn largest_neurons(&self) -> Vec<(usize, usize, f32)> {
        let Some(neurons) = &self.neurons else { return Vec::new() };
        let largest = largest_by_size(neurons.values(), self.spec.n_top.unwrap_or(0));
        let of = |nth: usize| {
            let (layer, index) = (nth / neurons.n_columns(), nth % neurons.n_columns());
            (layer, index, neurons.values()[nth])
        };
        largest.into_iter().map(of).collect()
    }

    pub fn logit_difference(&self) -> f32 {
        (f64::from(self.clean_logit) - f64::from(self.corrupted_logit)) as f32
    }
}

impl Method for Spec {
    type Found = AttributionDifference;
    const NAME: &'static str = "attribution difference";
    const ABOUT: About = About {
        text: "The difference of the answer's logit between two runs is split by part of the \
               model, along the direction of one of them.",
        sources: &[sources::ELHAGE_2021],
    };
    const VERB: &'static str = "Attributing";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<AttributionDifference, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        self.check()?;
        let asked = SplitTokens::new(model, prompt)?;
        let Corrupted { ids: other, conditions, noise_std } = corrupted(lab, &self.second)?;
        check_ids(model, &other, [].into_iter())?;
        let mut sites = sites(self.by, model.config.n_layers);
        if self.n_top.is_some() {
            sites.extend((0..model.config.n_layers).flat_map(neuron_attribution::sites));
        }
        let resid = Site::ResidPost(model.config.n_layers - 1);

        let clean = donors::run(model, &[BatchRow::new(&prompt.ids, &[])], &sites, 1, ctx)?;
        let of_clean = asked.direction(model, &clean.cache);
        let mut sums: Vec<(Component, f64)> = Vec::new();
        let mut neurons: Vec<f64> = Vec::new();
        let (mut scale_change, mut corrupted_logit) = (0.0, 0.0);
        for condition in &conditions {
            let run = donors::run(model, &[BatchRow::new(&other, condition)], &sites, 1, ctx)?;
            let of_corrupted = asked.direction(model, &run.cache);
            // `a·x - b·y` equals `a·(x - y) + (a - b)·y`, and also `b·(x - y) + (a - b)·x`.
            let (direction, rest) = match self.scale_of {
                ScaleOf::Clean => (&of_clean, at_end(&run.cache, resid)),
                ScaleOf::Corrupted => (&of_corrupted, at_end(&clean.cache, resid)),
            };
            let turned = (of_clean.weights.clone() - of_corrupted.weights.clone()) * rest;
            scale_change += f64::from(turned.sum().into_scalar::<f32>());
            corrupted_logit += f64::from(asked.logit(model, &run));
            if self.n_top.is_some() {
                let n_pos = [prompt.ids.len(), other.len()];
                let more = of_neurons(model, [&clean.cache, &run.cache], n_pos, direction);
                neurons.resize(more.len(), 0.0);
                neurons.iter_mut().zip(more).for_each(|(sum, it)| *sum += it);
            }
            let of = |cache| contributions(model, cache, self.by, direction, ctx);
            let pairs = of(&clean.cache)?.into_iter().zip(of(&run.cache)?);
            let differences =
                pairs.map(|(a, b)| (a.component, f64::from(a.logit) - f64::from(b.logit)));
            if sums.is_empty() {
                sums = differences.collect();
            } else {
                sums.iter_mut().zip(differences).for_each(|(sum, (_, more))| sum.1 += more);
            }
        }
        let n = conditions.len() as f64;
        let mean = |(component, sum)| Contribution { component, logit: (sum / n) as f32 };
        Ok(AttributionDifference {
            spec: self.clone(),
            prompt: prompt.clone(),
            noise_std,
            differences: sums.into_iter().map(mean).collect(),
            neurons: self.n_top.map(|_| {
                let means = neurons.iter().map(|sum| (sum / n) as f32).collect();
                Grid::new(neurons.len() / model.config.n_layers, means)
            }),
            scale_change: (scale_change / n) as f32,
            clean_logit: asked.logit(model, &clean),
            corrupted_logit: (corrupted_logit / n) as f32,
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let mut sites = sites(self.by, sizes.config.n_layers);
        if self.n_top.is_some() {
            sites.extend((0..sizes.config.n_layers).flat_map(neuron_attribution::sites));
        }
        let second = match &self.second {
            SecondRun::Prompt { ids } => sizes.with_n_pos(ids.len()),
            SecondRun::Noise { .. } | SecondRun::Subject(_) => *sizes,
        };
        let draws = self.second.draws().map_or(0, |it| it.memory(sizes));
        sizes.kept(&sites, 1) + second.kept(&sites, 1) + sizes.pass(&SiteSet::new()) + draws
    }

    fn check(&self) -> Result<(), AnalysisError> {
        self.second.draws().map_or(Ok(()), |it| it.check())
    }

    fn has_other_prompts(&self) -> bool {
        matches!(self.second, SecondRun::Prompt { .. })
    }
}

/// What each neuron writes along a direction in the first run minus what it writes in the second, one layer
/// after the other. `n_pos`: how many positions each has.
fn of_neurons(
    model: &Transformer,
    runs: [&ActivationCache; 2],
    n_pos: [usize; 2],
    direction: &LogitDirection,
) -> Vec<f64> {
    let mut all = Vec::new();
    for layer in 0..model.config.n_layers {
        let [clean, corrupted] = [0, 1].map(|nth| {
            let last = n_pos[nth] - 1;
            let Written { activations, per_unit, .. } =
                neuron_attribution::written(model, runs[nth], layer, last, direction);
            activations.into_iter().zip(per_unit).map(|(a, b)| f64::from(a) * f64::from(b))
        });
        all.extend(clean.zip(corrupted).map(|(clean, corrupted)| clean - corrupted));
    }
    all
}

/// The second prompt, and the condition of each of its runs.
struct Corrupted {
    ids: Vec<u32>,
    conditions: Vec<Condition>,
    noise_std: Option<f64>,
}

fn corrupted(lab: &Lab<'_>, second: &SecondRun) -> Result<Corrupted, AnalysisError> {
    let Some(draws) = second.draws() else {
        let SecondRun::Prompt { ids } = second else { return Err(AnalysisError::NoSubject) };
        if ids.is_empty() {
            let what = "the number of tokens of the other prompt";
            return Err(AnalysisError::Zero { what });
        }
        return Ok(Corrupted { ids: ids.to_vec(), conditions: vec![Vec::new()], noise_std: None });
    };
    let Drawn { noise_std, edits, .. } = draws.draw(lab)?;
    Ok(Corrupted {
        ids: lab.prompt.ids.clone(),
        conditions: edits.into_iter().map(|edit| vec![edit]).collect(),
        noise_std: draws.corruption.has_noise().then_some(noise_std),
    })
}
