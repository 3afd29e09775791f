//! The forward pass, in the order in which it computes.
//!
//! References:
//! - Radford et al. 2019, <https://github.com/openai/gpt-2/blob/master/src/model.py>
//! - nanoGPT's `model.py`, for the order of the file
//! - TransformerLens' `HookedTransformer`, for the sites
//!
//! The axes are called `batch`, `pos`, `head` and `width`; `query` and `key` are positions.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::addition::Addition;
use super::attention::{Attention, capped};
use super::indices::indices;
use super::logit_watch::LogitWatch;
use super::matrix::Matrix;
use super::mlp::Mlp;
use super::norm::Norm;
use super::tap::Tap;
use super::vocabulary::Vocabulary;
use super::{ActivationCache, ModelConfig, Traffic, Wiring};
use crate::intervention::Site;
use crate::quiet::quietly;
use crate::task::Cancelled;

/// How often, and after how long each time, a device is asked whether it is lost where it said something else.
const N_LOSS_WAITS: usize = 20;
const LOSS_WAIT: Duration = Duration::from_millis(50);

/// A model on a device. The fields of parameters have the names of GPT-2's released checkpoint.
#[derive(Clone, Debug)]
pub struct Transformer {
    pub config: ModelConfig,

    /// Token embedding, and also the unembedding if `lm_head` is `None`.
    pub(super) wte: Vocabulary,

    /// Position embedding, in models that have one. `[n_ctx, d_model]`
    pub(super) wpe: Option<Matrix>,

    /// The transformer blocks, one for each layer.
    pub(super) h: Vec<Block>,

    /// The final norm.
    pub(super) ln_f: Norm,

    /// The unembedding, if it is not the token embedding.
    pub(super) lm_head: Option<Vocabulary>,

    /// The unembedding's bias `b_U`, which a model has only after its final norm was folded
    /// into the unembedding. `[d_vocab]`
    pub(super) unembed_bias: Option<Tensor<1>>,

    /// Whether the device works through a queue, so that an operation returns before it is done.
    pub(super) is_queued: bool,

    /// The most rows that a pass may have. Each row has logits over the whole vocabulary, and a
    /// device may limit the size of a tensor.
    pub max_rows: usize,

    /// The most bytes that a run keeps for the way back, beyond which it keeps what entered each layer,
    /// and each is computed again on the way back; and that runs which others go on from keep together,
    /// if they are more than one.
    pub kept_bytes: usize,

    /// The vectors that a steered model adds in every run.
    pub(super) additions: Vec<Addition>,

    /// How much was copied back from the device for readings so far.
    pub(super) traffic: Arc<Mutex<Traffic>>,

    /// Whether all logits so far are finite.
    pub(super) logit_watch: Arc<LogitWatch>,
}

/// One transformer block.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub ln_1: Norm,
    pub attn: Attention,
    pub ln_2: Norm,
    pub mlp: Mlp,
    pub wiring: Wiring,
}

/// The device is lost or out of memory, so that operations queued on it have no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the device failed: {0}; what was found before stays; go on with `--device cpu`, or in the window with \
     File ▸ Device ▸ CPU"
)]
pub struct DeviceFailed(pub String);

/// What all blocks of one pass share.
#[derive(Clone)]
pub(super) struct Pass<'a> {
    /// Keys and values of earlier positions, if another run computed them.
    pub past: Option<Past<'a>>,

    /// How many positions of each row, the past included, are no padding. `[batch]`
    pub lengths: &'a [usize],

    /// True where a query may not see a key. Broadcasts to `[batch, head, query, key]`
    pub hidden: Tensor<4, Bool>,

    /// The keys that are hidden in layers whose queries see a window of keys, if there are such layers.
    pub hidden_in_window: Option<Tensor<4, Bool>>,

    /// How many positions the past has.
    pub n_past: usize,

    /// How many of the last positions are computed further. The others only give keys and values.
    pub n_queries: usize,
}

/// A run that computed earlier positions.
#[derive(Clone, Copy)]
pub(super) struct Past<'a> {
    /// The run's activations, with those of [`ModelConfig::past_sites`].
    pub cache: &'a ActivationCache,

    /// The row of the run that each row here continues. `[batch]`
    pub rows: &'a [usize],
}

