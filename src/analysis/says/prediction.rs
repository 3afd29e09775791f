//! What the model says next, and how likely it finds the answer.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::analysis::largest::largest;
use crate::analysis::measurement::Measurement;
use crate::analysis::sweep::{Asked, check_ids};
use crate::analysis::{About, AnalysisError, Lab, Method, Needs, PromptOf, Sizes};
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
    const ABOUT: About = About {
        text: "What the model says next: the likeliest tokens, and how likely it finds the \
               answer.",
        sources: &[],
    };
    const VERB: &'static str = "Predicting";
    const NEEDS: Needs = Needs::Prompt;
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<Prediction, AnalysisError> {
        let &Lab { model, prompt, .. } = lab;
        let logits = logits(lab)?;
        let answer = match &prompt.answer {
            Some(_) => Some(Measurement::read(model, &logits, prompt, None)?[0]),
            None => None,
        };
        let top = likeliest_next(&logits, self.n_top);
        Ok(Prediction { prompt: prompt.clone(), top, answer })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        sizes.pass(&SiteSet::new())
    }
}

/// How likely each token is to come next.
#[derive(Clone, Debug)]
pub struct NextTokens {
    /// `[d_vocab]`
    logits: Vec<f32>,

    /// The largest logit, and the sum of the exponentials of all less that.
    max: f32,
    sum: f64,
}

impl NextTokens {
    /// Runs a model on a prompt.
    pub fn after(lab: &Lab<'_>) -> Result<Self, AnalysisError> {
        Ok(Self::first_of(&logits(lab)?))
    }

    /// The tokens at the first position that was read. `logits` is `[1, n_read, d_vocab]`.
    fn first_of(logits: &Tensor<3>) -> Self {
        Self::new(logits.clone().narrow(1, 0, 1).into_data().iter::<f32>().collect())
    }

    fn new(logits: Vec<f32>) -> Self {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
        Self { logits, max, sum }
    }

    fn candidate(&self, id: usize) -> Candidate {
        let logit = self.logits[id];
        let prob = (f64::from(logit - self.max).exp() / self.sum) as f32;
        Candidate { id: id as u32, logit, prob }
    }

    /// The likeliest tokens, equally likely ones in the order of their ids.
    pub fn top(&self, n: usize) -> Vec<Candidate> {
        largest(&self.logits, n).into_iter().map(|id| self.candidate(id)).collect()
    }

    /// The likeliest of these tokens. `None` if the model has none of them.
    pub fn likeliest_of(&self, ids: impl IntoIterator<Item = u32>) -> Option<Candidate> {
        let ids = ids.into_iter().filter(|&id| (id as usize) < self.logits.len());
        let best = ids.reduce(|best, id| if self.is_before(id, best) { id } else { best })?;
        Some(self.candidate(best as usize))
    }

    /// The rank of a token of the model: how many tokens come before it.
    pub fn rank(&self, id: u32) -> usize {
        self.rank_among(id, 0..self.logits.len() as u32)
    }

    /// How many of these tokens come before a token of the model.
    pub fn rank_among(&self, id: u32, ids: impl IntoIterator<Item = u32>) -> usize {
        let is_before = |&it: &u32| (it as usize) < self.logits.len() && self.is_before(it, id);
        ids.into_iter().filter(is_before).count()
    }

    /// Whether a token is likelier than another, or as likely and has the smaller id.
    fn is_before(&self, id: u32, other: u32) -> bool {
        let [own, others] = [id, other].map(|it| self.logits[it as usize]);
        others.total_cmp(&own).then(id.cmp(&other)).is_lt()
    }
}

/// What follows a prompt, and each token of its answer but the last. `[1, n_read, d_vocab]`
fn logits(lab: &Lab<'_>) -> Result<Tensor<3>, AnalysisError> {
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
    Ok(run.logits)
}

/// The likeliest tokens at the first position that was read. `logits` is `[1, n_read, d_vocab]`.
pub(in crate::analysis) fn likeliest_next(logits: &Tensor<3>, n_top: usize) -> Vec<Candidate> {
    NextTokens::first_of(logits).top(n_top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_the_place_among_all_tokens_in_order() {
        // Equal logits, and both zeros, of which `total_cmp` puts the negative one behind.
        let next = NextTokens::new(vec![0.5, 2.0, -0.0, 2.0, 0.0, -3.0, 0.5, -7.0]);
        let all = next.top(8);
        assert_eq!(all.iter().map(|it| it.id).collect::<Vec<_>>(), [1, 3, 0, 6, 4, 2, 5, 7]);
        for (place, it) in all.iter().enumerate() {
            assert_eq!(next.rank(it.id), place, "{it:?}");
            assert_eq!(next.likeliest_of([it.id]), Some(*it));
            // Among some, those count that come before in the order of all, whether it is one or not.
            let some = [0, 2, 3, 7, 99];
            let before = all[..place].iter().filter(|it| some.contains(&it.id)).count();
            assert_eq!(next.rank_among(it.id, some), before, "{it:?}");
        }
        assert_eq!(next.likeliest_of([7, 6, 0, 99]), Some(all[2]));
        assert_eq!(next.likeliest_of([99]), None);
    }
}
