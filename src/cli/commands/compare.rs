//! `factscope compare`: a fact beside its inverse.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::analysis::causal_trace::Map;
use crate::analysis::comparison::{MapSpec, Mapped, Second, Spec};
use crate::analysis::{AnalysisSpec, Metric};
use crate::cli::flags::corruption::CorruptionArgs;
use crate::cli::flags::metric::estimated_metric;
use crate::cli::flags::model::ModelArgs;
use crate::cli::flags::trace::{WayArgs, WindowArgs};
use crate::cli::flags::{any_choice, choices};
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::{Compared, FactSource, RecordFact, TextFact, first_tokens};
use crate::facts::{Dataset, Direction, Fact};

const MAPPED: [(&str, Mapped); 2] =
    [("likeliest", Mapped::Likeliest), ("prompts", Mapped::Prompts)];

const PROMPTS: [(&str, usize); 2] = [("fact", 0), ("second", 1)];

#[derive(Args)]
pub struct Compare {
    /// A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or Parquet
    /// [default: builtin]
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,

    /// The fact's `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID", required_unless_present = "prompt")]
    case: Option<String>,

    /// In place of a fact of the dataset, the text of one up to its answer
    #[arg(long, value_name = "TEXT", conflicts_with = "case", requires = "second")]
    prompt: Option<String>,

    /// The words of --prompt that the fact is about
    #[arg(long, value_name = "TEXT", requires = "prompt")]
    subject: Option<String>,

    /// The text of the inverse up to its answer [default: the dataset's]
    #[arg(long, value_name = "TEXT", group = "second")]
    inverse_prompt: Option<String>,

    /// The words of --inverse-prompt that it is about
    #[arg(long, value_name = "TEXT", requires = "inverse_prompt")]
    inverse_subject: Option<String>,

    /// Another fact of the dataset to compare it with, in place of its inverse
    #[arg(long, value_name = "ID", group = "second")]
    other_case: Option<String>,

    /// The text of another fact up to its answer, to compare it with in place of its inverse
    #[arg(long, value_name = "TEXT", group = "second")]
    other_prompt: Option<String>,

    /// The words of --other-prompt that it is about
    #[arg(long, value_name = "TEXT", requires = "other_prompt")]
    other_subject: Option<String>,

    /// What is compared
    #[arg(long, default_value = "mlp", value_parser = any_choice::<Compared>())]
    map: Compared,

    /// The metric of a trace or an ablation
    #[arg(long, default_value = "prob", value_parser = estimated_metric())]
    metric: Metric,

    /// The answer of the fact [default: the dataset's first]
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,

    /// The answer of the inverse, or of --other-case [default: the dataset's first]
    #[arg(long, value_name = "TEXT")]
    second_answer: Option<String>,

    /// What each map is of: `likeliest`, of all right answers that which the model finds likeliest, or
    /// `prompts`, the --answer and the --second-answer
    #[arg(long, default_value = "likeliest", value_parser = choices(MAPPED))]
    mapped: Mapped,

    /// Judge recall of the fact, or of the second prompt, by its one answer alone, and not by all that
    /// the dataset calls right
    #[arg(long, value_name = "PROMPT,…", value_delimiter = ',', value_parser = choices(PROMPTS))]
    one_answer: Vec<usize>,

    #[command(flatten)]
    corruption: CorruptionArgs,

    #[command(flatten)]
    window: WindowArgs,

    #[command(flatten)]
    way: WayArgs,

    /// How many heads are called the most important
    #[arg(long, value_name = "K", default_value_t = 10)]
    top: usize,

    /// How often heads change places at random, for the p-values
    #[arg(long, value_name = "N", default_value_t = 9999)]
    permutations: usize,

    /// Seed of the permutations
    #[arg(long, value_name = "N", default_value_t = 1)]
    permutation_seed: u64,
}

impl Asks for Compare {
    type About = ModelArgs;

