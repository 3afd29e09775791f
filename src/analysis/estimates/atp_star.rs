//! `AtP*`: estimates which activations matter, with two corrections to attribution patching.
//!
//! Plain attribution patching multiplies the change of an activation by the gradient at it. Kramár
//! et al. 2024, "`AtP*`: An efficient and scalable method for localizing LLM behaviour to
//! components", correct two of its errors:
//!
//! - Attention weights near 0 or 1 have almost no gradient. For queries and keys the softmax is
//!   therefore recomputed, and only what follows it is taken to first order (section 3.1.1). A key
//!   is replaced alone, for all later queries.
//! - Effects along several paths may cancel. Therefore the gradient through each layer's
//!   contribution to the residual stream is dropped in turn, and the absolute values of these
//!   estimates are averaged (`GradDrop`, section 3.1.2, with its factor 1 / (L − 1)).
//!
//! Gradients are taken at the clean run, and effects are what *corrupting* an activation adds to
//! the metric. That is the paper's sign, the opposite of
//! [`attribution_patching`](crate::analysis::attribution_patching).

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::contrast::{Contrast, ContrastedRuns, CorruptedRuns};
use crate::analysis::attribution_patching::BasePoint;
use crate::analysis::objective::{Passes, objective, slope};
use crate::analysis::sweep::Asked;
use crate::analysis::{
    AnalysisError, AnalysisResult, Correlation, Grid, Lab, Measurement, Method, Metric, PromptOf,
};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
use crate::model::{
    ActivationCache, Backward, Donors, Dropped, ModelConfig, Reference, Transformer, capped,
    for_queries,
};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The corrupted runs.
    pub contrast: Contrast,

    /// The metric that is estimated.
    pub metric: Metric,

    /// How many activations, those with the largest [`Effect::size`], are then corrupted and
    /// measured.
    pub n_verified: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtpStar {
    pub spec: Spec,

    /// The run at which gradients are taken, always the clean run.
    pub base: BasePoint,
    pub prompt: TokenizedPrompt,

    #[serde(flatten)]
    pub runs: ContrastedRuns,

    /// The effects in the order of [`Node::ALL`]: a grid `[layer, head]` for each position, and for
    /// MLPs a single grid `[layer, position]`.
    pub effects: Vec<Vec<Grid<Effect>>>,

    /// The activations that were corrupted, the largest estimate first.
    pub verified: Vec<Verified>,

    /// How well their estimates agree with the measurements: those with the softmax recomputed, and
    /// the plain ones.
    pub agreement: Option<[Correlation; 2]>,
}

/// A kind of activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Node {
    Query,
    Key,
    Value,

    /// A head's output before `W_O`.
    Z,

    /// An MLP's output.
    Mlp,
}

/// The estimates of what corrupting one activation adds to the metric, as means over the corrupted
/// runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The first-order estimate, `AtP`.
    pub plain: f32,

    /// The estimate with the softmax recomputed for queries and keys.
    pub fixed: f32,

    /// The mean absolute value of `fixed` over layers dropped in turn: the `c` of `AtP*`, which
    /// ranks activations.
    pub size: f32,
}

/// An activation that was corrupted and measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    pub node: Node,
    pub layer: usize,
    pub pos: usize,

    /// The head, `None` for MLPs.
    pub head: Option<usize>,
    pub estimate: Effect,

    /// What corrupting the activation added to the metric, as a mean over the corrupted runs.
    pub patched: f32,
}

impl Node {
    pub const ALL: [Self; 5] = [Self::Query, Self::Key, Self::Value, Self::Z, Self::Mlp];

    fn site(self, layer: usize, config: &ModelConfig) -> Site {
        let [query, key] = config.sites_of_one_head(layer);
        match self {
            Self::Query => query,
            Self::Key => key,
            Self::Value => Site::V(layer),
            Self::Z => Site::Z(layer),
            Self::Mlp => Site::MlpOut(layer),
        }
    }

    /// How many of them a layer has at a position. Queries of a group share keys and values.
    fn n_heads(self, config: &ModelConfig) -> usize {
        match self {
            Self::Query | Self::Z => config.n_heads,
            Self::Key | Self::Value => config.n_kv_heads(),
            Self::Mlp => 1,
        }
    }

