//! What corrupting the activations of one layer is estimated to add to the metric.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::Node;
use crate::intervention::Site;
use crate::model::{ActivationCache, ModelConfig, capped, for_queries};

/// The positions and layers whose effects are estimated.
pub(super) struct Extent {
    pub first_pos: usize,

    /// The number of the prompt's positions, without the answer's tokens.
    pub n_pos: usize,
    pub n_layers: usize,
}

impl Extent {
    pub fn n_changed(&self) -> usize {
        self.n_pos - self.first_pos
    }
}

/// A layer of the clean run, and gradients there.
pub(super) struct AtLayer<'a> {
    config: &'a ModelConfig,
    layer: usize,
    extent: &'a Extent,
    clean: &'a ActivationCache,
    gradients: &'a ActivationCache,
    rows: Rows,

    /// The clean attention weights. `[1, head, query, key]`
    pattern: Tensor<4>,

    /// The sum of the other weights of each query. `[1, head, query, key]`
    rest: Tensor<4>,

    /// What a query's output gains, along the gradient, by its weight at a key. `[row, head, query, key]`
    gained: Tensor<4>,
}

/// Which rows of gradients count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// All of them: the first has the whole gradient.
    All,

    /// The rows of dropped layers: the row of the whole gradient has counted already.
    Dropped,
}

/// What both sides of attention scores take.
struct Scores {
    divisor: f64,
    cap: Option<f64>,

    /// The clean queries, from the first position that changes, and all keys. `[1, head, pos, d_head]`
    q: Tensor<4>,
    k: Tensor<4>,
}

