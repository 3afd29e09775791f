//! An experiment as a file: the model, the fact and the analysis, which together determine a
//! result.
//!
//! `factscope run` carries an experiment out; the commands' `--save-spec` and the window write
//! them. In memory an experiment holds token ids; a file says what was [meant](Meant) by them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::{AnalysisSpec, ModelEdit};
use crate::facts::{Dataset, DatasetError, Direction, Fact, NoCase, Record, SubjectNotFound};
use crate::text_file::{self, Misread};
use crate::tokens::{Bos, TokenizeError, Tokenizer};

mod tree;
mod datasets;
mod meant;
mod reach;
mod telling;
mod binding;
mod line;
mod command_line;
mod choices;

pub use binding::{Binding, BindingError};
pub use choices::{
    Ablated, Choices, Compared, CorruptionKind, Estimator, PutIn, Words, first_tokens,
};
pub use command_line::command_line;
pub use datasets::Datasets;
pub use line::{as_typed, quoted};
pub use meant::{
    Library, Meant, N_MEAN_PROMPTS, N_SUBJECTS_TRIED, SubjectTokens, Written, other_subjects,
    spaced, spaced_facts, subject_tokens,
};
pub use reach::Changed;
use tree::Tree;

/// An analysis of one model, asked about one fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// A model folder, or the name of a built-in model. A relative path, here as everywhere in this
    /// file, starts from the folder that the program runs in.
    pub model: PathBuf,

    /// Whether BOS is put before the prompt.
    #[serde(default)]
    pub bos: Bos,

    /// Where the prompt, its subject and its answer come from.
    pub fact: FactSource,

    /// Edits that are made to the model's weights before the analysis runs, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<ModelEdit>,

    /// The analysis, with its settings.
    pub spec: AnalysisSpec,
}

/// Where an experiment's prompt and answer come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FactSource {
    /// The experiment holds the text itself.
    Text(TextFact),

    /// The experiment names a record of a dataset.
    Record(RecordFact),

    /// No fact: the analysis reads the model's weights alone.
    #[serde(rename = "none", alias = "nothing")]
    NoFact,
}

/// A fact typed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextFact {
    /// The text up to the answer.
    pub prompt: String,

    /// The words of the prompt that the fact is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,

    /// The byte of the prompt at which the subject begins. `None` stands for the place that
    /// [`Fact::from_text`] finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_start: Option<usize>,

    /// The answer to measure. `None` stands for the model's own first guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,

    /// A wrong answer to compare with, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foil: Option<String>,
}

/// A fact named by its record in a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFact {
    /// The dataset's file, or `builtin`.
    pub facts: PathBuf,

    /// SHA-256 of the file. A file with another is refused. `None` takes the file as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,

    /// The record's `case_id` or `known_id`.
    pub case: String,

    /// Which way the fact is asked.
    #[serde(default)]
    pub direction: Direction,

    /// The answer to measure. `None` stands for the model's own first guess, as in ROME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,

    /// A wrong answer to compare with instead of the dataset's, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foil: Option<String>,

    /// Other words to ask the fact in, with `{}` for its subject. `None` stands for the dataset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// The fact to ask about, with what its dataset says of it.
#[derive(Clone, Debug)]
pub struct Question {
    pub fact: Fact,

    /// The fact's own answer according to the dataset.
    pub expected: Option<String>,

    /// All right answers according to the dataset: an inverse may have others than the fact's own.
    pub right: Vec<String>,

    /// The subject of every record of the dataset, in file order. Empty without a dataset.
    pub subjects: Vec<String>,

    /// The relation of the fact, if the dataset names it.
    pub relation: Option<String>,

    /// The dataset that the fact comes from, if any.
    pub dataset: Option<Arc<Dataset>>,

    /// Which way the fact is asked.
    pub direction: Direction,
}

impl From<Fact> for Question {
    /// A question about a fact that comes from no dataset.
    fn from(fact: Fact) -> Self {
        Self {
            fact,
            expected: None,
            right: Vec::new(),
            subjects: Vec::new(),
            relation: None,
            dataset: None,
            direction: Direction::Forward,
        }
    }
}

