//! A chart of places joined by edges.

use serde::Serialize;

use super::{Pick, Side};

/// Places joined by edges: tokens below each other, layers across.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Graph {
    pub name: String,
    pub rows: Side,
    pub columns: Side,

    /// What the weight of an edge is, with its unit; at most 1.
    pub quantity: String,
    pub nodes: Vec<GraphNode>,

    /// The lightest first, so that the heaviest are drawn over them.
    pub edges: Vec<GraphEdge>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GraphNode {
    pub label: String,

    /// Its place in columns and rows; whole numbers are their middles.
    pub at: [f32; 2],
    pub kind: GraphKind,
    pub pick: Pick,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GraphEdge {
    /// The nodes at its ends, by their index.
    pub from: usize,
    pub to: usize,
    pub kind: GraphKind,

    /// The part of the model that it goes along: “head 3”.
    pub via: String,
    pub weight: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GraphKind {
    /// The stream itself.
    Stream,
    Attention,
    Mlp,
}

impl GraphKind {
    /// All kinds, in the order of the legend.
    pub const ALL: [Self; 3] = [Self::Stream, Self::Attention, Self::Mlp];

    pub fn name(self) -> &'static str {
        match self {
            Self::Stream => "residual stream",
            Self::Attention => "attention",
            Self::Mlp => "MLP",
        }
    }
}

impl Graph {
    pub(super) fn is_whole(&self) -> bool {
        let n = self.nodes.len();
        self.edges.iter().all(|edge| edge.from < n && edge.to < n)
    }

    /// The ends of an edge, in words.
    pub fn ends(&self, edge: &GraphEdge) -> [&str; 2] {
        [edge.from, edge.to].map(|nth| &*self.nodes[nth].label)
    }
}
