//! `factscope compare`: a fact beside its inverse.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
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
use crate::experiment::{Compared, FactSource, RecordFact, first_tokens};
use crate::facts::{Dataset, Direction, Fact};

const MAPPED: [(&str, Mapped); 2] =
    [("likeliest", Mapped::Likeliest), ("prompts", Mapped::Prompts)];

const PROMPTS: [(&str, usize); 2] = [("fact", 0), ("second", 1)];

#[derive(Args)]
pub struct Compare {
    /// A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or Parquet
    #[arg(long, value_name = "FILE", default_value = Dataset::BUNDLED)]
    facts: PathBuf,

    /// The fact's `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID")]
    case: String,

    /// Another fact of the dataset to compare it with, in place of its inverse
    #[arg(long, value_name = "ID")]
    other_case: Option<String>,

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
        let [fact, second] = self.facts();
        FactSource::Record(second).question(&machine.datasets)?;
        // What is compared is how the right answers are recalled, whether or not they are.
        let answer = match &self.answer {
            Some(answer) => Some(answer.clone()),
            None => FactSource::Record(fact.clone()).question(&machine.datasets)?.expected,
        };
        Ok(FactSource::Record(RecordFact { answer, ..fact }))
    }

    fn spec(&self, _: &ModelArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let dataset = inquiry.question.dataset.as_ref().context("the fact is of a dataset")?;
        let right = |nth: usize, RecordFact { case, direction, .. }: &RecordFact| {
            if self.one_answer.contains(&nth) {
                return Ok(Vec::new());
            }
            let record = dataset.find(case).context("the case was just there")?;
            anyhow::Ok(first_tokens(&inquiry.engine.info.tokenizer, record.answers(*direction))?)
        };
        let [fact, second] = self.facts();
        let right = [right(0, &fact)?, right(1, &second)?];
        let asked = inquiry.library().question(&FactSource::Record(second))?;
        let answer = self.second_answer.clone().or(asked.expected);
        let spec = Spec {
            inverse: inquiry.tokenized(&Fact { answer, ..asked.fact })?,
            second: if self.other_case.is_some() { Second::Fact } else { Second::Inverse },
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
    /// The fact, and what it is compared with.
    fn facts(&self) -> [RecordFact; 2] {
        let (facts, case) = (self.facts.clone(), self.case.clone());
        let fact = RecordFact { facts, case, ..RecordFact::default() };
        let second = match self.other_case.clone() {
            Some(case) => RecordFact { case, ..fact.clone() },
            None => RecordFact { direction: Direction::Inverse, ..fact.clone() },
        };
        [fact, second]
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
