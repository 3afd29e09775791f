//! What a map of patched runs says of one reading: all from the same runs.
//!
//! Meng et al. 2022, section 2.1, for the total and the indirect effect; Wang et al. 2022 and Zhang &
//! Nanda 2024 for the share of the reading that is recovered.

use serde::Serialize;

use crate::analysis::causal_trace::{CausalTrace, Direction};
use crate::analysis::{Grid, Measurement, Metric};

/// The readings of one metric, means over samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effects {
    pub clean: f32,
    pub corrupted: f32,

    /// Of each patched run; nothing where not computed yet. (layer, column)
    pub patched: Grid<Option<f32>>,

    /// `clean − corrupted`: what the corruption costs. Below 0 for readings that it raises, such as
    /// a rank.
    pub total: f32,

    /// The part of it that goes through the cell. Denoising: what comes back once the cell is clean,
    /// `patched − corrupted`. Noising: what is lost once the cell is corrupted, `clean − patched`.
    pub indirect: Grid<Option<f32>>,

    /// The part of it that goes past the cell: `total − indirect`.
    pub direct: Grid<Option<f32>>,

    /// `(patched − corrupted) / total`: 0 as corrupted, 1 as clean. Nothing where the total is too
    /// small to divide by, see [`Metric::least_total`].
    pub recovery: Grid<Option<f32>>,
}

impl Effects {
    /// Nothing if the trace lacks the metric, or is not that far yet.
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
    /// The smallest difference between the clean and the corrupted reading that a recovery is a
    /// share of. Rounding moves probabilities by about 1e-7 and logits by 1e-5, so that a share is
    /// known to about a thousandth.
    pub const fn least_total(self) -> f32 {
        match self {
            Self::Prob | Self::AnswerProb => 1e-3,
            Self::LogProb | Self::Logit | Self::LogitDiff | Self::Kl => 1e-2,
            Self::Rank => 1.0,
        }
    }
}
