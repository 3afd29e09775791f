//! `factscope atp-star`: which parts matter, from gradients.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::atp_star::Spec;
use crate::cli::flags::estimate::EstimateArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;

#[derive(Args)]
pub struct AtpStar {
    #[command(flatten)]
    asked: EstimateArgs,
}

impl Asks for AtpStar {
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let (inquiry, contrast, metric) = self.asked.ask(machine)?;
        let n_verified = self.asked.verify;
        let spec = AnalysisSpec::AtpStar(Spec { contrast, metric, n_verified });
        Ok((inquiry, spec))
    }
}
