//! What was meant by the token ids of a spec, so that a file can say it in words instead.
//!
//! A spec holds token ids. A file may say at any place of it where they come from,
//! `{"meant": {"subjects_of": {"facts": "builtin"}}}`, and the ids are found when the experiment is
//! run. Both ways go through [`Library::resolve`]: what is written is only what gives the same ids
//! again.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::datasets::Datasets;
use super::tree::Tree;
use super::{Experiment, ExperimentError, FactSource, Question};
use crate::analysis::ModelEdit;
use crate::analysis::corruption::SubjectsOf;
use crate::facts::{Dataset, Direction, Fact};
use crate::text_file::Misread;
use crate::tokens::{Bos, Substitute, TokenizeError, TokenizedPrompt, Tokenizer, substitutes};

/// Where token ids come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Meant {
    /// The tokens of the subjects of all facts of a dataset, one after another, as ROME encodes
    /// them: no leading space, no BOS.
    SubjectsOf {
        facts: PathBuf,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },

    /// The other subjects of a dataset that fit into the prompt that is asked, each as its tokens.
    OtherSubjectsOf {
        facts: PathBuf,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,

        /// Whether only those of the same relation are meant.
        of: SubjectsOf,

        /// Among the first so many facts of those. `None` stands for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<usize>,
    },

    /// The prompts of a dataset, evenly spaced if there are more than `at_most`, each as its tokens.
    PromptsOf {
        facts: PathBuf,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        at_most: usize,

        /// Which way the facts are asked.
        #[serde(default)]
        direction: Direction,
    },

    /// The tokens of a text as it stands.
    TokensOf {
        text: String,

        /// Whether BOS is put before the text.
        #[serde(default, skip_serializing_if = "is_off")]
        bos: Bos,
    },

    /// Another fact as a prompt, which begins as the experiment's own does.
    Prompt(FactSource),

    /// A continuation, as tokens.
    Answer(String),
}

/// What stands in a file in place of token ids.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    pub meant: Meant,
}

/// An experiment as its file says it: the ids that were meant are found by [`Self::resolve`].
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The experiment, with empty lists for ids that are yet to be found.
    pub outline: Experiment,
    text: String,
    references: Vec<(Range<usize>, Meant)>,
}

/// What is needed to find ids, and to tell what was meant by them: the model's tokenizer, and
/// datasets, each read once.
pub struct Library<'a> {
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) datasets: Datasets,
}

/// How many prompts a mean is taken over, at most.
pub const N_MEAN_PROMPTS: usize = 256;

/// How many facts the window looks at for other subjects: tokenizing them takes a moment.
pub const N_SUBJECTS_TRIED: usize = 3000;

impl Written {
    /// Reads an experiment from JSON. Errors name `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ExperimentError> {
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
            let fault = Misread::new(text, &error, 1);
            ExperimentError::Json { path: path.to_owned(), fault }
        })?;
        let references = references(text, path)?;
        let blank = |meant: &Meant| Ok(meant.blank().to_owned());
        let outline = Experiment::parse(&replaced(text, &references, blank)?, path)?;
        Ok(Self { outline, text: text.to_owned(), references })
    }

    /// Whether all ids stand in the file.
    pub fn is_resolved(&self) -> bool {
        self.references.is_empty()
    }

    /// Whether both files ask the same.
    pub fn asks_as(&self, other: &Self) -> bool {
        let meant = |it: &Self| it.references.iter().map(|it| it.1.clone()).collect::<Vec<_>>();
        self.outline == other.outline && meant(self) == meant(other)
    }

    /// The experiment with all its ids. Errors name `path`.
    pub fn resolve(
        &self,
        library: &Library<'_>,
        path: &Path,
    ) -> Result<Experiment, ExperimentError> {
        if self.is_resolved() {
            return Ok(self.outline.clone());
        }
        let question = library.question(&self.outline.fact)?;
        let bos = self.outline.bos;
        let text = replaced(&self.text, &self.references, |meant| {
            Ok(library.resolve(meant, &question, bos)?.compact())
        })?;
        Experiment::parse(&text, path)
    }

    /// The file as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file, with its references.
    pub(super) fn tree(&self) -> serde_json::Result<Tree> {
        serde_json::from_str(&self.text)
    }

    /// The file with the whole numbers in the spec's fields of this name changed, such as `n_samples`, and
    /// how many there are. Errors name `path`.
    pub fn with_numbers(
        &self,
        key: &str,
        change: &dyn Fn(u64) -> u64,
        path: &Path,
    ) -> Result<(Self, usize), ExperimentError> {
        let mut tree = self.tree().map_err(ExperimentError::Ids)?;
        let n = tree.get_mut("spec").map_or(0, |spec| spec.change_numbers(key, change));
        Ok((Self::parse(&written(&tree), path)?, n))
    }

    /// The text with another model and other edits, and everything else as it is written.
    pub fn of_model(&self, model: PathBuf, edits: Vec<ModelEdit>) -> serde_json::Result<String> {
        let mut tree = self.tree()?;
        let own = Tree::of(&Experiment { model, edits, ..self.outline.clone() })?;
        for key in ["model", "edits"] {
            match own.get(key) {
                Some(value) => tree.set(key, value.clone()),
                None => tree.remove(key),
            }
        }
        Ok(written(&tree))
    }
}

