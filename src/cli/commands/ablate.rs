//! `factscope ablate`: what the answer loses without each head, MLP, layer or neuron.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use clap::builder::TypedValueParser;

use crate::analysis::ablation::{Replacement, Spec, Together};
use crate::analysis::reach::PromptKind;
use crate::analysis::{AnalysisSpec, Metric, Positions, neuron_ablation};
use crate::cli::flags::choice::{any_choice, choices_with};
use crate::cli::flags::corruption::lines_of;
use crate::cli::flags::fact::MeasuredArgs;
use crate::cli::flags::metric::estimated_metric;
use crate::cli::inquiry::{About as _, Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::{
    Ablated, Choices as _, FactSource, N_MEAN_PROMPTS, PutIn, Question, spaced,
};

#[derive(Args)]
pub struct Ablate {
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

    /// Then ablate those N all at once without which the answer's log-probability falls most, in the fact
    /// and in its inverse
    #[arg(long, value_name = "N", requires = "facts")]
    together: Option<usize>,

    /// With --together: ablate as many others instead, drawn at random so many times
    #[arg(long, value_name = "N", default_value_t = 20, requires = "together")]
    random: usize,

    /// The seed of these draws
    #[arg(long, value_name = "N", default_value_t = 1, requires = "together")]
    random_seed: u32,

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
    type About = MeasuredArgs;

    fn source(&self, about: &MeasuredArgs, _: &Machine) -> anyhow::Result<FactSource> {
        let chooses = self.top.is_some() || !self.layers.is_empty() || self.metric.is_some();
        let is_of_neurons = self.part == Ablated::Neurons;
        ensure!(
            !(is_of_neurons && self.together.is_some()),
            "--together goes with heads, attn, mlp or layers"
        );
        ensure!(
            is_of_neurons || !chooses,
            "--top, --layers and --metric choose neurons: say --part neurons"
        );
        Ok(about.source())
    }

    fn spec(&self, about: &MeasuredArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let (positions, replacement) = (self.positions.clone(), self.replacement(about, inquiry)?);
        Ok(match self.part.part() {
            Some(part) => {
                let together = self.together(about, inquiry)?;
                Spec { part, positions, replacement, together }.into()
            }
            None => neuron_ablation::Spec {
                n_top: self.top.unwrap_or(Ablated::N_NEURONS),
                layers: self.layers.clone(),
                metric: self.metric.unwrap_or(Metric::LogProb),
                positions,
                replacement,
            }
            .into(),
        })
    }
}

impl Ablate {
    /// What is ablated all at once, and where that is measured.
    fn together(
        &self,
        about: &MeasuredArgs,
        inquiry: &Inquiry,
    ) -> anyhow::Result<Option<Together>> {
        let Some(n) = self.together else { return Ok(None) };
        let found = inquiry.changed(&about.asked, None)?;
        let mut asked =
            found.context("--together asks the inverse, too: name --facts and --case")?;
        asked.retain(|it| matches!(it.kind, PromptKind::Prompt | PromptKind::InverseOfOld));
        Ok(Some(Together { n, n_random: self.random, seed: self.random_seed, asked }))
    }

    fn replacement(&self, about: &MeasuredArgs, inquiry: &Inquiry) -> anyhow::Result<Replacement> {
        Ok(match self.with {
            PutIn::Zero => Replacement::Zero,
            PutIn::Mean => {
                let prompts = spaced(self.mean_prompts(inquiry)?, self.mean_count as usize);
                let ids = prompts.map(|it| inquiry.ids(&it));
                Replacement::Mean { prompts: ids.collect::<anyhow::Result<_>>()? }
            }
            PutIn::Resample => {
                let other = match (&self.other, &self.other_case) {
                    (Some(text), _) => text.clone(),
                    (None, Some(case)) => {
                        about.asked.fact.other(case, &inquiry.machine.datasets)?.prompt
                    }
                    (None, None) => {
                        bail!("name the prompt to resample from with --other or --other-case")
                    }
                };
                Replacement::Resample { ids: inquiry.ids(&other)?.into() }
            }
        })
    }

    /// The prompts that a mean may be taken over.
    fn mean_prompts(&self, inquiry: &Inquiry) -> anyhow::Result<Vec<String>> {
        let Question { dataset, direction, .. } = &inquiry.question;
        let (path, prompts): (_, Vec<String>) = match (&self.mean_prompts, dataset) {
            (Some(path), _) => (path, lines_of(path)?),
            (None, Some(dataset)) => {
                let facts = dataset.records.iter().filter_map(|it| it.fact(*direction));
                (&dataset.path, facts.map(|fact| fact.prompt.clone()).collect())
            }
            (None, None) => bail!("name the prompts to take the mean of with --mean-prompts"),
        };
        ensure!(!prompts.is_empty(), "no prompt in {}", path.display());
        Ok(prompts)
    }
}
