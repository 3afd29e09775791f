//! `factscope heads`: what kind of head each is.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::head_scores::Spec;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Heads {
    /// How many random tokens are repeated [default: 50, or what the model's context takes twice]
    #[arg(long, value_name = "N")]
    random_tokens: Option<usize>,

    /// How many such sequences are averaged
    #[arg(long, value_name = "N", default_value_t = 4)]
    sequences: usize,

    /// Seed of the random tokens
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,
}

const USUAL_RANDOM: usize = 50;

impl Asks for Heads {
    type About = AskedArgs;

    fn spec(&self, _: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        // The tokens stand there twice, behind a BOS.
        let most = inquiry.engine.info.config.n_ctx.saturating_sub(1) / 2;
        let n_random = self.random_tokens.unwrap_or_else(|| most.min(USUAL_RANDOM));
        Ok(Spec { n_random, n_sequences: self.sequences, seed: self.seed }.into())
    }
}
