//! The fact that a command is about, as flags.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::facts::{Dataset, Fact};

/// A fact typed in, or one of a dataset.
#[derive(Args)]
pub(super) struct FactArgs {
    /// The text up to the answer
    #[arg(long, value_name = "TEXT", required_unless_present = "facts")]
    prompt: Option<String>,

    /// The words of the prompt that the fact is about
    #[arg(long, value_name = "TEXT", requires = "prompt")]
    subject: Option<String>,

    /// The answer to measure; its leading space is added [default: the model's own first guess]
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,

    /// A dataset: JSON (CounterFact, `known_1000.json`, LRE), JSON Lines, CSV or Parquet
    #[arg(long, value_name = "FILE", conflicts_with = "prompt", requires = "case")]
    pub facts: Option<PathBuf>,

    /// The fact's `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID", requires = "facts")]
    case: Option<String>,
}

/// What is asked, and what else is known of it.
pub(super) struct Question {
    pub fact: Fact,

    /// What the dataset says is right.
    pub expected: Option<String>,

    /// Every subject of the dataset.
    pub subjects: Vec<String>,

    /// The relation of the fact, if the dataset names it.
    pub relation: Option<String>,
    pub dataset: Option<Dataset>,
}

impl FactArgs {
    pub fn question(&self) -> anyhow::Result<Question> {
        let mut question = match (&self.prompt, &self.facts, &self.case) {
            (Some(prompt), _, _) => Question {
                fact: Fact::from_text(prompt, self.subject.as_deref())?,
                expected: None,
                subjects: Vec::new(),
                relation: None,
                dataset: None,
            },
            (None, Some(path), Some(case)) => {
                let dataset = Dataset::load(path)?;
                let Some(record) = dataset.find(case) else {
                    bail!("there is no case {case} in {}", path.display());
                };
                let expected = record.fact.answer.clone();
                Question {
                    fact: Fact { answer: None, ..record.fact.clone() },
                    expected,
                    subjects: dataset.subjects().map(str::to_owned).collect(),
                    relation: record.relation.clone(),
                    dataset: Some(dataset),
                }
            }
            _ => unreachable!("the flags require one or the other"),
        };
        // As in ROME, the answer is what the model says, unless another is asked for.
        question.fact.answer.clone_from(&self.answer);
        Ok(question)
    }
}
