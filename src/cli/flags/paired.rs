//! The prompt that activations are taken from, as flags.

use anyhow::bail;
use clap::Args;

use super::fact::FactArgs;
use super::model::ModelArgs;
use crate::analysis::Pair;
use crate::cli::inquiry::Inquiry;
use crate::cli::machine::Machine;
use crate::experiment::{FactSource, RecordFact, TextFact};
use crate::facts::{Direction, Fact};
use crate::tokens::TokenizedPrompt;

/// A fact in a model, and the prompt that activations are taken from.
#[derive(Args)]
pub struct PairedArgs {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    #[command(flatten)]
    from: FromArgs,
}

/// The prompt that activations are taken from, and where they go.
#[derive(Args)]
struct FromArgs {
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

/// What was asked, with the prompt that activations are taken from.
pub struct Paired {
    pub inquiry: Inquiry,
    pub donor: TokenizedPrompt,
    pub pairs: Vec<Pair>,
}

impl PairedArgs {
    /// Opens the model for both prompts. `foil`: a wrong answer in place of the fact's own.
    pub fn ask(&self, foil: Option<&str>, machine: &Machine) -> anyhow::Result<Paired> {
        let donor = self.from.fact(&self.fact)?;
        let inquiry = self.model.ask(self.fact.source().with_foil(foil), machine)?;
        let tokenizer = &inquiry.engine.info.tokenizer;
        let donor = TokenizedPrompt::new(tokenizer, &donor, self.model.bos())?;
        let pairs = self.from.pairs(&donor, &inquiry.prompt);
        Ok(Paired { inquiry, donor, pairs })
    }
}

impl FromArgs {
    /// The fact that activations are taken from.
    fn fact(&self, recipient: &FactArgs) -> anyhow::Result<Fact> {
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
        Ok(source.question()?.fact)
    }

    /// The pairs of positions that are named, or else those with the same roles.
    fn pairs(&self, donor: &TokenizedPrompt, recipient: &TokenizedPrompt) -> Vec<Pair> {
        if self.pairs.is_empty() { Pair::by_role(donor, recipient) } else { self.pairs.clone() }
    }
}
