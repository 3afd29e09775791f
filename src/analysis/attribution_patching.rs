//! Attribution patching: a causal trace estimated from one gradient.
//!
//! A trace runs the model anew for every cell. To first order, what restoring an activation `a`
//! changes in a reading `M` is `(a_clean − a_corrupted) · dM/da`, so one forward pass of the clean
//! and the corrupted prompts and one backward pass estimate all cells, and all heads, at once.
//!
//! Where the gradient is taken is a choice on which the literature differs: Nanda 2023,
//! "Attribution Patching: Activation Patching At Industrial Scale", takes it at the corrupted run,
//! Kramár et al. 2024, "`AtP*`", at the clean one. Estimates from the two differ, so every result says
//! which it is. Both are written here as what restoring gains; Kramár's is the loss that corrupting
//! brings, of the other sign.
//!
//! Three things make an estimate wrong, and patching the largest for real ([`Spec::n_verified`])
//! tells how wrong:
//! - The reading bends. A probability near 0 or 1 hardly moves at first, so logarithms and logits
//!   are estimated better.
//! - Attention that is sure of its choice has nearly no gradient.
//! - The outputs of a window are added up one by one, although in a window that is restored whole
//!   nothing flows from one through the next, so wide windows are overestimated.

use std::ops::Range;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::causal_trace::{self, CausalTrace, Corrupted, Map};
use super::corruption::Drawn;
use super::sweep::{Asked, row, step, sweep_beside};
use super::{AnalysisCtx, AnalysisError, AnalysisResult, Grid, Measurement, Metric};
use crate::intervention::{Condition, Donor, Intervention, Site, SiteSet};
use crate::model::{ActivationCache, Backward, Donors, Gpt2, Objective, Reference, Request, Run};
use crate::task::{Progress, TaskCtx};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The trace that is estimated.
    pub trace: causal_trace::Spec,

    /// Where the gradient is taken.
    pub base: BasePoint,

    /// What is estimated to first order.
    pub metric: Metric,

    /// How many cells, those with the largest estimated effects, are patched for real.
    pub n_verified: usize,
}

impl Spec {
    /// Whether a trace can be estimated: clean activations put into the corrupted run token by token,
    /// with all else free to react.
    pub fn is_of(trace: &causal_trace::Spec) -> bool {
        trace.sever.is_none()
            && trace.direction == causal_trace::Direction::Denoise
            && trace.map == Map::Tokens
    }

    /// Whether it takes no longer than a few forward passes.
    pub fn is_short(&self) -> bool {
        self.n_verified == 0 && self.trace.n_samples <= 16
    }
}

/// The run whose gradient is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BasePoint {
    /// Each corrupted run: where restoring starts from.
    #[default]
    Corrupted,

    /// The clean run: where corrupting starts from.
    Clean,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributionPatching {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// As in a [`CausalTrace`].
    pub noise_std: f64,

    /// As in a [`CausalTrace`].
    #[serde(default)]
    pub corruptions: Vec<Corrupted>,

    pub clean: Measurement,

    /// With nothing restored, one per noise draw. Measured, not estimated.
    pub corrupted: Vec<Measurement>,

    /// How much restoring each cell is estimated to add to the metric, one per noise draw.
    /// (layer, position)
    pub effects: Grid<Vec<f32>>,

    /// The same for one head's output `z` in one layer, mean over noise draws; one grid for each
    /// position. (layer, head)
    pub heads: Vec<Grid<f32>>,

    /// Largest estimated effect first.
    pub verified: Vec<Verified>,
}

/// A cell that was patched for real.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    pub layer: usize,
    pub pos: usize,

    /// The metric after restoring, mean over noise draws, as estimated.
    pub estimate: f32,

    /// The same as measured: the cell of the causal trace.
    pub patched: f32,
}

/// Tokens that go forward and back together. GPT-2-large keeps 1.7 MB of each for the way back, ten
/// times as much as where nothing goes back.
const TOKENS_PER_BATCH: usize = 256;

