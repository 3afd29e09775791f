//! `factscope generate`: what the model writes after a text.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::generation::{Choice, Spec};
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Generate {
    /// The most tokens to write
    #[arg(long, value_name = "N", default_value_t = 20)]
    tokens: usize,

    /// Draw at random: logits are divided by this [default: no draw, the likeliest each time]
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,

    /// Draw from the K likeliest tokens
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,

    /// Draw from the likeliest tokens that hold this much of the probability, 0 to 1
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,

    /// Draw with this seed: the same gives the same text
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Write on after the token that ends a text, such as `<|endoftext|>`
    #[arg(long)]
    ignore_end: bool,
}

impl Asks for Generate {
    type About = AskedArgs;

    fn spec(&self, _: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let choice = match *self {
            Self { temperature: None, top_k: None, top_p: None, seed: None, .. } => Choice::Greedy,
            Self { temperature, top_k, top_p, seed, .. } => {
                let (temperature, seed) = (temperature.unwrap_or(1.0), seed.unwrap_or(0));
                Choice::Sample { temperature, top_k, top_p, seed }
            }
        };
        let end = inquiry.engine.info.tokenizer.eos().filter(|_| !self.ignore_end);
        Ok(Spec { n_tokens: self.tokens, choice, end }.into())
    }
}
