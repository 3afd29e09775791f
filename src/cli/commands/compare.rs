//! `factscope compare`: a fact beside its inverse.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::analysis::causal_trace::Component;
use crate::analysis::comparison::{MapSpec, Second, Spec};
use crate::analysis::{AnalysisSpec, Metric, Positions, ablation, causal_trace};
use crate::cli::flags::choices;
use crate::cli::flags::corruption::{NoiseArg, noise_tokens};
use crate::cli::flags::metric::estimated_metric;
use crate::cli::flags::model::ModelArgs;
use crate::cli::machine::Machine;
use crate::cli::output::AnalysisOutput;
use crate::experiment::{FactSource, RecordFact};
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

    /// What is compared: causal traces of hidden states, MLPs or attention; what each head's
    /// ablation (by zeros, at all tokens) changes; or what each head adds to the answer's logit
    #[arg(long, default_value = "mlp", value_parser = choices(MAPS))]
    map: Compared,

    /// In terms of what, for a trace or an ablation
    #[arg(long, default_value = "prob", value_parser = estimated_metric())]
    metric: Metric,

    /// Of a trace: as for `trace`; `3s` is measured on the subjects of the dataset
    #[arg(long, value_name = "NOISE", default_value = "3s")]
    noise: NoiseArg,

    /// Of a trace: noise draws averaged per cell
    #[arg(long, value_name = "N", default_value_t = 10)]
    samples: usize,

    /// Of a trace of MLPs or attention: layers restored together
    #[arg(long, value_name = "N", default_value_t = 10)]
    window: usize,

    /// Of a trace: seed of the noise
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

    #[command(flatten)]
    output: AnalysisOutput,
}

/// What is compared.
#[derive(Clone, Copy)]
enum Compared {
    Trace(Component),
    Ablation,
    Attribution,
}

const MAPS: [(&str, Compared); 5] = [
    ("hidden", Compared::Trace(Component::Hidden)),
    ("mlp", Compared::Trace(Component::Mlp)),
    ("attn", Compared::Trace(Component::Attn)),
    ("ablation", Compared::Ablation),
    ("attribution", Compared::Attribution),
];

impl Compare {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
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
            let answers = record.answers(direction).iter();
            let firsts = answers.map(|it| Ok(TokenizedPrompt::answer(tokenizer, it)?.first()));
            let mut firsts = firsts.collect::<anyhow::Result<Vec<u32>>>()?;
            firsts.sort_unstable();
            firsts.dedup();
            anyhow::Ok(firsts)
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
        inquiry.finish(AnalysisSpec::Comparison(spec), &self.output, machine)
    }

    fn map(&self, subjects: &[String], engine: &Engine) -> anyhow::Result<MapSpec> {
        let component = match self.map {
            Compared::Trace(component) => component,
            Compared::Attribution => return Ok(MapSpec::Attribution),
            Compared::Ablation => {
                let spec = ablation::Spec {
                    part: ablation::Part::Heads,
                    positions: Positions::All,
                    replacement: ablation::Replacement::Zero,
                };
                return Ok(MapSpec::Ablation { spec, metric: self.metric });
            }
        };
        let tokens = noise_tokens(&engine.info.tokenizer, subjects)?;
        let spec = causal_trace::Spec {
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
        };
        Ok(MapSpec::Trace { spec, metric: self.metric })
    }
}
