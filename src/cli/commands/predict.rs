//! `factscope predict`: what the model says next.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::prediction::Spec;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;

#[derive(Args)]
pub struct Predict {
    #[command(flatten)]
    asked: AskedArgs,

    /// How many of the likeliest tokens to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
}

impl Asks for Predict {
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let inquiry = self.asked.ask(machine)?;
        let spec = AnalysisSpec::Prediction(Spec { n_top: self.top });
        Ok((inquiry, spec))
    }
}
