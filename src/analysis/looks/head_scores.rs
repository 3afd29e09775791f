//! Scores that tell kinds of heads apart, such as induction heads, by where they attend.
//!
//! Olsson et al. 2022, "In-context Learning and Induction Heads": on a sequence of random tokens
//! that is then repeated, an induction head attends from a token to the one after its earlier
//! occurrence, and a duplicate-token head to that occurrence itself. The same is measured on the
//! prompt, where few tokens occur twice. TransformerLens' `detect_head` with `error_measure="mul"`
//! gives these scores times the share of queries that they are averaged over.

use std::ops::Range;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::analysis::error::countable;
use crate::analysis::layer_by_layer::each_layer;
use crate::analysis::sweep::check_ids;
use crate::analysis::{About, AnalysisError, Grid, Lab, Method, Needs, PromptOf, Sizes, sources};
use crate::intervention::{Site, SiteSet};
use crate::model::Transformer;
use crate::task::{Cancelled, Progress};
use crate::tokens::{Bos, TokenizedPrompt};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// How many random tokens a sequence repeats.
    pub n_random: usize,

    /// How many random sequences are averaged.
    pub n_sequences: usize,

    /// The seed of the random tokens.
    pub seed: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadSummary {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The random sequences with their repetitions, after BOS if the prompt has it.
    /// `[sequence, pos]`
    pub random_ids: Vec<Vec<u32>>,

    /// The scores of every head. `[layer, head]`
    pub heads: Grid<HeadScores>,
}

/// A head's mean attention weights, 0 to 1, over the queries that have such a key.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadScores {
    /// From each token to the one before. `None` if the prompt has only one token.
    pub previous_token: Option<f32>,

    /// To earlier occurrences of the same token. `None` if no token occurs twice.
    pub duplicate_token: Option<f32>,

    /// To the tokens after earlier occurrences of the same token. `None` if no token occurs twice.
    pub induction: Option<f32>,

    /// From the last token to all tokens of the subject. `None` without a subject.
    pub subject: Option<f32>,

    /// From all later tokens to the first, an attention sink. `None` if the prompt has only one
    /// token.
    pub first_token: Option<f32>,

    /// The entropy of the last token's weights, in nats. 0 means that it attends to one token only.
    pub entropy: f32,

    /// As `previous_token`, from the repeated random tokens.
    pub random_previous_token: f32,

    /// As `duplicate_token`, from the repeated random tokens.
    pub random_duplicate_token: f32,

    /// As `induction`, from the repeated random tokens.
    pub random_induction: f32,
}

impl Method for Spec {
    type Found = HeadSummary;
    const NAME: &'static str = "head scores";
    const ABOUT: About = About {
        text: "What kind of head each head is, by where it looks in the prompt and in random \
               tokens that are repeated.",
        sources: &[sources::OLSSON_2022],
    };
    const VERB: &'static str = "Scoring heads";
    const NEEDS: Needs = Needs::Prompt;
    const HAS_OTHER_PROMPTS: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<HeadSummary, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        self.check()?;
        check_ids(model, &prompt.ids, [].into_iter())?;
        let n_bos = usize::from(prompt.bos == Bos::On);
        // What is too long for the model is told before any of it is drawn.
        check_ids(model, &vec![0; n_bos + 2 * self.n_random], [].into_iter())?;
        let random_ids = random_sequences(model, prompt, *self);

