//! `factscope circuit`: what a head reads and writes by its weights.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::circuit::{self, Spec};
use crate::cli::flags::choice;
use crate::cli::flags::head::HeadArg;
use crate::cli::flags::model::WeightArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Circuit {
    /// Layer and head, both from 0, such as `9.1`
    #[arg(long, value_name = "LAYER.HEAD")]
    head: HeadArg,

    /// `ov`: what is written, given what is read; `qk`: what is looked at, given what looks
    #[arg(long = "circuit", value_name = "CIRCUIT", default_value = "ov", value_parser = choice::<circuit::Circuit>())]
    which: circuit::Circuit,

    /// How many singular vectors are read
    #[arg(long, value_name = "N", default_value_t = 5)]
    vectors: usize,

    /// How many tokens are listed at each end of a singular vector
    #[arg(long, value_name = "N", default_value_t = 8)]
    tokens: usize,
}

impl Asks for Circuit {
    type About = WeightArgs;

    fn spec(&self, about: &WeightArgs, _: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let HeadArg { layer, head } = self.head;
        let processing = about.process.clone();
        let (circuit, n_vectors, n_tokens) = (self.which, self.vectors, self.tokens);
        Ok(Spec { layer, head, circuit, n_vectors, n_tokens, processing }.into())
    }
}
