//! GPT-2's forward pass, in the order in which it computes.
//!
//! References:
//! - Radford et al. 2019, <https://github.com/openai/gpt-2/blob/master/src/model.py>
//! - nanoGPT's `model.py`, for the order of the file
//! - TransformerLens' `HookedTransformer`, for the sites
//!
//! The axes are called `batch`, `pos`, `head` and `width`; `query` and `key` are positions.

use std::sync::{Arc, Mutex};

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::addition::Addition;
use super::cpu;
use super::indices::indices;
use super::layers::{Affine, LayerNorm};
use super::tap::Tap;
use super::vocabulary::Vocabulary;
use super::{ActivationCache, ModelConfig, Nonlinearity, Traffic};
use crate::intervention::Site;
use crate::task::Cancelled;

/// A GPT-2 on a device. The fields of parameters have the released checkpoint's names.
#[derive(Clone, Debug)]
pub struct Transformer {
    pub config: ModelConfig,

    /// Token embedding, and also the unembedding if `lm_head` is `None`.
    pub(super) wte: Vocabulary,

    /// Position embedding. `[n_ctx, d_model]`
    pub(super) wpe: Tensor<2>,

    /// The transformer blocks, one for each layer.
    pub(super) h: Vec<Block>,

    /// The final layer norm.
    pub(super) ln_f: LayerNorm,

    /// The unembedding, if it is not the token embedding.
    pub(super) lm_head: Option<Vocabulary>,

    /// The unembedding's bias `b_U`, which a model has only after its final layer norm was folded
    /// into the unembedding. `[d_vocab]`
    pub(super) unembed_bias: Option<Tensor<1>>,

    /// Whether the device works through a queue, so that an operation returns before it is done.
    pub(super) is_queued: bool,

    /// The most rows that a pass may have. Each row has logits over the whole vocabulary, and a
    /// device may limit the size of a tensor.
    pub max_rows: usize,

    /// The vectors that a steered model adds in every run.
    pub(super) additions: Vec<Addition>,

    /// How much was copied back from the device for readings so far.
    pub(super) traffic: Arc<Mutex<Traffic>>,
}

/// One transformer block.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub ln_1: LayerNorm,
    pub attn: Attention,
    pub ln_2: LayerNorm,
    pub mlp: Mlp,
}

/// The attention of a block. The checkpoint's `c_attn` holds query, key and value side by side;
/// here they are separate, so that each product gives an activation that needs no copy.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    pub query: Affine,
    pub key: Affine,
    pub value: Affine,

    /// `W_O` and `b_O`.
    pub c_proj: Affine,

    pub n_heads: usize,

    /// What the products of queries and keys are divided by.
    pub divisor: f64,
}

/// The MLP of a block.
#[derive(Clone, Debug)]
pub(super) struct Mlp {
    /// `W_in` and `b_in`.
    pub c_fc: Affine,

    /// `W_out` and `b_out`.
    pub c_proj: Affine,

    pub nonlinearity: Nonlinearity,
}

/// The device is lost or out of memory, so that operations queued on it have no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device failed: {0}")]
pub struct DeviceFailed(pub String);

/// What all blocks of one pass share.
pub(super) struct Pass<'a> {
    /// Keys and values of earlier positions, if another run computed them.
    pub past: Option<Past<'a>>,

    /// How many positions of each row, the past included, are no padding. `[batch]`
    pub lengths: &'a [usize],

    /// True where a query may not see a key. Broadcasts to `[batch, head, query, key]`
    pub hidden: Tensor<4, Bool>,

    /// How many positions the past has.
    pub n_past: usize,

    /// How many of the last positions are computed further. The others only give keys and values.
    pub n_queries: usize,
}

/// A run that computed earlier positions.
pub(super) struct Past<'a> {
    /// The run's activations, with [`Site::K`] and [`Site::V`] of every layer.
    pub cache: &'a ActivationCache,

    /// The row of the run that each row here continues. `[batch]`
    pub rows: &'a [usize],
}

