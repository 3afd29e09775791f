//! `factscope atp-star`: which parts matter, from gradients.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::atp_star::Spec;
use crate::cli::flags::estimate::EstimateArgs;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct AtpStar {
    #[command(flatten)]
    estimate: EstimateArgs,
}

impl Asks for AtpStar {
    type About = AskedArgs;

    fn spec(&self, about: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let contrast = self.estimate.contrast(&about.fact, inquiry)?;
        let (metric, n_verified) = (self.estimate.metric, self.estimate.verify);
        Ok(Spec { contrast, metric, n_verified }.into())
    }
}
