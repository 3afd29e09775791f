//! `factscope atp-star`: which parts matter, from gradients.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::atp_star::Spec;
use crate::cli::flags::estimate::EstimateArgs;
use crate::cli::machine::Machine;
use crate::cli::output::AnalysisOutput;

#[derive(Args)]
pub struct AtpStar {
    #[command(flatten)]
    asked: EstimateArgs,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl AtpStar {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let (inquiry, contrast, metric) = self.asked.ask(machine)?;
        let n_verified = self.asked.verify;
        let spec = AnalysisSpec::AtpStar(Spec { contrast, metric, n_verified });
        inquiry.finish(spec, &self.output, machine)
    }
}
