//! Keys of what heads look at, and of what their weights tell.

use serde_json::{Value, json};

use super::{Object, each, put, rename};
use crate::analysis::AnalysisResult;
use crate::analysis::attention::{Attention, Weighting};
use crate::analysis::composition::Composition;
use crate::analysis::contribution_graph::{ContributionGraph, Edge, Node, Via};
use crate::analysis::head_scores::HeadSummary;

pub(super) fn add(result: &AnalysisResult, json: &mut Object) {
    match result {
        AnalysisResult::Attention(it) => attention(it, json),
        AnalysisResult::HeadScores(it) => heads(it, json),
        AnalysisResult::ContributionGraph(it) => graph(it, json),
        AnalysisResult::Circuit(_) => each(json, "vectors", |vector| {
            rename(vector, "value", "singular_value");
        }),
        AnalysisResult::Composition(it) => composition(it, json),
        _ => {}
    }
}

/// The pattern of one head, or of all heads in the layers asked for.
fn attention(it: &Attention, json: &mut Object) {
    let is_rollout = it.spec.weighting == Weighting::Rollout;
    let pattern = |(layer, head): (usize, usize)| {
        let rows = it.pattern(layer, head).unwrap_or_default().chunks(it.prompt.n_pos());
        let mut json = Object::new();
        put(&mut json, "layer", layer);
        if !is_rollout {
            put(&mut json, "head", head);
        }
        put(&mut json, "pattern", rows.collect::<Vec<_>>());
        json
    };
    let mut patterns: Vec<Object> = it.shown().map(pattern).collect();
    json.remove("weights");
    put(json, "weighting", it.spec.weighting);
    let is_one = it.spec.layers.len() == 1 && (is_rollout || it.spec.head.is_some());
    match patterns.pop() {
        Some(pattern) if is_one => json.extend(pattern),
        last => {
            patterns.extend(last);
            put(json, "patterns", patterns);
        }
    }
}

/// A map of each score, layer × head.
fn heads(it: &HeadSummary, json: &mut Object) {
    let heads: Vec<Vec<Value>> =
        it.heads.rows().map(|row| row.iter().map(|it| json!(it)).collect()).collect();
    let names = heads.first().and_then(|row| row.first()?.as_object());
    for name in names.into_iter().flat_map(|it| it.keys()) {
        let row = |row: &Vec<Value>| row.iter().map(|it| it[name].clone()).collect();
        put(json, name, heads.iter().map(row).collect::<Vec<Vec<Value>>>());
    }
    json.remove("heads");
}

/// The nodes as TransformerLens would call them, each with its token.
fn graph(it: &ContributionGraph, json: &mut Object) {
    let name = |node: Node| match node {
        Node::Embed { pos } => format!("embed@{pos}"),
        Node::ResidMid { layer, pos } => format!("{layer}_resid_mid@{pos}"),
        Node::Mlp { layer, pos } => format!("{layer}_mlp@{pos}"),
        Node::ResidPost { layer, pos } => format!("{layer}_resid_post@{pos}"),
    };
    let via = |via: Via| match via {
        Via::Residual => "residual".to_owned(),
        Via::Mlp => "mlp".to_owned(),
        Via::Attention => "attention".to_owned(),
        Via::Head(head) => format!("head {head}"),
    };
    let edge = |&Edge { from, to, via: through, weight }: &Edge| json!({ "from": name(from), "to": name(to), "via": via(through), "weight": weight });
    put(json, "root", name(it.root));
    put(json, "nodes", it.nodes.iter().map(|node| name(*node)).collect::<Vec<_>>());
    put(json, "edges", it.edges.iter().map(edge).collect::<Vec<_>>());
    rename(json, "n_edges", "n_edges_in_all");
}

fn composition(it: &Composition, json: &mut Object) {
    let n_all = it.n_layers * it.n_heads;
    let mut scores = Object::new();
    for of in &it.modes {
        // Earlier layer × head × later layer × head.
        let heads: Vec<Vec<&[f32]>> =
            of.scores.chunks(n_all).map(|row| row.chunks(it.n_heads).collect()).collect();
        let mode = json!(of.mode);
        let mode = mode.as_str().unwrap_or_default().to_lowercase();
        put(&mut scores, &mode, heads.chunks(it.n_heads).collect::<Vec<_>>());
    }
    put(json, "top", it.top());
    put(json, "scores", scores);
    json.remove("modes");
}
