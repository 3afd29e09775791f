//! Generates text after the prompt, token by token.
//!
//! Keys and values of earlier tokens are kept, so that each token costs a pass of one position. The
//! next token is the likeliest (*greedy*), or drawn at random from a distribution that temperature,
//! top-k and top-p (nucleus sampling, Holtzman et al. 2020) narrow, in the order of Hugging Face's
//! `generate`: first all tokens less likely than the *k*-th are dropped, then the likeliest are
//! kept until they hold *p* of the probability.

use burn::tensor::Tensor;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::analysis::sweep::check_ids;
use crate::analysis::{
    About, AnalysisCtx, AnalysisError, AnalysisResult, Lab, Method, Needs, Sizes, sources,
};
use crate::intervention::Site;
use crate::model::{ActivationCache, BatchRow, Donors, Request, Transformer};
use crate::task::{Cancelled, Progress};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The most tokens that are written.
    pub n_tokens: usize,

    /// How the next token is chosen.
    pub choice: Choice,

    /// The token that ends the text, such as `<|endoftext|>`, if any.
    #[serde(default)]
    pub end: Option<u32>,
}

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Choice {
    /// The likeliest token.
    Greedy,

    /// A token drawn at random.
    Sample {
        /// The divisor of logits. Below 1 it makes likely tokens likelier.
        temperature: f64,

        /// How many of the likeliest tokens may be drawn. `None` stands for all.
        top_k: Option<usize>,

        /// The probability that the tokens which may be drawn hold together, above 0 and at most 1.
        /// `None` stands for all tokens.
        top_p: Option<f64>,
        seed: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,
    pub tokens: Vec<Written>,

    /// Why the text ends. `None` while it is being written.
    pub stopped: Option<Stopped>,
}

/// A token of the continuation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    pub id: u32,
    pub logit: f32,

    /// The model's probability of the token, 0 to 1.
    pub prob: f32,

    /// The probability with which the token was drawn, 0 to 1.
    pub drawn_with: f64,

    /// How many tokens could have been drawn.
    pub n_candidates: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stopped {
    /// The text has as many tokens as were asked for.
    Length,

    /// The token came that ends a text.
    End,

    /// The model's context is full.
    Context,
}

impl Choice {
    fn check(self) -> Result<(), AnalysisError> {
        let Self::Sample { temperature, top_k, top_p, .. } = self else { return Ok(()) };
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(AnalysisError::OutOfBounds {
                what: "the temperature",
                bounds: "a number above 0",
            });
        }
        if top_k == Some(0) {
            return Err(AnalysisError::Zero { what: "top-k" });
        }
        if top_p.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
            let bounds = "above 0 and at most 1";
            return Err(AnalysisError::OutOfBounds { what: "top-p", bounds });
        }
        Ok(())
    }

    /// The tokens that may come next, likeliest first, with the probability of drawing each.
    /// `logits` is `[d_vocab]`.
    fn candidates(self, logits: &[f32]) -> Vec<(u32, f64)> {
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        // Equally likely tokens are in the order of their ids.
        let by_logit =
            |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
        let Self::Sample { temperature, top_k, top_p, .. } = self else {
            let best = order.into_iter().min_by(by_logit).expect("there is a vocabulary");
            return vec![(best, 1.0)];
        };
        order.sort_unstable_by(by_logit);
        if let Some(last) = top_k.and_then(|k| order.get(k - 1).copied()) {
            order.retain(|id| logits[*id as usize] >= logits[last as usize]);
        }
        let max = f64::from(logits[order[0] as usize]);
        let weight = |id: &u32| ((f64::from(logits[*id as usize]) - max) / temperature).exp();
        let mut candidates: Vec<(u32, f64)> = order.iter().map(|id| (*id, weight(id))).collect();
        normalize(&mut candidates);
        if let Some(p) = top_p {
            let mut before = 0.0;
            let n = candidates.iter().take_while(|(_, share)| {
                let is_in = before < p;
                before += share;
                is_in
            });
            let n = n.count();
            candidates.truncate(n);
            normalize(&mut candidates);
        }
        candidates
    }
}

fn normalize(candidates: &mut [(u32, f64)]) {
    let sum: f64 = candidates.iter().map(|it| it.1).sum();
    for (_, share) in candidates {
        *share /= sum;
    }
}

/// The candidate in whose share of the interval from 0 to 1 `at` lies.
fn draw(candidates: &[(u32, f64)], at: f64) -> (u32, f64) {
    let mut below = 0.0;
    let found = candidates.iter().find(|(_, share)| {
        below += share;
        at < below
    });
    // By rounding, the shares may add up to less than 1.
    *found.or_else(|| candidates.last()).expect("there is a vocabulary")
}

impl Method for Spec {
    type Found = Generation;
    const NAME: &'static str = "generation";
    const ABOUT: About = About {
        text: "What the model writes after the prompt, token by token.",
        sources: &[sources::HOLTZMAN_2020],
    };
    const VERB: &'static str = "Writing";
    const NEEDS: Needs = Needs::Prompt;

