//! `factscope compose`: which heads are wired to read which.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::composition::{Mode, Spec};
use crate::cli::flags::choice;
use crate::cli::flags::model::WeightArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Compose {
    /// Where the later head takes in what the earlier one wrote: its queries, keys or values
    #[arg(long, value_delimiter = ',', default_value = "q,k,v", value_parser = choice::<Mode>())]
    modes: Vec<Mode>,

    /// How many of the highest pairs are listed
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
}

impl Asks for Compose {
    type About = WeightArgs;

    fn spec(&self, about: &WeightArgs, _: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let processing = about.process.clone();
        Ok(Spec { modes: self.modes.clone(), n_top: self.top, processing }.into())
    }
}
