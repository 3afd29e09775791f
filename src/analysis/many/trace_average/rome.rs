//! Averages traces in the way of ROME's notebook `average_causal_effects`.

use serde::Serialize;

use super::{Readings, TraceAverage, TracedFact};
use crate::analysis::{Grid, Metric, Role};

/// The notebook's averages, by its names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RomeAverages {
    /// How many facts are averaged. Facts whose prompt ends with the subject are left out, because
    /// the notebook fails on them.
    pub size: usize,

    /// The mean score of the corrupted runs.
    pub low_score: f64,

    /// The mean score of the clean runs.
    pub high_score: f64,

    /// The mean scores of the patched runs. The rows are the subject's first, middle and last
    /// token, the first token after it, further tokens and the last token. NaN where no fact has
    /// such a token. The notebook's AIE is this minus `low_score`. `[row, layer]`
    pub result: Grid<f64>,
}

impl TraceAverage {
    /// The averages of the same facts as in ROME's notebook. `None` if no fact can be averaged.
    pub fn as_rome(&self, component: usize, metric: Metric) -> Option<RomeAverages> {
        let facts: Vec<_> = self.with(metric);
        let facts: Vec<_> = facts.into_iter().filter(|(fact, _)| self.continues(fact)).collect();
        let size = facts.len();
        if size == 0 {
            return None;
        }
        let mean = |value: &dyn Fn(&Readings) -> f32| {
            facts.iter().map(|(_, it)| f64::from(value(it))).sum::<f64>() / size as f64
        };
        let mut result = Vec::with_capacity(6 * self.n_layers);
        // Each row's role, and the role that a token of this row may have instead.
        for (role, or) in [
            (Role::SubjectFirst, Some(Role::SubjectLast)),
            (Role::SubjectMiddle, None),
            (Role::SubjectLast, None),
            (Role::After, Some(Role::Last)),
            (Role::Further, None),
            (Role::Last, None),
        ] {
            for layer in 0..self.n_layers {
                let (mut sum, mut n) = (0.0, 0);
                for (fact, readings) in &facts {
                    let place =
                        |role: Role| fact.tokens.iter().position(|tokens| tokens.role == role);
                    let Some(nth) = place(role).or_else(|| place(or?)) else { continue };
                    let score = f64::from(*readings.patched.get(component)?.get(nth, layer)?);
                    sum += score * fact.tokens[nth].n_tokens as f64;
                    n += fact.tokens[nth].n_tokens;
                }
                result.push(sum / n as f64);
            }
        }
        Some(RomeAverages {
            size,
            low_score: mean(&|it| it.corrupted),
            high_score: mean(&|it| it.clean),
            result: Grid::new(self.n_layers, result),
        })
    }

    /// Whether the prompt continues after the subject.
    fn continues(&self, fact: &TracedFact) -> bool {
        let prompt = self.spec.facts.get(fact.nth).map(|it| &it.prompt);
        prompt.is_some_and(|it| it.subject.as_ref().is_some_and(|at| at.end < it.n_pos()))
    }
}
