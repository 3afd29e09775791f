//! Forward and backward passes of an estimate, and the objective whose gradients they compute.

use crate::analysis::sweep::{Asked, Known, row, step_when_done, sweep_beside};
use crate::analysis::{AnalysisError, Lab, Measurement, Metric};
use crate::intervention::{Condition, SiteSet};
use crate::model::{
    ActivationCache, Backward, BatchRow, DeviceFailed, Donors, Dropped, Objective, Reference,
    Request, Run,
};
use crate::task::{Cancelled, Progress};
use crate::tokens::TokenizedPrompt;

/// The number whose gradients estimate a metric. That of a probability is its logarithm.
pub(in crate::analysis) fn objective(
    prompt: &TokenizedPrompt,
    metric: Metric,
) -> Result<Objective<'_>, AnalysisError> {
    let answer = prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?;
    let token = answer.first();
    let foil = prompt.foil.as_ref().map(|foil| foil.first());
    Ok(match metric {
        Metric::Prob | Metric::LogProb => Objective::LogProb { tokens: &answer.ids[..1] },
        Metric::AnswerProb => Objective::LogProb { tokens: &answer.ids },
        Metric::Logit => Objective::Logit { token, less: None },
        Metric::Rank | Metric::Kl => return Err(AnalysisError::NoSlope(metric)),
        Metric::LogitDiff => {
            Objective::Logit { token, less: Some(foil.ok_or(AnalysisError::NoFoil)?) }
        }
    })
}

/// The derivative of a metric with respect to its [`objective`].
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

/// The passes of one estimate, with their progress.
pub(in crate::analysis) struct Passes<'a> {
    pub lab: Lab<'a>,
    pub asked: &'a Asked,
    objective: Objective<'a>,

    /// The first position with gradients.
    pub first_pos: usize,

    /// Counts tokens times layers, as in [`sweep`](crate::analysis::sweep()).
    pub progress: Progress,
}

/// Whether gradients are taken at a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::analysis) enum Way {
    Forth,
    ForthAndBack,
}

/// The clean run, which other runs are compared with.
pub(in crate::analysis) struct CleanRun<'a> {
    lab: Lab<'a>,
    pub run: Run,
    pub reference: Reference,
    pub measured: Measurement,
}

impl CleanRun<'_> {
    pub fn read(&self, run: &Run) -> Result<Vec<Measurement>, DeviceFailed> {
        Measurement::read(self.lab.model, &run.logits, self.lab.prompt, Some(&self.reference))
    }
}

impl<'a> Passes<'a> {
    /// The passes of an estimate of `n_steps` rows times layers. For progress, verifying any cells
    /// counts as much as the estimate.
    pub fn new(
        lab: &Lab<'a>,
        asked: &'a Asked,
        objective: Objective<'a>,
        first_pos: usize,
        n_steps: usize,
        n_verified: usize,
    ) -> Self {
        let estimating = (n_steps * asked.ids.len()) as u64;
        let verifying = if n_verified > 0 { estimating } else { 0 };
        let progress = Progress { done: 0, total: estimating + verifying };
        Self { lab: *lab, asked, objective, first_pos, progress }
    }

    /// How many rows go forward and back together.
    pub fn n_rows(&self) -> usize {
        (TOKENS_PER_BATCH / self.asked.ids.len()).clamp(1, self.lab.model.max_rows.max(1))
    }

    /// Does the clean run, and keeps `capture`.
    pub fn clean(&mut self, capture: &SiteSet, way: Way) -> Result<CleanRun<'a>, AnalysisError> {
        let no_change = Condition::new();
        let rows = [row(self.asked, &no_change)];
        let run = self.forward(&rows, &Donors::new(), capture, way)?;
        let reference = Reference::of(&run.logits);
        let Lab { model, prompt, .. } = self.lab;
        let measured = Measurement::read(model, &run.logits, prompt, Some(&reference))?[0];
        Ok(CleanRun { lab: self.lab, run, reference, measured })
    }

    pub fn forward(
        &mut self,
        rows: &[BatchRow<'_>],
        donors: &Donors,
        capture: &SiteSet,
        way: Way,
    ) -> Result<Run, AnalysisError> {
        let n_read = self.asked.n_read;
        let request = Request { rows, donors, capture, past: None, n_read };
        let cost = rows.iter().map(|row| row.ids.len() as u64).sum();
        let (lab, progress) = (self.lab, &mut self.progress);
        let after_layer = &mut |_| step_when_done(&lab, progress, cost);
        Ok(match way {
            Way::Forth => lab.model.run(&request, after_layer)?,
            Way::ForthAndBack => {
                let sites = Backward::sites(&lab.model.config);
                lab.model.run_to_go_back(&request, &sites, after_layer)?
            }
        })
    }

    /// The gradients at `wanted` for a run.
    pub fn back(&mut self, run: &Run, wanted: &SiteSet) -> Result<ActivationCache, AnalysisError> {
        let model = self.lab.model;
        self.going_back(run, wanted, Dropped::NoLayer, |request, step| {
            model.backward(request, &mut |_| step())
        })
    }

    /// The gradients at `wanted`, which lie in blocks, for a run: given to `on_layer` from the last block back.
    pub fn back_by_layer(
        &mut self,
        run: &Run,
        wanted: &SiteSet,
        dropped: Dropped,
        on_layer: &mut dyn FnMut(usize, &ActivationCache) -> Result<(), Cancelled>,
    ) -> Result<(), AnalysisError> {
        let model = self.lab.model;
        self.going_back(run, wanted, dropped, |request, step| {
            let rest = model.backward_by_layer(request, &mut |layer, found| {
                on_layer(layer, &found)?;
                step()
            })?;
            debug_assert!(rest.sites().next().is_none(), "all that is wanted lies in blocks");
            Ok(())
        })
    }

    fn going_back<T>(
        &mut self,
        run: &Run,
        wanted: &SiteSet,
        dropped: Dropped,
        go: impl FnOnce(
            &Backward<'_>,
            &mut dyn FnMut() -> Result<(), Cancelled>,
        ) -> Result<T, Cancelled>,
    ) -> Result<T, AnalysisError> {
        let [batch, _, _] = run.logits.dims();
        let cost = (batch * self.asked.ids.len()) as u64;
        let (lab, progress) = (self.lab, &mut self.progress);
        let end = progress.done + cost * lab.model.config.n_layers as u64;
        let (objective, first_pos) = (self.objective, self.first_pos);
        let request = Backward { run, objective, first_pos, wanted, dropped };
        let found = go(&request, &mut || step_when_done(&lab, progress, cost))?;
        // The backward pass may end before the first layer.
        progress.done = end;
        lab.ctx.task.checkpoint(self.progress)?;
        Ok(found)
    }

    /// Runs a sweep whose progress fills the rest of the estimate's.
    pub fn sweep_the_rest(
        &self,
        conditions: &[Condition],
        clean: Reference,
        donors: &Donors,
        on_batch: &mut dyn FnMut(&[Option<Measurement>]),
    ) -> Result<Vec<Measurement>, AnalysisError> {
        let (ctx, Progress { done, total }) = (self.lab.ctx, self.progress);
        let report = |it: Progress| {
            let more = f64::from(it.fraction()) * (total - done) as f64;
            (ctx.task.report)(Progress { done: done + more as u64, total });
        };
        let lab = Lab { ctx: &ctx.reporting(&report), ..self.lab };
        let known = Known { clean: Some(clean), ..Known::default() };
        sweep_beside(known, &lab, conditions, donors, on_batch)
    }
}
