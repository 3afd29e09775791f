//! Ablation: measures the answer without one head, one MLP or one layer.
//!
//! The output of one component is replaced by zeros, by its mean over other prompts, or by its
//! output in one other prompt (*resampling*), and the rest of the model reacts. Zeros disturb the
//! later layers most, because they never saw a component that is silent; resampling disturbs them
//! least.
//!
//! Olsson et al. 2022 and Wang et al. 2022 ablate heads; Chan et al. 2022, "Causal scrubbing",
//! resample. The numbers agree with TransformerLens' hooks on `hook_z`, `hook_attn_out` and
//! `hook_mlp_out`. A head that is silent still leaves `b_O`, which belongs to no head.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::memory::{SweepSize, first_of};
use crate::analysis::sweep::{Asked, sweep_map};
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Grid, Lab, Measurement, Method, Metric, Positions,
    PromptOf, Sizes, donors, sources,
};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
use crate::model::Donors;
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

pub use together::{Lost, Together, WithoutMost};

mod together;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The components that are ablated, one at a time.
    pub part: Part,

    /// The positions at which their outputs are replaced.
    pub positions: Positions,

    /// What the outputs are replaced by.
    pub replacement: Replacement,

    /// Which of them are ablated all at once afterwards, and where that is measured. `None` ablates only
    /// one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

/// The components that are ablated, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Each head's output before `W_O`.
    Heads,

    /// The output of each layer's attention, `b_O` included.
    Attn,

    /// The output of each layer's MLP.
    Mlp,

    /// The outputs of each layer's attention and MLP together.
    Layers,
}

/// What outputs are replaced by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Replacement {
    /// Zeros.
    Zero,

    /// The mean over other prompts, given as token ids. Position 0 gets the mean over their first
    /// tokens, which are attention sinks; every other position gets the mean over all their later
    /// tokens.
    Mean { prompts: Arc<[Vec<u32>]> },

    /// The output at the same position of another prompt with as many tokens.
    Resample { ids: Arc<[u32]> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,
    /// The measurement of the clean run.
    pub clean: Measurement,

    /// The measurement without each component. `None` where it is not computed yet.
    /// `[layer, head]`, or a single column if there is one component for each layer.
    pub ablated: Grid<Option<Measurement>>,

    /// What is lost without the components that matter most. `None` unless it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<WithoutMost>,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Heads, Self::Attn, Self::Mlp, Self::Layers];

    /// How many components each layer has.
    fn n_columns(self, n_heads: usize) -> usize {
        match self {
            Self::Heads => n_heads,
            Self::Attn | Self::Mlp | Self::Layers => 1,
        }
    }

    fn sites(self, layer: usize) -> Vec<Site> {
        match self {
            Self::Heads => vec![Site::Z(layer)],
            Self::Attn => vec![Site::AttnOut(layer)],
            Self::Mlp => vec![Site::MlpOut(layer)],
            Self::Layers => vec![Site::AttnOut(layer), Site::MlpOut(layer)],
        }
    }
}

/// How many steps of progress each half of an ablation has.
const STEPS: u64 = 1 << 20;

impl Replacement {
    /// The run that the replacement is copied from. `None` for zeros.
    pub(in crate::analysis) fn donor(&self) -> Option<Donor> {
        match self {
            Self::Zero => None,
            Self::Mean { .. } => Some(Donor::Mean),
            Self::Resample { .. } => Some(Donor::Counterpart),
        }
    }

    /// The edit that replaces an output at some positions.
    pub(in crate::analysis) fn edit(&self, positions: &Range<usize>) -> Edit {
        let positions = Span::Only(positions.clone());
        self.donor().map_or(Edit::Zero, |donor| Edit::CopyFrom { donor, positions })
    }

    /// Runs the donors, and then calls `then` with them. For a mean, running the donors counts as
    /// half of the progress.
    pub(in crate::analysis) fn with_donors<T>(
        &self,
        lab: &Lab<'_>,
        sites: &SiteSet,
        then: impl FnOnce(&Donors, &Lab<'_>) -> Result<T, AnalysisError>,
    ) -> Result<T, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let n_pos = prompt.n_pos();
        match self {
            Self::Zero => then(&Donors::new(), lab),
            Self::Mean { prompts } => {
                // Each half has its own number of steps.
                let half = |before: u64| {
                    move |Progress { done, total }| {
                        let done = (before * STEPS) + done * STEPS / total.max(1);
                        (ctx.task.report)(Progress { done, total: 2 * STEPS });
                    }
                };
                let (first, second) = (half(0), half(1));
                let mean = donors::mean(model, prompts, n_pos, sites, &ctx.reporting(&first))?;
                let lab = Lab { ctx: &ctx.reporting(&second), ..*lab };
                then(&Donors::from([(Donor::Mean, mean)]), &lab)
            }
            Self::Resample { ids } => {
                if ids.len() != n_pos {
                    return Err(AnalysisError::OtherLength { n_pos, n_other: ids.len() });
                }
                let other = donors::other(model, ids, sites, ctx)?;
                then(&Donors::from([(Donor::Counterpart, other)]), lab)
            }
        }
    }
}

