//! `factscope patch`: a prompt given the activations of another.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::activation_patching::{Part, Places, Spec};
use crate::cli::flags::choice;
use crate::cli::flags::paired::{Paired, PairedArgs};
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;

#[derive(Args)]
pub struct Patch {
    #[command(flatten)]
    asked: PairedArgs,

    /// What is patched: the residual stream after a layer, what MLPs or attention add to it, or each
    /// head's output
    #[arg(long, value_parser = choice::<Part>())]
    kind: Part,

    /// Layers patched together, for `mlp` and `attn`
    #[arg(long, value_name = "N", default_value_t = 1)]
    window: usize,

    /// Patch all pairs at once instead of one at a time
    #[arg(long)]
    together: bool,
}

impl Asks for Patch {
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let Paired { inquiry, donor, pairs } = self.asked.ask(None, machine)?;
        let spec = Spec {
            pairs,
            donor: donor.into(),
            places: if self.together { Places::Together } else { Places::Each },
            part: self.kind,
            window: self.window,
        };
        Ok((inquiry, AnalysisSpec::ActivationPatching(spec)))
    }
}
