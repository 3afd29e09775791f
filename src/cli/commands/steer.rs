//! `factscope steer`: a direction added to the residual stream.

use anyhow::{Context as _, bail};
use clap::Args;

use crate::analysis::steering::{Direction, Spec};
use crate::analysis::{AnalysisSpec, Positions};
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::tokens::TokenizedPrompt;

#[derive(Args)]
pub struct Steer {
    /// The direction: the layer's residual stream at the last token of this prompt, less that of
    /// --minus
    #[arg(long, value_name = "TEXT", requires = "minus", conflicts_with = "plus_token")]
    plus: Option<String>,

    /// The prompt whose residual stream is taken off that of --plus
    #[arg(long, value_name = "TEXT", requires = "plus")]
    minus: Option<String>,

    /// The direction: the column of the unembedding of the text's first token; its leading space is
    /// added
    #[arg(long, value_name = "TEXT", required_unless_present = "plus")]
    plus_token: Option<String>,

    /// The token whose column is taken off that of --plus-token [default: the mean of all columns]
    #[arg(long, value_name = "TEXT", requires = "plus_token")]
    minus_token: Option<String>,

    /// The layer after which the direction is added, from 0
    #[arg(long, value_name = "L")]
    layer: usize,

    /// At which tokens the direction is added: `all` (those that follow the prompt, too), `subject`, `non-subject`, `last`,
    /// a position such as `3`, or a range such as `3..6` without its end
    #[arg(long, value_name = "WHERE", default_value = "all")]
    positions: Positions,

    /// How many times the direction is added
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, allow_negative_numbers = true)]
    scale: f64,

    /// Ask before and after also what the dataset has beside the fact, and its inverse from the right
    /// answer and from the foil
    #[arg(long)]
    reach: bool,

    /// How many of the likeliest tokens to list
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
}

impl Asks for Steer {
    type About = AskedArgs;

    fn spec(&self, about: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let (direction, positions) = (self.direction(inquiry)?, self.positions.clone());
        let Self { layer, scale, top: n_top, .. } = *self;
        let mut asked = Vec::new();
        if self.reach {
            let target = inquiry.question.fact.foil.clone();
            let found = inquiry.changed(about, target.as_deref())?;
            asked = found.context("--reach asks prompts of a dataset: name --facts and --case")?;
        }
        Ok(Spec { direction, layer, positions, scale, n_top, asked }.into())
    }
}

impl Steer {
    fn direction(&self, inquiry: &Inquiry) -> anyhow::Result<Direction> {
        let tokenizer = &inquiry.engine.info.tokenizer;
        let token = |text: &String| -> anyhow::Result<u32> {
            Ok(TokenizedPrompt::answer(tokenizer, text)?.first())
        };
        Ok(match (&self.plus, &self.minus, &self.plus_token) {
            (Some(plus), Some(minus), _) => {
                Direction::Prompts { plus: inquiry.ids(plus)?, minus: inquiry.ids(minus)? }
            }
            (_, _, Some(plus)) => Direction::Tokens {
                plus: token(plus)?,
                minus: self.minus_token.as_ref().map(token).transpose()?,
            },
            _ => bail!("name a direction with --plus and --minus, or with --plus-token"),
        })
    }
}
