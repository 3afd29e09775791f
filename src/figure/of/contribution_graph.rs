//! Which parts a prediction came through: the strongest edges, and shares at each token and layer.

use std::collections::BTreeMap;

use super::Look;
use super::parts::token_map;
use crate::analysis::contribution_graph::{
    AttentionEdges, ContributionGraph, Edge, Node, Via, Weights,
};
use crate::figure::number::brief;
use crate::figure::words::token_at;
use crate::figure::{
    Cell, Chart, ColorMap, Figure, Graph, GraphEdge, GraphKind, GraphNode, Key, Map, Pick, Row,
    Side, Table,
};

/// The most edges that are drawn, the heaviest: more could not be told apart.
const N_DRAWN: usize = 2000;

const QUANTITY: &str = "Share of what arrives (0 to 1)";

pub(super) fn figure(found: &ContributionGraph, look: &Look<'_>) -> Figure {
    let (_, root) = place(found.root);
    Figure {
        title: format!(
            "Information flow routes to the prediction at {}",
            token_at(root, &found.prompt)
        ),
        charts: vec![
            Chart::Graph(graph(found)),
            Chart::Table(strongest(found, look)),
            Chart::Map(
                shares(found, "Attention's share of the stream", look, |edge, layer, pos| {
                    edge.to == Node::ResidMid { layer, pos } && edge.via != Via::Residual
                })
                .colored(ColorMap::Reds),
            ),
            Chart::Map(
                shares(found, "The MLP's share of the stream", look, |edge, layer, pos| {
                    edge.to == Node::ResidPost { layer, pos } && edge.via == Via::Mlp
                })
                .colored(ColorMap::Greens),
            ),
        ],
        notes: notes(found, look),
        ..Figure::default()
    }
}

/// Layer and position.
fn place(node: Node) -> (Option<usize>, usize) {
    match node {
        Node::Embed { pos } => (None, pos),
        Node::ResidMid { layer, pos }
        | Node::Mlp { layer, pos }
        | Node::ResidPost { layer, pos } => (Some(layer), pos),
    }
}

/// The graph of all edges above the threshold. Embeddings stand before the first layer; an MLP stands below the
/// stream that it reads and adds to.
fn graph(found: &ContributionGraph) -> Graph {
    /// From the middle of a column: the stream before and behind the MLP, and the MLP below it.
    const ASIDE: f32 = 0.25;
    const BELOW: f32 = 0.3;
    let n_layers = place(found.root).0.map_or(0, |layer| layer + 1);
    let layers = (0..n_layers).map(|layer| layer.to_string());
    let labels = std::iter::once("emb".to_owned()).chain(layers).collect();
    let keys = std::iter::once(Key::Label).chain((0..n_layers).map(Key::Layer)).collect();
    let node = |&node: &Node| {
        let (layer, pos) = place(node);
        let (column, row) = (layer.map_or(0, |layer| layer + 1) as f32, pos as f32);
        let (at, kind) = match node {
            Node::Embed { .. } => ([column, row], GraphKind::Stream),
            Node::ResidMid { .. } => ([column - ASIDE, row], GraphKind::Stream),
            Node::Mlp { .. } => ([column, row + BELOW], GraphKind::Mlp),
            Node::ResidPost { .. } => ([column + ASIDE, row], GraphKind::Stream),
        };
        let pick = Pick { layer, position: Some(pos), head: None };
        GraphNode { label: name(node, found), at, kind, pick }
    };
    let places: BTreeMap<Node, usize> =
        found.nodes.iter().enumerate().map(|(nth, node)| (*node, nth)).collect();
    let edge = |edge: &Edge| {
        let kind = match edge.via {
            Via::Residual => GraphKind::Stream,
            Via::Mlp => GraphKind::Mlp,
            Via::Attention | Via::Head(_) => GraphKind::Attention,
        };
        let (from, to) = (*places.get(&edge.from)?, *places.get(&edge.to)?);
        Some(GraphEdge { from, to, kind, via: via(edge), weight: edge.weight })
    };
    let mut edges: Vec<GraphEdge> = found.edges.iter().filter_map(edge).collect();
    edges.sort_by(|a, b| a.weight.total_cmp(&b.weight));
    edges.drain(..edges.len().saturating_sub(N_DRAWN));
    Graph {
        name: "Routes".to_owned(),
        rows: Side::prompt("Token", &found.prompt),
        columns: Side { keys, ..Side::named("Layer", "layer", labels) },
        quantity: QUANTITY.to_owned(),
        nodes: found.nodes.iter().map(node).collect(),
        edges,
    }
}

