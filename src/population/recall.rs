//! Whether a model knows a fact, by its first guess, by the answer's rank, and by a choice among the
//! answers of the relation.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::selection::{Selection, Wording};
use crate::analysis::{AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, prediction};
use crate::experiment::first_tokens;
use crate::facts::{Dataset, Direction, Fact, Record};
use crate::tokens::{Bos, TokenizeError, TokenizedPrompt, Tokenizer};
use crate::worker::Engine;

/// By what a model knows an answer. An answer is judged by its first token, as in ROME.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownBy {
    /// A right answer is the model's first guess.
    #[default]
    First,

    /// A right answer is among the model's first ten guesses.
    Ten,

    /// Among the answers of all facts of the relation, a right one is the likeliest.
    Choice,
}

/// How well a model recalls an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
            KnownBy::First => self.rank == 0,
            KnownBy::Ten => self.rank < 10,
            KnownBy::Choice => self.choice == Some(0),
        }
    }

    /// Whether an answer is recalled better here than in other words: by its rank, which for `Choice` is
    /// that among the relation's answers, and of equal ranks by its probability.
    pub(super) fn is_better(&self, other: &Self, by: KnownBy) -> bool {
        let rank = |it: &Self| match by {
            KnownBy::Choice => it.choice.unwrap_or(it.rank),
            KnownBy::First | KnownBy::Ten => it.rank,
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

type FirstTokens = Rc<BTreeSet<u32>>;

/// The first tokens of all answers of each relation, found once for each.
pub struct Choices<'a> {
    dataset: &'a Dataset,
    tokenizer: &'a Tokenizer,
    found: RefCell<BTreeMap<(String, Direction), FirstTokens>>,
}

impl<'a> Choices<'a> {
    pub fn new(dataset: &'a Dataset, tokenizer: &'a Tokenizer) -> Self {
        Self { dataset, tokenizer, found: RefCell::default() }
    }

    /// The first tokens of the answers of a record's relation, asked the same way. `None` without a
    /// relation.
    pub(super) fn of(&self, record: &Record, direction: Direction) -> Option<FirstTokens> {
        let key = (record.relation.clone()?, direction);
        if let Some(known) = self.found.borrow().get(&key) {
            return Some(Rc::clone(known));
        }
        let alike = self.dataset.records.iter().filter(|it| it.relation == record.relation);
        let answers: BTreeSet<&String> = alike.flat_map(|it| it.answers(direction)).collect();
        let first = |it: &String| Some(TokenizedPrompt::answer(self.tokenizer, it).ok()?.first());
        let first = Rc::new(answers.into_iter().filter_map(first).collect());
        self.found.borrow_mut().insert(key, Rc::clone(&first));
        Some(first)
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
    recall(engine, fact, right, choices.as_deref(), bos, ctx)
}

/// The recall of a fact in its prompt. The inner error says why it cannot be asked.
fn recall(
    engine: &Engine,
    fact: &Fact,
    right: &[String],
    choices: Option<&BTreeSet<u32>>,
    bos: Bos,
    ctx: &AnalysisCtx<'_>,
) -> Result<Result<Recall, String>, AnalysisError> {
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
    let all = AnalysisSpec::from(prediction::Spec { n_top: engine.info.config.d_vocab });
    let top = match engine.run(&prompt, &all, ctx) {
        Ok(AnalysisResult::Prediction(found)) => found.top,
        Ok(_) => return Ok(Err("the model gave no prediction".to_owned())),
        Err(error) if error.is_of_one_fact() => return Ok(Err(error.to_string())),
        Err(error) => return Err(error),
    };
    let Some(rank) = top.iter().position(|it| first.contains(&it.id)) else {
        return Ok(Err("no right answer is in the model's vocabulary".to_owned()));
    };
    let id = top[rank].id;
    let is_it = |answer: &&String| {
        TokenizedPrompt::answer(tokenizer, answer).is_ok_and(|it| it.first() == id)
    };
    Ok(Ok(Recall {
        template: fact.template(),
        answer: right.iter().find(is_it).cloned().unwrap_or_default(),
        rank,
        prob: top[rank].prob,
        choice: choices.map(|all| top[..rank].iter().filter(|it| all.contains(&it.id)).count()),
        guess: tokenizer.piece(top[0].id),
    }))
}
