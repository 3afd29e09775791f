//! What an estimate is asked of, and against which corrupted runs, as flags.

use clap::Args;

use super::corruption::CorruptionArgs;
use super::fact::FactArgs;
use super::metric::estimated_metric;
use crate::analysis::{Contrast, Metric};
use crate::cli::inquiry::Inquiry;
use crate::experiment::Datasets;
use crate::facts::Fact;

/// The flags of `atp-star`, which estimates parts, and of `eap`, which estimates edges.
#[derive(Args)]
pub struct EstimateArgs {
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
    pub metric: Metric,

    /// A wrong answer, for the logit difference [default: the dataset's, if it has one]
    #[arg(long, value_name = "TEXT")]
    foil: Option<String>,

    /// Corrupt the N parts or edges with the largest estimates for real
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub verify: usize,
}

impl EstimateArgs {
    /// The corrupted runs. The foil may follow from them.
    pub fn contrast(&self, fact: &FactArgs, inquiry: &mut Inquiry) -> anyhow::Result<Contrast> {
        let contrast = match self.other_fact(fact, &inquiry.machine.datasets)? {
            Some(other) => Contrast::Prompt { ids: inquiry.tokenized(&other)?.ids.into() },
            None => Contrast::Subject(self.corruption.draws(inquiry)?),
        };
        inquiry.set_foil(self.foil.as_deref())?;
        Ok(contrast)
    }

    fn other_fact(&self, fact: &FactArgs, datasets: &Datasets) -> anyhow::Result<Option<Fact>> {
        Ok(match (&self.other, &self.other_case) {
            (Some(text), _) => Some(Fact::from_text(text, None)?),
            (None, Some(case)) => Some(fact.other(case, datasets)?),
            (None, None) => None,
        })
    }
}