impl AttributionPatching {
    /// The estimated reading after restoring, mean over noise draws. (layer, position)
    ///
    /// Of the metric that was estimated; and of the probability, if that was its logarithm. Nothing
    /// of others.
    pub fn scores(&self, metric: Metric) -> Option<Grid<f32>> {
        let read = |corrupted: &Measurement, effect: f32| match (metric, self.spec.metric) {
            (wanted, estimated) if wanted == estimated => Some(corrupted.get(metric)? + effect),
            // A straight line leaves the scale of what can be; no logarithm is above 0.
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

    /// The trace that is estimated, before its first cell.
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

pub fn attribution_patching(
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    spec: &Spec,
    ctx: &AnalysisCtx<'_>,
) -> Result<AttributionPatching, AnalysisError> {
    spec.trace.check()?;
    if !Spec::is_of(&spec.trace) {
        return Err(AnalysisError::NotEstimated);
    }
    let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
    let asked = Asked::new(model, prompt)?;
    let tokens = Tokens::of(prompt, spec.metric)?;
    let Drawn { noise_std, edits, shown } = spec.trace.draw(model, prompt, ctx)?;

    let (n_layers, n_samples) = (model.config.n_layers, spec.trace.n_samples);
    let sites: SiteSet = (0..n_layers)
        .flat_map(|layer| [spec.trace.component.site(layer), Site::Z(layer)])
        .collect();
    let for_way_back = |is_base: bool| {
        let more = if is_base { Backward::sites(n_layers) } else { SiteSet::new() };
        sites.union(&more).copied().collect::<SiteSet>()
    };
    let n_back = match spec.base {
        BasePoint::Corrupted => n_samples,
        BasePoint::Clean => 1,
    };
    let estimating = ((1 + n_samples + n_back) * asked.ids.len() * n_layers) as u64;
    let verifying = if spec.n_verified > 0 { estimating } else { 0 };
    let mut passes = Passes {
        model,
        ctx,
        asked: &asked,
        sites: &sites,
        objective: tokens.objective(),
        first_pos: subject.start,
        progress: Progress { done: 0, total: estimating + verifying },
    };

    let clean = passes.forward(&[vec![]], &for_way_back(spec.base == BasePoint::Clean))?;
    let reference = Reference::of(&clean.logits);
    let read = |run: &Run| Measurement::read(model, &run.logits, prompt, Some(&reference));
    let clean_measured = read(&clean)?[0];
    let clean_gradients = match spec.base {
        BasePoint::Clean => Some(passes.back(&clean)?),
        BasePoint::Corrupted => None,
    };

    let mut corrupted = Vec::new();
    let mut effects = SingleEffects {
        first_pos: subject.start,
        n_layers,
        n_heads: model.config.n_heads,
        draws: Vec::new(),
    };
    let capture = for_way_back(spec.base == BasePoint::Corrupted);
    let n_rows = (TOKENS_PER_BATCH / asked.ids.len()).clamp(1, model.max_rows.max(1));
    for start in (0..n_samples).step_by(n_rows) {
        let samples = start..(start + n_rows).min(n_samples);
        let conditions: Vec<Condition> =
            edits[samples].iter().map(|edit| vec![edit.clone()]).collect();
        let run = passes.forward(&conditions, &capture)?;
        let measured = read(&run)?;
        let own_gradients;
        let (gradients, slopes): (_, Vec<f32>) = if let Some(gradients) = &clean_gradients {
            (gradients, vec![slope(&clean_measured, spec.metric); measured.len()])
        } else {
            own_gradients = passes.back(&run)?;
            (&own_gradients, measured.iter().map(|it| slope(it, spec.metric)).collect())
        };
        let pos = subject.start..prompt.n_pos();
        let found = first_order(spec, n_layers, &pos, &clean.cache, &run.cache, gradients);
        for (mut draw, slope) in found.into_iter().zip(slopes) {
            for effect in &mut draw {
                *effect *= slope;
            }
            effects.draws.push(draw);
        }
        corrupted.extend(measured);
    }

    let mut result = AttributionPatching {
        spec: spec.clone(),
        prompt: prompt.clone(),
        noise_std,
        corruptions: shown,
        clean: clean_measured,
        corrupted,
        effects: effects.windows(spec, prompt.n_pos()),
        heads: effects.heads(prompt.n_pos()),
        verified: Vec::new(),
    };
    if spec.n_verified > 0 {
        (ctx.partial)(AnalysisResult::AttributionPatching(result.clone()));
        let donors = Donors::from([(Donor::Clean, clean.cache)]);
        let progress = passes.progress;
        result.verified = verify(model, &result, &edits, reference, &donors, ctx, progress)?;
    }
    Ok(result)
}

/// The tokens that a metric is about.
struct Tokens<'a> {
    answer: &'a [u32],
    foil: Option<u32>,
    is_logit: bool,
}

impl<'a> Tokens<'a> {
    fn of(prompt: &'a TokenizedPrompt, metric: Metric) -> Result<Self, AnalysisError> {
        let answer = &prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?.ids;
        let foil = prompt.foil.as_ref().map(|foil| foil.first());
        Ok(match metric {
            Metric::Prob | Metric::LogProb => {
                Self { answer: &answer[..1], foil: None, is_logit: false }
            }
            Metric::AnswerProb => Self { answer, foil: None, is_logit: false },
            Metric::Logit => Self { answer: &answer[..1], foil: None, is_logit: true },
            Metric::LogitDiff => {
                let foil = foil.ok_or(AnalysisError::NoFoil)?;
                Self { answer: &answer[..1], foil: Some(foil), is_logit: true }
            }
            Metric::Rank | Metric::Kl => return Err(AnalysisError::NoSlope(metric)),
        })
    }

    fn objective(&self) -> Objective<'a> {
        if self.is_logit {
            Objective::Logit { token: self.answer[0], less: self.foil }
        } else {
            Objective::LogProb { tokens: self.answer }
        }
    }
}

/// A metric's slope in its objective: probabilities are estimated through their logarithms.
fn slope(at: &Measurement, metric: Metric) -> f32 {
    match metric {
        Metric::Prob | Metric::AnswerProb => at.get(metric).unwrap_or(f32::NAN),
        Metric::LogProb | Metric::Logit | Metric::LogitDiff => 1.0,
        Metric::Rank | Metric::Kl => f32::NAN,
    }
}

/// The passes of one estimate, and how far they are.
struct Passes<'a> {
    model: &'a Gpt2,
    ctx: &'a AnalysisCtx<'a>,
    asked: &'a Asked,

