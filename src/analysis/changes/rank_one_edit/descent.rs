//! Finds the value that a rank-one edit writes, by gradient steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Context, Spec};
use crate::analysis::error::countable;
use crate::analysis::sweep::batches;
use crate::analysis::{AnalysisCtx, AnalysisError, donors};
use crate::intervention::{Site, SiteSet, Span};
use crate::model::{
    Backward, BatchRow, Donors, Dropped, ModelConfig, Objective, Request, Run, Transformer,
    ask_tokens,
};
use crate::task::{Cancelled, Progress};

/// The settings of the gradient steps that find the value. The default is ROME's for GPT-2-large.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descent {
    /// How often the loss is computed. There is one step less, because the last loss only ends the
    /// search, as in ROME.
    pub n_steps: usize,

    /// The learning rate of Adam (Kingma & Ba 2015).
    pub learning_rate: f64,

    /// The weight of the added vector's norm, divided by the square of the value's norm, in the
    /// loss.
    pub weight_decay: f64,

    /// The largest norm of the added vector, as a multiple of the value's norm.
    pub clamp: f64,

    /// The weight of the divergence at the essence text in the loss.
    pub kl_factor: f64,

    /// The loss below which the search ends.
    pub enough: f64,
}

/// The loss and its parts before a step of the search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The sum of `nll`, `kl` and `weight_decay`.
    pub loss: f64,

    /// The mean negative log-probability of the new answer's tokens, in nats.
    pub nll: f64,

    /// The divergence at the essence text, weighted.
    pub kl: f64,

    /// The weighted size of the added vector.
    pub weight_decay: f64,

    /// The geometric mean probability of the new answer's tokens, averaged over texts. 0 to 1
    pub prob: f64,

    /// The norm of the vector that is added to the value.
    pub delta_norm: f64,
}

impl Default for Descent {
    fn default() -> Self {
        Self {
            n_steps: 20,
            learning_rate: 0.5,
            weight_decay: 0.5,
            clamp: 4.0,
            kl_factor: 0.0625,
            enough: 0.05,
        }
    }
}

impl Descent {
    /// Refuses settings with which no steps can be made.
    pub(super) fn check(&self) -> Result<(), AnalysisError> {
        let Self { n_steps, learning_rate, weight_decay, clamp, kl_factor, enough } = *self;
        countable("the number of steps", n_steps)?;
        let at_least_zero = [
            ("the weight decay", weight_decay),
            ("the weight of the divergence", kl_factor),
            ("the loss that is enough", enough),
        ];
        for (what, value) in at_least_zero {
            if !(value.is_finite() && value >= 0.0) {
                return Err(AnalysisError::OutOfBounds { what, bounds: "a number from 0 on" });
            }
        }
        for (what, value) in [("the learning rate", learning_rate), ("the clamp", clamp)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(AnalysisError::OutOfBounds { what, bounds: "a number above 0" });
            }
        }
        Ok(())
    }
}

/// The steps of the search, and the vector that is added to the value, `[d_model]`, so that the
/// model says the new answer.
pub(super) fn descend(
    model: &Transformer,
    spec: &Spec,
    value_norm: f64,
    ctx: &AnalysisCtx<'_>,
    on_step: &mut dyn FnMut(&[Step]),
) -> Result<(Vec<Step>, Vec<f64>), AnalysisError> {
    let Descent { n_steps, learning_rate, weight_decay, clamp, kl_factor, enough } = spec.descent;
    // Texts go through the model together if they have the same length and position of the subject.
    let mut groups: BTreeMap<(usize, usize), Vec<Vec<u32>>> = BTreeMap::new();
    for context in &spec.contexts {
        let ids = spec.continued(context);
        groups.entry((ids.len(), context.subject_last)).or_default().push(ids);
    }
    let site = model.config.mlp_mapped(spec.layer);
    let mut adam = Adam::new(model.config.d_model, learning_rate);
    let mut delta = vec![0.0; model.config.d_model];
    let mut as_before: Option<Vec<f32>> = None;
    let mut steps = Vec::new();
    for step in 0..n_steps {
        ctx.task.checkpoint(Progress { done: step as u64, total: n_steps as u64 })?;
        let added: Vec<f32> = delta.iter().map(|it| *it as f32).collect();
        let mut gradient = vec![0.0; delta.len()];
        let mut add = |weight: f64, found: &[f32]| {
            for (sum, it) in gradient.iter_mut().zip(found) {
                *sum += weight * f64::from(*it);
            }
        };

        let share = 1.0 / (spec.contexts.len() * spec.target.ids.len()) as f64;
        let (mut nll, mut prob) = (0.0, 0.0);
        for ((_, subject_last), texts) in &groups {
            let changed = model.with_addition(site, Span::one(*subject_last), &added);
            for batch in batches(texts.len(), texts[0].len(), model) {
                let rows: Vec<&[u32]> = texts[batch].iter().map(Vec::as_slice).collect();
                let tokens = &spec.target.ids;
                let run = forth(&changed, &rows, spec.layer, tokens.len(), ctx)?;
                for reading in
                    model.read_back(vec![ask_tokens(&run.logits, tokens, None, None)])?.concat()
                {
                    let logs = reading.tokens.iter().map(|it| f64::from(it.log_prob));
                    let sum: f64 = logs.sum();
                    nll -= share * sum;
                    prob += (sum / tokens.len() as f64).exp() / spec.contexts.len() as f64;
                }
                let objective = Objective::LogProb { tokens };
                add(-share, &back(&changed, &run, objective, spec.layer, *subject_last, ctx)?);
            }
        }
        let mut kl = 0.0;
        if let Some(Context { ids, subject_last }) = &spec.essence {
            let changed = model.with_addition(site, Span::one(*subject_last), &added);
            let read = &ids[..=*subject_last];
            let run = forth(&changed, &[read], spec.layer, 1, ctx)?;
            let now = log_probs(&run.logits.clone().into_data().iter::<f32>().collect::<Vec<_>>());
            let before = as_before.get_or_insert_with(|| now.clone());
            let surprise = |(now, before): (&f32, &f32)| {
                f64::from(*now).exp() * (f64::from(*now) - f64::from(*before))
            };
            kl = kl_factor * now.iter().zip(before.iter()).map(surprise).sum::<f64>();
            let objective = Objective::Divergence { from: before };
            add(kl_factor, &back(&changed, &run, objective, spec.layer, *subject_last, ctx)?);
        }
        let delta_norm = norm(&delta);
        let decay = weight_decay * delta_norm / value_norm.powi(2);
        if delta_norm > 0.0 {
            for (sum, it) in gradient.iter_mut().zip(&delta) {
                *sum += weight_decay / value_norm.powi(2) * it / delta_norm;
            }
        }
        let loss = nll + kl + decay;
        steps.push(Step { loss, nll, kl, weight_decay: decay, prob, delta_norm });
        on_step(&steps);
        if loss < enough || step + 1 == n_steps {
            break;
        }
        adam.step(&mut delta, &gradient);
        let (length, longest) = (norm(&delta), clamp * value_norm);
        if length > longest {
            for it in &mut delta {
                *it *= longest / length;
            }
        }
    }
    Ok((steps, delta))
}

