//! Compares the maps of a fact and its inverse, to show whether both are recalled in the same
//! place.
//!
//! Both prompts are asked and mapped, and the maps are compared: tokens by their role, as Meng et
//! al. 2022 pool them in figure 2, and layers by their depth. Recall comes first: a model that
//! learnt "A is B" need not know "B is A" (Berglund et al. 2024). Then the map of the inverse is
//! that of an answer which the model does not give. The map is still made, and the result says so.
//!
//! Two maps are always somewhat alike, because every network has early and late layers. Therefore
//! the overlap of heads is tested against chance twice: once with all heads permuted, which tests
//! whether the maps are alike at all, and once with heads permuted within their layer, which tests
//! whether they are alike beyond their depths. Cells of a trace depend on their neighbours, so
//! there is no such test for them.

use serde::{Deserialize, Serialize};

use crate::analysis::causal_trace::{CausalTrace, Direction};
use crate::analysis::error::{at_least_one, at_most};
use crate::analysis::logit_attribution::{Component, LogitAttribution, Parts};
use crate::analysis::prediction::{Candidate, NextTokens};
use crate::analysis::{
    About, AnalysisCtx, AnalysisError, Correlation, Grid, Lab, Measurement, Method, Metric, Sizes,
    ablation, causal_trace, logit_attribution, sources,
};
use crate::task::Progress;
use crate::tokens::{Answer, TokenizedPrompt};

mod overlap;
mod peaks;
mod role;
mod traces;

use overlap::overlap;
pub use overlap::{Overlap, PValues};
pub use peaks::{Peak, PeakOf, Peaks};
use peaks::{peaks_by_role, peaks_of_parts};
pub use role::Role;
pub use traces::{TraceDifference, trace_difference};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The prompt to compare with: the fact asked from its answer, or another fact.
    pub inverse: TokenizedPrompt,

    /// Which of the two that prompt is.
    #[serde(default, skip_serializing_if = "Second::is_inverse")]
    pub second: Second,

    /// The first tokens of all right answers, of the fact and of the inverse. An empty list stands
    /// for the prompt's own answer.
    pub right: [Vec<u32>; 2],

    /// The answers that the maps are of.
    #[serde(default, skip_serializing_if = "Mapped::is_of_prompts")]
    pub mapped: Mapped,

    /// The maps that are compared.
    pub map: MapSpec,

    /// How many heads count as the most important.
    pub n_top: usize,

    /// How many random permutations of heads are tested.
    pub n_permutations: usize,

    /// The seed of the permutations.
    pub seed: u64,
}

/// The answer that the map of a prompt is of. The default is that of files which do not say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mapped {
    /// The prompt's own answer.
    #[default]
    Prompts,

    /// The right answer whose first token the model finds likeliest, which is what recall is judged by.
    Likeliest,
}

impl Mapped {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    fn is_of_prompts(&self) -> bool {
        *self == Self::Prompts
    }
}

/// What a fact is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Second {
    /// The inverse of the fact, which asks from its answer.
    #[default]
    Inverse,

    /// Another fact.
    Fact,
}

impl Second {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    fn is_inverse(&self) -> bool {
        *self == Self::Inverse
    }

    /// The names of both prompts within a sentence.
    pub fn names(self) -> [&'static str; 2] {
        ["fact", self.text()]
    }

    /// The name of the second prompt within a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::Inverse => "inverse",
            Self::Fact => "other fact",
        }
    }

    /// The names of both prompts as titles.
    pub fn titles(self) -> [&'static str; 2] {
        match self {
            Self::Inverse => ["Fact", "Inverse"],
            Self::Fact => ["Fact", "Other fact"],
        }
    }
}

/// A method whose maps are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum MapSpec {
    /// What restoring each cell brings back, or corrupting it loses. `[role, layer]`
    Trace { spec: causal_trace::Spec, metric: Metric },

    /// The change by ablating each component. `[layer, head]`, or a single column.
    Ablation { spec: ablation::Spec, metric: Metric },

    /// Each head's part of the answer's logit. `[layer, head]`
    Attribution,
}

