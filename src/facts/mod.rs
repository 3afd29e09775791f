//! Facts as text, and the files that they come from.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod dataset;
mod catalogue;
mod related;
mod alike;

pub use catalogue::{Catalogue, Relation};
pub use dataset::{Dataset, DatasetError, NoCase, Part, RecordError, RecordPlace, Records, Taken};
pub use related::Related;

/// A prompt whose continuation the model may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The text before the answer: `"The Eiffel Tower is located in the city of"`.
    pub prompt: String,

    /// Byte range of the subject within `prompt`, if one is marked.
    pub subject: Option<Range<usize>>,

    /// The expected continuation: `"Paris"`. The tokenizer adds the leading space.
    pub answer: Option<String>,

    /// A wrong answer of the same kind, for logit differences: `"Rome"`.
    pub foil: Option<String>,
}

/// A fact of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// CounterFact's `case_id`, or ROME's `known_id`.
    pub id: String,

    /// The relation's id in the catalogue or in Wikidata, such as `P103`, or its name in the file.
    pub relation: Option<String>,

    pub fact: Fact,

    /// All right answers to the fact's prompt, `fact.answer` first. Usually there is one.
    pub answers: Vec<String>,

    /// The same fact asked from its answer, if the file or the catalogue has a template for that.
    /// In a place of its own, because most files have none.
    pub inverse: Option<Box<Inverse>>,

    /// Whether subjects of the relation share objects, and objects subjects.
    pub cardinality: Option<Cardinality>,
}

/// A fact asked from its answer: `(o, r⁻¹, s)` beside `(s, r, o)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inverse {
    pub fact: Fact,

    /// All right answers, in file order. Shared, because thousands of facts may have one object and
    /// thereby the same answers.
    pub answers: Arc<[String]>,

    /// Where the prompt's words come from.
    pub origin: InverseOrigin,
}

/// Where the prompt of an inverse comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InverseOrigin {
    /// The dataset's own words, or those of whoever typed the fact.
    File,

    /// The catalogue's template of the relation.
    Generated,
}

/// Which way a fact is asked.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the subject to the object.
    #[default]
    Forward,

    /// From the object to the subject.
    Inverse,
}

impl Direction {
    pub const ALL: [Self; 2] = [Self::Forward, Self::Inverse];

    /// The other way.
    pub fn other(self) -> Self {
        match self {
            Self::Forward => Self::Inverse,
            Self::Inverse => Self::Forward,
        }
    }
}

/// How many objects a subject of a relation has, and how many subjects an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cardinality {
    #[serde(rename = "1-1")]
    OneToOne,

    /// Many subjects share an object: the inverse has several right answers.
    #[serde(rename = "N-1")]
    ManyToOne,
    #[serde(rename = "1-N")]
    OneToMany,
    #[serde(rename = "N-N")]
    ManyToMany,
}

impl Cardinality {
    pub const ALL: [Self; 4] = [Self::OneToOne, Self::ManyToOne, Self::OneToMany, Self::ManyToMany];
}

impl fmt::Display for Cardinality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneToOne => "1–1",
            Self::ManyToOne => "N–1",
            Self::OneToMany => "1–N",
            Self::ManyToMany => "N–N",
        })
    }
}

impl Record {
    /// A record without an inverse, whose only right answer is the fact's own.
    pub fn new(id: impl Into<String>, relation: Option<String>, fact: Fact) -> Self {
        let answers = fact.answer.iter().cloned().collect();
        Self { id: id.into(), relation, fact, answers, inverse: None, cardinality: None }
    }

    /// The fact asked this way, if it can be.
    pub fn fact(&self, direction: Direction) -> Option<&Fact> {
        match direction {
            Direction::Forward => Some(&self.fact),
            Direction::Inverse => self.inverse.as_ref().map(|inverse| &inverse.fact),
        }
    }

    /// The words in which the fact may be asked this way, as templates with `{}` for the subject: its
    /// own, then those of its relation in the catalogue. Empty if it cannot be asked so, or has no subject.
    pub fn templates(&self, direction: Direction) -> Vec<String> {
        let Some(own) = self.fact(direction).and_then(Fact::template) else { return Vec::new() };
        let relation = self.relation.as_deref().and_then(|id| Catalogue::bundled().get(id));
        let all = relation.map_or(&[][..], |it| match direction {
            Direction::Forward => &it.forward,
            Direction::Inverse => &it.inverse,
        });
        let others = all.iter().filter(|it| **it != own).cloned().collect::<Vec<_>>();
        [own].into_iter().chain(others).collect()
    }

