//! Draws other subjects that stand in for the subject of each fact that is averaged.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::{AskedFact, LeftOut};
use crate::analysis::corruption::{Corruption, SubjectsOf};
use crate::analysis::statistics::draw;
use crate::facts::{Direction, Fact, Record, Records};
use crate::tokens::{Bos, Substitute, Tokenizer, first_substitutes};

/// How other subjects are drawn from the facts of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandIns {
    /// Which subjects may stand in.
    pub of: StandIn,

    /// Which way all facts are asked.
    pub direction: Direction,

    /// How many subjects are drawn for each fact. A larger number begins with the same subjects.
    pub n_samples: usize,
    pub seed: u32,
}

/// Which subjects may stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// Any other subjects, for resampling.
    Any(SubjectsOf),

    /// One subject of the relation with another answer, which becomes the foil, for symmetric token
    /// replacement. A subject whose answer is the dataset's foil is preferred.
    Counterpart,
}

/// Remembers how many tokens words have, because many facts share the same candidates.
#[derive(Debug)]
pub struct Lengths<'a> {
    tokenizer: &'a Tokenizer,
    known: RefCell<HashMap<String, usize>>,
}

impl<'a> Lengths<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, known: RefCell::default() }
    }

    /// The number of tokens of a word, 0 if it cannot be tokenized.
    fn of(&self, word: String) -> usize {
        let count = |word: &String| {
            let tokens = if word.starts_with(' ') {
                self.tokenizer.encode_inside(word)
            } else {
                self.tokenizer.encode(word)
            };
            tokens.map_or(0, |tokens| tokens.len())
        };
        *self.known.borrow_mut().entry(word).or_insert_with_key(count)
    }
}

impl StandIns {
    /// A fact to trace with its own corruption, or the reason why it cannot be asked. `nth` is its
    /// index among the facts that are averaged.
    pub fn ask(
        &self,
        lengths: &Lengths<'_>,
        (record, fact): (&Record, &Fact),
        nth: usize,
        bos: Bos,
        records: &Records,
    ) -> Result<AskedFact, LeftOut> {
        let (tokenizer, answers) = (lengths.tokenizer, record.answers(self.direction));
        let (Some(own), Some(place)) = (fact.subject_text(), &fact.subject) else {
            return AskedFact::new(tokenizer, fact, answers, bos);
        };
        // With rare exceptions, a word has as many tokens alone as in the prompt.
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

    /// The facts whose subjects may stand in, in the order of drawing.
    fn candidates<'a>(
        &self,
        (record, fact): (&Record, &Fact),
        nth: usize,
        records: &'a Records,
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
        // Each fact has its own stream, so that facts of one relation get different subjects.
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
