//! The prompt that activations are taken from, as flags.

use std::sync::Arc;

use anyhow::bail;
use clap::Args;

use super::fact::FactArgs;
use crate::analysis::Pair;
use crate::cli::inquiry::Inquiry;
use crate::experiment::{Datasets, FactSource, RecordFact, TextFact};
use crate::facts::{Direction, Fact};
use crate::tokens::TokenizedPrompt;

/// The prompt that activations are taken from, and where they go.
#[derive(Args)]
pub struct PairedArgs {
    /// The prompt to take activations from
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["from_case", "from_inverse"])]
    from: Option<String>,

    /// The words that the prompt of --from is about
    #[arg(long, value_name = "TEXT", requires = "from")]
    from_subject: Option<String>,

    /// The other prompt's answer, measured as the foil [default: the model's own first guess]
    #[arg(long, value_name = "TEXT")]
    from_answer: Option<String>,

    /// Take activations from another fact of the dataset, by its `case_id` or `known_id`
    #[arg(long, value_name = "ID", requires = "facts")]
    from_case: Option<String>,

    /// Take activations from the fact asked the other way round: its inverse, or with --inverse the
    /// fact itself
    #[arg(long, requires = "facts")]
    from_inverse: bool,

    /// A position of the other prompt and the position of this prompt that it is paired with; may be
    /// given again [default: all pairs by their roles]
    #[arg(long = "pair", value_name = "FROM:TO")]
    pairs: Vec<Pair>,
}

impl PairedArgs {
    /// The prompt that activations are taken from, and which of its positions go where.
    pub fn donor(
        &self,
        recipient: &FactArgs,
        inquiry: &Inquiry,
    ) -> anyhow::Result<(Arc<TokenizedPrompt>, Vec<Pair>)> {
        let donor = inquiry.tokenized(&self.fact(recipient, &inquiry.machine.datasets)?)?;
        let pairs = match &self.pairs[..] {
            [] => Pair::by_role(&donor, &inquiry.prompt),
            named => named.to_vec(),
        };
        Ok((donor.into(), pairs))
    }

    /// The fact that activations are taken from.
    fn fact(&self, recipient: &FactArgs, datasets: &Datasets) -> anyhow::Result<Fact> {
        let answer = self.from_answer.clone();
        let source = match (&self.from, &recipient.facts, &recipient.case) {
            (Some(prompt), _, _) => FactSource::Text(TextFact {
                prompt: prompt.clone(),
                subject: self.from_subject.clone(),
                answer,
                ..TextFact::default()
            }),
            (None, Some(facts), Some(case)) if self.from_case.is_some() || self.from_inverse => {
                FactSource::Record(RecordFact {
                    facts: facts.clone(),
                    case: self.from_case.as_ref().unwrap_or(case).clone(),
                    direction: match (recipient.direction(), self.from_inverse) {
                        (same, false) => same,
                        (Direction::Forward, true) => Direction::Inverse,
                        (Direction::Inverse, true) => Direction::Forward,
                    },
                    answer,
                    ..RecordFact::default()
                })
            }
            _ => bail!(
                "name the prompt to take activations from with --from, --from-case or \
                 --from-inverse"
            ),
        };
        Ok(source.question(datasets)?.fact)
    }
}
