//! `factscope compare`: a fact beside its inverse.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::analysis::comparison::{MapSpec, Mapped, Second, Spec};
use crate::analysis::corruption::{Corruption, Draws};
use crate::analysis::{AnalysisSpec, Metric, causal_trace};
use crate::cli::flags::any_choice;
use crate::cli::flags::corruption::{NoiseArg, noise_tokens};
use crate::cli::flags::metric::estimated_metric;
use crate::cli::flags::model::ModelArgs;
use crate::cli::flags::trace::WindowArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::{Compared, FactSource, RecordFact, first_tokens};
use crate::facts::{Dataset, Direction, Fact};
use crate::intervention::NoiseRng;

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

    /// The noise of a trace, as for `trace`; `3s` is measured on the subjects of the dataset
    #[arg(long, value_name = "NOISE", default_value = "3s")]
    noise: NoiseArg,

    /// Average a trace over N draws of the noise
    #[arg(long, value_name = "N", default_value_t = 10)]
    samples: usize,

    #[command(flatten)]
    window: WindowArgs,

    /// Seed of a trace's noise
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,

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
        let answer = FactSource::Record(fact.clone()).question(&machine.datasets)?.expected;
        Ok(FactSource::Record(RecordFact { answer, ..fact }))
    }

    fn spec(&self, _: &ModelArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let dataset = inquiry.question.dataset.as_ref().context("the fact is of a dataset")?;
        let right = |RecordFact { case, direction, .. }: &RecordFact| {
            let record = dataset.find(case).context("the case was just there")?;
            anyhow::Ok(first_tokens(&inquiry.engine.info.tokenizer, record.answers(*direction))?)
        };
        let [fact, second] = self.facts();
        let right = [right(&fact)?, right(&second)?];
        let asked = inquiry.library().question(&FactSource::Record(second))?;
        let spec = Spec {
            inverse: inquiry.tokenized(&Fact { answer: asked.expected, ..asked.fact })?,
            second: if self.other_case.is_some() { Second::Fact } else { Second::Inverse },
            right,
            mapped: Mapped::Likeliest,
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

    fn map(&self, inquiry: &Inquiry) -> anyhow::Result<MapSpec> {
        self.map.map(self.metric, |component| {
            let tokens = noise_tokens(&inquiry.engine.info.tokenizer, &inquiry.question.subjects)?;
            let draws = Draws {
                corruption: Corruption::default(),
                noise: self.noise.level(&tokens),
                rng: NoiseRng::Numpy,
                seed: self.seed,
                n_samples: self.samples,
            };
            Ok(causal_trace::Spec::new(component, self.window.of(&inquiry.engine), draws))
        })
    }
}
