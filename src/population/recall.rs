//! Whether a model knows a fact, by its first guess, by the answer's rank, and by a choice among the
//! answers of the relation.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::selection::{Selection, Wording};
use crate::analysis::{AnalysisCtx, AnalysisError};
use crate::experiment::first_tokens;
use crate::facts::{Dataset, Direction, Fact, Record, Records};
use crate::tokens::{Bos, TokenizeError, TokenizedPrompt, Tokenizer};
use crate::worker::Engine;

/// By what a model knows an answer. An answer is judged by its first token, as in ROME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum KnownBy {
    /// A right answer is among so many first guesses of the model, at least 1.
    Rank(usize),

    /// Among the answers of all facts of the relation, a right one is the likeliest.
    Choice,
}

impl KnownBy {
    /// A right answer is the model's first guess, as in ROME.
    pub const FIRST: Self = Self::Rank(1);
    pub const TEN: Self = Self::Rank(10);

    /// By what an answer is known, to be read after “by”.
    pub fn text(self) -> String {
        match self {
            Self::FIRST => "first guess".to_owned(),
            Self::Rank(n) => format!("rank, among the first {n}"),
            Self::Choice => "choice among the relation's answers".to_owned(),
        }
    }
}

impl Default for KnownBy {
    fn default() -> Self {
        Self::FIRST
    }
}

/// As flags and files have it: `first`, `ten`, another number, or `choice`.
impl fmt::Display for KnownBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FIRST => f.write_str("first"),
            Self::TEN => f.write_str("ten"),
            Self::Rank(n) => write!(f, "{n}"),
            Self::Choice => f.write_str("choice"),
        }
    }
}

/// A text that says no way to know an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no way to know an answer; give `first`, `ten` or another number of guesses from 1 on, or \
     `choice`"
)]
pub struct UnknownWay(String);

impl FromStr for KnownBy {
    type Err = UnknownWay;

    fn from_str(text: &str) -> Result<Self, UnknownWay> {
        match (text, text.parse()) {
            ("first", _) => Ok(Self::FIRST),
            ("ten", _) => Ok(Self::TEN),
            ("choice", _) => Ok(Self::Choice),
            (_, Ok(n)) if n > 0 => Ok(Self::Rank(n)),
            _ => Err(UnknownWay(text.to_owned())),
        }
    }
}

impl From<KnownBy> for String {
    fn from(by: KnownBy) -> Self {
        by.to_string()
    }
}

impl TryFrom<String> for KnownBy {
    type Error = UnknownWay;

    fn try_from(text: String) -> Result<Self, UnknownWay> {
        text.parse()
    }
}

/// How well a model recalls an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// The words in which it was asked, with `{}` for the subject. `None` without a subject.
    pub template: Option<String>,

    /// The right answer whose first token is likeliest.
    pub answer: String,

    /// How many tokens are likelier.
    pub rank: usize,

    /// The probability of its first token, 0 to 1.
    pub prob: f32,

    /// How many first tokens of the relation's answers are likelier. `None` without a relation.
    pub choice: Option<usize>,

    /// How many tokens are likelier than the first one of the fact's own answer, which may be another
    /// than the likeliest. `None` without one in the model's vocabulary.
    pub own_rank: Option<usize>,

    /// The text of the model's first guess.
    pub guess: String,
}

/// How a record is recalled each way. `Err` says why it cannot be asked that way.
#[derive(Clone, Debug, PartialEq)]
pub struct Recalled {
    pub forward: Result<Recall, String>,
    pub inverse: Result<Recall, String>,
}

/// Which ways a model knows a fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub forward: bool,
    pub inverse: bool,
}

impl Known {
    pub fn name(self) -> &'static str {
        match (self.forward, self.inverse) {
            (true, true) => "both",
            (true, false) => "forward",
            (false, true) => "inverse",
            (false, false) => "neither",
        }
    }
}

impl Recall {
    pub fn is_known(&self, by: KnownBy) -> bool {
        match by {
            KnownBy::Rank(n) => self.rank < n,
            KnownBy::Choice => self.choice == Some(0),
        }
    }

