//! Other subjects that stand in for those of the facts that are averaged: each fact has its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::sample::draw;
use super::{AskedFact, LeftOut};
use crate::analysis::corruption::{Corruption, SubjectsOf};
use crate::facts::{Direction, Fact, Record};
use crate::tokens::{Bos, Substitute, Tokenizer, first_substitutes};

/// Drawn from the facts of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandIns {
    pub of: StandIn,

    /// Which way all facts are asked.
    pub direction: Direction,

    /// So many for each fact; more keep the first ones.
    pub n_samples: usize,
    pub seed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// Resampling.
    Any(SubjectsOf),

    /// Symmetric token replacement: one subject of the relation with another answer, which becomes the
    /// foil. The dataset's foil goes before other answers.
    Counterpart,
}

/// How many tokens words have, each counted once: many facts look through the same subjects.
#[derive(Debug)]
pub struct Lengths<'a> {
    tokenizer: &'a Tokenizer,
    known: RefCell<HashMap<String, usize>>,
}

impl<'a> Lengths<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, known: RefCell::default() }
    }

    /// 0 where it cannot be tokenized.
    fn of(&self, word: String) -> usize {
        let count = |word: &String| self.tokenizer.encode(word).map_or(0, |tokens| tokens.len());
        *self.known.borrow_mut().entry(word).or_insert_with_key(count)
    }
}

impl StandIns {
    /// A fact as it is asked, or why it cannot be. `nth`: of the facts that are averaged.
    pub fn ask(
        &self,
        lengths: &Lengths<'_>,
        (record, fact): (&Record, &Fact),
        nth: usize,
        bos: Bos,
        records: &[Record],
    ) -> Result<AskedFact, LeftOut> {
        let (tokenizer, answers) = (lengths.tokenizer, record.answers(self.direction));
        let (Some(own), Some(place)) = (fact.subject_text(), &fact.subject) else {
            return AskedFact::new(tokenizer, fact, answers, bos);
        };
        // A word has as many tokens by itself as in the prompt, but for rare joints.
        let space = if fact.prompt[..place.start].ends_with(' ') { " " } else { "" };
        let n_tokens = |subject: &str| lengths.of(format!("{space}{subject}"));
        let n_own = n_tokens(own);
        let others = self.candidates((record, fact), nth, records);
        let others = others
            .into_iter()
            .filter_map(|it| Some((it.subject_text()?, it.answer.as_deref())))
            .filter(|(subject, _)| n_tokens(subject) == n_own);
        let most = match self.of {
            StandIn::Any(_) => self.n_samples,
            StandIn::Counterpart => 1,
        };
        let found = first_substitutes(tokenizer, fact, bos, others, most)
            .map_err(|error| LeftOut::not_traced(fact, &error))?;
        let Some(Substitute { answer, ids, .. }) = found.first() else {
            return Err(LeftOut::not_traced(fact, &self.missing()));
        };
        let mut fact = fact.clone();
        let corruption = match self.of {
            StandIn::Any(of) => {
                let ids = found.iter().map(|it| it.ids.clone()).collect();
                Corruption::OtherSubjects { of, ids }
            }
            StandIn::Counterpart => {
                fact.foil.clone_from(answer);
                Corruption::Counterpart { ids: Arc::from(ids.as_slice()) }
            }
        };
        let asked = AskedFact::new(tokenizer, &fact, answers, bos)?;
        Ok(AskedFact { corruption: Some(corruption), ..asked })
    }

    /// Facts whose subjects may stand in, as they are drawn.
    fn candidates<'a>(
        &self,
        (record, fact): (&Record, &Fact),
        nth: usize,
        records: &'a [Record],
    ) -> Vec<&'a Fact> {
        let is_related = |other: &&Record| {
            self.of == StandIn::Any(SubjectsOf::All)
                || (record.relation.is_some() && other.relation == record.relation)
        };
        let facts = records.iter().filter(is_related).filter_map(|it| it.fact(self.direction));
        let mut facts: Vec<&Fact> = facts.collect();
        if self.of == StandIn::Counterpart {
            let right = record.answers(self.direction);
            facts.retain(|it| it.answer.as_ref().is_some_and(|answer| !right.contains(answer)));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(u64::from(self.seed));
        // Two facts of one relation must not have the same others.
        rng.set_stream(nth as u64);
        let n = facts.len();
        draw(&mut facts, n, rng);
        if self.of == StandIn::Counterpart
            && let Some(foil) = &fact.foil
        {
            facts.sort_by_key(|it| it.answer.as_ref() != Some(foil));
        }
        facts
    }

    fn missing(&self) -> &'static str {
        match self.of {
            StandIn::Any(SubjectsOf::Relation) => {
                "no other subject of this relation has as many tokens"
            }
            StandIn::Any(SubjectsOf::All) => "no other subject of the dataset has as many tokens",
            StandIn::Counterpart => {
                "no other subject of this relation has as many tokens and another answer"
            }
        }
    }
}