    /// Where activations are compared.
    sites: &'a SiteSet,
    objective: Objective<'a>,
    first_pos: usize,

    /// In tokens times layers, as in [`sweep`].
    progress: Progress,
}

impl Passes<'_> {
    fn forward(
        &mut self,
        conditions: &[Condition],
        capture: &SiteSet,
    ) -> Result<Run, AnalysisError> {
        let rows: Vec<_> = conditions.iter().map(|it| row(self.asked, it)).collect();
        let request = Request {
            rows: &rows,
            donors: &Donors::new(),
            capture,
            past: None,
            n_read: self.asked.n_read,
        };
        let cost = (rows.len() * self.asked.ids.len()) as u64;
        let (model, ctx, progress) = (self.model, self.ctx, &mut self.progress);
        Ok(model.run(&request, &mut |_| {
            // A queue that runs ahead could not be stopped.
            model.wait();
            step(ctx, progress, cost)
        })?)
    }

    fn back(&mut self, run: &Run) -> Result<ActivationCache, AnalysisError> {
        let [batch, _, _] = run.logits.dims();
        let cost = (batch * self.asked.ids.len()) as u64;
        let (model, ctx, progress) = (self.model, self.ctx, &mut self.progress);
        let end = progress.done + cost * model.config.n_layers as u64;
        let request = Backward {
            run,
            objective: self.objective,
            first_pos: self.first_pos,
            wanted: self.sites,
        };
        let gradients = model.backward(&request, &mut |_| {
            // A queue that runs ahead could not be stopped.
            model.wait();
            step(ctx, progress, cost)
        })?;
        // The way back may end before the first layer.
        progress.done = end;
        self.ctx.task.checkpoint(self.progress)?;
        Ok(gradients)
    }
}

/// Estimated effects of restoring the output of one layer at a time, and of one head at a time.
struct SingleEffects {
    /// What comes before is clean already.
    first_pos: usize,
    n_layers: usize,
    n_heads: usize,

    /// For each noise draw: position by position, layer by layer, the component's effect and then
    /// each head's.
    draws: Vec<Vec<f32>>,
}

impl SingleEffects {
    fn component(&self, draw: &[f32], layer: usize, pos: usize) -> f32 {
        self.get(draw, layer, pos, 0)
    }

