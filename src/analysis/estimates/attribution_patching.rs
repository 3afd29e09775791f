//! Attribution patching: estimates a whole causal trace from one gradient.
//!
//! A trace runs the model again for every cell. To first order, restoring an activation `a` changes
//! a metric `M` by `(a_clean − a_corrupted) · dM/da`, so one forward pass of the clean and the
//! corrupted prompts and one backward pass estimate all cells, and all heads, at once.
//!
//! The literature differs in where it takes the gradient: Nanda 2023, "Attribution Patching:
//! Activation Patching At Industrial Scale", at the corrupted run; Kramár et al. 2024, "`AtP*`", at
//! the clean run. The two estimates differ, so every result names its base. Both are given here as
//! what restoring gains; Kramár et al. give what corrupting loses, which has the opposite sign.
//!
//! Three things make an estimate wrong. Patching the cells with the largest estimates
//! ([`Spec::n_verified`]) shows how wrong:
//! - The metric is not linear. A probability near 0 or 1 hardly moves at first, so logarithms and
//!   logits are estimated better.
//! - Attention weights near 0 or 1 have almost no gradient.
//! - In a window that is restored whole, no output reacts to the others at its token. The gradients
//!   of the free run include these reactions, so their sum overestimates wide windows. By default,
//!   what passes from one output through the next is taken off ([`Windows::Held`]), which makes the
//!   estimate the derivative in the direction of restoring.

use serde::{Deserialize, Serialize};

use self::single_effects::{Overlaps, SingleEffects, first_order};
use crate::analysis::causal_trace::{self, CausalTrace, Corrupted, Map};
use crate::analysis::corruption::Drawn;
use crate::analysis::largest::largest_by_size;
use crate::analysis::memory::{SweepSize, floats, in_all_layers};
use crate::analysis::objective::{Passes, Way, objective, slope};
use crate::analysis::sweep::{Asked, row};
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Grid, Lab, Measurement, Method, Metric, PromptOf, Sizes,
    sources,
};
use crate::intervention::{Condition, Donor, Intervention, Site, SiteSet};
use crate::model::{Backward, Donors, Reference, Run};
use crate::tokens::TokenizedPrompt;

mod single_effects;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The trace that is estimated.
    pub trace: causal_trace::Spec,

    /// The run at which the gradient is taken.
    pub base: BasePoint,

    /// The metric that is estimated to first order.
    pub metric: Metric,

    /// How the layers of a window are combined.
    #[serde(default)]
    pub windows: Windows,

    /// How many cells, those with the largest estimated effects, are then patched and measured.
    pub n_verified: usize,
}

impl Spec {
    /// Whether a trace can be estimated: it must restore clean activations in the corrupted run
    /// token by token, and sever nothing.
    pub fn is_of(trace: &causal_trace::Spec) -> bool {
        !trace.is_severed()
            && trace.direction == causal_trace::Direction::Denoise
            && trace.map == Map::Tokens
    }
}

/// The run at which gradients are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BasePoint {
    /// Each corrupted run, from which restoring starts.
    #[default]
    Corrupted,

    /// The clean run, from which corrupting starts.
    Clean,
}

/// How the layers of a window are combined. For windows of one layer both give the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Windows {
    /// The outputs do not react to each other at the restored token.
    #[default]
    Held,

    /// The layers' estimates are summed, which is faster but overestimates.
    Added,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributionPatching {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The standard deviation of the noise, in embedding units. 0 without noise.
    pub noise_std: f64,

    /// What the prompt became in each draw.
    #[serde(default)]
    pub corruptions: Vec<Corrupted>,

    /// The measurement of the clean run.
    pub clean: Measurement,

    /// The measurements of the corrupted runs, one for each draw.
    pub corrupted: Vec<Measurement>,

    /// What restoring each cell is estimated to add to the metric, one number for each draw.
    /// `[layer, position]`
    pub effects: Grid<Vec<f32>>,

    /// What restoring one head's output `z` in one layer is estimated to add to the metric, as a
    /// mean over draws. A grid `[layer, head]` for each position.
    pub heads: Vec<Grid<f32>>,

    /// The cells that were patched, largest estimated effect first.
    pub verified: Vec<Verified>,
}

/// A cell that was patched and measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    pub layer: usize,
    pub pos: usize,

    /// The estimated metric after restoring, as a mean over draws.
    pub estimate: f32,

    /// The measured metric after restoring, as a mean over draws: the cell of the causal trace.
    pub patched: f32,
}

