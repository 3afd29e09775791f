//! Attention of all heads, which reads queries, keys and values where they lie in memory.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::vector::{exp, sum2, vectorized};
use super::{View, tensor};

/// Queries, keys and values of all heads. `[batch, pos, head, d_head]` each; keys and values may have
/// fewer heads, each for a group of neighbouring query heads.
pub struct Heads<'a> {
    pub q: &'a Tensor<4>,
    pub k: &'a Tensor<4>,
    pub v: &'a Tensor<4>,

    /// What the products of queries and keys are divided by.
    pub divisor: f64,

    /// The size that scores stay below. `None`: no limit
    pub cap: Option<f64>,

    /// How many keys a query sees, its own included. `None`: all before it
    pub window: Option<usize>,
}

/// Keys and values of earlier positions, from another run.
pub struct PastHeads<'a> {
    /// `[row of the run, pos, head, d_head]`, with at least `n_past` positions
    pub k: &'a Tensor<4>,

    /// In the same shape.
    pub v: &'a Tensor<4>,

    /// The row of the run that each row here continues. `[batch]`
    pub rows: &'a [usize],

    /// How many positions come before those computed here.
    pub n_past: usize,
}

/// Each head's output `z`: for every query the mean of the values up to its own position, weighted
/// by softmax. The queries are those of the last positions. `[batch, query, head, d_head]`
///
/// `lengths` says how many positions of each row, the past included, are no padding. `[batch]`
pub fn attend(
    heads: &Heads<'_>,
    past: Option<&PastHeads<'_>>,
    lengths: &[usize],
) -> Option<Tensor<4>> {
    let [batch, n_queries, n_heads, d_head] = heads.q.dims();
    let [_, n_new, n_kv_heads, _] = heads.k.dims();
    let (d, d_kv) = (n_heads * d_head, n_kv_heads * d_head);
    let n_in_group = n_heads / n_kv_heads;
    let (q, k, v) = (View::of(heads.q)?, View::of(heads.k)?, View::of(heads.v)?);
    let (q, k, v) = (q.values(), k.values(), v.values());
    let earlier = match past {
        Some(keys) => Some((View::of(keys.k)?, View::of(keys.v)?)),
        None => None,
    };
    // The keys and values of one row's past.
    let past_of = |row: usize| match (past, &earlier) {
        (Some(keys), Some((k, v))) => {
            let [_, n_pos, _, _] = keys.k.dims();
            let start = keys.rows[row] * n_pos * d_kv;
            let range = start..start + keys.n_past * d_kv;
            (&k.values()[range.clone()], &v.values()[range])
        }
        _ => (&[][..], &[][..]),
    };
    let n_past = past.map_or(0, |keys| keys.n_past);
    let factor = 1.0 / heads.divisor as f32;
    let cap = heads.cap.map(|it| it as f32);

    let mut z = vec![0.0; batch * n_queries * d];
    z.par_chunks_exact_mut(n_queries * d).enumerate().for_each(|(row, z)| {
        let (past_k, past_v) = past_of(row);
        let q = &q[row * n_queries * d..][..n_queries * d];
        let [k, v] = [k, v].map(|all| &all[row * n_new * d_kv..][..n_new * d_kv]);
        let mut weights = vec![0.0; n_past + n_new];
        vectorized(|| {
            for head in 0..n_heads {
                let at = |token: usize| token * d + head * d_head..token * d + (head + 1) * d_head;
                let start = head / n_in_group * d_head;
                let kv_at = |token: usize| token * d_kv + start..token * d_kv + start + d_head;
                for query in 0..n_queries {
                    // A query sees no key after its own, and no padding.
                    let n_seen = (n_past + n_new - n_queries + query + 1).min(lengths[row]);
                    let first = heads.window.map_or(0, |n_keys| n_seen.saturating_sub(n_keys));
                    let weights = &mut weights[first..n_seen];
                    let q = &q[at(query)];
                    let mut max = f32::NEG_INFINITY;
                    for (key, weight) in (first..).zip(weights.iter_mut()) {
                        let past = key < n_past;
                        let k = if past { &past_k[kv_at(key)] } else { &k[kv_at(key - n_past)] };
                        *weight = sum2(q, k, |q, k| q * k) * factor;
                        max = max.max(*weight);
                    }
                    if let Some(cap) = cap {
                        for weight in weights.iter_mut() {
                            *weight = (*weight / cap).tanh() * cap;
                        }
                        // The tangent rises, so the largest stays the largest.
                        max = (max / cap).tanh() * cap;
                    }
                    let mut sum = 0.0;
                    for weight in weights.iter_mut() {
                        *weight = exp(*weight - max);
                        sum += *weight;
                    }
                    let z = &mut z[at(query)];
                    for (key, weight) in (first..).zip(weights.iter()) {
                        let past = key < n_past;
                        let v = if past { &past_v[kv_at(key)] } else { &v[kv_at(key - n_past)] };
                        let weight = weight / sum;
                        for (z, v) in z.iter_mut().zip(v) {
                            *z += weight * v;
                        }
                    }
                }
            }
        });
    });
    Some(tensor(z, [batch, n_queries, n_heads, d_head]))
}
