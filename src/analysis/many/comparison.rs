//! A fact beside its inverse: is the same knowledge recalled in the same place both ways?
//!
//! Both are asked, both are mapped, and the maps are laid over each other: tokens by their role, as
//! Meng et al. 2022 pool them in figure 2, layers by their depth. First of all comes recall: a model
//! that learnt "A is B" need not know "B is A" (Berglund et al. 2024), and then the map of the
//! inverse is that of an answer the model does not give. It is made all the same, and said.
//!
//! Two maps are always somewhat alike, for every network has early and late layers. So the overlap
//! of heads is tested against chance twice: heads change places with any other, which asks whether
//! the maps are alike at all, and only within their layer, which asks whether they are alike in
//! more than their depths. Cells of a trace depend on their neighbours, so for them there is no
//! such test.

use serde::{Deserialize, Serialize};

use crate::analysis::causal_trace::{CausalTrace, Direction};
use crate::analysis::logit_attribution::{Component, LogitAttribution, Parts};
use crate::analysis::prediction::Candidate;
use crate::analysis::{
    AnalysisCtx, AnalysisError, Grid, Lab, Measurement, Method, Metric, ablation, causal_trace,
    logit_attribution, prediction,
};
use crate::model::Gpt2;
use crate::task::{Progress, TaskCtx};
use crate::tokens::TokenizedPrompt;

mod likeness;
mod peaks;
mod role;
mod traces;

use likeness::overlap;
pub use likeness::{Likeness, Overlap, PValues};
pub use peaks::{Peak, PeakOf, Peaks};
use peaks::{peaks_by_role, peaks_of_parts};
pub use role::Role;
pub use traces::{TraceDifference, trace_difference};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The fact asked from its answer, or another fact, to be laid beside the prompt.
    pub inverse: TokenizedPrompt,

    /// What that prompt is, where it is another.
    #[serde(default, skip_serializing_if = "Second::is_inverse")]
    pub second: Second,

    /// The first tokens of all right answers, of the fact and of the inverse. Where there are none,
    /// the prompt's answer is the right one.
    pub right: [Vec<u32>; 2],

    /// What is compared.
    pub map: MapSpec,

    /// How many heads are called the most important.
    pub n_top: usize,

    /// How often heads change places at random.
    pub n_permutations: usize,
    pub seed: u64,
}

/// What a fact is laid beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Second {
    #[default]
    Inverse,

    /// Another fact.
    Fact,
}

impl Second {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
    fn is_inverse(&self) -> bool {
        *self == Self::Inverse
    }

    /// What both are called within a sentence.
    pub fn names(self) -> [&'static str; 2] {
        ["fact", self.text()]
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Inverse => "inverse",
            Self::Fact => "other fact",
        }
    }

    /// What both are called by themselves.
    pub fn titles(self) -> [&'static str; 2] {
        match self {
            Self::Inverse => ["Fact", "Inverse"],
            Self::Fact => ["Fact", "Other fact"],
        }
    }
}

/// One of the maps that other analyses make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum MapSpec {
    /// What restoring a cell brings back, or corrupting it takes away. (role, layer)
    Trace { spec: causal_trace::Spec, metric: Metric },

    /// What replacing a part changes. (layer, head), or one column.
    Ablation { spec: ablation::Spec, metric: Metric },

    /// What a head adds to the answer's logit. (layer, head)
    Attribution,
}

/// The first of each pair is the fact's, the second the inverse's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub spec: Spec,
    pub prompts: [TokenizedPrompt; 2],
    pub recall: [Recall; 2],

    /// The rows of a trace's map. Nothing for the others: theirs are layers.
    pub roles: Option<Vec<Role>>,

    /// Nothing where a prompt has no token of that role; else the mean over those it has.
    pub maps: [Grid<Option<f32>>; 2],

    /// Of a trace: by how much the corruption lowers the reading.
    pub total_effects: Option<[f32; 2]>,

    /// The fact's minus the inverse's, where both are.
    pub difference: Grid<Option<f32>>,

    /// Over all cells that both have; of a trace without tokens before the subject, where nothing
    /// can be.
    pub likeness: Likeness,

    /// Of a map of parts.
    pub overlap: Option<Overlap>,
    pub peaks: Vec<Peaks>,
}

/// Whether the model knows the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// What the model says.
    pub top: Candidate,

    /// The likeliest of the right answers, by its first token, and how many tokens are likelier.
    pub right: Candidate,
    pub rank: usize,
}

