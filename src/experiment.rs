//! An experiment as a file: the model, the fact, and what is asked. All that a result follows from.
//!
//! `factscope run` carries one out; the commands' `--save-spec` and the window write them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::analysis::{AnalysisSpec, ModelEdit};
use crate::facts::{Dataset, DatasetError, Direction, Fact, Record, SubjectNotFound};
use crate::tokens::Bos;

/// What is asked of which model about which fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// A model folder, or the name of a built-in model. As every path here, it is taken from the
    /// folder that the program runs in, unless it is absolute.
    pub model: PathBuf,

    #[serde(default)]
    pub bos: Bos,

    pub fact: FactSource,

    /// What is changed in the model first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<ModelEdit>,

    pub spec: AnalysisSpec,
}

/// Where the words come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FactSource {
    /// They are here.
    Text(TextFact),

    /// They are in a dataset.
    Record(RecordFact),

    /// There are none: for what is asked of the weights alone.
    Nothing,
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

    /// The byte of the prompt that the subject begins at, where it is not the place that is found
    /// first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_start: Option<usize>,

    /// What is measured. Nothing: the model's own first guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,

    /// A wrong answer to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foil: Option<String>,
}

/// A fact of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFact {
    /// A file, or `builtin`.
    pub facts: PathBuf,

    /// Its `case_id` or `known_id`.
    pub case: String,

    #[serde(default = "forward")]
    pub direction: Direction,

    /// What is measured. Nothing: the model's own first guess, as in ROME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,

    /// A wrong answer instead of the dataset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foil: Option<String>,
}

fn forward() -> Direction {
    Direction::Forward
}

/// What is asked, and what else is known of it.
#[derive(Clone, Debug)]
pub struct Question {
    pub fact: Fact,

    /// What the dataset says is right.
    pub expected: Option<String>,

    /// Every subject of the dataset.
    pub subjects: Vec<String>,

    /// The relation of the fact, if the dataset names it.
    pub relation: Option<String>,
    pub dataset: Option<Dataset>,

    /// Which way the dataset is asked.
    pub direction: Direction,
}

#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    #[error("cannot read the experiment: {source}: {path}")]
    Read { path: PathBuf, source: std::io::Error },

    #[error(
        "line {line}, column {column}: {reason}; the command of each analysis writes a right file \
         with `--save-spec`: {path}"
    )]
    Parse { path: PathBuf, line: usize, column: usize, reason: String },

    #[error("this asks something of a model and changes none, as `edit` and `steer` do: {path}")]
    NoEdit { path: PathBuf },

    #[error(
        "the edit was made for the model {theirs}, and this is {ours}; make it anew with `edit` or \
         `steer`: {path}"
    )]
    OtherModel { path: PathBuf, theirs: PathBuf, ours: PathBuf },

    #[error(transparent)]
    Dataset(#[from] DatasetError),

    #[error("there is no case {case} in {path}")]
    NoCase { case: String, path: PathBuf },

    #[error("case {case} is not asked inversely, and no template of its relation is known: {path}")]
    NoInverse { case: String, path: PathBuf },

    #[error(transparent)]
    Subject(#[from] SubjectNotFound),

    #[error("byte {start} of the prompt does not begin the subject “{subject}”")]
    SubjectElsewhere { subject: String, start: usize },
}

impl Experiment {
    pub fn load(path: &Path) -> Result<Self, ExperimentError> {
        let text = fs::read_to_string(path);
        let text =
            text.map_err(|source| ExperimentError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// `path` is named in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ExperimentError> {
        serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let reason = error.to_string();
            let place = format!(" at line {line} column {column}");
            let reason = reason.strip_suffix(&place).unwrap_or(&reason).to_owned();
            ExperimentError::Parse { path: path.to_owned(), line, column, reason }
        })
    }

    /// The edits that a file tries out, for other analyses of the same model.
    pub fn load_edits(path: &Path, model: &Path) -> Result<Vec<ModelEdit>, ExperimentError> {
        let Self { model: theirs, mut edits, spec, .. } = Self::load(path)?;
        let path = path.to_owned();
        if theirs != model {
            let ours = model.to_owned();
            return Err(ExperimentError::OtherModel { path, theirs, ours });
        }
        edits.push(spec.edit().ok_or(ExperimentError::NoEdit { path })?);
        Ok(edits)
    }

    /// As it is read again, for people too.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(format!("{}\n", serde_json::to_string_pretty(self)?))
    }
}

impl FactSource {
    /// Reads the dataset, if it comes from one.
    pub fn question(&self) -> Result<Question, ExperimentError> {
        match self {
            Self::Text(text) => Ok(Question {
                fact: text.fact()?,
                expected: None,
                subjects: Vec::new(),
                relation: None,
                dataset: None,
                direction: Direction::Forward,
            }),
            Self::Nothing => Ok(Question {
                fact: Fact { prompt: String::new(), subject: None, answer: None, foil: None },
                expected: None,
                subjects: Vec::new(),
                relation: None,
                dataset: None,
                direction: Direction::Forward,
            }),
            Self::Record(it) => {
                let dataset = Dataset::load(&it.facts)?;
                let record = it.record(&dataset)?;
                let fact = it.of(record)?;
                let expected = fact.answer.clone();
                Ok(Question {
                    fact: Fact {
                        // As in ROME, the answer is what the model says, unless another is asked
                        // for.
                        answer: it.answer.clone(),
                        foil: it.foil.clone().or_else(|| fact.foil.clone()),
                        ..fact.clone()
                    },
                    expected,
                    subjects: dataset.subjects().map(str::to_owned).collect(),
                    relation: record.relation.clone(),
                    direction: it.direction,
                    dataset: Some(dataset),
                })
            }
        }
    }

    /// With another wrong answer, if one is given.
    pub fn with_foil(mut self, foil: Option<&str>) -> Self {
        if let Some(foil) = foil {
            match &mut self {
                Self::Text(it) => it.foil = Some(foil.to_owned()),
                Self::Record(it) => it.foil = Some(foil.to_owned()),
                Self::Nothing => {}
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
        dataset.find(&self.case).ok_or_else(|| {
            let (case, path) = (self.case.clone(), self.facts.clone());
            ExperimentError::NoCase { case, path }
        })
    }

    fn of<'a>(&self, record: &'a Record) -> Result<&'a Fact, ExperimentError> {
        record.fact(self.direction).ok_or_else(|| {
            let (case, path) = (self.case.clone(), self.facts.clone());
            ExperimentError::NoInverse { case, path }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_keeps_its_subject_even_if_the_words_occur_earlier() {
        let slot = Fact::from_template("Rome, like {}, is in", "Rome").unwrap();
        let plain = Fact::from_text("Rome is in", Some("Rome")).unwrap();
        for (fact, start) in [(slot, Some(11)), (plain, None)] {
            let text = TextFact::from(&fact);
            assert_eq!(text.subject_start, start);
            assert_eq!(text.fact().unwrap(), fact);
        }
    }

    #[test]
    fn a_subject_that_is_not_where_it_is_said_to_be_is_an_error() {
        let text = TextFact {
            prompt: "Rome is in".to_owned(),
            subject: Some("Rome".to_owned()),
            subject_start: Some(2),
            ..TextFact::default()
        };
        assert!(matches!(text.fact(), Err(ExperimentError::SubjectElsewhere { start: 2, .. })));
        let beyond = TextFact { subject_start: Some(usize::MAX), ..text };
        assert!(beyond.fact().is_err());
    }
}