/// The text of a file.
pub(super) fn written(tree: &Tree) -> String {
    let is_short = |fields: &[(String, Tree)]| fields.len() == 1 && fields[0].0 == "meant";
    format!("{}\n", tree.pretty(is_short))
}

impl Meant {
    /// JSON of the same type, with nothing in it.
    fn blank(&self) -> &'static str {
        match self {
            Self::Prompt(_) => {
                r#"{"text":"","bos":"off","ids":[],"pieces":[],"subject":null,"answer":null,"foil":null}"#
            }
            Self::Answer(_) => r#"{"text":"","ids":[],"pieces":[]}"#,
            _ => "[]",
        }
    }
}

impl<'a> Library<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, datasets: Datasets::default() }
    }

    /// This library with these datasets in place of its own.
    pub fn sharing(self, datasets: &Datasets) -> Self {
        Self { datasets: datasets.clone(), ..self }
    }

    /// This library with a dataset that has been read already, if there is one.
    pub fn with(self, dataset: Option<Arc<Dataset>>) -> Self {
        if let Some(dataset) = dataset {
            self.datasets.add(dataset);
        }
        self
    }

    /// The fact to ask about.
    pub fn question(&self, source: &FactSource) -> Result<Question, ExperimentError> {
        source.question(&self.datasets)
    }

    /// The ids that are meant, or a prompt or an answer, in a question that begins as `bos` says.
    pub(super) fn resolve(
        &self,
        meant: &Meant,
        question: &Question,
        bos: Bos,
    ) -> Result<Tree, ExperimentError> {
        let tree = match meant {
            Meant::SubjectsOf { facts, sha256 } => {
                let dataset = self.datasets.get(facts, sha256.as_deref())?;
                Tree::of(&subject_tokens(self.tokenizer, dataset.subjects()).ids)
            }
            Meant::OtherSubjectsOf { facts, sha256, of, first } => {
                let dataset = self.datasets.get(facts, sha256.as_deref())?;
                let n_tried = first.unwrap_or(usize::MAX);
                let found = other_subjects(&dataset, *of, n_tried, question, self.tokenizer, bos)?;
                Tree::of(&found.into_iter().map(|it| it.ids).collect::<Vec<_>>())
            }
            Meant::PromptsOf { facts, sha256, at_most, direction } => {
                let dataset = self.datasets.get(facts, sha256.as_deref())?;
                let facts = spaced_facts(&dataset, *direction, *at_most);
                let prompts = facts.filter_map(|fact| {
                    Some(TokenizedPrompt::new(self.tokenizer, fact, bos).ok()?.ids)
                });
                Tree::of(&prompts.collect::<Vec<_>>())
            }
            Meant::TokensOf { text, bos } => {
                let tokens = self.tokenizer.encode(text).map_err(TokenizeError::from)?;
                let mut ids: Vec<u32> = tokens.iter().map(|it| it.id).collect();
                if *bos == Bos::On {
                    ids.splice(0..0, self.tokenizer.bos());
                }
                Tree::of(&ids)
            }
            Meant::Prompt(source) => {
                let fact = self.question(source)?.fact;
                Tree::of(&TokenizedPrompt::new(self.tokenizer, &fact, bos)?)
            }
            Meant::Answer(text) => Tree::of(&TokenizedPrompt::answer(self.tokenizer, text)?),
        };
        tree.map_err(ExperimentError::Ids)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_off(bos: &Bos) -> bool {
    *bos == Bos::Off
}

/// The tokens of subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectTokens {
    /// The tokens of one subject after another.
    pub ids: Vec<u32>,

    /// How many subjects are passed over, because the model has no embedding of one of their tokens.
    pub n_without: usize,

    /// The first of those.
    pub without: Option<String>,
}