impl Spec {
    /// That it asks for something, of a prompt that is one.
    pub fn check(&self) -> Result<(), AnalysisError> {
        if self.n_permutations == 0 {
            return Err(AnalysisError::Zero { what: "the number of permutations" });
        }
        if self.n_top == 0 {
            return Err(AnalysisError::Zero { what: "the number of top parts" });
        }
        if let MapSpec::Trace { spec, .. } = &self.map
            && spec.map != causal_trace::Map::Tokens
        {
            return Err(AnalysisError::NotCompared);
        }
        if !self.inverse.is_whole() {
            return Err(AnalysisError::Torn { text: self.inverse.text.clone() });
        }
        Ok(())
    }
}

impl Recall {
    pub fn is_right(&self) -> bool {
        self.rank == 0
    }
}

impl Method for Spec {
    type Found = Comparison;
    const NAME: &'static str = "comparison";
    const VERB: &'static str = "Comparing";

    fn run(&self, lab: &Lab<'_>) -> Result<Comparison, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        self.check()?;
        let prompts = [prompt.clone(), self.inverse.clone()];
        let of = |nth: usize| {
            let prompt = &prompts[nth];
            // Twice the same work; what each has so far is no comparison.
            let report = |it: Progress| {
                (ctx.task.report)(Progress {
                    done: it.done + nth as u64 * it.total,
                    total: 2 * it.total,
                });
            };
            let task = TaskCtx { cancel: ctx.task.cancel.clone(), report: &report };
            let ctx = AnalysisCtx { task, partial: &|_| (), ..*ctx };
            let recall = recalled(model, prompt, &self.right[nth], &ctx)?;
            Ok::<_, AnalysisError>((recall, Found::new(model, prompt, &self.map, &ctx)?))
        };
        let ((recall, found), (of_inverse, inverse)) = (of(0)?, of(1)?);
        Ok(compare(self, prompts.clone(), [recall, of_inverse], &[found, inverse]))
    }

    fn prompt(_: &Comparison) -> Option<&TokenizedPrompt> {
        // The result tells both of its prompts.
        None
    }

    fn check(&self) -> Result<(), AnalysisError> {
        self.check()
    }

    fn measured_prompts(&mut self) -> Vec<&mut TokenizedPrompt> {
        vec![&mut self.inverse]
    }

    fn has_other_prompts(&self) -> bool {
        true
    }
}

fn recalled(
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    right: &[u32],
    ctx: &AnalysisCtx<'_>,
) -> Result<Recall, AnalysisError> {
    let answer = prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?.first();
    let right = if right.is_empty() { &[answer] } else { right };
    crate::analysis::sweep::check_ids(model, &prompt.ids, right.iter().copied())?;
    let all = prediction::Spec { n_top: model.config.d_vocab };
    let top = all.run(&Lab { model, prompt, ctx })?.top;
    let rank = top.iter().position(|it| right.contains(&it.id)).expect("every token has a rank");
    Ok(Recall { top: top[0], right: top[rank], rank })
}

/// What is compared, of one prompt.
struct Found {
    /// The role of each token, and how much is lost in all.
    trace: Option<(Vec<Role>, f32)>,

    /// (layer, token), or (layer, part)
    map: Grid<f32>,
}

