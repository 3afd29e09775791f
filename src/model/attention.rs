//! Attention: the forward pass step by step, and the way back.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::ModelConfig;
use super::backward::{ForwardActivations, Gradients};
use super::config::QkNorm;
use super::cpu;
use super::indices::indices;
use super::linear::Linear;
use super::norm::Norm;
use super::rotary::{Rotary, Turn};
use super::tap::Tap;
use super::transformer::{Pass, Past, last_positions};
use super::writer::Writer;
use crate::intervention::{Site, SiteSet};

/// The attention of a block. A checkpoint may hold query, key and value side by side; here they are
/// separate, so that each product gives an activation that needs no copy.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,

    /// `W_O` and `b_O`.
    pub output: Linear,

    /// The norm of the output, in models that have one.
    pub after: Option<Norm>,

    pub n_heads: usize,

    /// Heads of keys and values, each of which serves a group of neighbouring query heads.
    pub n_kv_heads: usize,

    /// The norms of queries and keys, over as many dimensions as their gains have: those of a head, or
    /// of all heads.
    pub qk_norm: Option<[Norm; 2]>,

    /// What turns queries and keys by their positions.
    pub rotary: Option<Rotary>,

    /// What the products of queries and keys are divided by.
    pub divisor: f64,

    /// The size that scores stay below. `None`: no limit
    pub cap: Option<f64>,

    /// How many keys a query sees, its own included. `None`: all before it
    pub window: Option<usize>,
}

/// One of a head's inputs.
#[derive(Clone, Copy)]
enum Side {
    Query,
    Key,
}

impl Attention {
    /// What computes the heads' queries, keys and values, with the sites and the numbers of heads.
    pub fn inputs(&self, layer: usize) -> [(Site, &Linear, usize); 3] {
        [
            (Site::Q(layer), &self.query, self.n_heads),
            (Site::K(layer), &self.key, self.n_kv_heads),
            (Site::V(layer), &self.value, self.n_kv_heads),
        ]
    }