impl Ablation {
    /// The change of a metric by ablating a component. A negative change means that the component
    /// supports the answer.
    pub fn change(&self, layer: usize, column: usize, metric: Metric) -> Option<f32> {
        let ablated = self.ablated.get(layer, column)?.as_ref()?.get(metric)?;
        Some(ablated - self.clean.get(metric)?)
    }
}

impl Ablation {
    /// The components without which the answer's log-probability falls most, the largest fall first:
    /// layer and column.
    fn most(&self, n: usize) -> Vec<[usize; 2]> {
        let n_columns = self.ablated.n_columns();
        let places = (0..self.ablated.n_rows())
            .flat_map(|layer| (0..n_columns).map(move |column| [layer, column]));
        let change = |[layer, column]: [usize; 2]| self.change(layer, column, Metric::LogProb);
        let mut found: Vec<([usize; 2], f32)> =
            places.filter_map(|it| Some((it, change(it)?))).collect();
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
        found.into_iter().take(n).map(|it| it.0).collect()
    }
}

impl Method for Spec {
    type Found = Ablation;
    const NAME: &'static str = "ablation";
    const ABOUT: About = About {
        text: "One head, MLP or layer at a time is replaced by zeros, by its mean over other \
               prompts or by what it is in another prompt, and the answer is measured without \
               it.",
        sources: &[sources::OLSSON_2022, sources::WANG_2022],
    };
    const VERB: &'static str = "Ablating";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<Ablation, AnalysisError> {
        let &Lab { model, prompt, .. } = lab;
        let positions = self.positions.ranges(prompt)?;
        // This checks the prompt before anything runs.
        Asked::new(model, prompt)?;
        let (n_layers, n_heads) = (model.config.n_layers, model.config.n_heads);
        let sites: SiteSet = (0..n_layers).flat_map(|layer| self.part.sites(layer)).collect();
        let n_columns = self.part.n_columns(n_heads);
        let conditions = plan(self, &positions, n_layers, n_heads);
        let result = |clean: Measurement, ablated: &[Option<Measurement>]| Ablation {
            spec: self.clone(),
            prompt: prompt.clone(),
            clean,
            ablated: Grid::new(n_columns, ablated.to_vec()),
            together: None,
        };
        let found = self.replacement.with_donors(lab, &sites, |donors, lab| {
            sweep_map(lab, &conditions, donors, result, AnalysisResult::Ablation)
        })?;
        let Some(together) = &self.together else { return Ok(found) };
        let most = found.most(together.n);
        let together = together::run(self, together, &most, &sites, lab)?;
        Ok(Ablation { together: Some(together), ..found })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Sizes { config, prompt, .. } = *sizes;
        let sites: SiteSet = (0..config.n_layers).flat_map(|it| self.part.sites(it)).collect();
        let donors = if self.replacement == Replacement::Zero { 0 } else { sizes.kept(&sites, 1) };
        let n_abreast = config.n_layers * self.part.n_columns(config.n_heads);
        let ranges = self.positions.ranges(prompt).unwrap_or_default();
        let sweep = SweepSize {
            n_conditions: n_abreast as u64,
            n_interventions: ranges.len(),
            n_bases: 1,
            n_abreast,
            first_pos: first_of(&ranges),
            begin_at: sites,
        };
        let swept = sizes.sweep(&sweep);
        let together = self.together.as_ref().map_or(0, |it| {
            let n_conditions = 2 + it.n_random as u64;
            let n_parts = it.n.min(n_abreast);
            let n_interventions = n_parts * ranges.len().max(1);
            let begin_at = SiteSet::new();
            let drawn = SweepSize { n_conditions, n_interventions, begin_at, ..sweep };
            drawn.conditions() + Sizes::measured(n_conditions * it.asked.len() as u64)
        });
        donors + swept + together
    }

    fn check(&self) -> Result<(), AnalysisError> {
        self.together.as_ref().map_or(Ok(()), Together::check)
    }

    fn has_other_prompts(&self) -> bool {
        self.replacement != Replacement::Zero || self.together.is_some()
    }
}

/// The conditions: the clean run, then every component, layer by layer.
pub fn plan(
    spec: &Spec,
    positions: &[Range<usize>],
    n_layers: usize,
    n_heads: usize,
) -> Vec<Condition> {
    let mut conditions = vec![Vec::new()];
    for layer in 0..n_layers {
        for column in 0..spec.part.n_columns(n_heads) {
            conditions.push(without(spec, positions, [layer, column]));
        }
    }
    conditions
}

/// The condition without one component, by its layer and column.
fn without(spec: &Spec, positions: &[Range<usize>], [layer, column]: [usize; 2]) -> Condition {
    let heads = match spec.part {
        Part::Heads => Span::one(column),
        Part::Attn | Part::Mlp | Part::Layers => Span::All,
    };
    let sites = spec.part.sites(layer).into_iter();
    let replaced = sites.flat_map(|site| positions.iter().map(move |range| (site, range)));
    let condition = replaced.map(|(site, range)| {
        Intervention::at(site, Span::Only(range.clone()), spec.replacement.edit(range))
            .of_heads(heads.clone())
    });
    condition.collect()
}
