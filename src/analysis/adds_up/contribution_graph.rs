//! A graph of the tokens and components that contribute to a prediction.
//!
//! Ferrando & Voita 2024, "Information Flow Routes", as Meta's LLM Transparency Tool computes it
//! (`routes/contributions.py`, `routes/graph.py`). After each attention and each MLP the residual
//! stream is a sum of parts: its value before, and what each head moved from each token, or what
//! the MLP added. A part `x` of `y` contributes in proportion to `max(‖y‖₁ − ‖y − x‖₁, 1e-5)`, and
//! the shares of all parts add up to 1. From the last layer's output at one token, the graph
//! follows edges above a threshold backwards.
//!
//! As in that tool, `b_V` belongs to no part (`fold_value_biases`), and gains stay in the layer
//! norms. A token that attends to itself has that edge beside the residual edge, not added to it.

use std::collections::BTreeSet;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::analysis::memory::{floats, in_all_layers};
use crate::analysis::sweep::check_ids;
use crate::analysis::{About, AnalysisError, Lab, Method, Needs, PromptOf, Sizes, sources};
use crate::intervention::{Site, SiteSet};
use crate::model::{ActivationCache, BatchRow, Donors, Request, Transformer, Wiring};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Edges whose weight is not above this are left out. 0 to 1
    pub threshold: f32,

    /// What an edge of attention stands for.
    pub edges: AttentionEdges,

    /// How weights are computed.
    pub weights: Weights,

    /// The position whose prediction is explained. `None` stands for the last.
    pub pos: Option<usize>,
}

/// What the window and the command ask for unless they are told otherwise.
impl Default for Spec {
    fn default() -> Self {
        Self {
            threshold: 0.04,
            edges: AttentionEdges::PerHead,
            weights: Weights::Shares,
            pos: None,
        }
    }
}

/// What an edge of attention stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionEdges {
    /// One head and one token that is attended to.
    PerHead,

    /// All heads together and one token that is attended to.
    PerToken,
}

/// How weights are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// The shares of all parts.
    Shares,

    /// Parts below the threshold are first set to 0, head by head, and the others scaled to add up
    /// to 1.
    Renormalized,
}

/// A node of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// The embedded token.
    Embed { pos: usize },

    /// The residual stream after a layer's attention.
    ResidMid { layer: usize, pos: usize },

    /// A layer's MLP.
    Mlp { layer: usize, pos: usize },

    /// The residual stream after a layer.
    ResidPost { layer: usize, pos: usize },
}

/// What an edge passes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    Residual,
    Mlp,

    /// All heads together.
    Attention,
    Head(usize),
}

/// A weighted edge of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    pub from: Node,
    pub to: Node,
    pub via: Via,

    /// The edge's share of what arrives at `to`, 0 to 1. An edge into an MLP has the MLP's share of
    /// the residual stream after it.
    pub weight: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContributionGraph {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The node whose contributions are followed.
    pub root: Node,

    /// The root, and all nodes that contribute to it through edges above the threshold.
    pub nodes: Vec<Node>,

    /// The edges between these nodes, from the first layer to the last.
    pub edges: Vec<Edge>,

    /// How many edges there are with those that are left out.
    pub n_edges: usize,
}

