//! `factscope norms`: how long the residual stream is.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::residual_norms::Spec;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Norms;

impl Asks for Norms {
    type About = AskedArgs;

    fn spec(&self, _: &AskedArgs, _: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        Ok(Spec.into())
    }
}