/// Why an experiment cannot be read or asked.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    #[error("cannot read the experiment: {reason}: {path}")]
    Read { path: PathBuf, reason: String },

    #[error(
        "the experiment is not valid JSON: {fault}; each analysis command writes a valid file with \
         `--save-spec`: {path}"
    )]
    Json { path: PathBuf, fault: Misread },

    #[error(
        "line {line}, column {column}: {reason}; each analysis command writes a valid file with \
         `--save-spec`: {path}"
    )]
    Parse { path: PathBuf, line: usize, column: usize, reason: String },

    #[error("this experiment changes no weights; give one written by `edit` or `steer`: {path}")]
    NoEdit { path: PathBuf },

    #[error(
        "the edit was made for the model {theirs}, but this model is {ours}; make it anew with \
         `edit` or `steer`: {path}"
    )]
    OtherModel { path: PathBuf, theirs: PathBuf, ours: PathBuf },

    #[error(transparent)]
    Dataset(#[from] DatasetError),

    #[error(
        "the dataset has changed since the experiment was written: its SHA-256 was {was} and is \
         {is}; put the old file back, or take `sha256` out of the experiment to ask about the file \
         as it is: {path}"
    )]
    OtherDataset { path: PathBuf, was: String, is: String },

    #[error(transparent)]
    Tokens(#[from] TokenizeError),

    #[error("the ids cannot be written: {0}")]
    Ids(serde_json::Error),

    #[error("{reason}: {path}")]
    NoCase { reason: NoCase, path: PathBuf },

    #[error("case {case} has no inverse, and the program has no template for its relation: {path}")]
    NoInverse { case: String, path: PathBuf },

    #[error(
        "case {case} cannot be asked in the words “{template}”, which need a {{}} for its subject: {path}"
    )]
    NoWords { case: String, template: String, path: PathBuf },

    #[error(transparent)]
    Subject(#[from] SubjectNotFound),

    #[error("byte {start} of the prompt does not begin the subject “{subject}”")]
    SubjectElsewhere { subject: String, start: usize },
}

impl ExperimentError {
    /// Of what is wrong with a text, behind another text of the same file.
    fn parse(error: &serde_json::Error, before: &str, path: &Path) -> Self {
        let reason = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = in_words(reason.strip_suffix(&place).unwrap_or(&reason));
        let last_line = before.rsplit('\n').next().map_or(0, str::len);
        let column = error.column() + if error.line() == 1 { last_line } else { 0 };
        let line = error.line() + before.matches('\n').count();
        Self::Parse { path: path.to_owned(), line, column, reason }
    }
}

/// What a reader of JSON says, with the numbers that were expected in words in place of their Rust types.
fn in_words(reason: &str) -> String {
    let Some((said, expected)) = reason.rsplit_once("expected ") else { return reason.to_owned() };
    let words = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0 on",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        other => other,
    };
    format!("{said}expected {words}")
}

impl Experiment {
    /// Reads an experiment that holds all its ids from JSON. Errors name `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ExperimentError> {
        serde_json::from_str(text).map_err(|error| ExperimentError::parse(&error, "", path))
    }

    /// The edits that an experiment of `edit` or `steer` makes, so that other analyses can ask the
    /// same edited model. `names`: what experiments may call that model.
    pub fn load_edits(
        path: &Path,
        names: &[PathBuf],
        tokenizer: &Tokenizer,
    ) -> Result<Vec<ModelEdit>, ExperimentError> {
        let written = Written::load(path)?;
        if !names.contains(&written.outline.model) {
            let (theirs, ours) =
                (written.outline.model, names.first().cloned().unwrap_or_default());
            return Err(ExperimentError::OtherModel { path: path.to_owned(), theirs, ours });
        }
        let Self { mut edits, spec, .. } = written.resolve(&Library::new(tokenizer), path)?;
        edits.push(spec.edit().ok_or_else(|| ExperimentError::NoEdit { path: path.to_owned() })?);
        Ok(edits)
    }

    /// Indented JSON that [`Self::parse`] reads, with all ids.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(meant::written(&Tree::of(self)?))
    }
}

