//! Draws the facts of a dataset that are averaged.

use std::collections::HashSet;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{AskedFact, Cause, LeftOut};
use crate::analysis::statistics::draw;
use crate::facts::{Direction, Fact, Record, Records};
use crate::tokens::{Bos, TokenizeError, TokenizedPrompt, Tokenizer};

/// How facts are drawn at random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The id of the relation that facts are drawn from. `None` stands for all relations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,

    /// Which way the facts are asked. Facts that are not asked that way are passed over.
    pub direction: Direction,

    /// The most facts that are drawn.
    pub n_facts: usize,
    pub seed: u32,
}

impl Sample {
    /// The facts in the order of drawing. A larger sample begins with the same facts.
    pub fn draw<'a>(&self, records: &'a Records) -> Vec<&'a Record> {
        let is_meant = |record: &&Record| {
            let is_asked = record.fact(self.direction).is_some();
            is_asked && self.relation.as_ref().is_none_or(|it| record.relation.as_ref() == Some(it))
        };
        let mut drawn: Vec<&Record> = records.iter().filter(is_meant).collect();
        draw(&mut drawn, self.n_facts, ChaCha8Rng::seed_from_u64(u64::from(self.seed)));
        drawn
    }

    /// Facts in the order of drawing that ask different questions: of inverses of a many-to-one relation,
    /// which share theirs, the first that is drawn. More facts keep the first ones here, too.
    pub fn draw_questions<'a>(&self, records: &'a Records) -> Vec<&'a Record> {
        let mut asked = HashSet::new();
        let all = Self { n_facts: records.len(), ..self.clone() }.draw(records);
        let is_new =
            |it: &&'a Record| it.fact(self.direction).is_some_and(|it| asked.insert(&it.prompt));
        all.into_iter().filter(is_new).take(self.n_facts).collect()
    }
}

impl AskedFact {
    /// A fact to trace, with all its right answers. The error says why it cannot be asked.
    pub fn new(
        tokenizer: &Tokenizer,
        fact: &Fact,
        answers: &[String],
        bos: Bos,
    ) -> Result<Self, LeftOut> {
        let asked = || -> Result<Self, TokenizeError> {
            let prompt = TokenizedPrompt::new(tokenizer, fact, bos)?;
            let own = prompt.answer.as_ref().map(|answer| answer.first());
            let mut right = Vec::new();
            for answer in answers {
                let first = TokenizedPrompt::answer(tokenizer, answer)?.first();
                if own != Some(first) && !right.contains(&first) {
                    right.push(first);
                }
            }
            Ok(Self { prompt, right, corruption: None })
        };
        asked().map_err(|error| LeftOut::not_traced(fact, &error))
    }
}

impl LeftOut {
    /// A fact that cannot be traced.
    pub fn not_traced(fact: &Fact, reason: &impl ToString) -> Self {
        let prompt = fact.prompt.clone();
        Self { prompt, cause: Cause::NotTraced, reason: reason.to_string() }
    }
}
