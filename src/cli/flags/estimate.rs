//! What an estimate is asked of, and against which corrupted runs, as flags.

use clap::Args;

use super::corruption::CorruptionArgs;
use super::fact::FactArgs;
use super::metric::estimated_metric;
use super::model::ModelArgs;
use crate::analysis::{Contrast, Metric};
use crate::cli::inquiry::Inquiry;
use crate::cli::machine::Machine;
use crate::facts::Fact;
use crate::tokens::TokenizedPrompt;

/// The flags of `atp-star`, which estimates parts, and of `eap`, which estimates edges.
#[derive(Args)]
pub struct EstimateArgs {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// Corrupt by another prompt of as many tokens [default: as --corruption says]
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["other_case", "corruption", "noise_file"])]
    other: Option<String>,

    /// Corrupt by the prompt of another fact of the dataset, by its `case_id` or `known_id`
    #[arg(long, value_name = "ID", requires = "facts", conflicts_with_all = ["corruption", "noise_file"])]
    other_case: Option<String>,

    #[command(flatten)]
    corruption: CorruptionArgs,

    /// The metric whose changes are estimated
    #[arg(long, default_value = "log-prob", value_parser = estimated_metric())]
    metric: Metric,

    /// A wrong answer, for the logit difference [default: the dataset's, if it has one]
    #[arg(long, value_name = "TEXT")]
    foil: Option<String>,

    /// Corrupt the N parts or edges with the largest estimates for real
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub verify: usize,
}

impl EstimateArgs {
    pub fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, Contrast, Metric)> {
        let mut inquiry = self.model.ask(self.fact.source(), machine)?;
        let contrast = match self.other_fact()? {
            Some(other) => {
                let tokenizer = &inquiry.engine.info.tokenizer;
                let ids = TokenizedPrompt::new(tokenizer, &other, self.model.bos())?.ids;
                Contrast::Prompt { ids: ids.into() }
            }
            None => Contrast::Subject(self.corruption.draws(&mut inquiry)?),
        };
        inquiry.set_foil(self.foil.as_deref())?;
        Ok((inquiry, contrast, self.metric))
    }

    fn other_fact(&self) -> anyhow::Result<Option<Fact>> {
        Ok(match (&self.other, &self.other_case) {
            (Some(text), _) => Some(Fact::from_text(text, None)?),
            (None, Some(case)) => Some(self.fact.other(case)?),
            (None, None) => None,
        })
    }
}
