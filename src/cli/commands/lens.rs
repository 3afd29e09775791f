//! `factscope lens`: what the model would say after each layer.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::logit_lens::{LensScale, Spec};
use crate::cli::flags::choice;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Lens {
    /// What each layer's residual stream is divided by in the final layer norm: its own standard
    /// deviation, or the one at the last layer, as in direct logit attribution
    #[arg(long, default_value = "own", value_parser = choice::<LensScale>())]
    scale: LensScale,

    /// How many of the likeliest tokens are listed for each layer and position
    #[arg(long, value_name = "N", default_value_t = 1)]
    top: usize,
}

impl Asks for Lens {
    type About = AskedArgs;

    fn spec(&self, _: &AskedArgs, _: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        Ok(Spec { scale: self.scale, n_top: self.top }.into())
    }
}