/// The comparison of two prompts. The first of each pair belongs to the fact, the second to the
/// inverse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub spec: Spec,
    pub prompts: [TokenizedPrompt; 2],

    /// Whether the model knows each answer.
    pub recall: [Recall; 2],

    /// The rows of a trace's map. `None` for other maps, whose rows are layers.
    pub roles: Option<Vec<Role>>,

    /// The maps. A trace's cell is the mean over the tokens of its role, `None` if the prompt has
    /// no such token.
    pub maps: [Grid<Option<f32>>; 2],

    /// The total effects of a trace's corruption. `None` for other maps.
    pub total_effects: Option<[f32; 2]>,

    /// The fact's map minus the inverse's. `None` where one of them is.
    pub difference: Grid<Option<f32>>,

    /// How alike the maps are over all cells that both have. For a trace, cells before the subject
    /// do not count, because they have no effect.
    pub likeness: Correlation,

    /// Whether the same heads or layers matter. `None` for traces.
    pub overlap: Option<Overlap>,

    /// Where both maps have their largest values.
    pub peaks: Vec<Peaks>,
}

/// Whether the model knows the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// The model's first guess.
    pub top: Candidate,

    /// The first token of the likeliest right answer.
    pub right: Candidate,

    /// The rank of that token, counted from 0, the most likely token.
    pub rank: usize,
}

impl Recall {
    pub fn is_right(&self) -> bool {
        self.rank == 0
    }
}

impl Method for Spec {
    type Found = Comparison;
    const NAME: &'static str = "comparison";
    const ABOUT: About = About {
        text: "The maps of a fact and of its inverse, or of another fact, beside each other: \
               whether both are recalled, and in the same places.",
        sources: &[sources::BERGLUND_2024, sources::MENG_2022],
    };
    const VERB: &'static str = "Comparing";
    const HAS_OTHER_PROMPTS: bool = true;

    fn run(&self, lab: &Lab<'_>) -> Result<Comparison, AnalysisError> {
        let &Lab { prompt, ctx, .. } = lab;
        self.check()?;
        let mut prompts = [prompt.clone(), self.inverse.clone()];
        let mut of = |nth: usize| {
            // Each prompt is half of the work.
            let report = |it: Progress| {
                (ctx.task.report)(Progress {
                    done: it.done + nth as u64 * it.total,
                    total: 2 * it.total,
                });
            };
            let ctx = &ctx.quiet(&report);
            let recall = recalled(&Lab { prompt: &prompts[nth], ctx, ..*lab }, &self.right[nth])?;
            if self.mapped == Mapped::Likeliest {
                ask_for(&mut prompts[nth], recall.right.id, ctx);
            }
            let lab = Lab { prompt: &prompts[nth], ctx, ..*lab };
            Ok::<_, AnalysisError>((recall, PromptMap::new(&lab, &self.map)?))
        };
        let ((recall, found), (of_inverse, inverse)) = (of(0)?, of(1)?);
        Ok(compare(self, prompts, [recall, of_inverse], &[found, inverse]))
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let of = |sizes: Sizes<'_>| match &self.map {
            MapSpec::Trace { spec, .. } => spec.memory(&sizes),
            MapSpec::Ablation { spec, .. } => spec.memory(&sizes),
            MapSpec::Attribution => logit_attribution::Spec { by: Parts::Heads }.memory(&sizes),
        };
        of(*sizes).max(of(Sizes::new(sizes.config, &self.inverse)))
    }

    fn check(&self) -> Result<(), AnalysisError> {
        /// Ten million permutations take minutes already, and tell p-values apart down to a ten-millionth.
        const MOST_PERMUTATIONS: usize = 10_000_000;
        at_least_one("the number of permutations", self.n_permutations)?;
        at_most("the number of permutations", self.n_permutations, MOST_PERMUTATIONS)?;
        at_least_one("the number of top parts", self.n_top)?;
        if let MapSpec::Trace { spec, .. } = &self.map {
            if spec.map != causal_trace::Map::Tokens {
                return Err(AnalysisError::NotOfTokens { done: "compared" });
            }
            spec.check()?;
        }
        if !self.inverse.is_whole() {
            return Err(AnalysisError::Torn { text: self.inverse.text.clone() });
        }
        Ok(())
    }

    fn measured_prompts(&mut self) -> Vec<&mut TokenizedPrompt> {
        vec![&mut self.inverse]
    }
}

/// Measures this token instead of the prompt's own answer, unless that begins with it.
fn ask_for(prompt: &mut TokenizedPrompt, first: u32, ctx: &AnalysisCtx<'_>) {
    if prompt.answer.as_ref().is_some_and(|it| it.first() == first) {
        return;
    }
    let piece = ctx.tokenizer.map_or_else(String::new, |it| it.readable(first));
    prompt.answer = Some(Answer { text: piece.clone(), ids: vec![first], pieces: vec![piece] });
}

