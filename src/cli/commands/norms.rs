//! `factscope norms`: how long the residual stream is.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::residual_norms::Spec;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::machine::Machine;
use crate::cli::output::AnalysisOutput;

#[derive(Args)]
pub struct Norms {
    #[command(flatten)]
    asked: AskedArgs,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Norms {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let inquiry = self.asked.ask(machine)?;
        let spec = AnalysisSpec::ResidualNorms(Spec);
        inquiry.finish(spec, &self.output, machine)
    }
}
