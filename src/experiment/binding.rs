//! Binds an experiment to other facts: what its spec says of one fact, it then says of another.
//!
//! Prompts, answers, subjects and positions of the spec are found again by their role: the fact's
//! own prompt, the fact asked the other way, its prompt with another subject, its answer and its
//! foil, the first, a middle or the last token of the subject, the last token. What has no role is
//! refused with its place in the file, because one fact's token ids mean nothing to another. What is
//! about no fact, such as a layer, stays.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::meant::{Library, Written, subject_tokens};
use super::tree::Tree;
use super::{Experiment, ExperimentError, FactSource, Question, RecordFact, first_tokens};
use crate::analysis::trace_average::FactDraws;
use crate::analysis::{AnalysisError, AnalysisSpec, Needs};
use crate::facts::{Dataset, Direction, Fact, Record};
use crate::tokens::{Bos, TokenizedPrompt};

use binder::{Binder, TOLD_OF_SUBJECTS};

mod binder;
mod reached;

/// An experiment that can be asked of other facts.
pub struct Binding<'a> {
    library: &'a Library<'a>,
    outline: Experiment,
    spec: Tree,

    /// The fact that the spec was written for.
    own: Roles,
    draws: FactDraws,

    /// What has been resolved and is the same for all facts.
    resolved: RefCell<BTreeMap<String, Tree>>,

    /// How each place of the spec is bound, in words.
    pub told: Vec<String>,
}