impl Found {
    fn new(
        model: &Gpt2,
        prompt: &TokenizedPrompt,
        map: &MapSpec,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Self, AnalysisError> {
        Ok(match map {
            MapSpec::Trace { spec, metric } => {
                Self::of_trace(&spec.run(&Lab { model, prompt, ctx })?, *metric)?
            }
            MapSpec::Ablation { spec, metric } => {
                let found = spec.run(&Lab { model, prompt, ctx })?;
                let clean = found.clean.get(*metric).ok_or(AnalysisError::NoFoil)?;
                let change = |it: &Option<Measurement>| {
                    it.and_then(|it| it.get(*metric)).map_or(f32::NAN, |it| it - clean)
                };
                Self { trace: None, map: found.ablated.map(change) }
            }
            MapSpec::Attribution => {
                let spec = logit_attribution::Spec { by: Parts::Heads };
                let found = spec.run(&Lab { model, prompt, ctx })?;
                Self { trace: None, map: of_heads(&found, model.config.n_heads) }
            }
        })
    }

    fn of_trace(trace: &CausalTrace, metric: Metric) -> Result<Self, AnalysisError> {
        let mean = |runs: &[Measurement]| Measurement::mean(runs, metric);
        let clean = trace.clean.get(metric).ok_or(AnalysisError::NoFoil)?;
        let low = mean(&trace.corrupted).ok_or(AnalysisError::NoFoil)?;
        let unchanged = match trace.spec.direction {
            Direction::Denoise => low,
            Direction::Noise => clean,
        };
        let effect = |runs: &Vec<Measurement>| mean(runs).map_or(f32::NAN, |it| it - unchanged);
        let roles = (0..trace.prompt.n_pos()).map(|pos| Role::of(&trace.prompt, pos)).collect();
        Ok(Self { trace: Some((roles, clean - low)), map: trace.restored.map(effect) })
    }

    /// (role, layer)
    fn by_role(&self, tokens: &[Role], rows: &[Role]) -> Grid<Option<f32>> {
        let n_layers = self.map.n_rows();
        let mut values = Vec::with_capacity(rows.len() * n_layers);
        for role in rows {
            for layer in self.map.rows() {
                let here: Vec<f64> = layer
                    .iter()
                    .zip(tokens)
                    // A trace that is not done yet has cells without a value.
                    .filter(|(value, it)| *it == role && value.is_finite())
                    .map(|(value, _)| f64::from(*value))
                    .collect();
                let n = here.len() as f64;
                values.push((n > 0.0).then(|| (here.iter().sum::<f64>() / n) as f32));
            }
        }
        Grid::new(n_layers, values)
    }
}

/// (layer, head)
fn of_heads(found: &LogitAttribution, n_heads: usize) -> Grid<f32> {
    let heads = found.contributions.iter().filter_map(|it| match it.component {
        Component::Head { .. } => Some(it.logit),
        _ => None,
    });
    Grid::new(n_heads, heads.collect())
}

fn compare(
    spec: &Spec,
    prompts: [TokenizedPrompt; 2],
    recall: [Recall; 2],
    found: &[Found; 2],
) -> Comparison {
    let n_layers = found[0].map.n_rows();
    let Over { roles, maps, total_effects, difference, likeness, pairs: [a, b] } = laid_over(found);
    let n_columns = maps[0].n_columns();
    let overlap = roles.is_none().then(|| overlap(spec, &a, &b, n_columns));
    let peaks = match &roles {
        Some(roles) => peaks_by_role(roles, &maps),
        None => peaks_of_parts(&a, &b, n_layers),
    };
    Comparison {
        spec: spec.clone(),
        prompts,
        recall,
        roles,
        maps,
        total_effects,
        difference,
        likeness,
        overlap,
        peaks,
    }
}

/// Two maps, cell by cell.
struct Over {
    /// As of a [`Comparison`], as are the next ones.
    roles: Option<Vec<Role>>,
    maps: [Grid<Option<f32>>; 2],
    total_effects: Option<[f32; 2]>,
    difference: Grid<Option<f32>>,
    likeness: Likeness,

    /// What the likeness is of.
    pairs: [Vec<f64>; 2],
}

fn laid_over(found: &[Found; 2]) -> Over {
    let traced = found.each_ref().map(|it| it.trace.as_ref());
    let (roles, maps, total_effects) = if let [Some(a), Some(b)] = traced {
        let mut roles = [a.0.as_slice(), b.0.as_slice()].concat();
        roles.sort_unstable();
        roles.dedup();
        let maps = [found[0].by_role(&a.0, &roles), found[1].by_role(&b.0, &roles)];
        (Some(roles), maps, Some([a.1, b.1]))
    } else {
        (None, found.each_ref().map(|it| it.map.map(|value| Some(*value))), None)
    };
    let both = || maps[0].values().iter().zip(maps[1].values()).map(|(a, b)| Some(((*a)?, (*b)?)));
    let difference = both().map(|pair| pair.map(|(a, b)| a - b)).collect();
    let difference = Grid::new(maps[0].n_columns(), difference);
    let n_columns = maps[0].n_columns();
    let can_matter = |cell: usize| match &roles {
        Some(roles) => roles[cell / n_columns].follows_subject(),
        None => true,
    };
    let pairs: Vec<(f32, f32)> =
        both().enumerate().filter_map(|(cell, pair)| pair.filter(|_| can_matter(cell))).collect();
    let pairs = unzipped(&pairs);
    let likeness = Likeness::of(&pairs[0], &pairs[1]);
    Over { roles, maps, total_effects, difference, likeness, pairs }
}

fn unzipped(pairs: &[(f32, f32)]) -> [Vec<f64>; 2] {
    [
        pairs.iter().map(|it| f64::from(it.0)).collect(),
        pairs.iter().map(|it| f64::from(it.1)).collect(),
    ]
}
