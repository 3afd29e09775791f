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

use std::ops::Range;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::analysis::causal_trace::{self, CausalTrace, Component, Corrupted, Map};
use crate::analysis::corruption::Drawn;
use crate::analysis::largest::largest_by_size;
use crate::analysis::objective::{Passes, objective, slope};
use crate::analysis::sweep::{Asked, row, step_when_done};
use crate::analysis::{
    AnalysisError, AnalysisResult, Grid, Lab, Measurement, Method, Metric, PromptOf,
};
use crate::intervention::{Condition, Donor, Intervention, Site, SiteSet};
use crate::model::{ActivationCache, Backward, Donors, Dropped, Held, HeldOutput, Reference, Run};
use crate::tokens::TokenizedPrompt;

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
    const VERB: &'static str = "Estimating";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<AttributionPatching, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        self.trace.check()?;
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
        let capture_for = |is_base: bool| {
            let more = if is_base { Backward::sites(n_layers) } else { SiteSet::new() };
            &sites | &more
        };
        let n_back = match self.base {
            BasePoint::Corrupted => n_samples,
            BasePoint::Clean => 1,
        };
        let overlaps = Overlaps::of(self, n_layers);
        let wanted = &sites | &overlaps.sites(n_layers);
        let n_steps = (1 + n_samples + n_back) * n_layers + n_back * overlaps.n_values();
        let (first_pos, n_verified) = (subject.start, self.n_verified);
        let mut passes = Passes::new(lab, &asked, objective, first_pos, n_steps, n_verified);

        let none = Donors::new();
        let capture = capture_for(self.base == BasePoint::Clean);
        let clean = passes.clean(&capture)?;
        let back = |passes: &mut Passes<'_>, run: &Run| -> Result<_, AnalysisError> {
            let gradients = passes.back(run, &wanted, Dropped::NoLayer)?;
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
        let capture = capture_for(self.base == BasePoint::Corrupted);
        let n_rows = passes.n_rows();
        for start in (0..n_samples).step_by(n_rows) {
            let samples = start..(start + n_rows).min(n_samples);
            let conditions: Vec<Condition> =
                edits[samples].iter().map(|edit| vec![edit.clone()]).collect();
            let rows: Vec<_> = conditions.iter().map(|it| row(&asked, it)).collect();
            let run = passes.forward(&rows, &none, &capture)?;
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

    fn is_short(&self) -> bool {
        self.n_verified == 0 && self.trace.n_samples <= 16
    }
}

/// The windows whose outputs are held together, by where they end.
struct Overlaps {
    output: HeldOutput,

    /// The layers of the widest window of each end. A window of one layer is left out, since it
    /// holds nothing together.
    ends: Vec<Range<usize>>,
}

impl Overlaps {
    fn of(spec: &Spec, n_layers: usize) -> Self {
        let mut ends: Vec<Range<usize>> = Vec::new();
        let output = match spec.trace.component {
            Component::Mlp => HeldOutput::Mlp,
            Component::Attn | Component::Hidden => HeldOutput::Attn,
        };
        let windows = (0..n_layers).map(|layer| spec.trace.layers(layer, n_layers));
        for window in windows.filter(|it| spec.windows == Windows::Held && it.len() > 1) {
            match ends.iter_mut().find(|it| it.end == window.end) {
                Some(there) => there.start = there.start.min(window.start),
                None => ends.push(window),
            }
        }
        Self { output, ends }
    }

    /// The sites whose gradients are needed as well.
    fn sites(&self, n_layers: usize) -> SiteSet {
        let both = |layer| [Site::ResidMid(layer), Site::ResidPost(layer)];
        let n_layers = if self.ends.is_empty() { 0 } else { n_layers };
        (0..n_layers).flat_map(both).collect()
    }

    /// How many corrections there are: one for each layer but the last of each window.
    fn n_values(&self) -> usize {
        self.ends.iter().map(|layers| layers.len() - 1).sum()
    }

    /// The index of the correction at `layer` in the windows that end at `end`. `None` if there is
    /// none.
    fn at(&self, end: usize, layer: usize) -> Option<usize> {
        let mut before = 0;
        for layers in &self.ends {
            if layers.end == end {
                // Corrections go from the last layer but one down.
                return (layer + 1 < end).then(|| before + end - 2 - layer);
            }
            before += layers.len() - 1;
        }
        None
    }

    /// The corrections: the part of the gradient at each output that passes through later held
    /// outputs, with the output's layer. `[batch, pos, d_model]` each
    fn through_held(
        &self,
        passes: &mut Passes<'_>,
        run: &Run,
        gradients: &ActivationCache,
    ) -> Result<Vec<(usize, Tensor<3>)>, AnalysisError> {
        let [n_rows, _, _] = run.logits.dims();
        let n_tokens = n_rows * passes.asked.ids.len();
        let lab = passes.lab;
        let mut off = Vec::new();
        for layers in &self.ends {
            let (first_pos, output) = (passes.first_pos, self.output);
            let held = Held { run, gradients, first_pos, output, layers: layers.clone() };
            let found = lab.model.through_held(&held);
            step_when_done(&lab, &mut passes.progress, (found.len() * n_tokens) as u64)?;
            off.extend((0..layers.end - 1).rev().zip(found));
        }
        Ok(off)
    }
}