    pub fn writer(&self, layer: usize) -> Writer<'_> {
        let sites = [Site::AttnMapped(layer), Site::AttnOut(layer)];
        Writer { map: &self.output, after: self.after.as_ref(), sites }
    }

    /// As [`ModelConfig::product_sites`].
    fn product_sites(&self, layer: usize) -> [Site; 2] {
        product_sites(self.rotary.is_some(), layer)
    }

    /// The outputs `z` of all heads, side by side. `[batch, pos, d_model]` to
    /// `[batch, query, n_heads * d_head]`
    pub fn mix(&self, x: Tensor<3>, layer: usize, pass: &Pass<'_>, tap: &mut Tap<'_>) -> Tensor<3> {
        let [_, n_pos, _] = x.dims();
        let queries = last_positions(x.clone(), pass.n_queries);
        let [q_site, k_site, v_site] = self.inputs(layer).map(|(site, _, _)| site);
        let q = tap.heads(q_site, split(self.query.forward(queries), self.n_heads));
        let k = tap.heads(k_site, split(self.key.forward(x.clone()), self.n_kv_heads));
        let v = tap.heads(v_site, split(self.value.forward(x), self.n_kv_heads));
        let first_query = pass.n_past + n_pos - pass.n_queries;
        let q = self.placed(Side::Query, q, layer, (first_query, pass.lengths), tap);
        let k = self.placed(Side::Key, k, layer, (pass.n_past, pass.lengths), tap);

        let is_idle =
            tap.is_idle_at(Site::AttnScores(layer)) && tap.is_idle_at(Site::Pattern(layer));
        let in_one_pass = || {
            let past = pass.past.as_ref().map(|past| cpu::PastHeads {
                k: past.cache.get(self.product_sites(layer)[1]),
                v: past.cache.get(Site::V(layer)),
                rows: past.rows,
                n_past: pass.n_past,
            });
            let &Self { divisor, cap, window, .. } = self;
            let heads = cpu::Heads { q: &q, k: &k, v: &v, divisor, cap, window };
            cpu::attend(&heads, past.as_ref(), pass.lengths)
        };
        let z = match is_idle.then(in_one_pass).flatten() {
            Some(z) => z,
            None => self.attend([q, k, v], layer, pass, tap),
        };
        joined(tap.heads(Site::Z(layer), z))
    }

    /// Queries or keys as scores take them: normalized, and turned by their positions, of which the first
    /// and the rows' lengths are given.
    fn placed(
        &self,
        side: Side,
        x: Tensor<4>,
        layer: usize,
        (first_pos, lengths): (usize, &[usize]),
        tap: &mut Tap<'_>,
    ) -> Tensor<4> {
        let x = match &self.qk_norm {
            Some(norms) => {
                let (norm, shape) = (&norms[side as usize], x.dims());
                norm.normalize(vectors(norm, x)).reshape(shape)
            }
            None => x,
        };
        match &self.rotary {
            Some(rotary) => {
                let site = self.product_sites(layer)[side as usize];
                tap.heads(site, rotary.turn(x, first_pos, lengths, Turn::Forth))
            }
            None => x,
        }
    }

    /// The outputs `z` of all heads, computed step by step so that the scores and the pattern pass
    /// through the tap. `[batch, pos, head, d_head]`, as queries, keys and values
    fn attend(
        &self,
        [q, k, v]: [Tensor<4>; 3],
        layer: usize,
        pass: &Pass<'_>,
        tap: &mut Tap<'_>,
    ) -> Tensor<4> {
        let [_, n_new, _, _] = k.dims();
        let (k, v) = match &pass.past {
            Some(past) => {
                let keys = past.followed_by(self.product_sites(layer)[1], pass.n_past, k);
                (keys, past.followed_by(Site::V(layer), pass.n_past, v))
            }
            None => (k, v),
        };
        let (k, v) = (self.for_queries(k), self.for_queries(v));
        // [batch, head, query, key]
        let products = q.swap_dims(1, 2).matmul(k.permute([0, 2, 3, 1])) / self.divisor;
        let scores = capped(products, self.cap);
        let hidden = pass.hidden(self.window);
        let hidden = hidden.narrow(2, n_new - pass.n_queries, pass.n_queries);
        let scores = scores.mask_fill(hidden, f32::NEG_INFINITY);
        let scores = tap.attention(Site::AttnScores(layer), scores);
        let pattern = tap.attention(Site::Pattern(layer), softmax(scores, 3));

        // [batch, pos, head, d_head]
        pattern.matmul(v.swap_dims(1, 2)).swap_dims(1, 2)
    }

    /// Keys or values, once for each query head of their group. `[batch, pos, head, d_head]`
    fn for_queries(&self, x: Tensor<4>) -> Tensor<4> {
        for_queries(x, self.n_heads)
    }

    /// Gradients of keys or values as each query head has them, summed over the groups.
    /// `[batch, pos, head, d_head]`
    fn of_groups(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, n_pos, n_heads, d_head] = x.dims();
        if n_heads == self.n_kv_heads {
            return x;
        }
        let n_in_group = n_heads / self.n_kv_heads;
        let grouped = x.reshape([batch * n_pos, self.n_kv_heads, n_in_group, d_head]);
        grouped.sum_dim(2).reshape([batch, n_pos, self.n_kv_heads, d_head])
    }

    /// What the forward pass kept of the heads, with the axes `[batch, head, pos, d_head]`: queries
    /// from the first wanted position on, keys and values from position 0 on, one for each query
    /// head; and the pattern, `[batch, head, query, key]`.
    fn kept(&self, layer: usize, kept: &ForwardActivations<'_>) -> [Tensor<4>; 4] {
        let [q, k] = self.product_sites(layer);
        [
            kept.wanted(q).swap_dims(1, 2),
            self.for_queries(kept.all(k)).swap_dims(1, 2),
            self.for_queries(kept.all(Site::V(layer))).swap_dims(1, 2),
            kept.wanted(Site::Pattern(layer)).swap_dims(1, 2),
        ]
    }

    /// The gradient at the input, from the gradient at the output. `[batch, pos, d_model]`, both
    pub fn backward(
        &self,
        d_attn_out: Tensor<3>,
        layer: usize,
        kept: &ForwardActivations<'_>,
        found: &mut Gradients<'_>,
    ) -> Tensor<3> {
        let [_, n_pos, _] = d_attn_out.dims();
        let first_pos = kept.first_pos;
        // Queries begin with the first wanted position, but see keys and values before it too.
        let [q, k, v, pattern] = self.kept(layer, kept);
        let wanted_keys = |x: Tensor<4>| x.narrow(3, first_pos, n_pos).swap_dims(2, 3);

        let d_z = self.writer(layer).backward(d_attn_out, kept, found);
        let d_z = split(d_z, self.n_heads);
        found.heads(Site::Z(layer), || d_z.clone());
        let d_z = d_z.swap_dims(1, 2);

        let d_v = wanted_keys(pattern.clone()).matmul(d_z.clone()).swap_dims(1, 2);
        let d_v = self.of_groups(d_v);
        found.heads(Site::V(layer), || d_v.clone());
        let d_pattern = d_z.matmul(v.swap_dims(2, 3));
        found.heads(Site::Pattern(layer), || d_pattern.clone());

        // A query's weights sum to one, so what all of them gain together is taken off.
        let gained_by_all = (d_pattern.clone() * pattern.clone()).sum_dim(3);
        let d_scores = (d_pattern - gained_by_all) * pattern;
        found.heads(Site::AttnScores(layer), || d_scores.clone());
        let d_products = self.through_cap(d_scores, &q, &k) / self.divisor;
        let d_q = d_products.clone().matmul(k).swap_dims(1, 2);
        let d_q = self.unplaced(Side::Query, d_q, layer, kept, found);
        let d_k = self.of_groups(wanted_keys(d_products).matmul(q).swap_dims(1, 2));
        let d_k = self.unplaced(Side::Key, d_k, layer, kept, found);

        self.query.backward(joined(d_q))
            + self.key.backward(joined(d_k))
            + self.value.backward(joined(d_v))
    }

    /// Goes back from the gradient at queries or keys as scores take them to the gradient at what
    /// the weights make. `[batch, pos, head, d_head]`, both
    fn unplaced(
        &self,
        side: Side,
        gradient: Tensor<4>,
        layer: usize,
        kept: &ForwardActivations<'_>,
        found: &mut Gradients<'_>,
    ) -> Tensor<4> {
        let site = self.inputs(layer)[side as usize].0;
        let gradient = match &self.rotary {
            Some(rotary) => {
                found.heads(self.product_sites(layer)[side as usize], || gradient.clone());
                rotary.turn(gradient, kept.first_pos, kept.lengths, Turn::Back)
            }
            None => gradient,
        };
        let gradient = match &self.qk_norm {
            Some(norms) => {
                let (norm, shape) = (&norms[side as usize], gradient.dims());
                let input = vectors(norm, kept.wanted(site));
                norm.backward(input, vectors(norm, gradient)).d_input().reshape(shape)
            }
            None => gradient,
        };
        found.heads(site, || gradient.clone());
        gradient
    }

    /// The gradient at the products of queries and keys, divided as scores are, from that at the scores.
    /// `[batch, head, query, key]`, and `q` and `k` are `[batch, head, pos, d_head]`
    fn through_cap(&self, d_scores: Tensor<4>, q: &Tensor<4>, k: &Tensor<4>) -> Tensor<4> {
        let Some(cap) = self.cap else { return d_scores };
        let products = q.clone().matmul(k.clone().swap_dims(2, 3)) / self.divisor;
        d_scores * slope_of_cap(capped(products, Some(cap)), cap)
    }

    /// The part of the gradient at the input that comes from the output at the same position:
    /// through the query, and through the key and value of that position. `[batch, pos, d_model]`,
    /// both
    pub fn backward_in_place(
        &self,
        d_attn_out: Tensor<3>,
        layer: usize,
        kept: &ForwardActivations<'_>,
    ) -> Tensor<3> {
        let [_, n_pos, _] = d_attn_out.dims();
        let [q, k, v, pattern] = self.kept(layer, kept);
        let is_own = Tensor::<2>::eye(n_pos, &d_attn_out.device()).unsqueeze::<4>();
        // [batch, head, query, key] to [batch, head, pos, 1]
        let at_own =
            |x: Tensor<4>| (x.narrow(3, kept.first_pos, n_pos) * is_own.clone()).sum_dim(3);

        let no_sites = SiteSet::new();
        let mut found = Gradients::new(&no_sites);
        let d_z = self.writer(layer).backward(d_attn_out, kept, &mut found);
        let d_z = split(d_z, self.n_heads).swap_dims(1, 2);
        let d_pattern = d_z.clone().matmul(v.swap_dims(2, 3));
        let gained_by_all = (d_pattern.clone() * pattern.clone()).sum_dim(3);
        let d_scores = (d_pattern - gained_by_all) * pattern.clone();
        let d_products = self.through_cap(d_scores, &q, &k) / self.divisor;
        let d_v = self.of_groups((at_own(pattern) * d_z).swap_dims(1, 2));
        let d_k = self.of_groups((at_own(d_products.clone()) * q).swap_dims(1, 2));
        let d_q = d_products.matmul(k).swap_dims(1, 2);
        let d_q = self.unplaced(Side::Query, d_q, layer, kept, &mut found);
        let d_k = self.unplaced(Side::Key, d_k, layer, kept, &mut found);
        self.query.backward(joined(d_q))
            + self.key.backward(joined(d_k))
            + self.value.backward(joined(d_v))
    }
}