impl<'a> Pass<'a> {
    /// A pass over `n_pos` new positions after a past of `n_past`, all of them computed further.
    pub fn new(
        model: &Transformer,
        [n_past, n_pos]: [usize; 2],
        lengths: &'a [usize],
        past: Option<Past<'a>>,
    ) -> Self {
        let hidden = |window| hidden_keys(lengths, [n_past, n_pos], window, &model.device());
        let window = model.config.window.map(|it| it.n_keys);
        // A window as long as the prompt hides nothing.
        let window = window.filter(|n_keys| *n_keys < n_past + n_pos);
        Self {
            past,
            lengths,
            hidden: hidden(None),
            hidden_in_window: window.map(|it| hidden(Some(it))),
            n_past,
            n_queries: n_pos,
        }
    }

    /// True where a query may not see a key, in a layer with this window or none.
    pub fn hidden(&self, window: Option<usize>) -> Tensor<4, Bool> {
        let in_window = self.hidden_in_window.as_ref().filter(|_| window.is_some());
        in_window.unwrap_or(&self.hidden).clone()
    }
}

impl Transformer {
    pub fn device(&self) -> Device {
        self.ln_f.gain.device()
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

    /// Runs work on the model's device. Where the device was lost, what panics for that is an error.
    ///
    /// # Panics
    ///
    /// If the work does, for another reason.
    pub fn guarded<T, E: From<DeviceFailed>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        if !self.is_queued {
            return work();
        }
        // Operations that have no way to fail panic once their device is gone.
        quietly(work).unwrap_or_else(|panic| {
            self.try_wait()?;
            // What is asked of a lost device may fail before the driver says that it is lost.
            if panic.text.starts_with("wgpu error") {
                for _ in 0..N_LOSS_WAITS {
                    std::thread::sleep(LOSS_WAIT);
                    self.try_wait()?;
                }
            }
            panic!("{} ({})", panic.text, panic.place)
        })
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
        after_layer: &mut dyn FnMut(usize, &mut ActivationCache) -> Result<(), Cancelled>,
    ) -> Result<Tensor<3>, Cancelled> {
        let d_model = self.config.d_model;
        let embed = self.embed(ids).reshape([batch, n_pos, d_model]);
        let embed = tap.stream(Site::Embed, embed);

        let mut resid = match &self.wpe {
            Some(wpe) => {
                let positions = wpe.clone().narrow(0, pass.n_past, n_pos).widen();
                let pos_embed = positions.unsqueeze::<3>().expand([batch, n_pos, d_model]);
                embed + tap.stream(Site::PosEmbed, pos_embed)
            }
            None => embed,
        };
        for (layer, block) in self.h.iter().enumerate() {
            resid = block.forward(resid, layer, pass, tap);
            after_layer(layer, tap.kept_so_far())?;
        }
        Ok(resid)
    }

    /// What tokens write to the residual stream. `[ids, d_model]`
    fn embed(&self, ids: &[u32]) -> Tensor<2> {
        let rows = self.wte.rows(ids);
        match self.config.embed_scale {
            Some(scale) => rows * scale,
            None => rows,
        }
    }

    /// The final norm's output, passed through the tap. `[batch, pos, d_model]` to the same
    /// shape
    pub(super) fn normalize(&self, resid: Tensor<3>, tap: &mut Tap<'_>) -> Tensor<3> {
        self.ln_f.forward(resid, [Site::LnFinalScale, Site::LnFinalNormalized], tap)
    }

    /// The logits of the normalized residual stream. `[rows, d_model]` to `[rows, d_vocab]`
    pub(super) fn project(&self, normalized: &Tensor<2>) -> Tensor<2> {
        let logits = capped(self.project_uncapped(normalized), self.config.logit_cap);
        self.logit_watch.note(&logits);
        logits
    }

    /// What the unembedding gives, before a cap on logits. `[rows, d_model]` to `[rows, d_vocab]`
    fn project_uncapped(&self, normalized: &Tensor<2>) -> Tensor<2> {
        let logits = self.unembedding_matrix().project(normalized);
        match &self.unembed_bias {
            Some(bias) => logits + bias.clone().unsqueeze(),
            None => logits,
        }
    }

