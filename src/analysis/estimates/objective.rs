//! Forward and backward passes of an estimate, and the objective whose gradients they compute.

use crate::analysis::sweep::{Asked, row, step, sweep_beside};
use crate::analysis::{AnalysisCtx, AnalysisError, Measurement, Metric};
use crate::intervention::{Condition, SiteSet};
use crate::model::{
    ActivationCache, Backward, DeviceFailed, Donors, Dropped, Gpt2, Objective, Reference, Request,
    Row, Run,
};
use crate::task::{Progress, TaskCtx};
use crate::tokens::TokenizedPrompt;

/// The tokens that a metric reads.
pub(in crate::analysis) struct Tokens<'a> {
    answer: &'a [u32],
    foil: Option<u32>,
    is_logit: bool,
}

impl<'a> Tokens<'a> {
    pub fn of(prompt: &'a TokenizedPrompt, metric: Metric) -> Result<Self, AnalysisError> {
        let answer = &prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?.ids;
        let foil = prompt.foil.as_ref().map(|foil| foil.first());
        Ok(match metric {
            Metric::Prob | Metric::LogProb => {
                Self { answer: &answer[..1], foil: None, is_logit: false }
            }
            Metric::AnswerProb => Self { answer, foil: None, is_logit: false },
            Metric::Logit => Self { answer: &answer[..1], foil: None, is_logit: true },
            Metric::Rank | Metric::Kl => return Err(AnalysisError::NoSlope(metric)),
            Metric::LogitDiff => {
                let foil = foil.ok_or(AnalysisError::NoFoil)?;
                Self { answer: &answer[..1], foil: Some(foil), is_logit: true }
            }
        })
    }

    pub fn objective(&self) -> Objective<'a> {
        if self.is_logit {
            Objective::Logit { token: self.answer[0], less: self.foil }
        } else {
            Objective::LogProb { tokens: self.answer }
        }
    }
}

/// The derivative of a metric with respect to its objective. The objective of a probability is its
/// logarithm.
pub(in crate::analysis) fn slope(at: &Measurement, metric: Metric) -> f32 {
    match metric {
        Metric::Prob | Metric::AnswerProb => at.get(metric).unwrap_or(f32::NAN),
        Metric::LogProb | Metric::Logit | Metric::LogitDiff => 1.0,
        Metric::Rank | Metric::Kl => f32::NAN,
    }
}

/// How many tokens go forward and back together. GPT-2-large keeps 1.7 MB of each for the backward
/// pass, ten times as much as without one.
const TOKENS_PER_BATCH: usize = 256;

/// How many rows go forward and back together.
pub(in crate::analysis) fn rows_per_batch(model: &Gpt2, asked: &Asked) -> usize {
    (TOKENS_PER_BATCH / asked.ids.len()).clamp(1, model.max_rows.max(1))
}

/// The passes of one estimate, with their progress.
pub(in crate::analysis) struct Passes<'a> {
    pub model: &'a Gpt2,
    pub ctx: &'a AnalysisCtx<'a>,
    pub objective: Objective<'a>,
    pub n_read: usize,

    /// The first position with gradients.
    pub first_pos: usize,

    /// Counts tokens times layers, as in [`sweep`](crate::analysis::sweep()).
    pub progress: Progress,
}

/// The clean run, which other runs are compared with.
pub(in crate::analysis) struct CleanRun<'a> {
    model: &'a Gpt2,
    prompt: &'a TokenizedPrompt,
    pub run: Run,
    pub reference: Reference,
    pub measured: Measurement,
}

impl CleanRun<'_> {
    pub fn read(&self, run: &Run) -> Result<Vec<Measurement>, DeviceFailed> {
        Measurement::read(self.model, &run.logits, self.prompt, Some(&self.reference))
    }
}

impl<'a> Passes<'a> {
    /// The passes of an estimate of `n_steps` rows times layers. For progress, verifying any cells
    /// counts as much as the estimate.
    pub fn new(
        model: &'a Gpt2,
        asked: &Asked,
        tokens: &Tokens<'a>,
        first_pos: usize,
        n_steps: usize,
        n_verified: usize,
        ctx: &'a AnalysisCtx<'a>,
    ) -> Self {
        let estimating = (n_steps * asked.ids.len()) as u64;
        let verifying = if n_verified > 0 { estimating } else { 0 };
        let progress = Progress { done: 0, total: estimating + verifying };
        let objective = tokens.objective();
        Self { model, ctx, objective, n_read: asked.n_read, first_pos, progress }
    }

    /// Does the clean run, and keeps `capture`.
    pub fn clean<'p>(
        &mut self,
        prompt: &'p TokenizedPrompt,
        asked: &Asked,
        capture: &SiteSet,
    ) -> Result<CleanRun<'p>, AnalysisError>
    where
        'a: 'p,
    {
        let run = self.forward(&[row(asked, &Vec::new())], &Donors::new(), capture)?;
        let reference = Reference::of(&run.logits);
        let model = self.model;
        let measured = Measurement::read(model, &run.logits, prompt, Some(&reference))?[0];
        Ok(CleanRun { model, prompt, run, reference, measured })
    }

    pub fn forward(
        &mut self,
        rows: &[Row<'_>],
        donors: &Donors,
        capture: &SiteSet,
    ) -> Result<Run, AnalysisError> {
        let request = Request { rows, donors, capture, past: None, n_read: self.n_read };
        let cost = rows.iter().map(|row| row.ids.len() as u64).sum();
        let (model, ctx, progress) = (self.model, self.ctx, &mut self.progress);
        Ok(model.run(&request, &mut |_| {
            // A device that works far ahead through its queue could not be stopped.
            model.wait();
            step(ctx, progress, cost)
        })?)
    }

    /// The gradients at `wanted` for a run of `n_pos` positions.
    pub fn back(
        &mut self,
        run: &Run,
        n_pos: usize,
        wanted: &SiteSet,
        dropped: Dropped,
    ) -> Result<ActivationCache, AnalysisError> {
        let [batch, _, _] = run.logits.dims();
        let cost = (batch * n_pos) as u64;
        let (model, ctx, progress) = (self.model, self.ctx, &mut self.progress);
        let end = progress.done + cost * model.config.n_layers as u64;
        let (objective, first_pos) = (self.objective, self.first_pos);
        let request = Backward { run, objective, first_pos, wanted, dropped };
        let gradients = model.backward(&request, &mut |_| {
            // A device that works far ahead through its queue could not be stopped.
            model.wait();
            step(ctx, progress, cost)
        })?;
        // The backward pass may end before the first layer.
        progress.done = end;
        self.ctx.task.checkpoint(self.progress)?;
        Ok(gradients)
    }

    /// Runs a sweep whose progress fills the rest of the estimate's.
    pub fn sweep_the_rest(
        &self,
        prompt: &TokenizedPrompt,
        conditions: &[Condition],
        clean: Reference,
        donors: &Donors,
        on_batch: &mut dyn FnMut(&[Option<Measurement>]),
    ) -> Result<Vec<Measurement>, AnalysisError> {
        let (ctx, Progress { done, total }) = (self.ctx, self.progress);
        let report = |it: Progress| {
            let more = f64::from(it.fraction()) * (total - done) as f64;
            (ctx.task.report)(Progress { done: done + more as u64, total });
        };
        let ctx = AnalysisCtx {
            task: TaskCtx { cancel: ctx.task.cancel.clone(), report: &report },
            ..*ctx
        };
        sweep_beside(clean.into(), self.model, prompt, conditions, donors, &ctx, on_batch)
    }
}