/// The estimated effects of restoring the output of one layer at a time, and of one head at a time.
struct SingleEffects<'a> {
    /// The first position with effects. Earlier ones are clean already.
    first_pos: usize,
    n_layers: usize,
    n_heads: usize,
    overlaps: &'a Overlaps,

    /// The effects in each draw: for each position and layer that of the component and then that of
    /// each head, and after the layers the corrections of windows.
    draws: Vec<Vec<f32>>,
}

impl SingleEffects<'_> {
    fn component(&self, draw: &[f32], layer: usize, pos: usize) -> f32 {
        self.get(draw, layer * (1 + self.n_heads), pos)
    }

    /// A head's effect, as a mean over draws.
    fn head(&self, layer: usize, pos: usize, head: usize) -> f32 {
        let nth = layer * (1 + self.n_heads) + 1 + head;
        let of_draw = |draw: &Vec<f32>| f64::from(self.get(draw, nth, pos));
        (self.draws.iter().map(of_draw).sum::<f64>() / self.draws.len() as f64) as f32
    }

    /// The part of a layer's effect that passes through later layers of a window that ends at
    /// `end`.
    fn taken_off(&self, draw: &[f32], end: usize, layer: usize, pos: usize) -> f32 {
        let n_before = self.n_layers * (1 + self.n_heads);
        self.overlaps.at(end, layer).map_or(0.0, |nth| self.get(draw, n_before + nth, pos))
    }

    fn get(&self, draw: &[f32], nth: usize, pos: usize) -> f32 {
        let Some(pos) = pos.checked_sub(self.first_pos) else { return 0.0 };
        let n_values = self.n_layers * (1 + self.n_heads) + self.overlaps.n_values();
        draw[pos * n_values + nth]
    }

    /// The effects of each cell's window. `[layer, position]`
    fn windows(&self, spec: &Spec, n_pos: usize) -> Grid<Vec<f32>> {
        let cell = |layer: usize, pos: usize| {
            let sum = |draw: &Vec<f32>| {
                let layers = spec.trace.layers(layer, self.n_layers);
                let end = layers.end;
                let effects = layers.map(|it| {
                    let free = f64::from(self.component(draw, it, pos));
                    free - f64::from(self.taken_off(draw, end, it, pos))
                });
                effects.sum::<f64>() as f32
            };
            self.draws.iter().map(sum).collect()
        };
        let cells = (0..self.n_layers).flat_map(|layer| (0..n_pos).map(move |pos| (layer, pos)));
        Grid::new(n_pos, cells.map(|(layer, pos)| cell(layer, pos)).collect())
    }

    /// The effects of heads, as a grid `[layer, head]` for each position.
    fn heads(&self, n_pos: usize) -> Vec<Grid<f32>> {
        let of_pos = |pos: usize| {
            let heads = |layer: usize| (0..self.n_heads).map(move |head| (layer, head));
            let cells = (0..self.n_layers).flat_map(heads);
            Grid::new(
                self.n_heads,
                cells.map(|(layer, head)| self.head(layer, pos, head)).collect(),
            )
        };
        (0..n_pos).map(of_pos).collect()
    }
}

/// The products `(clean − corrupted) · gradient` for each row of the corrupted run, in the order of
/// [`SingleEffects::draws`]. The clean run has one row; the gradients have one row or as many as
/// the corrupted run.
fn first_order(
    spec: &Spec,
    n_layers: usize,
    pos: &Range<usize>,
    [clean, corrupted]: [&ActivationCache; 2],
    (gradients, off): &(ActivationCache, Vec<(usize, Tensor<3>)>),
) -> Vec<Vec<f32>> {
    let along = |site: Site, gradient: Tensor<4>| {
        let here =
            |cache: &ActivationCache| cache.get(site).clone().narrow(1, pos.start, pos.len());
        let products = (here(clean) - here(corrupted)) * gradient.narrow(1, 0, pos.len());
        let [batch, n_pos, n_heads, _] = products.dims();
        products.sum_dim(3).reshape([batch, n_pos, n_heads])
    };
    let at = |site: Site| along(site, gradients.get(site).clone());
    let mut parts: Vec<Tensor<3>> = (0..n_layers)
        .flat_map(|layer| [at(spec.trace.component.site(layer)), at(Site::Z(layer))])
        .collect();
    parts.extend(off.iter().map(|(layer, off)| {
        let [batch, n_pos, d_model] = off.dims();
        let off = off.clone().reshape([batch, n_pos, 1, d_model]);
        along(spec.trace.component.site(*layer), off)
    }));
    // All are copied back at once.
    let all = Tensor::cat(parts, 2);
    let [_, n_pos, n_values] = all.dims();
    let values: Vec<f32> = all.into_data().iter::<f32>().collect();
    values.chunks(n_pos * n_values).map(<[f32]>::to_vec).collect()
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
