//! What is measured of a run: the probability, logit and rank of its answer, and its divergence.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::model::{DeviceFailed, Reading, Readout, Reference, Transformer, ask_tokens};
use crate::tokens::TokenizedPrompt;

/// All metrics of a run's answer, read at once, so that a view can switch between them without
/// running the model again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The probability of the answer's first token, 0 to 1.
    pub prob: f32,

    /// The natural logarithm of `prob`.
    pub log_prob: f32,

    /// The logit of the answer's first token.
    pub logit: f32,

    /// The rank of the answer's first token, counted from 0, the most likely token.
    pub rank: u32,

    /// The natural logarithm of the probability of the whole answer, token after token.
    pub answer_log_prob: f32,

    /// The logit of the answer's first token minus that of the foil's, if there is a foil.
    pub logit_diff: Option<f32>,

    /// The divergence KL(clean ‖ this) of the distribution that predicts the answer's first token,
    /// over the whole vocabulary, in nats, 0 or more. `None` without a clean run to compare with.
    #[serde(default)]
    pub kl: Option<f32>,
}

/// One of the numbers of a [`Measurement`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metric {
    #[default]
    Prob,
    AnswerProb,
    LogProb,
    Logit,
    LogitDiff,
    Rank,
    Kl,
}

impl Metric {
    pub const ALL: [Self; 7] = [
        Self::Prob,
        Self::AnswerProb,
        Self::LogProb,
        Self::Logit,
        Self::LogitDiff,
        Self::Rank,
        Self::Kl,
    ];

    /// The metric's name in files.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Prob => "prob",
            Self::AnswerProb => "answer_prob",
            Self::LogProb => "log_prob",
            Self::Logit => "logit",
            Self::LogitDiff => "logit_diff",
            Self::Rank => "rank",
            Self::Kl => "kl",
        }
    }
}

impl Measurement {
    /// Starts reading the measurements of a pass from its logits.
    ///
    /// # Shapes
    ///
    /// - `logits`: those that predict the answer's tokens, `[batch, answer tokens, d_vocab]`
    ///
    /// # Panics
    ///
    /// If the prompt has no answer.
    pub fn ask(logits: &Tensor<3>, prompt: &TokenizedPrompt, clean: Option<&Reference>) -> Readout {
        let answer = prompt.answer.as_ref().expect("the prompt has an answer");
        let [_, n_read, _] = logits.dims();
        let foil = prompt.foil.as_ref().map(|foil| foil.first());
        ask_tokens(logits, &answer.ids[..n_read], foil, clean)
    }

    /// The measurement of each row of a pass.
    ///
    /// # Panics
    ///
    /// If the prompt has no answer.
    pub fn read(
        model: &Transformer,
        logits: &Tensor<3>,
        prompt: &TokenizedPrompt,
        clean: Option<&Reference>,
    ) -> Result<Vec<Self>, DeviceFailed> {
        let read = model.read_back(vec![Self::ask(logits, prompt, clean)])?;
        Ok(read.into_iter().flatten().map(|reading| Self::from(&reading)).collect())
    }

    /// One of the numbers. `None` if it needs a foil or a clean run that is not there.
    pub fn get(&self, metric: Metric) -> Option<f32> {
        match metric {
            Metric::Prob => Some(self.prob),
            Metric::AnswerProb => Some(self.answer_log_prob.exp()),
            Metric::LogProb => Some(self.log_prob),
            Metric::Logit => Some(self.logit),
            Metric::LogitDiff => self.logit_diff,
            Metric::Rank => Some(self.rank as f32),
            Metric::Kl => self.kl,
        }
    }

    /// The mean of a metric over runs. ROME's score is the mean of probabilities.
    pub fn mean(runs: &[Self], metric: Metric) -> Option<f32> {
        if runs.is_empty() {
            return None;
        }
        let sum: Option<f64> = runs.iter().map(|run| run.get(metric).map(f64::from)).sum();
        Some((sum? / runs.len() as f64) as f32)
    }

    /// The unbiased standard deviation of a metric over runs. `None` for fewer than two runs.
    pub fn std(runs: &[Self], metric: Metric) -> Option<f32> {
        if runs.len() < 2 {
            return None;
        }
        let mean = f64::from(Self::mean(runs, metric)?);
        let squares: Option<f64> =
            runs.iter().map(|run| Some((f64::from(run.get(metric)?) - mean).powi(2))).sum();
        Some((squares? / (runs.len() - 1) as f64).sqrt() as f32)
    }
}

impl From<&Reading> for Measurement {
    fn from(reading: &Reading) -> Self {
        let first = reading.tokens[0];
        Self {
            prob: first.log_prob.exp(),
            log_prob: first.log_prob,
            logit: first.logit,
            rank: first.n_likelier,
            answer_log_prob: reading.tokens.iter().map(|token| token.log_prob).sum(),
            logit_diff: reading.foil_logit.map(|foil| first.logit - foil),
            // Rounding may leave a divergence below 0, which `max` would mend but also turn NaN to
            // 0.
            kl: reading.divergence.map(|kl| if kl < 0.0 { 0.0 } else { kl }),
        }
    }
}
