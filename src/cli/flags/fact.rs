//! The fact that a command is about, as flags.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::model::ModelArgs;
use crate::cli::inquiry::{About, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::{Datasets, FactSource, RecordFact, TextFact};
use crate::facts::{Direction, Fact};

/// A fact in a model.
#[derive(Args)]
pub struct AskedArgs {
    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub fact: FactArgs,
}

impl About for AskedArgs {
    fn source(&self) -> FactSource {
        self.fact.source()
    }

    fn open(&self, source: FactSource, machine: &Machine) -> anyhow::Result<Inquiry> {
        self.model.open(source, machine)
    }
}

/// A fact in a model, whose answer is measured.
#[derive(Args)]
pub struct MeasuredArgs {
    #[command(flatten)]
    pub asked: AskedArgs,

    /// A wrong answer, for the logit difference; its leading space is added [default: the dataset's,
    /// if it has one]
    #[arg(long, value_name = "TEXT")]
    pub foil: Option<String>,
}

impl About for MeasuredArgs {
    fn source(&self) -> FactSource {
        self.asked.source().with_foil(self.foil.as_deref())
    }

    fn open(&self, source: FactSource, machine: &Machine) -> anyhow::Result<Inquiry> {
        self.asked.open(source, machine)
    }
}

/// A fact typed in, or one of a dataset.
#[derive(Args)]
pub struct FactArgs {
    /// The text up to the answer
    #[arg(long, value_name = "TEXT", required_unless_present = "facts")]
    prompt: Option<String>,

    /// The words of the prompt that the fact is about
    #[arg(long, value_name = "TEXT", requires = "prompt")]
    subject: Option<String>,

    /// The answer to measure; its leading space is added [default: the model's own first guess]
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,

    /// A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or Parquet
    #[arg(long, value_name = "FILE", conflicts_with = "prompt", requires = "case")]
    pub facts: Option<PathBuf>,

    /// The fact's `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID", requires = "facts")]
    pub case: Option<String>,

    /// Ask the fact from its answer
    #[arg(long, requires = "facts")]
    inverse: bool,
}

impl FactArgs {
    pub fn source(&self) -> FactSource {
        match (&self.prompt, &self.facts, &self.case) {
            (Some(prompt), _, _) => FactSource::Text(TextFact {
                prompt: prompt.clone(),
                subject: self.subject.clone(),
                answer: self.answer.clone(),
                ..TextFact::default()
            }),
            (None, Some(facts), Some(case)) => FactSource::Record(RecordFact {
                answer: self.answer.clone(),
                ..self.record_of(facts, case)
            }),
            _ => unreachable!("the flags require one or the other"),
        }
    }

    fn record_of(&self, facts: &Path, case: &str) -> RecordFact {
        let (facts, case, direction) = (facts.to_owned(), case.to_owned(), self.direction());
        RecordFact { facts, case, direction, ..RecordFact::default() }
    }

    /// Another fact of the same dataset, asked the same way.
    pub fn other(&self, case: &str, datasets: &Datasets) -> anyhow::Result<Fact> {
        let facts = self.facts.as_deref().context("name the dataset with --facts")?;
        Ok(FactSource::Record(self.record_of(facts, case)).question(datasets)?.fact)
    }

    pub fn direction(&self) -> Direction {
        if self.inverse { Direction::Inverse } else { Direction::Forward }
    }
}