impl ModelConfig {
    /// The sites of the queries and keys whose products are a layer's scores.
    pub fn product_sites(&self, layer: usize) -> [Site; 2] {
        product_sites(self.rotary.is_some(), layer)
    }

    /// The sites of queries and keys at which a change of one head's changes no other head's: before
    /// positions turn them, but behind a norm over all heads.
    pub fn sites_of_one_head(&self, layer: usize) -> [Site; 2] {
        match self.qk_norm {
            Some(QkNorm::AllHeads) => self.product_sites(layer),
            Some(QkNorm::EachHead) | None => [Site::Q(layer), Site::K(layer)],
        }
    }
}

fn product_sites(is_rotary: bool, layer: usize) -> [Site; 2] {
    if is_rotary {
        [Site::RotQ(layer), Site::RotK(layer)]
    } else {
        [Site::Q(layer), Site::K(layer)]
    }
}

/// Queries or keys as the vectors that a norm takes: of each head, or of all heads.
/// `[batch, pos, head, d_head]` to `[batch, pos or pos * head, width]`
fn vectors(norm: &Norm, x: Tensor<4>) -> Tensor<3> {
    let [batch, n_pos, n_heads, d_head] = x.dims();
    let [width] = norm.gain.dims();
    x.reshape([batch, n_pos * n_heads * d_head / width, width])
}