impl AttributionPatching {
    /// A metric's estimates after restoring, as means over draws. `[layer, position]`
    ///
    /// `None` unless the metric was estimated, or is the probability whose logarithm was.
    pub fn scores(&self, metric: Metric) -> Option<Grid<f32>> {
        let read = |corrupted: &Measurement, effect: f32| match (metric, self.spec.metric) {
            (wanted, estimated) if wanted == estimated => Some(corrupted.get(metric)? + effect),
            // A linear estimate may leave the possible range, and no log-probability is above 0.
            (Metric::Prob, Metric::LogProb) => Some((corrupted.log_prob + effect).min(0.0).exp()),
            _ => None,
        };
        let mean = |effects: &Vec<f32>| {
            let readings = self.corrupted.iter().zip(effects);
            let sum: Option<f64> =
                readings.map(|(it, &effect)| read(it, effect).map(f64::from)).sum();
            Some((sum? / effects.len() as f64) as f32)
        };
        let scores: Option<Vec<f32>> = self.effects.values().iter().map(mean).collect();
        Some(Grid::new(self.effects.n_columns(), scores?))
    }

    /// The trace that is estimated, with no cell computed yet.
    pub fn unfilled_trace(&self) -> CausalTrace {
        CausalTrace {
            spec: self.spec.trace.clone(),
            prompt: self.prompt.clone(),
            noise_std: self.noise_std,
            corruptions: self.corruptions.clone(),
            clean: self.clean,
            corrupted: self.corrupted.clone(),
            restored: self.effects.map(|_| Vec::new()),
        }
    }

    fn mean_effect(&self, nth: usize) -> f64 {
        let effects = &self.effects.values()[nth];
        effects.iter().map(|&it| f64::from(it)).sum::<f64>() / effects.len() as f64
    }
}

impl Method for Spec {
    type Found = AttributionPatching;
    const NAME: &'static str = "attribution patching";
    const ABOUT: About = About {
        text: "A causal trace estimated to first order: the change of each activation times the \
               gradient at it, from one backward pass.",
        sources: &[sources::NANDA_2023, sources::KRAMAR_2024],
    };
    const VERB: &'static str = "Estimating";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<AttributionPatching, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        self.check()?;
        if !Self::is_of(&self.trace) {
            return Err(AnalysisError::NotEstimated);
        }
        let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
        let asked = Asked::new(model, prompt)?;
        let objective = objective(prompt, self.metric)?;
        let Drawn { noise_std, edits, shown } = self.trace.draws().draw(lab)?;

        let (n_layers, n_samples) = (model.config.n_layers, self.trace.n_samples);
        let sites: SiteSet = (0..n_layers)
            .flat_map(|layer| [self.trace.component.site(layer), Site::Z(layer)])
            .collect();
        let way_for =
            |run: BasePoint| if run == self.base { Way::ForthAndBack } else { Way::Forth };
        let n_back = match self.base {
            BasePoint::Corrupted => n_samples,
            BasePoint::Clean => 1,
        };
        let overlaps = Overlaps::of(self, n_layers);
        let wanted = &sites | &overlaps.sites(&model.config);
        let n_steps = (1 + n_samples + n_back) * n_layers + n_back * overlaps.n_values();
        let (first_pos, n_verified) = (subject.start, self.n_verified);
        let mut passes = Passes::new(lab, &asked, objective, first_pos, n_steps, n_verified);