    /// The logits of a final residual stream as they are split into parts: before a cap on them.
    /// `[d_model]` to `[d_vocab]`
    pub fn uncapped_logits(&self, resid: Tensor<1>) -> Tensor<1> {
        self.project_uncapped(&self.ln_f.normalize(resid.unsqueeze())).squeeze_dim(0)
    }

    /// The logits of a residual stream, which the logit lens reads. `[rows, d_model]` to
    /// `[rows, d_vocab]`
    pub fn unembed(&self, resid: Tensor<2>) -> Tensor<2> {
        self.project(&self.ln_f.normalize(resid))
    }

    /// The logits of a residual stream if the final norm divided it by `scale`, its divisor
    /// elsewhere. `[rows, d_model]` and `[rows, 1]` to `[rows, d_vocab]`
    pub fn unembed_at_scale(&self, resid: Tensor<2>, scale: Tensor<2>) -> Tensor<2> {
        self.project(&self.ln_f.normalize_at(resid, scale))
    }

    /// The token embeddings as they enter the residual stream, as plain numbers. `[ids, d_model]`
    pub fn embeddings(&self, ids: &[u32]) -> Vec<f32> {
        self.embed(ids).into_data().iter::<f32>().collect()
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
        let read = self.read_beside(&resid_pre, pass);
        let resid_mid = self.add_attention(resid_pre, layer, pass, tap);
        let resid_post = self.add_mlp(resid_mid, read, layer, tap);
        tap.stream(Site::ResidPost(layer), resid_post)
    }

    /// What the MLP reads, at the positions that are computed further, if it does not read the
    /// stream to which attention has written.
    pub(super) fn read_beside(&self, resid_pre: &Tensor<3>, pass: &Pass<'_>) -> Option<Tensor<3>> {
        let is_beside = self.wiring == Wiring::Parallel;
        is_beside.then(|| last_positions(resid_pre.clone(), pass.n_queries))
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
        self.attn.writer(layer).onto(resid_pre, z, tap)
    }

    /// The residual stream with the MLP's output added. `read` is what the MLP reads, if that is not
    /// the stream itself. `[batch, pos, d_model]`
    pub(super) fn add_mlp(
        &self,
        resid_mid: Tensor<3>,
        read: Option<Tensor<3>>,
        layer: usize,
        tap: &mut Tap<'_>,
    ) -> Tensor<3> {
        let (resid, read) = if let Some(read) = read {
            (resid_mid, read)
        } else {
            let resid_mid = tap.stream(Site::ResidMid(layer), resid_mid);
            (resid_mid.clone(), resid_mid)
        };
        let sites = [Site::Ln2Scale(layer), Site::Ln2Normalized(layer)];
        let normalized = self.ln_2.forward(read, sites, tap);
        self.mlp.onto(resid, normalized, layer, tap)
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

/// The mask of the keys that a query may not see: later positions, those before its window, and
/// padding after a row's end.
///
/// # Shapes
///
/// - `lengths`: how many positions of each row, the past included, are no padding, `[batch]`
/// - output: `[batch or 1, 1, n_pos, n_past + n_pos]`
fn hidden_keys(
    lengths: &[usize],
    [n_past, n_pos]: [usize; 2],
    window: Option<usize>,
    device: &Device,
) -> Tensor<4, Bool> {
    let n_keys = n_past + n_pos;
    let is_ragged = lengths.iter().any(|&len| len != n_keys);
    let rows = if is_ragged { lengths } else { &lengths[..1] };
    let mut hidden = Vec::with_capacity(rows.len() * n_pos * n_keys);
    for &len in rows {
        for query in n_past..n_keys {
            // What is padding sees all, since a softmax over no key is no number.
            let first = window.filter(|_| query < len);
            let first = first.map_or(0, |n_keys| (query + 1).saturating_sub(n_keys));
            hidden.extend((0..n_keys).map(|key| key > query || key >= len || key < first));
        }
    }
    Tensor::<4, Bool>::from_data(TensorData::new(hidden, [rows.len(), 1, n_pos, n_keys]), device)
}