fn recalled(lab: &Lab<'_>, right: &[u32]) -> Result<Recall, AnalysisError> {
    let &Lab { model, prompt, .. } = lab;
    let answer = prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?.first();
    let right = if right.is_empty() { &[answer] } else { right };
    crate::analysis::sweep::check_ids(model, &prompt.ids, right.iter().copied())?;
    let next = NextTokens::after(lab)?;
    let right = next.likeliest_of(right.iter().copied()).expect("the ids were just checked");
    Ok(Recall { top: next.top(1)[0], rank: next.rank(right.id), right })
}

/// The map of one prompt.
struct PromptMap {
    /// The role of each token and the total effect, if the map is a trace's.
    trace: Option<(Vec<Role>, f32)>,

    /// `[layer, token]`, `[layer, head]`, or `[layer, 1]`
    map: Grid<f32>,
}

impl PromptMap {
    fn new(lab: &Lab<'_>, map: &MapSpec) -> Result<Self, AnalysisError> {
        Ok(match map {
            MapSpec::Trace { spec, metric } => Self::of_trace(&spec.run(lab)?, *metric)?,
            MapSpec::Ablation { spec, metric } => {
                let found = spec.run(lab)?;
                let clean = found.clean.get(*metric).ok_or(AnalysisError::NoFoil)?;
                let change = |it: &Option<Measurement>| {
                    it.and_then(|it| it.get(*metric)).map_or(f32::NAN, |it| effect(it, clean))
                };
                Self { trace: None, map: found.ablated.map(change) }
            }
            MapSpec::Attribution => {
                let spec = logit_attribution::Spec { by: Parts::Heads };
                let found = spec.run(lab)?;
                Self { trace: None, map: of_heads(&found, lab.model.config.n_heads) }
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
        let of_cell =
            |runs: &Vec<Measurement>| mean(runs).map_or(f32::NAN, |it| effect(it, unchanged));
        let roles = (0..trace.prompt.n_pos()).map(|pos| Role::of(&trace.prompt, pos)).collect();
        Ok(Self { trace: Some((roles, clean - low)), map: trace.restored.map(of_cell) })
    }

    /// The means over tokens of the same role. `[role, layer]`
    fn by_role(&self, tokens: &[Role], rows: &[Role]) -> Grid<Option<f32>> {
        let n_layers = self.map.n_rows();
        let mut values = Vec::with_capacity(rows.len() * n_layers);
        for role in rows {
            for layer in self.map.rows() {
                let here: Vec<f64> = layer
                    .iter()
                    .zip(tokens)
                    // An unfinished trace has cells without a value.
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

/// The share of a score that rounding may take: of the 24 bits of a number, the sums of a run lose some
/// six.
const ROUNDING: f32 = 1.0 / (1 << 18) as f32;

/// The change of a score. What may come from rounding is zero, so that cells without an effect rank
/// alike, however they are computed.
fn effect(score: f32, unchanged: f32) -> f32 {
    let change = score - unchanged;
    let is_rounding = change.abs() <= ROUNDING * score.abs().max(unchanged.abs());
    if is_rounding { 0.0 } else { change }
}

/// Each head's part of the logit. `[layer, head]`
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
    found: &[PromptMap; 2],
) -> Comparison {
    let n_layers = found[0].map.n_rows();
    let Overlay { roles, maps, total_effects, difference, likeness, pairs: [a, b] } =
        overlay(found);
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

/// Two maps, compared cell by cell. The fields are those of a [`Comparison`].
struct Overlay {
    roles: Option<Vec<Role>>,
    maps: [Grid<Option<f32>>; 2],
    total_effects: Option<[f32; 2]>,
    difference: Grid<Option<f32>>,
    likeness: Correlation,

    /// The values whose likeness is computed.
    pairs: [Vec<f64>; 2],
}

fn overlay(found: &[PromptMap; 2]) -> Overlay {
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
    let likeness = Correlation::of(&pairs[0], &pairs[1]);
    Overlay { roles, maps, total_effects, difference, likeness, pairs }
}

fn unzipped(pairs: &[(f32, f32)]) -> [Vec<f64>; 2] {
    [
        pairs.iter().map(|it| f64::from(it.0)).collect(),
        pairs.iter().map(|it| f64::from(it.1)).collect(),
    ]
}