    /// Whether an answer is recalled better here than in other words: by its rank, which for `Choice` is
    /// that among the relation's answers, and of equal ranks by its probability.
    pub(super) fn is_better(&self, other: &Self, by: KnownBy) -> bool {
        let rank = |it: &Self| match by {
            KnownBy::Choice => it.choice.unwrap_or(it.rank),
            KnownBy::Rank(_) => it.rank,
        };
        rank(self) < rank(other) || (rank(self) == rank(other) && self.prob > other.prob)
    }
}

impl Recalled {
    pub fn known(&self, by: KnownBy) -> Known {
        let is_known =
            |it: &Result<Recall, String>| it.as_ref().is_ok_and(|recall| recall.is_known(by));
        Known { forward: is_known(&self.forward), inverse: is_known(&self.inverse) }
    }

    pub fn way(&self, direction: Direction) -> &Result<Recall, String> {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Inverse => &self.inverse,
        }
    }

    /// Asks a model for a record both ways, in the words that the selection says.
    pub fn of(
        engine: &Engine,
        choices: &Choices<'_>,
        record: &Record,
        selection: &Selection,
        bos: Bos,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Self, AnalysisError> {
        let way = |direction| {
            let own = recall_in(engine, choices, (record, direction), bos, ctx)?;
            let (Wording::Best, Ok(mut best)) = (selection.wording, own.clone()) else {
                return Ok(own);
            };
            for template in record.templates(direction).iter().skip(1) {
                let Some(worded) = record.in_words(direction, template) else { continue };
                let found = recall_in(engine, choices, (&worded, direction), bos, ctx)?;
                if let Ok(found) = found
                    && found.is_better(&best, selection.known_by)
                {
                    best = found;
                }
            }
            Ok::<_, AnalysisError>(Ok(best))
        };
        Ok(Self { forward: way(Direction::Forward)?, inverse: way(Direction::Inverse)? })
    }

    /// A record in the words in which it was asked.
    pub fn worded(&self, record: &Record) -> Record {
        let mut worded = record.clone();
        for direction in Direction::ALL {
            let template = self.way(direction).as_ref().ok().and_then(|it| it.template.as_ref());
            let own = record.fact(direction).and_then(Fact::template);
            let other = template.filter(|it| Some(*it) != own.as_ref());
            if let Some(it) = other.and_then(|it| worded.in_words(direction, it)) {
                worded = it;
            }
        }
        worded
    }
}

/// The answers of all facts of a relation, asked one way.
#[derive(Debug, Default)]
pub struct RelationAnswers {
    texts: BTreeSet<String>,

    /// Their first tokens, once they are asked for.
    first: OnceLock<BTreeSet<u32>>,
}

impl RelationAnswers {
    pub fn new(records: &Records, relation: &str, direction: Direction) -> Self {
        let alike = records.iter().filter(|it| it.relation.as_deref() == Some(relation));
        let texts = alike.flat_map(|it| it.answers(direction)).cloned().collect();
        Self { texts, first: OnceLock::new() }
    }

    /// The first tokens of all answers. One tokenizer only may ask for them.
    pub fn first_tokens(&self, tokenizer: &Tokenizer) -> &BTreeSet<u32> {
        self.first.get_or_init(|| {
            let first = |it: &String| Some(TokenizedPrompt::answer(tokenizer, it).ok()?.first());
            self.texts.iter().filter_map(first).collect()
        })
    }
}

/// The answers of each relation of a dataset, found once for each.
pub struct Choices<'a> {
    dataset: &'a Dataset,
    found: RefCell<BTreeMap<(String, Direction), Arc<RelationAnswers>>>,
}

impl<'a> Choices<'a> {
    pub fn new(dataset: &'a Dataset) -> Self {
        Self { dataset, found: RefCell::default() }
    }

