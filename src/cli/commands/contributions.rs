//! `factscope contributions`: which tokens and parts a prediction came through.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::contribution_graph::{AttentionEdges, Spec, Weights};
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Contributions {
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
    type About = AskedArgs;

    fn spec(&self, _: &AskedArgs, _: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let usual = Spec::default();
        let edges = if self.sum_heads { AttentionEdges::PerToken } else { usual.edges };
        let weights = if self.renormalize { Weights::Renormalized } else { usual.weights };
        Ok(Spec { threshold: self.threshold, edges, weights, pos: self.pos }.into())
    }
}
