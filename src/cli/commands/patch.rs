//! `factscope patch`: a prompt given the activations of another.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::activation_patching::{Part, Places, Spec};
use crate::cli::flags::choice;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::flags::paired::PairedArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Patch {
    #[command(flatten)]
    paired: PairedArgs,

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
    type About = AskedArgs;

    fn spec(&self, about: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let (donor, pairs) = self.paired.donor(&about.fact, inquiry)?;
        let places = if self.together { Places::Together } else { Places::Each };
        Ok(Spec { donor, pairs, places, part: self.kind, window: self.window }.into())
    }
}
