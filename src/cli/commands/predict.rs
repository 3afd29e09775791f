//! `factscope predict`: what the model says next.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::prediction::Spec;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::machine::Machine;
use crate::cli::output::AnalysisOutput;

#[derive(Args)]
pub struct Predict {
    #[command(flatten)]
    asked: AskedArgs,

    /// How many of the likeliest tokens to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Predict {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let inquiry = self.asked.ask(machine)?;
        let spec = AnalysisSpec::Prediction(Spec { n_top: self.top });
        inquiry.finish(spec, &self.output, machine)
    }
}