        let none = Donors::new();
        let clean = passes.clean(&sites, way_for(BasePoint::Clean))?;
        let back = |passes: &mut Passes<'_>, run: &Run| -> Result<_, AnalysisError> {
            let gradients = passes.back(run, &wanted)?;
            let off = overlaps.through_held(passes, run, &gradients)?;
            Ok((gradients, off))
        };
        let clean_gradients = match self.base {
            BasePoint::Clean => Some(back(&mut passes, &clean.run)?),
            BasePoint::Corrupted => None,
        };

        let mut corrupted = Vec::new();
        let mut effects = SingleEffects {
            first_pos: subject.start,
            n_layers,
            n_heads: model.config.n_heads,
            overlaps: &overlaps,
            draws: Vec::new(),
        };
        let n_rows = passes.n_rows();
        for start in (0..n_samples).step_by(n_rows) {
            let samples = start..(start + n_rows).min(n_samples);
            let conditions: Vec<Condition> =
                edits[samples].iter().map(|edit| vec![edit.clone()]).collect();
            let rows: Vec<_> = conditions.iter().map(|it| row(&asked, it)).collect();
            let run = passes.forward(&rows, &none, &sites, way_for(BasePoint::Corrupted))?;
            let measured = clean.read(&run)?;
            let own_gradients;
            let (gradients, slopes): (_, Vec<f32>) = if let Some(gradients) = &clean_gradients {
                (gradients, vec![slope(&clean.measured, self.metric); measured.len()])
            } else {
                own_gradients = back(&mut passes, &run)?;
                (&own_gradients, measured.iter().map(|it| slope(it, self.metric)).collect())
            };
            let pos = subject.start..prompt.n_pos();
            let found =
                first_order(self, n_layers, &pos, [&clean.run.cache, &run.cache], gradients);
            let draws = found.into_iter().zip(slopes);
            effects
                .draws
                .extend(draws.map(|(draw, slope)| draw.into_iter().map(|it| it * slope).collect()));
            corrupted.extend(measured);
        }

        let mut result = AttributionPatching {
            spec: self.clone(),
            prompt: prompt.clone(),
            noise_std,
            corruptions: shown,
            clean: clean.measured,
            corrupted,
            effects: effects.windows(self, prompt.n_pos()),
            heads: effects.heads(prompt.n_pos()),
            verified: Vec::new(),
        };
        if self.n_verified > 0 {
            (ctx.partial)(AnalysisResult::AttributionPatching(result.clone()));
            let donors = Donors::from([(Donor::Clean, clean.run.cache)]);
            result.verified = verify(&passes, &result, &edits, clean.reference, &donors)?;
        }
        Ok(result)
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Sizes { config, .. } = *sizes;
        let mut sites = in_all_layers(config, Site::Z);
        sites.extend((0..config.n_layers).map(|layer| self.trace.component.site(layer)));
        let overlaps = Overlaps::of(self, config.n_layers);
        let wanted = &sites | &overlaps.sites(config);
        let n_verified = self.n_verified.saturating_mul(self.trace.n_samples);
        let sweep = SweepSize {
            n_conditions: n_verified as u64,
            n_abreast: n_verified,
            ..self.trace.sweep_size(sizes)
        };
        let verified = if self.n_verified > 0 { sizes.sweep(&sweep) } else { 0 };
        let n_values = config.n_layers * (1 + config.n_heads) + overlaps.n_values();
        let effects = floats(sizes.n_pos * n_values * (1 + self.trace.n_samples));
        // One of the two runs goes back, the other is kept beside it.
        let estimated = sizes.there_and_back(&sites, &Backward::sites(config), &wanted);
        (sizes.kept(&sites, 1) + effects + self.trace.draws().memory(sizes))
            .saturating_add(estimated.max(verified))
    }

    fn check(&self) -> Result<(), AnalysisError> {
        self.trace.check()
    }

    fn is_short(&self) -> bool {
        self.n_verified == 0 && self.trace.n_samples <= 16
    }
}

/// Patches and measures the cells with the largest estimated effects.
fn verify(
    passes: &Passes<'_>,
    estimated: &AttributionPatching,
    corruptions: &[Intervention],
    clean: Reference,
    donors: &Donors,
) -> Result<Vec<Verified>, AnalysisError> {
    let AttributionPatching { spec, prompt, .. } = estimated;
    let (n_layers, n_pos) = (passes.lab.model.config.n_layers, prompt.n_pos());
    let Some(scores) = estimated.scores(spec.metric) else { return Ok(Vec::new()) };
    let effects: Vec<f64> = (0..n_layers * n_pos).map(|nth| estimated.mean_effect(nth)).collect();
    let cells = largest_by_size(&effects, spec.n_verified);

    let mut conditions: Vec<Condition> = Vec::new();
    for &nth in &cells {
        for corrupt in corruptions {
            let mut condition = vec![corrupt.clone()];
            condition.extend(spec.trace.restore(nth / n_pos, nth % n_pos, n_layers));
            conditions.push(condition);
        }
    }
    let patched = passes.sweep_the_rest(&conditions, clean, donors, &mut |_| ())?;
    let means = patched.chunks(spec.trace.n_samples);
    Ok(cells
        .into_iter()
        .zip(means)
        .map(|(nth, runs)| Verified {
            layer: nth / n_pos,
            pos: nth % n_pos,
            estimate: scores.values()[nth],
            patched: Measurement::mean(runs, spec.metric).unwrap_or(f32::NAN),
        })
        .collect())
}
