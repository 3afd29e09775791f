//! `factscope path-patch`: which parts tell others what they do.

use clap::Args;

use crate::analysis::path_patching::{Between, Spec};
use crate::analysis::{AnalysisSpec, Positions, Receiver};
use crate::cli::flags::choice;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::flags::paired::PairedArgs;
use crate::cli::inquiry::{About as _, Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::FactSource;

#[derive(Args)]
pub struct PathPatch {
    #[command(flatten)]
    paired: PairedArgs,

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
    type About = AskedArgs;

    fn source(&self, about: &AskedArgs, _: &Machine) -> anyhow::Result<FactSource> {
        Ok(about.source().with_foil(self.foil.as_deref()))
    }

    fn spec(&self, about: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let (donor, pairs) = self.paired.donor(&about.fact, inquiry)?;
        let receiver_positions = self.positions.clone();
        let (receivers, between) = (self.receivers.clone(), self.mlps);
        Ok(Spec { donor, pairs, receivers, receiver_positions, between }.into())
    }
}