    fn sites(config: &ModelConfig) -> SiteSet {
        let in_layer = |layer| Self::ALL.map(|it| it.site(layer, config));
        (0..config.n_layers).flat_map(in_layer).collect()
    }
}

impl AtpStar {
    /// The effect of one activation. `head` is ignored for MLPs. `None` outside of the model.
    pub fn effect(&self, node: Node, layer: usize, pos: usize, head: usize) -> Option<Effect> {
        let grids = &self.effects[Node::ALL.iter().position(|it| *it == node)?];
        let found = match node {
            Node::Mlp => grids[0].get(layer, pos),
            Node::Query | Node::Key | Node::Value | Node::Z => grids.get(pos)?.get(layer, head),
        };
        found.copied()
    }

    /// All activations, the largest [`Effect::size`] first.
    pub fn ranked(&self) -> Vec<Verified> {
        let mut all = Vec::new();
        for (node, grids) in Node::ALL.into_iter().zip(&self.effects) {
            for (nth, grid) in grids.iter().enumerate() {
                for (layer, row) in grid.rows().enumerate() {
                    for (column, &estimate) in row.iter().enumerate() {
                        let (pos, head) = match node {
                            Node::Mlp => (column, None),
                            Node::Query | Node::Key | Node::Value | Node::Z => (nth, Some(column)),
                        };
                        let patched = f32::NAN;
                        all.push(Verified { node, layer, pos, head, estimate, patched });
                    }
                }
            }
        }
        all.sort_by(|a, b| b.estimate.size.total_cmp(&a.estimate.size));
        all
    }
}

impl Method for Spec {
    type Found = AtpStar;
    const NAME: &'static str = "AtP*";
    const VERB: &'static str = "Estimating";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<AtpStar, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let asked = Asked::new(model, prompt)?;
        let objective = objective(prompt, self.metric)?;
        let contrast = self.contrast.corrupt(lab, &asked)?;
        let (n_layers, n_runs) = (model.config.n_layers, contrast.n_runs());
        let mut sites = Node::sites(&model.config);
        sites.extend((0..n_layers).flat_map(|layer| model.config.product_sites(layer)));

        let n_steps = (2 + n_runs) * n_layers;
        let (first_pos, n_verified) = (contrast.first_pos, self.n_verified);
        let mut passes = Passes::new(lab, &asked, objective, first_pos, n_steps, n_verified);
        let capture = &sites | &Backward::sites(&model.config);
        let clean = passes.clean(&capture)?;
        let mut wanted = Node::sites(&model.config);
        wanted.extend((0..n_layers).map(Site::Pattern));
        let gradients = passes.back(&clean.run, &wanted, Dropped::EachLayer)?;

        let extent = Extent { first_pos: contrast.first_pos, n_pos: prompt.n_pos(), n_layers };
        let mut sums = Sums::new(model, &extent);
        let mut corrupted = Vec::new();
        let mut runs = Vec::new();
        let n_rows = passes.n_rows();
        for start in (0..n_runs).step_by(n_rows) {
            let rows = contrast.rows(start..(start + n_rows).min(n_runs));
            let run = passes.forward(&rows, &Donors::new(), &sites)?;
            corrupted.extend(clean.read(&run)?);
            for layer in 0..n_layers {
                let caches = [&clean.run.cache, &run.cache, &gradients];
                let found = estimates(&model.config, layer, &extent, caches);
                sums.add(layer, &found);
            }
            if self.n_verified > 0 {
                runs.push(run.cache);
            }
        }

        let scale = slope(&clean.measured, self.metric) / n_runs as f32;
        let mut result = AtpStar {
            spec: self.clone(),
            base: BasePoint::Clean,
            prompt: prompt.clone(),
            runs: contrast.measured(clean.measured, corrupted),
            effects: sums.effects(&extent, scale, &model.config),
            verified: Vec::new(),
            agreement: None,
        };
        if self.n_verified > 0 {
            (ctx.partial)(AnalysisResult::AtpStar(result.clone()));
            let donors = donors_of(runs, &sites);
            result.verified = verify(&passes, &result, &contrast, clean.reference, &donors)?;
            let against = |estimate: fn(&Effect) -> f32| {
                let pairs = result.verified.iter().map(|it| (estimate(&it.estimate), it.patched));
                Correlation::of_pairs(pairs)
            };
            result.agreement = Some([against(|it| it.fixed), against(|it| it.plain)]);
        }
        Ok(result)
    }

    fn has_other_prompts(&self) -> bool {
        self.contrast.is_prompt()
    }

    fn is_short(&self) -> bool {
        self.n_verified == 0 && self.contrast.n_runs() <= 16
    }
}