/// The sites that a run must keep for gradients back to the MLP of a layer.
pub(super) fn sites_back_to(config: &ModelConfig, layer: usize) -> SiteSet {
    let sites = Backward::sites(config).into_iter();
    let last = Site::ResidPost(config.n_layers - 1);
    // A norm after the MLP is gone back through with the rest of its layer.
    let first = if config.has_norms_after() { layer } else { layer + 1 };
    sites.filter(|site| *site == last || site.layer().is_some_and(|it| it >= first)).collect()
}

pub(super) fn forward(
    model: &Transformer,
    texts: &[&[u32]],
    capture: &SiteSet,
    n_read: usize,
    ctx: &AnalysisCtx<'_>,
) -> Result<Run, Cancelled> {
    let rows: Vec<BatchRow<'_>> = texts.iter().map(|ids| BatchRow::new(ids, &[])).collect();
    donors::run(model, &rows, capture, n_read, ctx)
}

/// Runs texts, with what it takes to go back to the MLP of a layer.
fn forth(
    model: &Transformer,
    texts: &[&[u32]],
    layer: usize,
    n_read: usize,
    ctx: &AnalysisCtx<'_>,
) -> Result<Run, Cancelled> {
    let rows: Vec<BatchRow<'_>> = texts.iter().map(|ids| BatchRow::new(ids, &[])).collect();
    let (donors, capture) = (Donors::new(), SiteSet::new());
    let request = Request { rows: &rows, donors: &donors, capture: &capture, past: None, n_read };
    let sites = sites_back_to(&model.config, layer);
    model.run_to_go_back(&request, &sites, &mut |_| ctx.check_cancelled(model))
}

/// The gradient at what a layer's `W_out` gives at one position, summed over rows. `[d_model]`
fn back(
    model: &Transformer,
    run: &Run,
    objective: Objective<'_>,
    layer: usize,
    pos: usize,
    ctx: &AnalysisCtx<'_>,
) -> Result<Vec<f32>, Cancelled> {
    let site = model.config.mlp_mapped(layer);
    let wanted = SiteSet::from([site]);
    let request =
        Backward { run, objective, first_pos: pos, wanted: &wanted, dropped: Dropped::NoLayer };
    let gradients = model.backward(&request, &mut |_| ctx.check_cancelled(model))?;
    let at_subject = gradients.get(site).clone().narrow(1, 0, 1).sum_dim(0);
    Ok(at_subject.into_data().iter::<f32>().collect())
}

fn log_probs(logits: &[f32]) -> Vec<f32> {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|it| (f64::from(*it) - max).exp()).sum();
    logits.iter().map(|it| (f64::from(*it) - max - sum.ln()) as f32).collect()
}

/// The optimizer of Kingma & Ba 2015, with `PyTorch`'s defaults.
struct Adam {
    learning_rate: f64,
    n_steps: i32,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Adam {
    fn new(n: usize, learning_rate: f64) -> Self {
        Self { learning_rate, n_steps: 0, mean: vec![0.0; n], square: vec![0.0; n] }
    }

    fn step(&mut self, values: &mut [f64], gradient: &[f64]) {
        const BETAS: [f64; 2] = [0.9, 0.999];
        const EPSILON: f64 = 1e-8;
        self.n_steps += 1;
        let [mean_bias, square_bias] = BETAS.map(|beta| 1.0 - beta.powi(self.n_steps));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((value, gradient), (mean, square)) in values.iter_mut().zip(gradient).zip(moments) {
            *mean += (1.0 - BETAS[0]) * (gradient - *mean);
            *square += (1.0 - BETAS[1]) * (gradient.powi(2) - *square);
            let size = (*square / square_bias).sqrt() + EPSILON;
            *value -= self.learning_rate * (*mean / mean_bias) / size;
        }
    }
}

pub(super) fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