    fn run(&self, lab: &Lab<'_>) -> Result<Generation, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        self.choice.check()?;
        check_ids(model, &prompt.ids, self.end.into_iter())?;
        let mut rng = match self.choice {
            Choice::Greedy => None,
            Choice::Sample { seed, .. } => Some(ChaCha8Rng::seed_from_u64(seed)),
        };
        let mut written = Generation {
            spec: self.clone(),
            prompt: prompt.clone(),
            tokens: Vec::new(),
            stopped: None,
        };
        let mut past: Option<ActivationCache> = None;
        let mut ids = prompt.ids.clone();
        let mut n_seen = ids.len();
        loop {
            let done = written.tokens.len();
            ctx.task.checkpoint(Progress { done: done as u64, total: self.n_tokens as u64 })?;
            let is_end = written.tokens.last().is_some_and(|it| Some(it.id) == self.end);
            written.stopped = match () {
                () if is_end => Some(Stopped::End),
                () if done == self.n_tokens => Some(Stopped::Length),
                () if n_seen > model.config.n_ctx => Some(Stopped::Context),
                () => None,
            };
            if written.stopped.is_some() {
                return Ok(written);
            }
            if model.config.turns_by_length(n_seen) {
                // Keys of a shorter text are turned in another way, so all are computed anew.
                let so_far = written.tokens.iter().map(|it| it.id);
                ids = prompt.ids.iter().copied().chain(so_far).collect();
                past = None;
            }
            let (logits, keys) = step(model, &ids, past.as_ref(), ctx)?;
            past = Some(match past {
                None => keys,
                Some(past) => joined(&past, &keys),
            });
            let candidates = self.choice.candidates(&logits);
            let at = rng.as_mut().map_or(0.0, |rng| rng.random_range(0.0..1.0));
            let (id, drawn_with) = draw(&candidates, at);
            let logit = logits[id as usize];
            let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = logits.iter().map(|it| f64::from(it - max).exp()).sum();
            let prob = (f64::from(logit - max).exp() / sum) as f32;
            let n_candidates = candidates.len();
            written.tokens.push(Written { id, logit, prob, drawn_with, n_candidates });
            (ctx.partial)(AnalysisResult::Generation(written.clone()));
            ids = vec![id];
            n_seen += 1;
        }
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        // The keys and values so far, and those with one token more.
        sizes.pass(&sizes.config.past_sites()) + sizes.kept(&sizes.config.past_sites(), 1)
    }
}

/// The logits after these tokens, `[d_vocab]`, and the tokens' keys and values.
fn step(
    model: &Transformer,
    ids: &[u32],
    past: Option<&ActivationCache>,
    ctx: &AnalysisCtx<'_>,
) -> Result<(Vec<f32>, ActivationCache), Cancelled> {
    let sites = model.config.past_sites();
    let (rows, donors) = ([BatchRow::new(ids, &[])], Donors::new());
    let request = Request { rows: &rows, donors: &donors, capture: &sites, past, n_read: 1 };
    let run = model.run(&request, &mut |_| ctx.check_cancelled(model))?;
    Ok((run.logits.into_data().iter::<f32>().collect(), run.cache))
}

/// The keys and values of earlier positions followed by those of later ones.
fn joined(earlier: &ActivationCache, later: &ActivationCache) -> ActivationCache {
    let both = |site: Site| vec![earlier.get(site).clone(), later.get(site).clone()];
    earlier.sites().map(|site| (site, Tensor::cat(both(site), 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [1.0, 3.0, 2.0, 2.0, -1.0];

    fn sample(temperature: f64, top_k: Option<usize>, top_p: Option<f64>) -> Vec<(u32, f64)> {
        Choice::Sample { temperature, top_k, top_p, seed: 0 }.candidates(&LOGITS)
    }

    #[test]
    fn candidates_are_narrowed_as_hugging_face_does() {
        let all = sample(1.0, None, None);
        assert_eq!(all.iter().map(|it| it.0).collect::<Vec<_>>(), [1, 2, 3, 0, 4]);
        assert!((all.iter().map(|it| it.1).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((all[0].1 / all[1].1 - 1.0_f64.exp()).abs() < 1e-9);
        assert!((sample(0.5, None, None)[0].1 / all[1].1).ln() > 1.0);
        // The second and the third are equally likely.
        assert_eq!(sample(1.0, Some(2), None).len(), 3);
        assert_eq!(sample(1.0, Some(99), None), all);
        // The likeliest has 0.53, the two after it 0.19 each.
        for (p, n) in [(1e-9, 1), (0.5, 1), (0.6, 2), (0.75, 3), (1.0, 5)] {
            assert_eq!(sample(1.0, None, Some(p)).len(), n, "{p}");
        }
        // Top-p narrows what top-k leaves.
        assert_eq!(sample(1.0, Some(1), Some(0.99)), [(1, 1.0)]);
        assert_eq!(Choice::Greedy.candidates(&[1.0, 2.0, 2.0]), [(1, 1.0)]);
    }

    #[test]
    fn a_draw_falls_where_its_share_is() {
        let candidates = [(7, 0.25), (3, 0.5), (9, 0.25)];
        for (at, id) in [(0.0, 7), (0.2499, 7), (0.25, 3), (0.7499, 3), (0.75, 9), (1.0, 9)] {
            assert_eq!(draw(&candidates, at).0, id, "{at}");
        }
    }
}