        let n_heads = model.config.n_heads;
        let n_all = model.config.n_layers * n_heads;
        let total = 1 + random_ids.len() as u64;
        let mut done = 0;
        let mut step = || {
            ctx.task.checkpoint(Progress { done, total })?;
            done += 1;
            Ok::<_, AnalysisError>(())
        };
        let mut random = vec![[0.0; 3]; n_all];
        let second = n_bos + self.n_random..n_bos + 2 * self.n_random;
        for ids in &random_ids {
            step()?;
            each_pattern(lab, ids, |nth, pattern| {
                let n_pos = ids.len();
                // The distances to the token before, to the first occurrence, and to the one after
                // it.
                for (sum, back) in random[nth].iter_mut().zip([1, self.n_random, self.n_random - 1])
                {
                    let to = |query: usize| f64::from(pattern[query * n_pos + query - back]);
                    *sum += second.clone().map(to).sum::<f64>() / second.len() as f64;
                }
            })?;
        }
        step()?;
        let keys = CountedKeys::new(&prompt.ids);
        let mut heads = Vec::with_capacity(n_all);
        each_pattern(lab, &prompt.ids, |nth, pattern| {
            let [previous, duplicate, induction] =
                random[nth].map(|sum| (sum / random_ids.len() as f64) as f32);
            heads.push(HeadScores {
                random_previous_token: previous,
                random_duplicate_token: duplicate,
                random_induction: induction,
                ..keys.scores(pattern, prompt.subject.as_ref())
            });
        })?;
        Ok(HeadSummary {
            spec: *self,
            prompt: prompt.clone(),
            random_ids,
            heads: Grid::new(n_heads, heads),
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let pattern = SiteSet::from([Site::Pattern(0)]);
        let random = sizes.with_n_pos(2 * self.n_random + 1);
        let n_drawn = (self.n_sequences as u64).saturating_mul(random.n_pos as u64);
        let drawn = n_drawn.saturating_mul(size_of::<u32>() as u64);
        sizes.pass_by_steps(&pattern).max(random.pass_by_steps(&pattern)).saturating_add(drawn)
    }

    fn check(&self) -> Result<(), AnalysisError> {
        countable("the number of random tokens", self.n_random)?;
        countable("the number of random sequences", self.n_sequences)
    }
}

fn random_sequences(model: &Transformer, prompt: &TokenizedPrompt, spec: Spec) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(spec.seed));
    let bos = (prompt.bos == Bos::On).then(|| prompt.ids[0]);
    let sequence = |_| {
        let token = |_| rng.random_range(0..model.config.d_vocab as u32);
        let tokens: Vec<u32> = (0..spec.n_random).map(token).collect();
        bos.into_iter().chain(tokens.iter().copied()).chain(tokens.iter().copied()).collect()
    };
    (0..spec.n_sequences).map(sequence).collect()
}

/// Calls `see` with the number of every head, layer by layer, and its pattern `[query, key]`.
fn each_pattern(
    lab: &Lab<'_>,
    ids: &[u32],
    mut see: impl FnMut(usize, &[f32]),
) -> Result<(), Cancelled> {
    let (n_layers, n_heads) = (lab.model.config.n_layers, lab.model.config.n_heads);
    let patterns = (0..n_layers).map(Site::Pattern).collect();
    each_layer(lab, ids, &patterns, &mut |layer, cache| {
        let patterns = cache.activation(Site::Pattern(layer)).values;
        for (head, pattern) in patterns.chunks(ids.len() * ids.len()).enumerate() {
            see(layer * n_heads + head, pattern);
        }
    })
}

/// The keys that count for each query of a prompt. `[query, key]`
struct CountedKeys {
    /// Earlier occurrences of the query's token.
    duplicate: Vec<Vec<usize>>,

    /// The positions after these.
    induction: Vec<Vec<usize>>,
}

impl CountedKeys {
    fn new(ids: &[u32]) -> Self {
        let earlier = |query: usize| (0..query).filter(move |&key| ids[key] == ids[query]);
        Self {
            duplicate: (0..ids.len()).map(|query| earlier(query).collect()).collect(),
            induction: (0..ids.len())
                .map(|query| earlier(query).map(|key| key + 1).collect())
                .collect(),
        }
    }

    /// The scores of one head on the prompt, with those on random tokens left at 0.
    fn scores(&self, pattern: &[f32], subject: Option<&Range<usize>>) -> HeadScores {
        let n_pos = self.duplicate.len();
        let rows: Vec<&[f32]> = pattern.chunks(n_pos).collect();
        let sum = |query: usize, keys: &[usize]| -> f64 {
            keys.iter().map(|&key| f64::from(rows[query][key])).sum()
        };
        let mean = |keys: &[Vec<usize>]| {
            let found = keys.iter().enumerate().filter(|(_, keys)| !keys.is_empty());
            let sums: Vec<f64> = found.map(|(query, keys)| sum(query, keys)).collect();
            (!sums.is_empty()).then(|| (sums.iter().sum::<f64>() / sums.len() as f64) as f32)
        };
        let later = |key: fn(usize) -> usize| {
            let keys: Vec<Vec<usize>> = (0..n_pos)
                .map(|query| if query == 0 { Vec::new() } else { vec![key(query)] })
                .collect();
            mean(&keys)
        };
        let last = rows[n_pos - 1];
        let entropy = last.iter().filter(|it| **it > 0.0).map(|&it| {
            let weight = f64::from(it);
            -weight * weight.ln()
        });
        HeadScores {
            previous_token: later(|query| query - 1),
            duplicate_token: mean(&self.duplicate),
            induction: mean(&self.induction),
            subject: subject.map(|it| last[it.clone()].iter().sum()),
            first_token: later(|_| 0),
            entropy: entropy.sum::<f64>() as f32,
            random_previous_token: 0.0,
            random_duplicate_token: 0.0,
            random_induction: 0.0,
        }
    }
}
