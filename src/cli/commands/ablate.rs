//! `factscope ablate`: what the answer loses without each head, MLP, layer or neuron.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::analysis::ablation::{Part, Replacement, Spec};
use crate::analysis::{AnalysisSpec, Metric, Positions, neuron_ablation};
use crate::cli::flags::choices;
use crate::cli::flags::fact::MeasuredArgs;
use crate::cli::flags::metric::estimated_metric;
use crate::cli::machine::Machine;
use crate::cli::output::AnalysisOutput;
use crate::facts::Dataset;

#[derive(Args)]
pub struct Ablate {
    #[command(flatten)]
    asked: MeasuredArgs,

    /// What is replaced, one at a time: each head; all that a layer's attention, its MLP, or both add
    /// to the residual stream; or the neurons that are estimated to matter most
    #[arg(long, default_value = "heads", value_parser = part())]
    part: Replaced,

    /// How many neurons, those with the largest estimates: first order, from the gradient at the clean
    /// run [default: 20]
    #[arg(long, value_name = "N")]
    top: Option<usize>,

    /// Choose neurons of these layers only, such as `3,5` [default: all]
    #[arg(long, value_name = "L,L", value_delimiter = ',')]
    layers: Vec<usize>,

    /// What is estimated of neurons [default: log-prob]
    #[arg(long, value_parser = estimated_metric())]
    metric: Option<Metric>,

    /// At which tokens: `all`, `subject`, `non-subject`, `last`, a position such as `3`, or a range
    /// such as `3..6` without its end
    #[arg(long, value_name = "WHERE", default_value = "all")]
    positions: Positions,

    /// By what: zeros, the mean over other prompts, or the same part of another prompt
    #[arg(long, value_enum, default_value = "zero")]
    with: With,

    /// Prompts to take the mean of, one a line [default: those of --facts]
    #[arg(long, value_name = "FILE")]
    mean_prompts: Option<PathBuf>,

    /// At most so many of them, evenly spaced
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    mean_count: u32,

    /// The prompt to resample from, of as many tokens
    #[arg(long, value_name = "TEXT", conflicts_with = "other_case")]
    other: Option<String>,

    /// The same, by its `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID", requires = "facts")]
    other_case: Option<String>,

    #[command(flatten)]
    output: AnalysisOutput,
}

/// What is replaced, one at a time.
#[derive(Clone, Copy)]
enum Replaced {
    Part(Part),
    Neurons,
}

/// `neuron` is how it was once called.
fn part() -> impl TypedValueParser<Value = Replaced> {
    let part =
        |(name, part): (&'static str, Part)| (PossibleValue::new(name), Replaced::Part(part));
    let parts = [
        ("heads", Part::Heads),
        ("attn", Part::Attn),
        ("mlp", Part::Mlp),
        ("layers", Part::Layers),
    ];
    let neurons = [PossibleValue::new("neurons"), PossibleValue::new("neuron").hide(true)];
    choices(parts.map(part).into_iter().chain(neurons.map(|it| (it, Replaced::Neurons))))
}

#[derive(Clone, Copy, ValueEnum)]
enum With {
    Zero,
    Mean,
    Resample,
}

impl Ablate {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let chooses = self.top.is_some() || !self.layers.is_empty() || self.metric.is_some();
        let is_of_neurons = matches!(self.part, Replaced::Neurons);
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
            With::Zero => Replacement::Zero,
            With::Mean => Replacement::Mean { prompts: ids.into() },
            With::Resample => Replacement::Resample { ids: ids.into_iter().flatten().collect() },
        };
        let spec = match self.part {
            Replaced::Part(part) => AnalysisSpec::Ablation(Spec { part, positions, replacement }),
            Replaced::Neurons => AnalysisSpec::NeuronAblation(neuron_ablation::Spec {
                n_top: self.top.unwrap_or(20),
                layers: self.layers.clone(),
                metric: self.metric.unwrap_or(Metric::LogProb),
                positions,
                replacement,
            }),
        };
        inquiry.finish(spec, &self.output, machine)
    }

    /// The texts of the prompts that what is put in comes from.
    fn others(&self) -> anyhow::Result<Vec<String>> {
        match self.with {
            With::Zero => Ok(Vec::new()),
            With::Mean => {
                let all = self.mean_prompts()?;
                let n = all.len().min(self.mean_count as usize);
                Ok((0..n).map(|nth| all[nth * all.len() / n].clone()).collect())
            }
            With::Resample => match (&self.other, &self.other_case, &self.asked.fact.facts) {
                (Some(text), _, _) => Ok(vec![text.clone()]),
                (None, Some(case), Some(path)) => {
                    let dataset = Dataset::load(path)?;
                    let Some(record) = dataset.find(case) else {
                        bail!("there is no case {case} in {}", path.display());
                    };
                    let Some(fact) = record.fact(self.asked.fact.direction()) else {
                        bail!("case {case} is not asked inversely: {}", path.display());
                    };
                    Ok(vec![fact.prompt.clone()])
                }
                _ => bail!("name the prompt to resample from with --other or --other-case"),
            },
        }
    }

    fn mean_prompts(&self) -> anyhow::Result<Vec<String>> {
        let (path, prompts): (_, Vec<String>) = match (&self.mean_prompts, &self.asked.fact.facts) {
            (Some(path), _) => {
                let text = fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                let lines = text.lines().filter(|line| !line.is_empty());
                (path, lines.map(str::to_owned).collect())
            }
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