/// The positions and layers whose effects are estimated.
struct Extent {
    first_pos: usize,

    /// The number of the prompt's positions, without the answer's tokens.
    n_pos: usize,
    n_layers: usize,
}

impl Extent {
    fn n_changed(&self) -> usize {
        self.n_pos - self.first_pos
    }
}

/// The three numbers of an [`Effect`] for each kind of activation, summed over the rows of the
/// corrupted run. `[head, pos, 3]` each
///
/// The caches are the clean run's, the corrupted run's, and the gradients'.
fn estimates(
    config: &ModelConfig,
    layer: usize,
    extent: &Extent,
    [clean, corrupted, gradients]: [&ActivationCache; 3],
) -> [Tensor<3>; 5] {
    let from_first = |x: Tensor<4>| {
        let [_, n_all, _, _] = x.dims();
        x.narrow(1, extent.first_pos, n_all - extent.first_pos)
    };
    let change = |site: Site| from_first(corrupted.get(site).clone() - clean.get(site).clone());
    let gradient = |site: Site| gradients.get(site).clone();
    let to_first_order = |node: Node| {
        let site = node.site(layer, config);
        along(change(site), gradient(site))
    };
    let heads_first = |x: Tensor<4>| x.swap_dims(1, 2);

    // [run or row, head, query, key]
    let pattern = heads_first(from_first(clean.get(Site::Pattern(layer)).clone()));
    let d_pattern = heads_first(gradient(Site::Pattern(layer)));
    let [q_site, k_site] = config.product_sites(layer);
    let divisor = config.score_divisor(layer);
    let for_queries = |x: Tensor<4>| heads_first(for_queries(x, config.n_heads));
    let q_clean = heads_first(from_first(clean.get(q_site).clone()));
    let q_corrupted = heads_first(from_first(corrupted.get(q_site).clone()));
    let k_clean = for_queries(clean.get(k_site).clone());
    let [_, _, n_queries, _] = q_clean.dims();
    let [_, _, n_keys, _] = k_clean.dims();
    let window = config.window_of(layer);
    let unseen = unseen(extent.first_pos, [n_queries, n_keys], window, &q_clean.device());

    let cap = config.scores.cap;
    let scores = capped(q_corrupted.matmul(k_clean.clone().swap_dims(2, 3)) / divisor, cap);
    let moved = softmax(scores + unseen, 3) - pattern.clone();
    let queries = contract([1, 2, 0, 3], moved, [1, 2, 3, 0], d_pattern.clone());

    // Only one key's score moves, by δ. With its weight p and the sum of the other weights q = 1 −
    // p, its new weight is p eᵟ / (q + p eᵟ), and the others share the rest in proportion. q is a
    // sum, not 1 − p, because p may round to 1.
    let k_change = for_queries(change(k_site));
    let raised = q_clean.clone().matmul(k_change.swap_dims(2, 3)) / divisor;
    let raised = match cap {
        Some(_) => {
            let k_clean = k_clean.narrow(2, extent.first_pos, n_queries);
            let before = q_clean.matmul(k_clean.swap_dims(2, 3)) / divisor;
            capped(before.clone() + raised, cap) - capped(before, cap)
        }
        None => raised,
    };
    let others = Tensor::<2>::eye(n_keys, &raised.device()).neg() + 1.0;
    let others = others.unsqueeze::<4>();
    let rest = pattern.clone().matmul(others.clone());
    let gained = rest.clone() * d_pattern.clone() - (pattern.clone() * d_pattern).matmul(others);
    let changed_keys = |x: Tensor<4>| x.narrow(3, extent.first_pos, n_queries);
    let (own, rest) = (changed_keys(pattern), changed_keys(rest));
    let shrink = (-raised.clone().abs()).exp();
    let is_up = raised.clone().greater_elem(0.0).float();
    let is_down = is_up.clone().neg() + 1.0;
    let total = (own.clone() * (is_up.clone() + is_down.clone() * shrink.clone())
        + rest * (is_down.clone() + is_up.clone() * shrink.clone()))
    .clamp_min(f32::MIN_POSITIVE);
    let moved = own * (is_up - is_down) * (shrink.neg() + 1.0) / total;
    let keys = contract([1, 3, 0, 2], moved, [1, 3, 2, 0], changed_keys(gained));
    // A key moves what all queries of its group gain.
    let [n_heads, n_changed, n_runs, n_rows] = keys.dims();
    let n_kv_heads = config.n_kv_heads();
    let keys = if n_kv_heads == n_heads {
        keys
    } else {
        let sizes = [n_kv_heads, n_heads / n_kv_heads, n_changed * n_runs * n_rows];
        keys.reshape(sizes).sum_dim(1).reshape([n_kv_heads, n_changed, n_runs, n_rows])
    };

    let prompt_only = |x: Tensor<4>| x.narrow(1, 0, extent.n_changed());
    let both = |plain: Tensor<4>, fixed: Tensor<4>| {
        reduce(&prompt_only(plain), &prompt_only(fixed), layer, extent.n_layers)
    };
    let same = |node: Node| {
        let plain = to_first_order(node);
        both(plain.clone(), plain)
    };
    [
        both(to_first_order(Node::Query), queries),
        both(to_first_order(Node::Key), keys),
        same(Node::Value),
        same(Node::Z),
        same(Node::Mlp),
    ]
}