fn via(edge: &Edge) -> String {
    match edge.via {
        Via::Residual => "residual".to_owned(),
        Via::Mlp => "MLP".to_owned(),
        Via::Attention => "attention".to_owned(),
        Via::Head(head) => format!("head {head}"),
    }
}

fn name(node: Node, found: &ContributionGraph) -> String {
    let what = match node {
        Node::Embed { .. } => "embedding".to_owned(),
        Node::ResidMid { layer, .. } => format!("L{layer} resid_mid"),
        Node::Mlp { layer, .. } => format!("L{layer} MLP"),
        Node::ResidPost { layer, .. } => format!("L{layer} resid_post"),
    };
    format!("{what}, {}", token_at(place(node).1, &found.prompt))
}

/// Whether an edge brings something new. An MLP is listed by what it adds, not by what it reads.
fn is_listed(edge: &Edge) -> bool {
    match edge.via {
        Via::Residual => false,
        Via::Mlp => matches!(edge.from, Node::Mlp { .. }),
        Via::Attention | Via::Head(_) => true,
    }
}

fn strongest(found: &ContributionGraph, look: &Look<'_>) -> Table {
    let mut edges: Vec<&Edge> = found.edges.iter().filter(|it| is_listed(it)).collect();
    edges.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let row = |edge: &Edge| {
        let head = match edge.via {
            Via::Head(head) => Some(head),
            _ => None,
        };
        Row::new([
            Cell::Text(name(edge.from, found)),
            Cell::Text(via(edge)),
            Cell::Text(name(edge.to, found)),
            Cell::Number(edge.weight),
        ])
        .about(Pick { layer: place(edge.to).0, position: Some(place(edge.from).1), head })
    };
    Table::new(
        "Strongest edges of attention and MLPs",
        ["From", "Via", "To", "Share of what arrives"],
        edges.into_iter().take(look.n_listed).map(row),
    )
}

/// Sums of edges at each token and layer that the graph reaches; NaN elsewhere.
fn shares(
    found: &ContributionGraph,
    name: &str,
    look: &Look<'_>,
    is_counted: impl Fn(&Edge, usize, usize) -> bool,
) -> Map {
    let n_layers = place(found.root).0.map_or(0, |layer| layer + 1);
    let value = |layer, pos| {
        let edges = found.edges.iter().filter(|it| is_counted(it, layer, pos));
        let weights: Vec<f64> = edges.map(|it| f64::from(it.weight)).collect();
        if weights.is_empty() { f32::NAN } else { weights.iter().sum::<f64>() as f32 }
    };
    token_map(name, QUANTITY, &found.prompt, n_layers, look, value).in_range(0.0, 1.0)
}

fn notes(found: &ContributionGraph, look: &Look<'_>) -> Vec<String> {
    let (n_kept, n_listed) =
        (found.edges.len(), found.edges.iter().filter(|it| is_listed(it)).count());
    let n_residual = found.edges.iter().filter(|it| it.via == Via::Residual).count();
    let shown = n_listed.min(look.n_listed);
    let edges = match found.spec.edges {
        AttentionEdges::PerHead => "one edge per head and token looked at",
        AttentionEdges::PerToken => "one edge per token looked at, all heads together",
    };
    let weights = match found.spec.weights {
        Weights::Shares => "shares of all parts",
        Weights::Renormalized => "shares of the parts above the threshold",
    };
    let mut notes = vec![
        format!(
            "{n_kept} of {} edges lead to the prediction with more than {}; {} nodes  ·  {edges}  ·  \
             {weights}",
            found.n_edges,
            brief(found.spec.threshold),
            found.nodes.len(),
        ),
        format!(
            "{shown} of {n_listed} edges of attention and MLPs listed; {n_residual} residual edges \
             are drawn only, as is what MLPs read"
        ),
        "A part x of a sum y counts max(‖y‖₁ − ‖y − x‖₁, 1e-5), divided by the same of all parts of \
         y (Ferrando & Voita 2024). A share is of one sum, not of the prediction as a whole"
            .to_owned(),
        "Routes: a line is as wide as its share. An MLP stands below the stream that it reads and adds \
         to"
            .to_owned(),
        "Maps: sums of the edges that are kept. Hatched: no edge above the threshold leads on from \
         there".to_owned(),
    ];
    if n_kept > N_DRAWN {
        notes.push(format!("Of the edges, the {N_DRAWN} that weigh most are drawn"));
    }
    notes
}