impl Transformer {
    pub fn device(&self) -> Device {
        self.wpe.device()
    }

    /// Waits until the device has finished all queued work. Returns at once on the CPU.
    ///
    /// # Panics
    ///
    /// If the device is lost or out of memory.
    pub fn wait(&self) {
        if let Err(error) = self.try_wait() {
            panic!("{error}");
        }
    }

    /// Waits as [`Self::wait`] does, and returns an error if the device failed.
    pub fn try_wait(&self) -> Result<(), DeviceFailed> {
        if !self.is_queued {
            return Ok(());
        }
        self.device().sync().map_err(|error| DeviceFailed(error.to_string()))
    }

    /// Whether the device works through a queue, so that it is faster to fetch many readings at
    /// once.
    pub fn is_queued(&self) -> bool {
        self.is_queued
    }

    /// How many tensors hold the vocabulary matrix.
    pub fn n_vocabulary_shards(&self) -> usize {
        self.wte.n_shards()
    }

    /// The vocabulary matrix that turns the residual stream into logits.
    pub(super) fn unembedding_matrix(&self) -> &Vocabulary {
        self.lm_head.as_ref().unwrap_or(&self.wte)
    }

    /// Computes the final residual stream from token ids.
    ///
    /// # Shapes
    ///
    /// - `ids`: `[batch * pos]`, row by row
    /// - output: `[batch, pos, d_model]`
    pub(super) fn forward(
        &self,
        ids: &[u32],
        [batch, n_pos]: [usize; 2],
        pass: &Pass<'_>,
        tap: &mut Tap<'_>,
        after_layer: &mut dyn FnMut(usize) -> Result<(), Cancelled>,
    ) -> Result<Tensor<3>, Cancelled> {
        let d_model = self.config.d_model;
        let embed = self.wte.rows(ids).reshape([batch, n_pos, d_model]);
        let embed = tap.stream(Site::Embed, embed);

        let positions = self.wpe.clone().narrow(0, pass.n_past, n_pos);
        let pos_embed = positions.unsqueeze::<3>().expand([batch, n_pos, d_model]);
        let pos_embed = tap.stream(Site::PosEmbed, pos_embed);

        let mut resid = embed + pos_embed;
        for (layer, block) in self.h.iter().enumerate() {
            resid = block.forward(resid, layer, pass, tap);
            after_layer(layer)?;
        }
        Ok(resid)
    }

    /// The final layer norm's output, passed through the tap. `[batch, pos, d_model]` to the same
    /// shape
    pub(super) fn normalize(&self, resid: Tensor<3>, tap: &mut Tap<'_>) -> Tensor<3> {
        self.ln_f.forward(resid, [Site::LnFinalScale, Site::LnFinalNormalized], tap)
    }

    /// The logits of the normalized residual stream. `[rows, d_model]` to `[rows, d_vocab]`
    pub(super) fn project(&self, normalized: &Tensor<2>) -> Tensor<2> {
        let logits = self.unembedding_matrix().project(normalized);
        match &self.unembed_bias {
            Some(bias) => logits + bias.clone().unsqueeze(),
            None => logits,
        }
    }

    /// The logits of a residual stream, which the logit lens reads. `[rows, d_model]` to
    /// `[rows, d_vocab]`
    pub fn unembed(&self, resid: Tensor<2>) -> Tensor<2> {
        self.project(&self.ln_f.normalize(resid))
    }

    /// The logits of a residual stream if the final layer norm divided it by `scale`, its divisor
    /// elsewhere. `[rows, d_model]` and `[rows, 1]` to `[rows, d_vocab]`
    pub fn unembed_at_scale(&self, resid: Tensor<2>, scale: Tensor<2>) -> Tensor<2> {
        let normalized = (resid.clone() - resid.mean_dim(1)) / scale;
        let LayerNorm { gain, bias, .. } = &self.ln_f;
        self.project(&(normalized * gain.clone().unsqueeze() + bias.clone().unsqueeze()))
    }