/// Numbers that stay below a cap: the cap times the hyperbolic tangent of their share of it.
pub fn capped<const D: usize>(x: Tensor<D>, cap: Option<f64>) -> Tensor<D> {
    match cap {
        Some(cap) => (x / cap).tanh() * cap,
        None => x,
    }
}

/// The slope of [`capped`] where it gives these numbers.
pub fn slope_of_cap<const D: usize>(capped: Tensor<D>, cap: f64) -> Tensor<D> {
    let share = capped / cap;
    -(share.clone() * share) + 1.0
}

/// `[batch, pos, head * d_head]` to `[batch, pos, head, d_head]`
fn split(x: Tensor<3>, n_heads: usize) -> Tensor<4> {
    let [batch, n_pos, width] = x.dims();
    x.reshape([batch, n_pos, n_heads, width / n_heads])
}

/// `[batch, pos, head, d_head]` to `[batch, pos, head * d_head]`
fn joined(x: Tensor<4>) -> Tensor<3> {
    let [batch, n_pos, n_heads, d_head] = x.dims();
    x.reshape([batch, n_pos, n_heads * d_head])
}

/// What belongs to heads of keys and values, once for each query head of their group.
/// `[batch, pos, head, width]`
pub fn for_queries(x: Tensor<4>, n_heads: usize) -> Tensor<4> {
    let [batch, n_pos, n_kv_heads, width] = x.dims();
    if n_kv_heads == n_heads {
        return x;
    }
    let n_in_group = n_heads / n_kv_heads;
    let repeated = x.reshape([batch * n_pos, n_kv_heads, 1, width]);
    let repeated = repeated.expand([batch * n_pos, n_kv_heads, n_in_group, width]);
    repeated.reshape([batch, n_pos, n_heads, width])
}

impl Past<'_> {
    /// The keys or values of earlier positions, followed by the new ones.
    /// `[batch, pos, head, d_head]`
    fn followed_by(&self, site: Site, n_past: usize, new: Tensor<4>) -> Tensor<4> {
        let [batch, _, n_heads, d_head] = new.dims();
        let earlier = self.cache.get(site).clone().narrow(1, 0, n_past);
        let earlier = if self.rows.iter().all(|row| *row == self.rows[0]) {
            let row = earlier.narrow(0, self.rows[0], 1);
            row.expand([batch, n_past, n_heads, d_head])
        } else {
            earlier.select(0, indices(self.rows, &new.device()))
        };
        Tensor::cat(vec![earlier, new], 1)
    }
}
