//! The words of controls that are told elsewhere as well.

use crate::analysis::Metric;
use crate::analysis::causal_trace::Direction;

pub fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Prob => "Probability of first token",
        Metric::AnswerProb => "Probability of whole answer",
        Metric::LogProb => "Log probability",
        Metric::Logit => "Logit",
        Metric::LogitDiff => "Logit difference",
        Metric::Rank => "Rank",
        Metric::Kl => "KL divergence",
    }
}

pub fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Denoise => "Restoring",
        Direction::Noise => "Corrupting",
    }
}
