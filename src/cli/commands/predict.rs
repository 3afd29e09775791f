//! `factscope predict`: what the model says next.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::prediction::Spec;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Predict {
    /// How many of the likeliest tokens to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
}

impl Asks for Predict {
    type About = AskedArgs;

    fn spec(&self, _: &AskedArgs, _: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        Ok(Spec { n_top: self.top }.into())
    }
}
