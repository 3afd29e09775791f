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

/// The three numbers of an [`Effect`](super::Effect) for each kind of activation, summed over the rows of the
/// corrupted run. `[head, pos, 3]` each
///
/// The caches are the clean run's, the corrupted run's, and the gradients'.
pub(super) fn estimates(
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

/// The three numbers of an [`Effect`](super::Effect). `[head, pos, run, row]` to `[head, pos, 3]`
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
