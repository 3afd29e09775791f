//! `factscope ablate`: what the answer loses without each head, MLP, layer or neuron.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;
use clap::builder::TypedValueParser;

use crate::analysis::ablation::{Replacement, Spec};
use crate::analysis::{AnalysisSpec, Metric, Positions, neuron_ablation};
use crate::cli::flags::choice::{any_choice, choices_with};
use crate::cli::flags::corruption::lines_of;
use crate::cli::flags::fact::MeasuredArgs;
use crate::cli::flags::metric::estimated_metric;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::{Ablated, Choices as _, N_MEAN_PROMPTS, PutIn};
use crate::facts::Dataset;

#[derive(Args)]
pub struct Ablate {
    #[command(flatten)]
    asked: MeasuredArgs,

    /// What is replaced, one at a time
    #[arg(long, default_value = "heads", value_parser = ablated())]
    part: Ablated,

    /// With neurons: ablate the N with the largest estimates, first order from the gradient at the
    /// clean run [default: 20]
    #[arg(long, value_name = "N")]
    top: Option<usize>,

    /// Choose neurons of these layers only, such as `3,5` [default: all]
    #[arg(long, value_name = "L,L", value_delimiter = ',')]
    layers: Vec<usize>,

    /// With neurons: the metric whose changes are estimated [default: log-prob]
    #[arg(long, value_parser = estimated_metric())]
    metric: Option<Metric>,

    /// At which tokens outputs are replaced: `all`, `subject`, `non-subject`, `last`, a position such as `3`, or a range
    /// such as `3..6` without its end
    #[arg(long, value_name = "WHERE", default_value = "all")]
    positions: Positions,

    /// What stands in for the output of a part
    #[arg(long, default_value = "zero", value_parser = any_choice::<PutIn>())]
    with: PutIn,

    /// Prompts to take the mean of, one a line [default: those of --facts]
    #[arg(long, value_name = "FILE")]
    mean_prompts: Option<PathBuf>,

    /// Take the mean over at most N of the prompts, evenly spaced
    #[arg(long, value_name = "N", default_value_t = N_MEAN_PROMPTS as u32, value_parser = clap::value_parser!(u32).range(1..))]
    mean_count: u32,

    /// The prompt to resample from, of as many tokens
    #[arg(long, value_name = "TEXT", conflicts_with = "other_case")]
    other: Option<String>,

    /// The fact whose prompt to resample from, by its `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID", requires = "facts")]
    other_case: Option<String>,
}

/// `neuron` is how neurons were once called.
fn ablated() -> impl TypedValueParser<Value = Ablated> {
    choices_with(Ablated::ALL.iter().copied(), [("neuron", Ablated::Neurons)])
}

impl Asks for Ablate {
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let chooses = self.top.is_some() || !self.layers.is_empty() || self.metric.is_some();
        let is_of_neurons = self.part == Ablated::Neurons;
        ensure!(
            is_of_neurons || !chooses,
            "--top, --layers and --metric choose neurons: say --part neurons"
        );
        let others = self.others()?;
        let inquiry = self.asked.ask(machine)?;
        let ids = others.iter().map(|other| inquiry.ids(other));
        let ids = ids.collect::<anyhow::Result<Vec<_>>>()?;
        let positions = self.positions.clone();
        let replacement = match self.with {
            PutIn::Zero => Replacement::Zero,
            PutIn::Mean => Replacement::Mean { prompts: ids.into() },
            PutIn::Resample => Replacement::Resample { ids: ids.into_iter().flatten().collect() },
        };
        let spec = match self.part.part() {
            Some(part) => AnalysisSpec::Ablation(Spec { part, positions, replacement }),
            None => AnalysisSpec::NeuronAblation(neuron_ablation::Spec {
                n_top: self.top.unwrap_or(Ablated::N_NEURONS),
                layers: self.layers.clone(),
                metric: self.metric.unwrap_or(Metric::LogProb),
                positions,
                replacement,
            }),
        };
        Ok((inquiry, spec))
    }
}

impl Ablate {
    /// The texts of the prompts whose outputs stand in.
    fn others(&self) -> anyhow::Result<Vec<String>> {
        match self.with {
            PutIn::Zero => Ok(Vec::new()),
            PutIn::Mean => {
                let all = self.mean_prompts()?;
                let n = all.len().min(self.mean_count as usize);
                Ok((0..n).map(|nth| all[nth * all.len() / n].clone()).collect())
            }
            PutIn::Resample => match (&self.other, &self.other_case) {
                (Some(text), _) => Ok(vec![text.clone()]),
                (None, Some(case)) => Ok(vec![self.asked.fact.other(case)?.prompt]),
                (None, None) => {
                    bail!("name the prompt to resample from with --other or --other-case")
                }
            },
        }
    }

    fn mean_prompts(&self) -> anyhow::Result<Vec<String>> {
        let (path, prompts): (_, Vec<String>) = match (&self.mean_prompts, &self.asked.fact.facts) {
            (Some(path), _) => (path, lines_of(path)?),
            (None, Some(path)) => {
                let dataset = Dataset::load(path)?;
                let facts =
                    dataset.records.iter().filter_map(|it| it.fact(self.asked.fact.direction()));
                (path, facts.map(|fact| fact.prompt.clone()).collect())
            }
            (None, None) => bail!("name the prompts to take the mean of with --mean-prompts"),
        };
        ensure!(!prompts.is_empty(), "no prompt in {}", path.display());
        Ok(prompts)
    }
}