impl Method for Spec {
    type Found = ContributionGraph;
    const NAME: &'static str = "contribution graph";
    const ABOUT: About = About {
        text: "The prediction is followed back through the sums that the residual stream \
               consists of, along the parts that bring the sum nearest.",
        sources: &[sources::FERRANDO_2024],
    };
    const VERB: &'static str = "Following contributions";
    const NEEDS: Needs = Needs::Prompt;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<ContributionGraph, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        check_ids(model, &prompt.ids, [].into_iter())?;
        let n_layers = model.config.n_layers;
        let pos = self.pos.unwrap_or_else(|| prompt.last());
        if pos >= prompt.n_pos() {
            return Err(AnalysisError::NoPosition { pos, n_pos: prompt.n_pos() });
        }
        let in_layer = |layer| -> SiteSet {
            SiteSet::from([
                Site::ResidPre(layer),
                Site::Pattern(layer),
                Site::V(layer),
                Site::AttnMapped(layer),
                match model.config.wiring {
                    Wiring::Sequential => Site::ResidMid(layer),
                    Wiring::Parallel => Site::AttnOut(layer),
                },
                Site::MlpOut(layer),
                Site::ResidPost(layer),
            ])
        };
        let request = Request {
            rows: &[BatchRow::new(&prompt.ids, &[])],
            donors: &Donors::new(),
            capture: &(0..n_layers).flat_map(in_layer).collect(),
            past: None,
            n_read: 1,
        };
        let total = n_layers as u64 + 1;
        ctx.task.checkpoint(Progress { done: 0, total })?;
        // The patterns of all layers would take more memory than all else together, so each layer is
        // computed again when the graph comes to it.
        let run = model.run_by_layer(&request, &mut |_, cache| {
            cache.keep(|site| matches!(site, Site::ResidPre(_)));
            ctx.check_cancelled(model)
        })?;
        let root = Node::ResidPost { layer: n_layers - 1, pos };
        let mut nodes = BTreeSet::from([root]);
        let mut by_layer = Vec::with_capacity(n_layers);
        // The nodes of a layer's output that are reached. A graph of all edges would not fit into memory:
        // there are as many as heads times tokens squared in each layer.
        let mut reached = BTreeSet::from([pos]);
        for layer in (0..n_layers).rev() {
            ctx.task.checkpoint(Progress { done: (n_layers - layer) as u64, total })?;
            let cache = model.layer_again(&run.cache, &run.lengths, layer, &in_layer(layer));
            let mut edges = mlp_edges(model, &cache, layer, &reached, *self);
            let middle = |edge: &Edge| match edge.from {
                Node::ResidMid { pos, .. } => Some(pos),
                _ => None,
            };
            let queries = edges.iter().filter_map(middle).collect();
            edges.splice(0..0, attention_edges(model, &cache, layer, &queries, *self));
            let before = |edge: &Edge| match edge.from {
                Node::Embed { pos } => Some(pos),
                Node::ResidPost { layer: it, pos } => (it < layer).then_some(pos),
                Node::ResidMid { .. } | Node::Mlp { .. } => None,
            };
            reached = edges.iter().filter_map(before).collect();
            nodes.extend(edges.iter().map(|edge| edge.from));
            by_layer.push(edges);
        }
        ctx.task.checkpoint(Progress { done: total, total })?;
        Ok(ContributionGraph {
            spec: *self,
            prompt: prompt.clone(),
            root,
            nodes: nodes.into_iter().collect(),
            edges: by_layer.into_iter().rev().flatten().collect(),
            // Later positions cannot reach the root's.
            n_edges: n_layers * self.n_edges(pos + 1, model.config.n_heads),
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Sizes { config, n_pos, .. } = *sizes;
        // What each head brings from each token, and as it is scaled.
        let brought = floats(2 * config.n_heads * n_pos * config.d_model);
        sizes.pass_by_steps(&in_all_layers(config, Site::ResidPre)) + brought
    }
}

impl Spec {
    /// How many edges a layer has at the first positions.
    fn n_edges(&self, n_pos: usize, n_heads: usize) -> usize {
        let n_of_each = match self.edges {
            AttentionEdges::PerHead => n_heads,
            AttentionEdges::PerToken => 1,
        };
        // One for the residual stream, and three around the MLP.
        n_of_each * n_pos * (n_pos + 1) / 2 + 4 * n_pos
    }
}

/// The edges above the threshold into the residual stream after a layer's attention, at some positions.
fn attention_edges(
    model: &Transformer,
    cache: &ActivationCache,
    layer: usize,
    reached: &BTreeSet<usize>,
    spec: Spec,
) -> Vec<Edge> {
    /// How many queries are computed before their numbers are read.
    const N_AT_ONCE: usize = 64;

    /// The most bytes of parts that are held at once, so that they stay in the processor's cache.
    const PART_BYTES: usize = 4 << 20;
    let v = model.for_queries(cache.get(Site::V(layer)).clone());
    let [_, all_pos, n_heads, d_head] = v.dims();
    let v = v.reshape([all_pos, n_heads, d_head]);
    let v = v - model.value_bias(layer).unsqueeze();
    let after = model.norm_after_attention(layer, cache);
    // [head, key, d_model]
    let brought = after.unscaled(model.head_results(layer, v));
    let pattern = cache.get(Site::Pattern(layer)).clone();
    let before = cache.stream(Site::ResidPre(layer));
    let behind = between(model, cache, layer);

    let residual = numbers(nearness(behind.clone(), before));
    let [_, d_model] = behind.dims();
    let n_keys_at_once = (PART_BYTES / (n_heads * d_model * size_of::<f32>())).max(16);
    // Of a query [head * key], with the keys up to the query.
    let parts = |&query: &usize| {
        let n_keys = query + 1;
        let whole = behind.clone().narrow(0, query, 1).unsqueeze::<3>();
        let of_some = |first: usize| {
            let n = n_keys_at_once.min(n_keys - first);
            let weights = pattern.clone().narrow(1, query, 1).narrow(3, first, n);
            let weights = after.divide_at(query, weights.reshape([n_heads, n, 1]));
            let parts = brought.clone().narrow(1, first, n) * weights;
            nearness(whole.clone().expand(parts.dims()), parts).reshape([n_heads, n])
        };
        let all = (0..n_keys).step_by(n_keys_at_once).map(of_some).collect();
        Tensor::cat(all, 1).reshape([n_heads * n_keys])
    };
    let mut edges = Vec::new();
    let queries: Vec<usize> = reached.iter().copied().collect();
    for queries in queries.chunks(N_AT_ONCE) {
        let near = numbers(Tensor::cat(queries.iter().map(parts).collect(), 0));
        let mut rest = near.as_slice();
        for &query in queries {
            let n_keys = query + 1;
            let (mine, others) = rest.split_at(n_heads * n_keys);
            rest = others;
            let shares = shares(mine.iter().chain([&residual[query]]), spec);
            let (heads, residual) = shares.split_at(mine.len());
            let to = Node::ResidMid { layer, pos: query };
            let mut add = |pos, via, weight: f64| {
                edges.push(Edge { from: into_layer(layer, pos), to, via, weight: weight as f32 });
            };
            add(query, Via::Residual, residual[0]);
            for key in 0..n_keys {
                let of_heads = (0..n_heads).map(|head| heads[head * n_keys + key]);
                match spec.edges {
                    AttentionEdges::PerHead => {
                        of_heads.enumerate().for_each(|(head, it)| add(key, Via::Head(head), it));
                    }
                    AttentionEdges::PerToken => add(key, Via::Attention, of_heads.sum()),
                }
            }
            edges.retain(|edge| edge.to != to || edge.weight > spec.threshold);
        }
    }
    edges
}

/// The residual stream with attention's output added, also in models whose MLPs do not read it.
/// `[pos, d_model]`
fn between(model: &Transformer, cache: &ActivationCache, layer: usize) -> Tensor<2> {
    match model.config.wiring {
        Wiring::Sequential => cache.stream(Site::ResidMid(layer)),
        Wiring::Parallel => {
            cache.stream(Site::ResidPre(layer)) + cache.stream(Site::AttnOut(layer))
        }
    }
}

/// The edges above the threshold into a layer's MLP, and into the residual stream after it, at some
/// positions.
fn mlp_edges(
    model: &Transformer,
    cache: &ActivationCache,
    layer: usize,
    reached: &BTreeSet<usize>,
    spec: Spec,
) -> Vec<Edge> {
    let behind = cache.stream(Site::ResidPost(layer));
    let mlp = numbers(nearness(behind.clone(), cache.stream(Site::MlpOut(layer))));
    let residual = numbers(nearness(behind, between(model, cache, layer)));
    let of_position = reached.iter().flat_map(|&pos| {
        let shares = shares([&mlp[pos], &residual[pos]].into_iter(), spec);
        let [mid, inside, to] = [
            Node::ResidMid { layer, pos },
            Node::Mlp { layer, pos },
            Node::ResidPost { layer, pos },
        ];
        let edge = |from, to, via, weight: f64| Edge { from, to, via, weight: weight as f32 };
        let read = match model.config.wiring {
            Wiring::Sequential => mid,
            Wiring::Parallel => into_layer(layer, pos),
        };
        [
            edge(read, inside, Via::Mlp, shares[0]),
            edge(inside, to, Via::Mlp, shares[0]),
            edge(mid, to, Via::Residual, shares[1]),
        ]
    });
    of_position.filter(|edge| edge.weight > spec.threshold).collect()
}

/// The share of each part of a sum, from how near each part comes to the sum.
fn shares<'a>(near: impl Iterator<Item = &'a f32>, spec: Spec) -> Vec<f64> {
    let mut shares: Vec<f64> = near.map(|it| f64::from(*it).max(1e-5)).collect();
    let divide = |shares: &mut [f64]| {
        let sum: f64 = shares.iter().sum();
        if sum > 0.0 {
            for it in shares {
                *it /= sum;
            }
        }
    };
    divide(&mut shares);
    if spec.weights == Weights::Renormalized {
        let threshold = f64::from(spec.threshold);
        shares.iter_mut().filter(|it| **it <= threshold).for_each(|it| *it = 0.0);
        divide(&mut shares);
    }
    shares
}

/// The node that a layer's attention reads.
fn into_layer(layer: usize, pos: usize) -> Node {
    match layer.checked_sub(1) {
        Some(before) => Node::ResidPost { layer: before, pos },
        None => Node::Embed { pos },
    }
}

/// How near a part `x` comes to the whole `y`: `‖y‖₁ − ‖y − x‖₁`, in one sum, because the two norms
/// of a small part are nearly equal. `[…, d_model]`, both, to `[…, 1]`
fn nearness<const D: usize>(whole: Tensor<D>, part: Tensor<D>) -> Tensor<D> {
    (whole.clone().abs() - (whole - part).abs()).sum_dim(D - 1)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
