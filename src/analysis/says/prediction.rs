//! What the model says next, and how likely it finds the answer.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::analysis::largest::largest;
use crate::analysis::measurement::Measurement;
use crate::analysis::sweep::{Asked, check_ids};
use crate::analysis::{AnalysisError, Lab, Method, Needs, PromptOf};
use crate::intervention::SiteSet;
use crate::model::{BatchRow, Donors, Request};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// How many of the likeliest tokens to list.
    pub n_top: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    pub prompt: TokenizedPrompt,

    /// The likeliest next tokens, likeliest first.
    pub top: Vec<Candidate>,

    /// The measurement of the answer, if the prompt has one.
    pub answer: Option<Measurement>,
}

/// A possible next token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub id: u32,

    /// The probability, 0 to 1.
    pub prob: f32,
    pub logit: f32,
}

impl Method for Spec {
    type Found = Prediction;
    const NAME: &'static str = "prediction";
    const VERB: &'static str = "Predicting";
    const NEEDS: Needs = Needs::Prompt;
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<Prediction, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let (ids, n_read) = if prompt.answer.is_some() {
            let asked = Asked::new(model, prompt)?;
            (asked.ids, asked.n_read)
        } else {
            check_ids(model, &prompt.ids, [].into_iter())?;
            (prompt.ids.clone(), 1)
        };
        let request = Request {
            rows: &[BatchRow::new(&ids, &[])],
            donors: &Donors::new(),
            capture: &SiteSet::new(),
            past: None,
            n_read,
        };
        let total = model.config.n_layers as u64;
        let run = model.run(&request, &mut |layer| {
            model.wait();
            ctx.task.checkpoint(Progress { done: layer as u64 + 1, total })
        })?;

        let answer = match &prompt.answer {
            Some(_) => Some(Measurement::read(model, &run.logits, prompt, None)?[0]),
            None => None,
        };
        Ok(Prediction {
            prompt: prompt.clone(),
            top: likeliest_next(&run.logits, self.n_top),
            answer,
        })
    }
}

/// The likeliest tokens at the first position that was read. `logits` is `[1, n_read, d_vocab]`.
pub(in crate::analysis) fn likeliest_next(logits: &Tensor<3>, n_top: usize) -> Vec<Candidate> {
    let next: Vec<f32> = logits.clone().narrow(1, 0, 1).into_data().iter::<f32>().collect();
    likeliest(&next, n_top)
}

/// The likeliest tokens, equally likely ones in the order of their ids. `logits` is `[d_vocab]`.
fn likeliest(logits: &[f32], n_top: usize) -> Vec<Candidate> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
    let candidate = |id: usize| {
        let logit = logits[id];
        Candidate { id: id as u32, logit, prob: (f64::from(logit - max).exp() / sum) as f32 }
    };
    largest(logits, n_top).into_iter().map(candidate).collect()
}