    /// The token embeddings as plain numbers. `[ids, d_model]`
    pub fn embeddings(&self, ids: &[u32]) -> Vec<f32> {
        self.wte.rows(ids).into_data().iter::<f32>().collect()
    }
}

impl Block {
    pub(super) fn forward(
        &self,
        resid_pre: Tensor<3>,
        layer: usize,
        pass: &Pass<'_>,
        tap: &mut Tap<'_>,
    ) -> Tensor<3> {
        let resid_pre = tap.stream(Site::ResidPre(layer), resid_pre);
        let resid_mid = self.add_attention(resid_pre, layer, pass, tap);
        let resid_mid = tap.stream(Site::ResidMid(layer), resid_mid);
        let resid_post = self.add_mlp(resid_mid, layer, tap);
        tap.stream(Site::ResidPost(layer), resid_post)
    }

    /// The residual stream with attention's output added, at the positions that are computed
    /// further. `[batch, query, d_model]`
    pub(super) fn add_attention(
        &self,
        resid_pre: Tensor<3>,
        layer: usize,
        pass: &Pass<'_>,
        tap: &mut Tap<'_>,
    ) -> Tensor<3> {
        let sites = [Site::Ln1Scale(layer), Site::Ln1Normalized(layer)];
        let normalized = self.ln_1.forward(resid_pre.clone(), sites, tap);
        let z = self.attn.mix(normalized, layer, pass, tap);
        let resid_pre = last_positions(resid_pre, pass.n_queries);
        if tap.is_idle_at(Site::AttnOut(layer)) {
            return self.attn.c_proj.onto(resid_pre, z);
        }
        resid_pre + tap.stream(Site::AttnOut(layer), self.attn.c_proj.forward(z))
    }

    /// The residual stream with the MLP's output added. `[batch, pos, d_model]`
    pub(super) fn add_mlp(
        &self,
        resid_mid: Tensor<3>,
        layer: usize,
        tap: &mut Tap<'_>,
    ) -> Tensor<3> {
        let sites = [Site::Ln2Scale(layer), Site::Ln2Normalized(layer)];
        let normalized = self.ln_2.forward(resid_mid.clone(), sites, tap);
        self.mlp.onto(resid_mid, normalized, layer, tap)
    }
}

impl Attention {
    /// What computes the heads' queries, keys and values, with the sites of these.
    pub(super) fn inputs(&self, layer: usize) -> [(Site, &Affine); 3] {
        [(Site::Q(layer), &self.query), (Site::K(layer), &self.key), (Site::V(layer), &self.value)]
    }

    /// The outputs `z` of all heads, side by side. `[batch, query, d_model]`
    fn mix(&self, x: Tensor<3>, layer: usize, pass: &Pass<'_>, tap: &mut Tap<'_>) -> Tensor<3> {
        let [batch, _, d_model] = x.dims();
        let d_head = d_model / self.n_heads;
        // [batch, pos, d_model] to [batch, pos, head, d_head]
        let split = |y: Tensor<3>| {
            let [_, n_pos, _] = y.dims();
            y.reshape([batch, n_pos, self.n_heads, d_head])
        };

        let queries = last_positions(x.clone(), pass.n_queries);
        let q = tap.heads(Site::Q(layer), split(self.query.forward(queries)));
        let k = tap.heads(Site::K(layer), split(self.key.forward(x.clone())));
        let v = tap.heads(Site::V(layer), split(self.value.forward(x)));

        let is_idle =
            tap.is_idle_at(Site::AttnScores(layer)) && tap.is_idle_at(Site::Pattern(layer));
        let in_one_pass = || {
            let past = pass.past.as_ref().map(|past| cpu::PastHeads {
                k: past.cache.get(Site::K(layer)),
                v: past.cache.get(Site::V(layer)),
                rows: past.rows,
                n_past: pass.n_past,
            });
            let heads = cpu::Heads { q: &q, k: &k, v: &v, divisor: self.divisor };
            cpu::attend(&heads, past.as_ref(), pass.lengths)
        };
        let z = match is_idle.then(in_one_pass).flatten() {
            Some(z) => z,
            None => self.attend([q, k, v], layer, pass, tap),
        };
        tap.heads(Site::Z(layer), z).reshape([batch, pass.n_queries, d_model])
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
                let keys = past.followed_by(Site::K(layer), pass.n_past, k);
                (keys, past.followed_by(Site::V(layer), pass.n_past, v))
            }
            None => (k, v),
        };
        // [batch, head, query, key]
        let scores = q.swap_dims(1, 2).matmul(k.permute([0, 2, 3, 1])) / self.divisor;
        let hidden = pass.hidden.clone().narrow(2, n_new - pass.n_queries, pass.n_queries);
        let scores = scores.mask_fill(hidden, f32::NEG_INFINITY);
        let scores = tap.attention(Site::AttnScores(layer), scores);
        let pattern = tap.attention(Site::Pattern(layer), softmax(scores, 3));

        // [batch, pos, head, d_head]
        pattern.matmul(v.swap_dims(1, 2)).swap_dims(1, 2)
    }
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

