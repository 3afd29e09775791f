//! `factscope compare`: a fact beside its inverse.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::analysis::comparison::{MapSpec, Second, Spec};
use crate::analysis::{AnalysisSpec, Metric, causal_trace};
use crate::cli::flags::any_choice;
use crate::cli::flags::corruption::{NoiseArg, noise_tokens};
use crate::cli::flags::metric::estimated_metric;
use crate::cli::flags::model::ModelArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::{Compared, FactSource, RecordFact, first_tokens};
use crate::facts::{Dataset, Direction};
use crate::intervention::NoiseRng;
use crate::tokens::TokenizedPrompt;
use crate::worker::Engine;

#[derive(Args)]
pub struct Compare {
    #[command(flatten)]
    model: ModelArgs,

    /// A dataset: JSON (CounterFact, `known_1000.json`, LRE), JSON Lines, CSV or Parquet
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

    /// Layers that a trace of MLPs or attention restores together
    #[arg(long, value_name = "N", default_value_t = 10)]
    window: usize,

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
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let source = |direction| RecordFact {
            facts: self.facts.clone(),
            case: self.case.clone(),
            direction,
            ..RecordFact::default()
        };
        let fact = source(Direction::Forward);
        let inverse = match &self.other_case {
            Some(case) => RecordFact { case: case.clone(), ..source(Direction::Forward) },
            None => source(Direction::Inverse),
        };
        let (second, case) = (inverse.direction, inverse.case.clone());
        let inverse = FactSource::Record(inverse).question()?;
        // What is compared is how the right answers are recalled, whether or not they are.
        let expected = FactSource::Record(fact.clone()).question()?.expected;
        let inquiry =
            self.model.ask(FactSource::Record(RecordFact { answer: expected, ..fact }), machine)?;
        let tokenizer = &inquiry.engine.info.tokenizer;
        let dataset = Dataset::load(&self.facts)?;
        let right = |case: &str, direction| {
            let record = dataset.find(case).context("the case was just there")?;
            anyhow::Ok(first_tokens(tokenizer, record.answers(direction))?)
        };
        let mut asked_inversely = inverse.fact;
        asked_inversely.answer = inverse.expected;
        let spec = Spec {
            inverse: TokenizedPrompt::new(tokenizer, &asked_inversely, self.model.bos())?,
            second: if self.other_case.is_some() { Second::Fact } else { Second::Inverse },
            right: [right(&self.case, Direction::Forward)?, right(&case, second)?],
            map: self.map(&inquiry.question.subjects, &inquiry.engine)?,
            n_top: self.top,
            n_permutations: self.permutations,
            seed: self.permutation_seed,
        };
        Ok((inquiry, AnalysisSpec::Comparison(spec)))
    }
}

impl Compare {
    fn map(&self, subjects: &[String], engine: &Engine) -> anyhow::Result<MapSpec> {
        self.map.map(self.metric, |component| {
            let tokens = noise_tokens(&engine.info.tokenizer, subjects)?;
            Ok(causal_trace::Spec {
                component,
                window: self.window,
                noise: self.noise.level(&tokens),
                rng: NoiseRng::Numpy,
                seed: self.seed,
                n_samples: self.samples,
                direction: causal_trace::Direction::Denoise,
                sever: None,
                sever_layers: None,
                corruption: causal_trace::Corruption::default(),
                map: causal_trace::Map::Tokens,
            })
        })
    }
}
