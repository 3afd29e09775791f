use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::AnalysisOutput;
use super::{Machine, ModelArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::contribution_graph::{
    AttentionEdges, ContributionGraph, Edge, Node, Spec, Via, Weights,
};
use crate::tokens::visible;

#[derive(Args)]
pub(super) struct Contributions {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// Leave out edges of no more than this share, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.04)]
    threshold: f32,

    /// One edge per token looked at, all heads together, instead of one per head
    #[arg(long)]
    sum_heads: bool,

    /// Set parts below the threshold to 0 first, so that those above it add up to 1
    #[arg(long)]
    renormalize: bool,

    /// The token whose prediction is explained, from 0 [default: the last]
    #[arg(long, value_name = "POS")]
    pos: Option<usize>,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Contributions {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.ask(self.fact.source(), machine)?;
        let spec = AnalysisSpec::ContributionGraph(Spec {
            threshold: self.threshold,
            edges: if self.sum_heads { AttentionEdges::PerToken } else { AttentionEdges::PerHead },
            weights: if self.renormalize { Weights::Renormalized } else { Weights::Shares },
            pos: self.pos,
        });
        session.finish(spec, &self.output, machine)
    }
}

pub(super) fn to_json(it: &ContributionGraph) -> Value {
    let edge = |edge: &Edge| {
        json!({
            "from": name(edge.from),
            "to": name(edge.to),
            "via": via(edge.via),
            "weight": edge.weight,
        })
    };
    json!({
        "spec": it.spec,
        "root": name(it.root),
        "nodes": it.nodes.iter().map(|node| name(*node)).collect::<Vec<_>>(),
        "edges": it.edges.iter().map(edge).collect::<Vec<_>>(),
        "n_edges_in_all": it.n_edges,
    })
}

/// As TransformerLens would call it, and at which token.
fn name(node: Node) -> String {
    match node {
        Node::Embed { pos } => format!("embed@{pos}"),
        Node::ResidMid { layer, pos } => format!("{layer}_resid_mid@{pos}"),
        Node::Mlp { layer, pos } => format!("{layer}_mlp@{pos}"),
        Node::ResidPost { layer, pos } => format!("{layer}_resid_post@{pos}"),
    }
}

fn via(via: Via) -> String {
    match via {
        Via::Residual => "residual".to_owned(),
        Via::Mlp => "mlp".to_owned(),
        Via::Attention => "attention".to_owned(),
        Via::Head(head) => format!("head {head}"),
    }
}

pub(super) fn to_text(it: &ContributionGraph) -> String {
    let mut text = format!(
        "{} of {} edges lead to {} above {}\n\n",
        it.edges.len(),
        it.n_edges,
        name(it.root),
        it.spec.threshold
    );
    text.push_str("tokens that are reached:\n");
    for node in &it.nodes {
        if let Node::Embed { pos } = node {
            _ = writeln!(text, "  {pos} {}", visible(&it.prompt.pieces[*pos]));
        }
    }
    let moved = |edge: &&Edge| !matches!(edge.via, Via::Residual);
    let mut edges: Vec<_> = it.edges.iter().filter(moved).collect();
    edges.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    text.push_str("\n share  edge, residual ones left out (largest first)\n");
    for edge in edges.into_iter().take(20) {
        let (from, to) = (name(edge.from), name(edge.to));
        _ = writeln!(text, "{:>6.3}  {from} -> {to}, {}", edge.weight, via(edge.via));
    }
    text
}