impl Mlp {
    /// The residual stream with the MLP's output for `x` added. `[batch, pos, d_model]`
    pub(super) fn onto(
        &self,
        resid: Tensor<3>,
        x: Tensor<3>,
        layer: usize,
        tap: &mut Tap<'_>,
    ) -> Tensor<3> {
        let sites = [Site::MlpPre(layer), Site::MlpPost(layer), Site::MlpOut(layer)];
        let [pre, post, out] = sites.map(|site| tap.is_idle_at(site));
        let resid = if pre && post && out {
            let (fc, proj) = (&self.c_fc, &self.c_proj);
            let weights = [&fc.weight, &proj.weight];
            let biases = [&fc.bias, &proj.bias];
            match cpu::mlp_onto(resid, &x, weights, biases, self.nonlinearity) {
                Ok(resid) => return resid,
                Err(resid) => resid,
            }
        } else {
            resid
        };
        let pre = tap.stream(Site::MlpPre(layer), self.c_fc.forward(x));
        let post = tap.stream(Site::MlpPost(layer), self.nonlinearity.forward(pre));
        if out {
            return self.c_proj.onto(resid, post);
        }
        resid + tap.stream(Site::MlpOut(layer), self.c_proj.forward(post))
    }
}

/// The last `n` positions. `[batch, pos, width]`
pub(super) fn last_positions(x: Tensor<3>, n: usize) -> Tensor<3> {
    let [_, n_pos, _] = x.dims();
    if n == n_pos {
        return x;
    }
    // A copy rather than a view, because the fast CPU steps need contiguous tensors.
    let wanted: Vec<usize> = (n_pos - n..n_pos).collect();
    let device = x.device();
    x.select(1, indices(&wanted, &device))
}

/// The mask of the keys that a query may not see: later positions, and padding after a row's end.
///
/// # Shapes
///
/// - `lengths`: how many positions of each row, the past included, are no padding, `[batch]`
/// - output: `[batch or 1, 1, n_pos, n_past + n_pos]`
pub(super) fn hidden_keys(
    lengths: &[usize],
    n_past: usize,
    n_pos: usize,
    device: &Device,
) -> Tensor<4, Bool> {
    let n_keys = n_past + n_pos;
    let is_ragged = lengths.iter().any(|&len| len != n_keys);
    let rows = if is_ragged { lengths } else { &lengths[..1] };
    let mut hidden = Vec::with_capacity(rows.len() * n_pos * n_keys);
    for &len in rows {
        for query in n_past..n_keys {
            hidden.extend((0..n_keys).map(|key| key > query || key >= len));
        }
    }
    Tensor::<4, Bool>::from_data(TensorData::new(hidden, [rows.len(), 1, n_pos, n_keys]), device)
}