/// Why an experiment cannot be asked of other facts.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    #[error(transparent)]
    Experiment(#[from] ExperimentError),

    #[error("{name} {reason}, so it cannot be asked of each fact")]
    NotOfOneFact { name: &'static str, reason: &'static str },

    #[error("the spec cannot be asked of other facts: {0}")]
    NoRole(String),

    #[error("the spec cannot be read again: {0}")]
    Json(#[from] serde_json::Error),
}

/// A fact, and what a spec may say of it.
struct Roles {
    question: Question,
    prompt: TokenizedPrompt,
    record: Option<Record>,

    /// The fact asked the other way, if it can be.
    converse: Option<(Fact, TokenizedPrompt)>,

    /// The right answer of the fact asked the other way that the model finds likeliest, where that is
    /// known.
    likeliest_converse: Option<String>,

    /// The first tokens of all right answers, asked this way and the other.
    right: [Vec<u32>; 2],
}

/// What [`Roles::answers`] gives, in words.
const ANSWERS: [&str; 5] = [
    "the fact's answer",
    "the fact's answer",
    "the fact's foil",
    "the answer the other way",
    "the foil the other way",
];

impl Roles {
    fn new(
        library: &Library<'_>,
        question: Question,
        record: Option<&Record>,
        bos: Bos,
    ) -> Result<Self, ExperimentError> {
        let tokenizer = library.tokenizer;
        let prompt = TokenizedPrompt::new(tokenizer, &question.fact, bos)?;
        let (this, other) = (question.direction, question.direction.other());
        // What the model has no embedding of is missing only where it is asked for.
        let converse = record.and_then(|it| it.fact(other)).and_then(|fact| {
            Some((fact.clone(), TokenizedPrompt::new(tokenizer, fact, bos).ok()?))
        });
        let right = |direction| {
            record.map_or(Ok(Vec::new()), |it| first_tokens(tokenizer, it.answers(direction)))
        };
        let right = [right(this)?, right(other).unwrap_or_default()];
        let (record, likeliest_converse) = (record.cloned(), None);
        Ok(Self { question, prompt, record, converse, likeliest_converse, right })
    }

    /// The answers that the fact has, by their roles: each is found again in the same place.
    fn answers(&self) -> [Option<&String>; 5] {
        let converse = self.converse.as_ref().map(|it| &it.0);
        [
            self.question.fact.answer.as_ref(),
            self.question.expected.as_ref(),
            self.question.fact.foil.as_ref(),
            converse.and_then(|it| it.answer.as_ref()),
            converse.and_then(|it| it.foil.as_ref()),
        ]
    }

    /// The answer of another fact that has the role which a text has for this one. `None` if the text is
    /// no answer of this fact; the error says that the other has none.
    fn answer_of(&self, other: &Self, text: &str) -> Option<Result<String, String>> {
        let lacks = || "the fact has no such answer".to_owned();
        for (own, new) in self.answers().into_iter().zip(other.answers()) {
            if own.is_some_and(|it| it == text) {
                return Some(new.cloned().ok_or_else(lacks));
            }
        }
        // Of several right answers one that is not the fact's own was asked for as the likeliest.
        let converse = self.question.direction.other();
        let right = self.record.as_ref().map_or(&[][..], |it| it.answers(converse));
        let own = || other.converse.as_ref().and_then(|it| it.0.answer.as_ref());
        let is_right = right.iter().any(|it| it == text);
        is_right.then(|| other.likeliest_converse.as_ref().or_else(own).cloned().ok_or_else(lacks))
    }
}

impl<'a> Binding<'a> {
    /// Binds the experiment of a file. Fails if it names something that other facts have not.
    pub fn new(
        written: &Written,
        library: &'a Library<'a>,
        draws: FactDraws,
    ) -> Result<Self, BindingError> {
        let outline = written.outline.clone();
        let name = outline.spec.name();
        let refused = |reason| Err(BindingError::NotOfOneFact { name, reason });
        match outline.spec.needs() {
            Needs::Weights => return refused("reads the weights alone"),
            Needs::OwnPrompts => return refused("is about many facts already"),
            Needs::Prompt | Needs::Answer => {}
        }
        if outline.fact == FactSource::NoFact {
            return refused("was written without a fact");
        }
        let question = library.question(&outline.fact)?;
        let record = match (&outline.fact, &question.dataset) {
            (FactSource::Record(it), Some(dataset)) => dataset.find(&it.case).cloned(),
            _ => None,
        };
        let own = Roles::new(library, question, record.as_ref(), outline.bos)?;
        let spec = written.tree()?.get("spec").cloned().unwrap_or(Tree::Plain(Value::Null));
        let resolved = RefCell::default();
        let told = Vec::new();
        let mut binding = Self { library, outline, spec, own, draws, resolved, told };
        let told = RefCell::new(BTreeSet::new());
        binding.bind(&binding.own, &told).map_err(BindingError::NoRole)?;
        binding.check_foil().map_err(BindingError::NoRole)?;
        binding.told = told.into_inner().into_iter().collect();
        Ok(binding)
    }

    /// What is asked of a fact. `answer`: the answer that is measured; `None` stands for the model's
    /// first guess. `converse`: the likeliest right answer of the fact asked the other way; `None` stands
    /// for the dataset's. The error says what the fact lacks.
    pub fn to(
        &self,
        dataset: &Arc<Dataset>,
        record: &Record,
        direction: Direction,
        [answer, converse]: [Option<String>; 2],
    ) -> Result<(Experiment, TokenizedPrompt), String> {
        let fact = record.fact(direction).ok_or("the fact has no inverse")?;
        let question = Question {
            fact: Fact { answer: answer.clone(), ..fact.clone() },
            expected: fact.answer.clone(),
            right: record.answers(direction).to_vec(),
            subjects: Vec::new(),
            relation: record.relation.clone(),
            dataset: Some(Arc::clone(dataset)),
            direction,
        };
        let roles = Roles::new(self.library, question, Some(record), self.outline.bos);
        let roles = roles.map_err(|error| error.to_string())?;
        let roles = Roles { likeliest_converse: converse, ..roles };
        let (spec, foil) = self.bind(&roles, &RefCell::default())?;
        let facts = dataset.path.clone();
        let sha256 = self.library.datasets.hash(&facts);
        let case = record.id.clone();
        let mut prompt = roles.prompt;
        if let Some(foil) = &foil {
            let foil = TokenizedPrompt::answer(self.library.tokenizer, foil);
            prompt.foil = Some(foil.map_err(|error| error.to_string())?);
        }
        // A record in other words than the dataset's is asked in those.
        let own = dataset.find(&record.id).and_then(|it| it.fact(direction));
        let is_own = own.is_some_and(|it| it.prompt == fact.prompt);
        let template = if is_own { None } else { fact.template() };
        let source = FactSource::Record(RecordFact {
            facts,
            sha256,
            case,
            direction,
            answer,
            foil,
            template,
        });
        let spec = spec.read().map_err(|error| error.to_string())?;
        Ok((Experiment { fact: source, spec, ..self.outline.clone() }, prompt))
    }

    /// Adds to what is told which subjects of the dataset that is asked the scale of noise passes over.
    pub fn tell_of(&mut self, dataset: &Dataset) {
        let place = self.told.iter_mut().find(|it| it.ends_with(TOLD_OF_SUBJECTS));
        let passed = subject_tokens(self.library.tokenizer, dataset.subjects()).told();
        if let (Some(place), Some(passed)) = (place, passed) {
            *place = format!("{place}; {passed}");
        }
    }

    /// Whether BOS is put before each prompt.
    pub fn bos(&self) -> Bos {
        self.outline.bos
    }

    /// Refuses a layer at which no fact can be asked.
    pub fn check_layer(
        &self,
        spec: &AnalysisSpec,
        layer: usize,
        n_layers: usize,
    ) -> Result<(), AnalysisError> {
        if layer >= n_layers {
            return Err(AnalysisError::OutOfRange { what: "layer", index: layer, n: n_layers });
        }
        let own = &self.own.prompt;
        let ends_with_subject = own.subject.as_ref().is_some_and(|it| it.end == own.n_pos());
        let is_last = layer + 1 == n_layers && matches!(spec, AnalysisSpec::RankOneEdit(_));
        if is_last && !ends_with_subject {
            return Err(AnalysisError::NotRead { layer });
        }
        Ok(())
    }

    /// Refuses a foil that only the fact of the spec has.
    fn check_foil(&self) -> Result<(), String> {
        let FactSource::Record(it) = &self.outline.fact else { return Ok(()) };
        let foil = it.foil.as_ref().filter(|_| !is_in(&self.spec, "counterpart"));
        let dataset = self.own.question.dataset.as_ref().and_then(|set| set.find(&it.case));
        let own = dataset.and_then(|record| record.fact(it.direction)?.foil.as_ref());
        match foil {
            Some(foil) if own != Some(foil) => Err(format!(
                "the foil “{foil}” is of one fact; leave it out, and each fact has the dataset's"
            )),
            _ => Ok(()),
        }
    }

    /// The spec of another fact, and the foil that goes with it if the spec draws one.
    fn bind(
        &self,
        new: &Roles,
        told: &RefCell<BTreeSet<String>>,
    ) -> Result<(Tree, Option<String>), String> {
        let foil = RefCell::new(None);
        let binder = Binder { all: self, own: &self.own, new, told, foil: &foil };
        let spec = binder.bind(&self.spec, "", "spec")?;
        Ok((spec, foil.into_inner()))
    }
}

/// Whether an object of the tree has a field of this name.
fn is_in(tree: &Tree, key: &str) -> bool {
    match tree {
        Tree::Plain(_) => false,
        Tree::List(items) => items.iter().any(|it| is_in(it, key)),
        Tree::Object(fields) => fields.iter().any(|(name, it)| name == key || is_in(it, key)),
    }
}