    /// The record with the fact asked this way in the words of a template. `None` if it cannot be asked.
    pub fn in_words(&self, direction: Direction, template: &str) -> Option<Self> {
        let worded = self.fact(direction)?.in_words(template)?;
        let mut record = self.clone();
        match direction {
            Direction::Forward => record.fact = worded,
            Direction::Inverse => record.inverse.as_mut()?.fact = worded,
        }
        Some(record)
    }

    /// All right answers to the fact asked this way.
    pub fn answers(&self, direction: Direction) -> &[String] {
        match direction {
            Direction::Forward => &self.answers,
            Direction::Inverse => self.inverse.as_ref().map_or(&[], |inverse| &inverse.answers),
        }
    }
}

/// The subject does not occur in the prompt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the subject “{subject}” does not occur in the prompt “{prompt}”{}",
    alike::occurs(subject, prompt).map(|how| format!(", but {how}")).unwrap_or_default()
)]
pub struct SubjectNotFound {
    pub subject: String,
    pub prompt: String,
}

impl Fact {
    /// A fact from a prompt, and the words of its subject.
    pub fn from_text(prompt: &str, subject: Option<&str>) -> Result<Self, SubjectNotFound> {
        let subject = subject.map(|subject| find_subject(prompt, subject)).transpose()?;
        Ok(Self { prompt: prompt.to_owned(), subject, answer: None, foil: None })
    }

    /// A fact from a template with one `{}` for the subject, whose place is thereby known even if
    /// the same words occur twice. `None` without a `{}`.
    pub fn from_template(template: &str, subject: &str) -> Option<Self> {
        let (before, after) = template.split_once("{}")?;
        let prompt = format!("{before}{subject}{after}");
        let start = before.len();
        // ROME's prompts end where the answer's leading space begins.
        let prompt = prompt.trim_end().to_owned();
        Some(Self { prompt, subject: Some(start..start + subject.len()), answer: None, foil: None })
    }

    /// The prompt with `{}` for the subject. `None` without a subject.
    pub fn template(&self) -> Option<String> {
        let subject = self.subject.clone()?;
        let (before, after) = (self.prompt.get(..subject.start)?, self.prompt.get(subject.end..)?);
        Some(format!("{before}{{}}{after}"))
    }

    /// The fact in the words of a template. `None` without a subject, or without a `{}`.
    pub fn in_words(&self, template: &str) -> Option<Self> {
        let worded = Self::from_template(template, self.subject_text()?)?;
        Some(Self { answer: self.answer.clone(), foil: self.foil.clone(), ..worded })
    }

    /// Whether the subject's range, if there is one, lies within the prompt.
    pub fn is_whole(&self) -> bool {
        self.subject.is_none() || self.subject_text().is_some()
    }

    /// The subject as it stands in the prompt.
    pub fn subject_text(&self) -> Option<&str> {
        self.prompt.get(self.subject.clone()?)
    }
}

/// The subject's first occurrence that is not part of a longer word; without one, its first
/// occurrence, as in ROME.
fn find_subject(prompt: &str, subject: &str) -> Result<Range<usize>, SubjectNotFound> {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let stands_alone = |start: usize| {
        let end = start + subject.len();
        let before = prompt[..start].chars().next_back();
        let after = prompt[end..].chars().next();
        let splits_before = is_word(before) && is_word(subject.chars().next());
        let splits_after = is_word(after) && is_word(subject.chars().next_back());
        !splits_before && !splits_after
    };
    let starts = || prompt.match_indices(subject).map(|(start, _)| start);
    let start = starts()
        .find(|&start| stands_alone(start))
        .or_else(|| starts().next())
        .filter(|_| !subject.is_empty())
        .ok_or_else(|| SubjectNotFound {
            subject: subject.to_owned(),
            prompt: prompt.to_owned(),
        })?;
    Ok(start..start + subject.len())
}