    fn source(&self, _: &ModelArgs, machine: &Machine) -> anyhow::Result<FactSource> {
        let [mut fact, second] = self.facts()?;
        second.question(&machine.datasets)?;
        // What is compared is how the right answers are recalled, whether or not they are.
        let answer = match &self.answer {
            Some(answer) => Some(answer.clone()),
            None => fact.question(&machine.datasets)?.expected,
        };
        match &mut fact {
            FactSource::Record(it) => it.answer = answer,
            FactSource::Text(it) => it.answer = answer,
            FactSource::NoFact => {}
        }
        Ok(fact)
    }

    fn spec(&self, _: &ModelArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let [fact, second] = self.facts()?;
        let fact = inquiry.library().question(&fact)?;
        let second = inquiry.library().question(&second)?;
        let right = |nth: usize, of_dataset: Vec<String>, typed: Option<&String>| {
            let all = if of_dataset.is_empty() {
                typed.cloned().into_iter().collect()
            } else {
                of_dataset
            };
            let all = if self.one_answer.contains(&nth) { Vec::new() } else { all };
            first_tokens(&inquiry.engine.info.tokenizer, &all)
        };
        let right = [
            right(0, fact.right, self.answer.as_ref())?,
            right(1, second.right, self.second_answer.as_ref())?,
        ];
        let answer = self.second_answer.clone().or(second.expected);
        let spec = Spec {
            inverse: inquiry.tokenized(&Fact { answer, ..second.fact })?,
            second: if self.is_with_its_inverse() { Second::Inverse } else { Second::Fact },
            right,
            mapped: self.mapped,
            map: self.map(inquiry)?,
            n_top: self.top,
            n_permutations: self.permutations,
            seed: self.permutation_seed,
        };
        Ok(spec.into())
    }
}

impl Compare {
    fn is_with_its_inverse(&self) -> bool {
        self.other_case.is_none() && self.other_prompt.is_none()
    }

    /// The fact, and what it is compared with.
    fn facts(&self) -> anyhow::Result<[FactSource; 2]> {
        let facts = self.facts.clone().unwrap_or_else(|| Dataset::BUNDLED.into());
        let of = |case: &String, direction| {
            let (facts, case) = (facts.clone(), case.clone());
            FactSource::Record(RecordFact { facts, case, direction, ..RecordFact::default() })
        };
        let typed = |prompt: &String, subject: &Option<String>| {
            let (prompt, subject) = (prompt.clone(), subject.clone());
            FactSource::Text(TextFact { prompt, subject, ..TextFact::default() })
        };
        let second_typed = self.inverse_prompt.as_ref().zip(Some(&self.inverse_subject));
        let second_typed =
            second_typed.or_else(|| self.other_prompt.as_ref().zip(Some(&self.other_subject)));
        let second = match (second_typed, &self.other_case, &self.case) {
            (Some((prompt, subject)), ..) => typed(prompt, subject),
            (None, Some(case), _) => of(case, Direction::Forward),
            (None, None, Some(case)) => of(case, Direction::Inverse),
            (None, None, None) => unreachable!("--prompt requires a second"),
        };
        let fact = match (&self.prompt, &self.case) {
            (Some(prompt), _) => typed(prompt, &self.subject),
            (None, Some(case)) => of(case, Direction::Forward),
            (None, None) => unreachable!("the flags require one or the other"),
        };
        let both = [fact, second];
        let has_record = both.iter().any(|it| matches!(it, FactSource::Record(_)));
        ensure!(
            self.facts.is_none() || has_record,
            "both facts are typed, so that --facts has no part in it; name a dataset for noise with \
             --subjects-of"
        );
        Ok(both)
    }

    fn map(&self, inquiry: &mut Inquiry) -> anyhow::Result<MapSpec> {
        ensure!(
            !self.corruption.is_of_subject(),
            "a comparison corrupts two prompts alike; this corruption is of one subject"
        );
        self.map.map(self.metric, |component| {
            let draws = self.corruption.draws(inquiry)?;
            let window = self.window.of(&inquiry.engine);
            Ok(self.way.trace(component, window, draws, Map::Tokens))
        })
    }
}