/// The product of each run's change with each row of the gradient. `[run, pos, head, width]` and
/// `[row, pos, head, width]` to `[head, pos, run, row]`
fn along(change: Tensor<4>, gradient: Tensor<4>) -> Tensor<4> {
    contract([2, 1, 0, 3], change, [2, 1, 3, 0], gradient)
}

fn contract(a_axes: [isize; 4], a: Tensor<4>, b_axes: [isize; 4], b: Tensor<4>) -> Tensor<4> {
    a.permute(a_axes).matmul(b.permute(b_axes))
}

/// The three numbers of an [`Effect`]. `[head, pos, run, row]` to `[head, pos, 3]`
///
/// The first row has the whole gradient; in each other row one layer after this one is dropped.
/// Dropping an earlier layer changes nothing, and dropping this one leaves nothing.
fn reduce(plain: &Tensor<4>, fixed: &Tensor<4>, layer: usize, n_layers: usize) -> Tensor<3> {
    let [n_heads, n_pos, _, n_rows] = fixed.dims();
    let whole = |x: &Tensor<4>| x.clone().narrow(3, 0, 1);
    let sizes = fixed.clone().abs();
    let size = if n_layers == 1 {
        sizes
    } else {
        let mut sum = whole(&sizes) * layer as f64;
        if n_rows > 1 {
            sum = sum + sizes.narrow(3, 1, n_rows - 1).sum_dim(3);
        }
        sum / (n_layers - 1) as f64
    };
    let all = Tensor::cat(vec![whole(plain), whole(fixed), size], 3);
    all.sum_dim(2).reshape([n_heads, n_pos, 3])
}

/// The mask that, added to scores, keeps queries from later keys and those before their window.
/// `[1, 1, query, key]`
fn unseen(
    first_query: usize,
    [n_queries, n_keys]: [usize; 2],
    window: Option<usize>,
    device: &burn::tensor::Device,
) -> Tensor<4> {
    let queries = first_query..first_query + n_queries;
    let values: Vec<f32> = queries
        .flat_map(|query| {
            let seen = window.map_or(0, |n| (query + 1).saturating_sub(n))..=query;
            (0..n_keys).map(move |key| if seen.contains(&key) { 0.0 } else { -1e30 })
        })
        .collect();
    Tensor::from_data(TensorData::new(values, [1, 1, n_queries, n_keys]), device)
}

/// The sums over corrupted runs for each kind of activation, by layer, head and position.
struct Sums(Vec<Vec<[f64; 3]>>);

