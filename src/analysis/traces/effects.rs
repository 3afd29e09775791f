//! The effects that a trace shows in one metric: total, indirect, direct, and the share that is
//! recovered.
//!
//! Meng et al. 2022, section 2.1, define the total and the indirect effect; Wang et al. 2022 and
//! Zhang & Nanda 2024 the share of the metric that is recovered.

use serde::Serialize;

use crate::analysis::causal_trace::{CausalTrace, Direction};
use crate::analysis::{Grid, Measurement, Metric};

/// The effects in one metric, as means over samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effects {
    /// The metric in the clean run.
    pub clean: f32,

    /// The metric in the corrupted runs.
    pub corrupted: f32,

    /// The metric in each patched run. `None` where it is not computed yet. `[layer, column]`
    pub patched: Grid<Option<f32>>,

    /// The total effect `clean − corrupted` of the corruption. Below 0 for metrics that it raises,
    /// such as the rank.
    pub total: f32,

    /// The part of the total effect that passes through the cell. When denoising, it is what
    /// restoring the cell brings back, `patched − corrupted`; when noising, what corrupting the
    /// cell loses, `clean − patched`.
    pub indirect: Grid<Option<f32>>,

    /// The part of the total effect that passes by the cell, `total − indirect`.
    pub direct: Grid<Option<f32>>,

    /// The recovered share `(patched − corrupted) / total`, 0 as in the corrupted runs, 1 as in the
    /// clean run. `None` where the total is too small to divide by, see [`Metric::least_total`].
    pub recovery: Grid<Option<f32>>,
}

impl Effects {
    /// The effects that a trace shows. `None` if it lacks the metric, or its corrupted runs are not
    /// there yet.
    pub fn of(trace: &CausalTrace, metric: Metric) -> Option<Self> {
        let clean = trace.clean.get(metric)?;
        let corrupted = Measurement::mean(&trace.corrupted, metric)?;
        let patched = trace.restored.map(|runs| Measurement::mean(runs, metric));
        let total = clean - corrupted;
        let indirect = patched.map(|score| {
            score.map(|score| match trace.spec.direction {
                Direction::Denoise => score - corrupted,
                Direction::Noise => clean - score,
            })
        });
        let direct = indirect.map(|it| it.map(|it| total - it));
        let is_defined = total.abs() >= metric.least_total();
        let recovery =
            patched.map(|score| score.filter(|_| is_defined).map(|it| (it - corrupted) / total));
        Some(Self { clean, corrupted, patched, total, indirect, direct, recovery })
    }
}

impl Metric {
    /// The smallest total effect that leaves something to restore: a fiftieth of the clean run's
    /// probability, and as much of what is counted in its logarithm. `clean`: the metric there.
    pub fn least_effect(self, clean: f32) -> f32 {
        const SHARE: f32 = 0.02;
        match self {
            Self::Prob | Self::AnswerProb => (SHARE * clean).max(self.least_total()),
            Self::LogProb | Self::Logit | Self::LogitDiff | Self::Kl => SHARE,
            Self::Rank => self.least_total(),
        }
    }

    /// The smallest total effect that a recovered share is computed of. Rounding moves
    /// probabilities by about 1e-7 and logits by 1e-5, so that the share is exact to about a
    /// thousandth.
    pub const fn least_total(self) -> f32 {
        match self {
            Self::Prob | Self::AnswerProb => 1e-3,
            Self::LogProb | Self::Logit | Self::LogitDiff | Self::Kl => 1e-2,
            Self::Rank => 1.0,
        }
    }
}