impl<'a> AtLayer<'a> {
    pub fn new(
        config: &'a ModelConfig,
        layer: usize,
        extent: &'a Extent,
        [clean, gradients]: [&'a ActivationCache; 2],
        rows: Rows,
    ) -> Self {
        let pattern = heads_first(from_first(extent, clean.get(Site::Pattern(layer)).clone()));
        let d_pattern = heads_first(counted(rows, gradients.get(Site::Pattern(layer))));
        let [_, _, _, n_keys] = pattern.dims();
        let others = Tensor::<2>::eye(n_keys, &pattern.device()).neg() + 1.0;
        let others = others.unsqueeze::<4>();
        // The sum of the others is not 1 less the weight, because that may round to 1.
        let rest = pattern.clone().matmul(others.clone());
        let of_others = (pattern.clone() * d_pattern.clone()).matmul(others);
        let gained = rest.clone() * d_pattern - of_others;
        Self { config, layer, extent, clean, gradients, rows, pattern, rest, gained }
    }

    /// The three numbers of an [`Effect`](super::Effect) for each kind of activation, summed over the rows of a
    /// corrupted run. `[head, pos, 3]` each
    pub fn estimates(&self, corrupted: &ActivationCache) -> [Tensor<3>; 5] {
        let to_first_order = |node: Node| {
            let site = node.site(self.layer, self.config);
            along(self.change(corrupted, site), counted(self.rows, self.gradients.get(site)))
        };
        let scores = self.scores();
        let queries = self.queries(corrupted, &scores);
        let keys = self.keys(corrupted, scores);
        let prompt_only = |x: Tensor<4>| x.narrow(1, 0, self.extent.n_changed());
        let both = |plain: Tensor<4>, fixed: Tensor<4>| {
            self.reduce(&prompt_only(plain), &prompt_only(fixed))
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

    /// What a run changes, from the first position that changes. `[run, pos, head, width]`
    fn change(&self, corrupted: &ActivationCache, site: Site) -> Tensor<4> {
        from_first(self.extent, corrupted.get(site).clone() - self.clean.get(site).clone())
    }

    fn for_queries(&self, x: Tensor<4>) -> Tensor<4> {
        heads_first(for_queries(x, self.config.n_heads))
    }

    fn scores(&self) -> Scores {
        let [q, k] = self.config.product_sites(self.layer);
        Scores {
            divisor: self.config.score_divisor(self.layer),
            cap: self.config.scores.cap,
            q: heads_first(from_first(self.extent, self.clean.get(q).clone())),
            k: self.for_queries(self.clean.get(k).clone()),
        }
    }

    /// The effect of corrupted queries, with the softmax recomputed. `[head, pos, run, row]`
    fn queries(&self, corrupted: &ActivationCache, clean: &Scores) -> Tensor<4> {
        let [q_site, _] = self.config.product_sites(self.layer);
        let q = heads_first(from_first(self.extent, corrupted.get(q_site).clone()));
        let [_, _, n_queries, _] = q.dims();
        let [_, _, n_keys, _] = clean.k.dims();
        let window = self.config.window_of(self.layer);
        let unseen = unseen(self.extent.first_pos, [n_queries, n_keys], window, &q.device());
        let scores = q.matmul(clean.k.clone().swap_dims(2, 3)) / clean.divisor;
        let moved = softmax(capped(scores, clean.cap) + unseen, 3) - self.pattern.clone();
        let d_pattern =
            heads_first(counted(self.rows, self.gradients.get(Site::Pattern(self.layer))));
        contract([1, 2, 0, 3], moved, [1, 2, 3, 0], d_pattern)
    }

    /// The effect of corrupted keys, each alone, with the softmax recomputed. `[head, pos, run, row]`
    ///
    /// Only one key's score moves, by δ. With its weight p and the sum of the other weights q = 1 − p, its new
    /// weight is p eᵟ / (q + p eᵟ), and the others share the rest in proportion.
    fn keys(&self, corrupted: &ActivationCache, clean: Scores) -> Tensor<4> {
        let Scores { divisor, cap, q, k } = clean;
        let [_, k_site] = self.config.product_sites(self.layer);
        let [_, _, n_queries, _] = q.dims();
        let k_change = self.for_queries(self.change(corrupted, k_site));
        let raised = q.clone().matmul(k_change.swap_dims(2, 3)) / divisor;
        let raised = match cap {
            Some(_) => {
                let k = k.narrow(2, self.extent.first_pos, n_queries);
                let before = q.matmul(k.swap_dims(2, 3)) / divisor;
                capped(before.clone() + raised, cap) - capped(before, cap)
            }
            None => raised,
        };
        let changed_keys = |x: &Tensor<4>| x.clone().narrow(3, self.extent.first_pos, n_queries);
        let (own, rest) = (changed_keys(&self.pattern), changed_keys(&self.rest));
        let shrink = (-raised.clone().abs()).exp();
        let is_up = raised.greater_elem(0.0).float();
        let is_down = is_up.clone().neg() + 1.0;
        let total = (own.clone() * (is_up.clone() + is_down.clone() * shrink.clone())
            + rest * (is_down.clone() + is_up.clone() * shrink.clone()))
        .clamp_min(f32::MIN_POSITIVE);
        let moved = own * (is_up - is_down) * (shrink.neg() + 1.0) / total;
        let keys = contract([1, 3, 0, 2], moved, [1, 3, 2, 0], changed_keys(&self.gained));
        // A key moves what all queries of its group gain.
        let [n_heads, n_changed, n_runs, n_rows] = keys.dims();
        let n_kv_heads = self.config.n_kv_heads();
        if n_kv_heads == n_heads {
            return keys;
        }
        let sizes = [n_kv_heads, n_heads / n_kv_heads, n_changed * n_runs * n_rows];
        keys.reshape(sizes).sum_dim(1).reshape([n_kv_heads, n_changed, n_runs, n_rows])
    }

    /// The three numbers of an [`Effect`](super::Effect). `[head, pos, run, row]` to `[head, pos, 3]`
    ///
    /// The whole gradient stands for each layer before this one that is dropped, because that changes nothing;
    /// dropping this one leaves nothing.
    fn reduce(&self, plain: &Tensor<4>, fixed: &Tensor<4>) -> Tensor<3> {
        let n_layers = self.extent.n_layers;
        let [n_heads, n_pos, _, n_rows] = fixed.dims();
        let sizes = fixed.clone().abs();
        let whole = |x: &Tensor<4>| x.clone().narrow(3, 0, 1);
        let all = match self.rows {
            Rows::Dropped => {
                let size = sizes.sum_dim(3) / (n_layers - 1) as f64;
                let none = size.zeros_like();
                vec![none.clone(), none, size]
            }
            Rows::All if n_layers == 1 => vec![whole(plain), whole(fixed), sizes],
            Rows::All => {
                let mut sum = whole(&sizes) * self.layer as f64;
                if n_rows > 1 {
                    sum = sum + sizes.narrow(3, 1, n_rows - 1).sum_dim(3);
                }
                vec![whole(plain), whole(fixed), sum / (n_layers - 1) as f64]
            }
        };
        Tensor::cat(all, 3).sum_dim(2).reshape([n_heads, n_pos, 3])
    }
}

/// `[batch, pos, head, width]` from the first position that changes.
fn from_first(extent: &Extent, x: Tensor<4>) -> Tensor<4> {
    let [_, n_all, _, _] = x.dims();
    x.narrow(1, extent.first_pos, n_all - extent.first_pos)
}

/// `[batch, pos, head, width]` to `[batch, head, pos, width]`
fn heads_first(x: Tensor<4>) -> Tensor<4> {
    x.swap_dims(1, 2)
}

/// The rows of a gradient that count. `[row, pos, head, width]`
fn counted(rows: Rows, gradient: &Tensor<4>) -> Tensor<4> {
    let [n_rows, _, _, _] = gradient.dims();
    match rows {
        Rows::All => gradient.clone(),
        Rows::Dropped => gradient.clone().narrow(0, 1, n_rows - 1),
    }
}

/// The product of each run's change with each row of the gradient. `[run, pos, head, width]` and
/// `[row, pos, head, width]` to `[head, pos, run, row]`
fn along(change: Tensor<4>, gradient: Tensor<4>) -> Tensor<4> {
    contract([2, 1, 0, 3], change, [2, 1, 3, 0], gradient)
}

fn contract(a_axes: [isize; 4], a: Tensor<4>, b_axes: [isize; 4], b: Tensor<4>) -> Tensor<4> {
    a.permute(a_axes).matmul(b.permute(b_axes))
}

/// The mask that, added to scores, keeps queries from later keys and those before their window.
/// `[1, 1, query, key]`
fn unseen(
    first_query: usize,
    [n_queries, n_keys]: [usize; 2],
    window: Option<usize>,
    device: &Device,
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
