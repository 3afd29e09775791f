//! `factscope contributions`: which tokens and parts a prediction came through.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::contribution_graph::{AttentionEdges, Spec, Weights};
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;

#[derive(Args)]
pub struct Contributions {
    #[command(flatten)]
    asked: AskedArgs,

    /// Leave out edges of no more than this share, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = Spec::default().threshold)]
    threshold: f32,

    /// Draw one edge per token looked at, all heads together, instead of one per head
    #[arg(long)]
    sum_heads: bool,

    /// Set parts below the threshold to 0 first, so that those above it add up to 1
    #[arg(long)]
    renormalize: bool,

    /// The token whose prediction is explained, from 0 [default: the last]
    #[arg(long, value_name = "POS")]
    pos: Option<usize>,
}

impl Asks for Contributions {
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let inquiry = self.asked.ask(machine)?;
        let usual = Spec::default();
        let spec = AnalysisSpec::ContributionGraph(Spec {
            threshold: self.threshold,
            edges: if self.sum_heads { AttentionEdges::PerToken } else { usual.edges },
            weights: if self.renormalize { Weights::Renormalized } else { usual.weights },
            pos: self.pos,
        });
        Ok((inquiry, spec))
    }
}
