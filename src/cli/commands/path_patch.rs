//! `factscope path-patch`: which parts tell others what they do.

use clap::Args;

use crate::analysis::path_patching::{Between, Spec};
use crate::analysis::{AnalysisSpec, Positions, Receiver};
use crate::cli::flags::choice;
use crate::cli::flags::paired::{Paired, PairedArgs};
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;

#[derive(Args)]
pub struct PathPatch {
    #[command(flatten)]
    asked: PairedArgs,

    /// What is told: `logits`, what heads read for queries, keys or values such as `L9H6.q`, or an
    /// MLP such as `MLP3`; several are told together
    #[arg(long = "to", value_name = "PART", required = true)]
    receivers: Vec<Receiver>,

    /// At which tokens it is told, for heads and MLPs: `all`, `subject`, `non-subject`, `last`, a
    /// position such as `3`, or a range such as `3..6` without its end
    #[arg(long, value_name = "WHERE", default_value = "all")]
    positions: Positions,

    /// What MLPs on the way do: react, as in Wang et al. 2022, or keep their clean outputs
    #[arg(long, default_value = "recomputed", value_parser = choice::<Between>())]
    mlps: Between,

    /// A wrong answer, for the logit difference [default: the dataset's, if it has one, else that of
    /// --from-answer]
    #[arg(long, value_name = "TEXT")]
    foil: Option<String>,
}

impl Asks for PathPatch {
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let Paired { inquiry, donor, pairs } = self.asked.ask(self.foil.as_deref(), machine)?;
        let spec = AnalysisSpec::PathPatching(Spec {
            pairs,
            donor: donor.into(),
            receivers: self.receivers.clone(),
            receiver_positions: self.positions.clone(),
            between: self.mlps,
        });
        Ok((inquiry, spec))
    }
}