impl Written {
    /// Reads an experiment from a file.
    pub fn load(path: &Path) -> Result<Self, ExperimentError> {
        // It may be a pipe.
        let bytes = fs::read(path).map_err(|error| error.to_string());
        let text = bytes.and_then(text_file::text_of);
        let text =
            text.map_err(|reason| ExperimentError::Read { path: path.to_owned(), reason })?;
        Self::parse(&text, path)
    }
}

impl FactSource {
    /// The fact to ask about. Reads its dataset, if it comes from one that has not been read.
    pub fn question(&self, datasets: &Datasets) -> Result<Question, ExperimentError> {
        match self {
            Self::Text(text) => Ok(text.fact()?.into()),
            Self::NoFact => {
                let (prompt, subject, answer, foil) = (String::new(), None, None, None);
                Ok(Fact { prompt, subject, answer, foil }.into())
            }
            Self::Record(it) => {
                let dataset = datasets.get(&it.facts, it.sha256.as_deref())?;
                let record = it.record(&dataset)?;
                let fact = it.of(record)?;
                let expected = fact.answer.clone();
                Ok(Question {
                    fact: Fact {
                        // As in ROME, the model's own first guess is measured, not the dataset's
                        // answer, unless the experiment names an answer.
                        answer: it.answer.clone(),
                        foil: it.foil.clone().or_else(|| fact.foil.clone()),
                        ..fact
                    },
                    expected,
                    right: record.answers(it.direction).to_vec(),
                    subjects: dataset.subjects().map(str::to_owned).collect(),
                    relation: record.relation.clone(),
                    direction: it.direction,
                    dataset: Some(dataset),
                })
            }
        }
    }

    /// The same source with `foil` as its wrong answer, if one is given.
    pub fn with_foil(mut self, foil: Option<&str>) -> Self {
        if let Some(foil) = foil {
            match &mut self {
                Self::Text(it) => it.foil = Some(foil.to_owned()),
                Self::Record(it) => it.foil = Some(foil.to_owned()),
                Self::NoFact => {}
            }
        }
        self
    }
}

impl TextFact {
    fn fact(&self) -> Result<Fact, ExperimentError> {
        let Self { prompt, subject, subject_start, answer, foil } = self;
        let mut fact = Fact::from_text(prompt, subject.as_deref())?;
        if let (Some(subject), Some(start)) = (subject, *subject_start) {
            let range = start..start.saturating_add(subject.len());
            if prompt.get(range.clone()) != Some(subject) {
                let subject = subject.clone();
                return Err(ExperimentError::SubjectElsewhere { subject, start });
            }
            fact.subject = Some(range);
        }
        Ok(Fact { answer: answer.clone(), foil: foil.clone(), ..fact })
    }
}

impl From<&Fact> for TextFact {
    fn from(fact: &Fact) -> Self {
        let subject = fact.subject_text();
        let found = Fact::from_text(&fact.prompt, subject).ok().and_then(|it| it.subject);
        let is_found = found == fact.subject;
        Self {
            prompt: fact.prompt.clone(),
            subject: subject.map(str::to_owned),
            subject_start: fact.subject.as_ref().filter(|_| !is_found).map(|it| it.start),
            answer: fact.answer.clone(),
            foil: fact.foil.clone(),
        }
    }
}

impl RecordFact {
    fn record<'a>(&self, dataset: &'a Dataset) -> Result<&'a Record, ExperimentError> {
        let path = self.facts.clone();
        dataset.case(&self.case).map_err(|reason| ExperimentError::NoCase { reason, path })
    }

    fn of(&self, record: &Record) -> Result<Fact, ExperimentError> {
        let fact = record.fact(self.direction).ok_or_else(|| {
            let (case, path) = (self.case.clone(), self.facts.clone());
            ExperimentError::NoInverse { case, path }
        })?;
        let Some(template) = &self.template else { return Ok(fact.clone()) };
        fact.in_words(template).ok_or_else(|| {
            let (case, template) = (self.case.clone(), template.clone());
            ExperimentError::NoWords { case, template, path: self.facts.clone() }
        })
    }
}