impl Sums {
    fn new(model: &Transformer, extent: &Extent) -> Self {
        let of = |node: Node| {
            let n_heads = node.n_heads(&model.config);
            vec![[0.0; 3]; extent.n_layers * n_heads * extent.n_changed()]
        };
        Self(Node::ALL.map(of).into())
    }

    fn add(&mut self, layer: usize, found: &[Tensor<3>; 5]) {
        // All are copied back at once.
        let flat = found.iter().map(|it| it.clone().reshape([it.shape().num_elements()]));
        let values = Tensor::cat(flat.collect::<Vec<Tensor<1>>>(), 0).into_data();
        let mut values = values.iter::<f32>();
        for (sums, found) in self.0.iter_mut().zip(found) {
            let n = found.shape().num_elements() / 3;
            for sum in &mut sums[layer * n..(layer + 1) * n] {
                for sum in sum {
                    *sum +=
                        f64::from(values.next().expect("every tensor's numbers were copied back"));
                }
            }
        }
    }

    fn effects(&self, extent: &Extent, scale: f32, config: &ModelConfig) -> Vec<Vec<Grid<Effect>>> {
        let read = |node: usize, n_heads: usize, layer: usize, head: usize, pos: usize| {
            // Earlier positions equal the clean run, so their effect is 0.
            let Some(pos) = pos.checked_sub(extent.first_pos) else { return Effect::default() };
            let nth = (layer * n_heads + head) * extent.n_changed() + pos;
            let [plain, fixed, size] = self.0[node][nth].map(|sum| (sum * f64::from(scale)) as f32);
            Effect { plain, fixed, size }
        };
        let grids = |(nth, node): (usize, Node)| match node {
            Node::Mlp => {
                let cells = (0..extent.n_layers).flat_map(|layer| {
                    (0..extent.n_pos).map(move |pos| read(nth, 1, layer, 0, pos))
                });
                vec![Grid::new(extent.n_pos, cells.collect())]
            }
            Node::Query | Node::Key | Node::Value | Node::Z => {
                let n_heads = node.n_heads(config);
                let of_pos = |pos: usize| {
                    let cells = (0..extent.n_layers).flat_map(|layer| {
                        (0..n_heads).map(move |head| read(nth, n_heads, layer, head, pos))
                    });
                    Grid::new(n_heads, cells.collect())
                };
                (0..extent.n_pos).map(of_pos).collect()
            }
        };
        Node::ALL.into_iter().enumerate().map(grids).collect()
    }
}

/// Every row of every run as a donor, numbered in order.
fn donors_of(runs: Vec<ActivationCache>, sites: &SiteSet) -> Donors {
    let mut donors = Donors::new();
    for run in runs {
        let n_rows = sites.first().map_or(0, |site| run.get(*site).dims()[0]);
        for nth in 0..n_rows {
            let row = sites.iter().map(|&site| (site, run.get(site).clone().narrow(0, nth, 1)));
            donors.insert(Donor::Run(donors.len()), row.collect());
        }
    }
    donors
}

/// Corrupts and measures the activations with the largest sizes.
fn verify(
    passes: &Passes<'_>,
    estimated: &AtpStar,
    contrast: &CorruptedRuns,
    clean: Reference,
    donors: &Donors,
) -> Result<Vec<Verified>, AnalysisError> {
    let mut parts = estimated.ranked();
    parts.truncate(estimated.spec.n_verified);
    let n_runs = contrast.n_runs();
    let mut conditions: Vec<Condition> = Vec::new();
    for part in &parts {
        for nth in 0..n_runs {
            let (donor, positions) = (Donor::Run(nth), Span::one(part.pos));
            let copy = Edit::CopyFrom { donor, positions: positions.clone() };
            let heads = part.head.map_or(Span::All, Span::one);
            let site = part.node.site(part.layer, &passes.lab.model.config);
            conditions.push(vec![Intervention::at(site, positions, copy).of_heads(heads)]);
        }
    }
    let metric = estimated.spec.metric;
    let found = passes.sweep_the_rest(&conditions, clean, donors, &mut |_| ())?;
    let base = estimated.runs.clean.get(metric).unwrap_or(f32::NAN);
    for (part, runs) in parts.iter_mut().zip(found.chunks(n_runs)) {
        part.patched = Measurement::mean(runs, metric).unwrap_or(f32::NAN) - base;
    }
    Ok(parts)
}