impl SubjectTokens {
    /// Says which subjects are passed over. `None` if none are.
    pub fn told(&self) -> Option<String> {
        let first = self.without.as_ref()?;
        let n = self.n_without;
        let such_as = if n == 1 { "" } else { "such as " };
        let subjects = if n == 1 { "subject is" } else { "subjects are" };
        Some(format!(
            "{n} {subjects} passed over, because the model has no embedding of a token of theirs: \
             {such_as}“{first}”"
        ))
    }
}

/// The tokens of subjects, each by itself, as ROME encodes them: no leading space, no BOS.
pub fn subject_tokens<'a>(
    tokenizer: &Tokenizer,
    subjects: impl Iterator<Item = &'a str>,
) -> SubjectTokens {
    let mut found = SubjectTokens::default();
    for subject in subjects {
        if let Ok(tokens) = tokenizer.encode(subject) {
            found.ids.extend(tokens.iter().map(|token| token.id));
        } else {
            found.n_without += 1;
            found.without.get_or_insert_with(|| subject.to_owned());
        }
    }
    found
}

/// The other subjects that fit into the prompt of a question, among the first `n_tried` facts of a
/// dataset that are meant.
pub fn other_subjects(
    dataset: &Dataset,
    of: SubjectsOf,
    n_tried: usize,
    question: &Question,
    tokenizer: &Tokenizer,
    bos: Bos,
) -> Result<Vec<Substitute>, ExperimentError> {
    let is_meant = |relation: &Option<String>| match of {
        SubjectsOf::Relation => relation.is_some() && *relation == question.relation,
        SubjectsOf::All => true,
    };
    let facts = dataset.records.iter().filter(|it| is_meant(&it.relation)).take(n_tried);
    let facts = facts.filter_map(|it| it.fact(question.direction));
    let facts = facts.filter_map(|it| Some((it.subject_text()?, it.answer.as_deref())));
    Ok(substitutes(tokenizer, &question.fact, bos, facts)?)
}

/// At most so many facts of a dataset, evenly spaced.
pub fn spaced_facts(
    dataset: &Dataset,
    direction: Direction,
    at_most: usize,
) -> impl Iterator<Item = &Fact> {
    spaced(dataset.records.iter().filter_map(|it| it.fact(direction)).collect(), at_most)
}

/// At most so many of all items, evenly spaced.
pub fn spaced<T: Clone>(all: Vec<T>, at_most: usize) -> impl Iterator<Item = T> {
    let n = all.len().min(at_most);
    (0..n).map(move |nth| all[nth * all.len() / n].clone())
}

/// The places of a text that say what is meant.
fn references(text: &str, path: &Path) -> Result<Vec<(Range<usize>, Meant)>, ExperimentError> {
    let mut found: Vec<(Range<usize>, Meant)> = Vec::new();
    for (at, _) in text.match_indices("\"meant\"") {
        // Inside a string, the quotation mark would have a backslash before it.
        let before = text[..at].trim_end();
        let Some(start) = before.ends_with('{').then(|| before.len() - 1) else { continue };
        let mut read = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Reference>();
        match read.next() {
            Some(Ok(Reference { meant })) => found.push((start..start + read.byte_offset(), meant)),
            Some(Err(error)) => return Err(ExperimentError::parse(&error, &text[..start], path)),
            None => {}
        }
    }
    Ok(found)
}

/// The text with something else in the place of each reference, and as many lines.
fn replaced(
    text: &str,
    references: &[(Range<usize>, Meant)],
    by: impl Fn(&Meant) -> Result<String, ExperimentError>,
) -> Result<String, ExperimentError> {
    let (mut replaced, mut end) = (String::new(), 0);
    for (range, meant) in references {
        replaced.push_str(&text[end..range.start]);
        replaced.push_str(&by(meant)?);
        replaced.extend(text[range.clone()].chars().filter(|it| *it == '\n'));
        end = range.end;
    }
    replaced.push_str(&text[end..]);
    Ok(replaced)
}