    /// The answers of a record's relation, asked the same way. `None` without a relation.
    pub(super) fn of(&self, record: &Record, direction: Direction) -> Option<Arc<RelationAnswers>> {
        let relation = record.relation.clone()?;
        let mut found = self.found.borrow_mut();
        let answers = found.entry((relation, direction)).or_insert_with_key(|(relation, _)| {
            Arc::new(RelationAnswers::new(&self.dataset.records, relation, direction))
        });
        Some(Arc::clone(answers))
    }
}

/// The recall of a record in its own words. The inner error says why it cannot be asked.
pub(super) fn recall_in(
    engine: &Engine,
    choices: &Choices<'_>,
    (record, direction): (&Record, Direction),
    bos: Bos,
    ctx: &AnalysisCtx<'_>,
) -> Result<Result<Recall, String>, AnalysisError> {
    let Some(fact) = record.fact(direction) else {
        return Ok(Err("the fact has no inverse".to_owned()));
    };
    let (right, choices) = (record.answers(direction), choices.of(record, direction));
    Recall::of(engine, (fact, right), choices.as_deref(), bos, ctx)
}

impl Recall {
    /// Asks a model for a fact in its prompt, of which these answers are right. `choices`: the answers of
    /// the fact's relation. The inner error says why it cannot be asked.
    pub fn of(
        engine: &Engine,
        (fact, right): (&Fact, &[String]),
        choices: Option<&RelationAnswers>,
        bos: Bos,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Result<Self, String>, AnalysisError> {
        let tokenizer = &engine.info.tokenizer;
        let tokenized = || -> Result<(TokenizedPrompt, Vec<u32>), TokenizeError> {
            let fact = Fact { answer: None, foil: None, ..fact.clone() };
            let prompt = TokenizedPrompt::new(tokenizer, &fact, bos)?;
            Ok((prompt, first_tokens(tokenizer, right)?))
        };
        let (prompt, first) = match tokenized() {
            Ok(found) => found,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if first.is_empty() {
            return Ok(Err("the dataset has no answer".to_owned()));
        }
        let next = match engine.next_tokens(&prompt, ctx) {
            Ok(next) => next,
            Err(error) if error.is_of_one_fact() => return Ok(Err(error.to_string())),
            Err(error) => return Err(error),
        };
        let Some(best) = next.likeliest_of(first) else {
            return Ok(Err("no right answer is in the model's vocabulary".to_owned()));
        };
        let is_it = |answer: &&String| {
            TokenizedPrompt::answer(tokenizer, answer).is_ok_and(|it| it.first() == best.id)
        };
        let choice = |all: &RelationAnswers| {
            next.rank_among(best.id, all.first_tokens(tokenizer).iter().copied())
        };
        let own = fact.answer.as_deref().and_then(|it| TokenizedPrompt::answer(tokenizer, it).ok());
        let own = own.and_then(|it| next.likeliest_of([it.first()]));
        Ok(Ok(Self {
            template: fact.template(),
            answer: right.iter().find(is_it).cloned().unwrap_or_default(),
            rank: next.rank(best.id),
            prob: best.prob,
            choice: choices.map(choice),
            own_rank: own.map(|it| next.rank(it.id)),
            guess: tokenizer.readable(next.top(1)[0].id),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_to_know_is_read_as_it_was_written() {
        for (by, text) in [
            (KnownBy::FIRST, "first"),
            (KnownBy::TEN, "ten"),
            (KnownBy::Rank(3), "3"),
            (KnownBy::Choice, "choice"),
        ] {
            assert_eq!((by.to_string(), text.parse()), (text.to_owned(), Ok(by)));
            let file = serde_json::to_string(&by).unwrap();
            assert_eq!(file, format!("\"{text}\""), "as folders had it before");
            assert_eq!(serde_json::from_str::<KnownBy>(&file).unwrap(), by);
        }
        for (text, by) in [("1", KnownBy::FIRST), ("10", KnownBy::TEN)] {
            assert_eq!(text.parse(), Ok(by));
        }
        for wrong in ["0", "-1", "", "tenth"] {
            assert!(wrong.parse::<KnownBy>().is_err(), "{wrong}");
        }
    }
}
