//! Ablation: what does the answer lose without one head, one MLP, one layer?
//!
//! The output of one part is replaced, and the model runs on: by zeros, by its mean over other
//! prompts, or by what it is in one other prompt (*resampling*). The first asks the most of the
//! layers that follow, for they never saw a part that is silent; the last asks the least.
//!
//! Olsson et al. 2022 and Wang et al. 2022 for heads; Chan et al. 2022, "Causal scrubbing", for
//! resampling. Agrees with TransformerLens' hooks on `hook_z`, `hook_attn_out` and `hook_mlp_out`;
//! a head that is silent still leaves `b_O`, which belongs to no head.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::sweep::{Asked, sweep};
use crate::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, Grid, Lab, Measurement, Method, Metric, Positions,
    donors,
};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
use crate::model::{Donors, Gpt2};
use crate::task::{Progress, TaskCtx};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub part: Part,

    /// Where it is replaced.
    pub positions: Positions,

    pub replacement: Replacement,
}

/// What is replaced, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Each head's output before `W_O`.
    Heads,

    /// What a layer's attention adds to the residual stream, `b_O` included.
    Attn,

    /// What a layer's MLP adds to it.
    Mlp,

    /// Both of a layer.
    Layers,
}

/// What is put in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Replacement {
    Zero,

    /// Its mean over other prompts, given as token ids. Position 0 gets the mean over their first
    /// tokens, where attention rests; any other the mean over all their later ones.
    Mean {
        prompts: Arc<[Vec<u32>]>,
    },

    /// What it is at the same position of another prompt of as many tokens.
    Resample {
        ids: Arc<[u32]>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,
    pub clean: Measurement,

    /// Without that part; nothing where not computed yet. (layer, head), or one column where a part
    /// is a whole layer's.
    pub ablated: Grid<Option<Measurement>>,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Heads, Self::Attn, Self::Mlp, Self::Layers];

    /// The heads column by column, or one column.
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

/// Of half the way.
const STEPS: u64 = 1 << 20;

impl Replacement {
    /// The run that is copied from, if it is one.
    pub(in crate::analysis) fn donor(&self) -> Option<Donor> {
        match self {
            Self::Zero => None,
            Self::Mean { .. } => Some(Donor::Mean),
            Self::Resample { .. } => Some(Donor::Counterpart),
        }
    }

    /// What is done at some positions.
    pub(in crate::analysis) fn edit(&self, positions: &Range<usize>) -> Edit {
        let positions = Span::Only(positions.clone());
        self.donor().map_or(Edit::Zero, |donor| Edit::CopyFrom { donor, positions })
    }

    /// Runs what is copied from, and then what copies it. A mean takes a while, and is half the way.
    pub(in crate::analysis) fn with_donors<T>(
        &self,
        model: &Gpt2,
        prompt: &TokenizedPrompt,
        sites: &SiteSet,
        ctx: &AnalysisCtx<'_>,
        then: impl FnOnce(&Donors, &AnalysisCtx<'_>) -> Result<T, AnalysisError>,
    ) -> Result<T, AnalysisError> {
        let n_pos = prompt.n_pos();
        match self {
            Self::Zero => then(&Donors::new(), ctx),
            Self::Mean { prompts } => {
                // Halves have steps of their own sizes.
                let half = |before: u64| {
                    move |Progress { done, total }| {
                        let done = (before * STEPS) + done * STEPS / total.max(1);
                        (ctx.task.report)(Progress { done, total: 2 * STEPS });
                    }
                };
                let (first, second) = (half(0), half(1));
                let of_half = |report| {
                    let task = TaskCtx { cancel: ctx.task.cancel.clone(), report };
                    AnalysisCtx { task, ..*ctx }
                };
                let mean = donors::mean(model, prompts, n_pos, sites, &of_half(&first))?;
                then(&Donors::from([(Donor::Mean, mean)]), &of_half(&second))
            }
            Self::Resample { ids } => {
                if ids.len() != n_pos {
                    return Err(AnalysisError::OtherLength { n_pos, n_other: ids.len() });
                }
                let other = donors::other(model, ids, sites, ctx)?;
                then(&Donors::from([(Donor::Counterpart, other)]), ctx)
            }
        }
    }
}

impl Ablation {
    /// What replacing a part adds to a reading: negative where the part speaks for the answer.
    pub fn change(&self, layer: usize, column: usize, metric: Metric) -> Option<f32> {
        let ablated = self.ablated.get(layer, column)?.as_ref()?.get(metric)?;
        Some(ablated - self.clean.get(metric)?)
    }
}

impl Method for Spec {
    type Found = Ablation;
    const NAME: &'static str = "ablation";
    const VERB: &'static str = "Ablating";

    fn run(&self, lab: &Lab<'_>) -> Result<Ablation, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let positions = self.positions.ranges(prompt)?;
        // Also checks the prompt, before anything is run.
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
        };
        let found = self.replacement.with_donors(model, prompt, &sites, ctx, |donors, ctx| {
            sweep(model, prompt, &conditions, donors, ctx, &mut |so_far| {
                if let [Some(clean), ablated @ ..] = so_far {
                    (ctx.partial)(AnalysisResult::Ablation(result(*clean, ablated)));
                }
            })
        })?;
        let ablated: Vec<_> = found[1..].iter().copied().map(Some).collect();
        Ok(result(found[0], &ablated))
    }

    fn prompt(found: &Ablation) -> Option<&TokenizedPrompt> {
        Some(&found.prompt)
    }

    fn has_other_prompts(&self) -> bool {
        self.replacement != Replacement::Zero
    }
}

/// The clean run, then every part, layer by layer.
pub fn plan(
    spec: &Spec,
    positions: &[Range<usize>],
    n_layers: usize,
    n_heads: usize,
) -> Vec<Condition> {
    let mut conditions = vec![Vec::new()];
    for layer in 0..n_layers {
        for column in 0..spec.part.n_columns(n_heads) {
            let heads = match spec.part {
                Part::Heads => Span::one(column),
                Part::Attn | Part::Mlp | Part::Layers => Span::All,
            };
            let replaced = spec
                .part
                .sites(layer)
                .into_iter()
                .flat_map(|site| positions.iter().map(move |range| (site, range)));
            let condition = replaced.map(|(site, range)| {
                Intervention::at(site, Span::Only(range.clone()), spec.replacement.edit(range))
                    .of_heads(heads.clone())
            });
            conditions.push(condition.collect());
        }
    }
    conditions
}
