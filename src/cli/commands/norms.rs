//! `factscope norms`: how long the residual stream is.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::residual_norms::Spec;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;

#[derive(Args)]
pub struct Norms {
    #[command(flatten)]
    asked: AskedArgs,
}

impl Asks for Norms {
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let inquiry = self.asked.ask(machine)?;
        let spec = AnalysisSpec::ResidualNorms(Spec);
        Ok((inquiry, spec))
    }
}