    /// Mean over noise draws.
    fn head(&self, layer: usize, pos: usize, head: usize) -> f32 {
        let of_draw = |draw: &Vec<f32>| f64::from(self.get(draw, layer, pos, 1 + head));
        (self.draws.iter().map(of_draw).sum::<f64>() / self.draws.len() as f64) as f32
    }

    fn get(&self, draw: &[f32], layer: usize, pos: usize, part: usize) -> f32 {
        let Some(pos) = pos.checked_sub(self.first_pos) else { return 0.0 };
        draw[(pos * self.n_layers + layer) * (1 + self.n_heads) + part]
    }

    /// Added up over each cell's window. (layer, position)
    fn windows(&self, spec: &Spec, n_pos: usize) -> Grid<Vec<f32>> {
        let cell = |layer: usize, pos: usize| {
            let sum = |draw: &Vec<f32>| {
                let layers = spec.trace.layers(layer, self.n_layers);
                let effects = layers.map(|it| f64::from(self.component(draw, it, pos)));
                effects.sum::<f64>() as f32
            };
            self.draws.iter().map(sum).collect()
        };
        let cells = (0..self.n_layers).flat_map(|layer| (0..n_pos).map(move |pos| (layer, pos)));
        Grid::new(n_pos, cells.map(|(layer, pos)| cell(layer, pos)).collect())
    }

    /// One grid for each position. (layer, head)
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

/// `(clean − corrupted) · gradient`, for each row of `corrupted`, in the order of
/// [`SingleEffects::draws`]. Clean activations have one row, gradients one or as many.
fn first_order(
    spec: &Spec,
    n_layers: usize,
    pos: &Range<usize>,
    clean: &ActivationCache,
    corrupted: &ActivationCache,
    gradients: &ActivationCache,
) -> Vec<Vec<f32>> {
    let at = |site: Site| {
        let here =
            |cache: &ActivationCache| cache.get(site).clone().narrow(1, pos.start, pos.len());
        let gradient = gradients.get(site).clone().narrow(1, 0, pos.len());
        let products = (here(clean) - here(corrupted)) * gradient;
        let [batch, n_pos, n_heads, _] = products.dims();
        products.sum_dim(3).reshape([batch, n_pos, n_heads])
    };
    let parts: Vec<Tensor<3>> = (0..n_layers)
        .flat_map(|layer| [at(spec.trace.component.site(layer)), at(Site::Z(layer))])
        .collect();
    // One readback for all of them.
    let all = Tensor::cat(parts, 2);
    let [_, n_pos, n_values] = all.dims();
    let values: Vec<f32> = all.into_data().iter::<f32>().collect();
    values.chunks(n_pos * n_values).map(<[f32]>::to_vec).collect()
}

/// Patches the cells with the largest estimated effects for real.
fn verify(
    model: &Gpt2,
    estimated: &AttributionPatching,
    corruptions: &[Intervention],
    clean: Reference,
    donors: &Donors,
    ctx: &AnalysisCtx<'_>,
    progress: Progress,
) -> Result<Vec<Verified>, AnalysisError> {
    let AttributionPatching { spec, prompt, .. } = estimated;
    let (n_layers, n_pos) = (model.config.n_layers, prompt.n_pos());
    let Some(scores) = estimated.scores(spec.metric) else { return Ok(Vec::new()) };
    let mut cells: Vec<usize> = (0..n_layers * n_pos).collect();
    let size = |nth: usize| estimated.mean_effect(nth).abs();
    cells.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    cells.truncate(spec.n_verified);

    let mut conditions: Vec<Condition> = Vec::new();
    for &nth in &cells {
        for corrupt in corruptions {
            let mut condition = vec![corrupt.clone()];
            condition.extend(spec.trace.restore(nth / n_pos, nth % n_pos, n_layers));
            conditions.push(condition);
        }
    }
    // The second half of the way, whatever the sweep's own steps are.
    let half = progress.total - progress.done;
    let report = |it: Progress| {
        let done = progress.done + (f64::from(it.fraction()) * half as f64) as u64;
        (ctx.task.report)(Progress { done, total: progress.total });
    };
    let ctx = AnalysisCtx {
        task: TaskCtx { cancel: ctx.task.cancel.clone(), report: &report },
        partial: &|_| (),
        reuse: ctx.reuse,
        tokenizer: ctx.tokenizer,
    };
    let patched = sweep_beside(Some(clean), model, prompt, &conditions, donors, &ctx, &mut |_| ())?;
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
