//! The backward pass: the gradients of a number read from the logits, at the activations of any
//! site.
//!
//! It is written by hand for a model whose weights do not change. Compared with autodiff it keeps
//! only what it reads again ([`Backward::sites`]), computes no gradients of weights, stops at the
//! first position and layer that are wanted, and runs on every device that the forward pass runs
//! on. Its steps are those of `transformer.rs` in reverse and use the same names: `d_z` is the gradient at
//! `z`. The way back through a part stands beside the part's way forth.
//!
//! It takes about as long as a forward pass, with one matrix product for each one there.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Tensor, TensorData};

use super::attention::slope_of_cap;
use super::{ActivationCache, ModelConfig, Run, Transformer, Wiring};
use crate::intervention::{Axes, Site, SiteSet};
use crate::task::Cancelled;

/// The number whose gradients are computed, read from the logits of each row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective<'a> {
    /// The logit of a token at the first position that is read, less that of another token if one
    /// is given.
    Logit { token: u32, less: Option<u32> },

    /// The natural logarithm of the probability of a sequence of tokens, one at each position that
    /// is read.
    LogProb { tokens: &'a [u32] },

    /// The Kullback–Leibler divergence Σ p ln (p / q) of the distribution p at the first position
    /// that is read from a distribution q, whose natural logarithms are given. `[d_vocab]`
    Divergence { from: &'a [f32] },
}

/// What a backward pass computes.
pub struct Backward<'a> {
    /// The forward run, whose rows have the same length, with at least the sites of
    /// [`Backward::sites`], or what [`Transformer::run_to_go_back`] kept of them. Its conditions, if any, may change embeddings only: later changes would
    /// cut or scale gradients, which a run does not record.
    pub run: &'a Run,

    /// The number whose gradients are computed.
    pub objective: Objective<'a>,

    /// Gradients of positions before this one are not computed.
    pub first_pos: usize,

    /// The sites whose gradients are computed. Any site may be among them.
    pub wanted: &'a SiteSet,

    /// Which contributions to the residual stream carry no gradient.
    pub dropped: Dropped,
}

/// Which contributions to the residual stream carry no gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dropped {
    /// All contributions carry gradients.
    #[default]
    NoLayer,

    /// The contribution of each layer from `first` up to `end` is dropped in turn: `GradDrop` of Kramár
    /// et al. 2024, section 3.1.2. Only for runs of one row.
    ///
    /// The first row of the gradient at a site of layer *l* drops no layer; the others drop one
    /// later layer each, the last layer first. Dropping an earlier layer would not change the
    /// gradient, and dropping layer *l* itself would leave none.
    EachOf { first: usize, end: usize },
}

impl Backward<'_> {
    /// The sites that the forward run must keep.
    pub fn sites(config: &ModelConfig) -> SiteSet {
        let in_block = |layer| {
            let heads = [Site::Q, Site::K, Site::RotQ, Site::RotK, Site::V, Site::Pattern];
            let mlp = [Site::MlpPre, Site::MlpPreLinear];
            let stream = [Site::ResidPre, Site::ResidMid, Site::AttnMapped, Site::MlpMapped];
            [&heads[..], &mlp, &stream].concat().into_iter().map(move |site| site(layer))
        };
        let all = (0..config.n_layers).flat_map(in_block);
        all.filter(|it| config.has(*it)).chain([Site::ResidPost(config.n_layers - 1)]).collect()
    }
}

impl Transformer {
    /// The gradients of the objective at each wanted site, `[batch, pos, head, width]`, from
    /// [`Backward::first_pos`] on; attention has all keys.
    ///
    /// Each row's gradients are those of its own objective.
    ///
    /// # Errors
    ///
    /// If `after_layer`, which is called after each block, returns an error.
    ///
    /// # Panics
    ///
    /// If the run lacks a site, or the objective has more tokens than were read: bugs in the
    /// caller.
    pub fn backward(
        &self,
        request: &Backward<'_>,
        after_layer: &mut dyn FnMut(usize) -> Result<(), Cancelled>,
    ) -> Result<ActivationCache, Cancelled> {
        let mut all = ActivationCache::default();
        let rest = self.backward_by_layer(request, &mut |layer, found| {
            all.extend(found);
            after_layer(layer)
        })?;
        all.extend(rest);
        Ok(all)
    }

    /// As [`Self::backward`], but gives the gradients of each block to `on_layer` as soon as they are
    /// complete, so that those of all blocks need not be there at once. Returns those that are wanted
    /// beside blocks, and where nothing is wanted before a block, those of that block.
    ///
    /// # Panics
    ///
    /// As [`Self::backward`].
    pub fn backward_by_layer(
        &self,
        request: &Backward<'_>,
        on_layer: &mut dyn FnMut(usize, ActivationCache) -> Result<(), Cancelled>,
    ) -> Result<ActivationCache, Cancelled> {
        let Backward { run, objective, first_pos, wanted, dropped } = *request;
        let last = self.config.n_layers - 1;
        let [batch, n_all, _, _] = run.cache.get(Site::ResidPost(last)).dims();
        let [_, n_read, _] = run.logits.dims();
        let n_pos = n_all - first_pos;
        assert!(n_pos >= n_read, "positions that are read must be among those with gradients");
        assert!(batch == 1 || dropped == Dropped::NoLayer, "layers are dropped from one row");
        let lengths = &run.lengths;
        let mut n_rows = batch;
        let cache = &run.cache;
        let kept = ForwardActivations { cache, first_pos, n_pos, lengths, n_rows };
        let mut found = Gradients::new(wanted);

        // Only the positions that are read pass through the final norm to a logit.
        let d_normalized = self.unembedding_gradient(objective, &run.logits);
        let resid = kept.stream(Site::ResidPost(last)).narrow(1, n_pos - n_read, n_read);
        let through = self.ln_f.backward(resid, d_normalized.clone());
        let device = self.device();
        let everywhere = |at_end: Tensor<3>| {
            let [_, _, width] = at_end.dims();
            let before = Tensor::zeros([batch, n_pos - n_read, width], &device);
            if n_pos == n_read { at_end } else { Tensor::cat(vec![before, at_end], 1) }
        };
        found.stream(Site::LnFinalNormalized, || everywhere(d_normalized));
        found.stream(Site::LnFinalScale, || everywhere(through.d_scale()));
        let mut d_resid = everywhere(through.d_input());

        for (layer, block) in self.h.iter().enumerate().rev() {
            // The residual stream that leaves the block is a sum, so the gradient at each term is
            // the same.
            found.stream(Site::ResidPost(layer), || d_resid.clone());
            found.stream(Site::MlpOut(layer), || d_resid.clone());
            if found.is_complete() {
                break;
            }
            let of_layer = self.of_layer(run, layer);
            let cache = &*of_layer;
            let kept = ForwardActivations { cache, first_pos, n_pos, lengths, n_rows };
            let without_layer = d_resid.clone().narrow(0, 0, 1);
            let d_normalized = block.mlp.backward(d_resid.clone(), layer, &kept, &mut found);
            let read = kept.stream(self.config.mlp_reads(layer));
            let through = block.ln_2.backward(read, d_normalized.clone());
            found.stream(Site::Ln2Normalized(layer), || d_normalized);
            if self.config.has(Site::Ln2Scale(layer)) {
                found.stream(Site::Ln2Scale(layer), || through.d_scale());
            }
            let d_attn_out = match block.wiring {
                Wiring::Sequential => {
                    d_resid = d_resid + through.d_input();
                    found.stream(Site::ResidMid(layer), || d_resid.clone());
                    d_resid.clone()
                }
                // Attention's output is not among what the MLP reads.
                Wiring::Parallel => {
                    let d_attn_out = d_resid.clone();
                    d_resid = d_resid + through.d_input();
                    d_attn_out
                }
            };
            found.stream(Site::AttnOut(layer), || d_attn_out.clone());
            let d_normalized = block.attn.backward(d_attn_out, layer, &kept, &mut found);
            let through =
                block.ln_1.backward(kept.stream(Site::ResidPre(layer)), d_normalized.clone());
            found.stream(Site::Ln1Normalized(layer), || d_normalized);
            if self.config.has(Site::Ln1Scale(layer)) {
                found.stream(Site::Ln1Scale(layer), || through.d_scale());
            }
            d_resid = d_resid + through.d_input();

            found.stream(Site::ResidPre(layer), || d_resid.clone());
            if matches!(dropped, Dropped::EachOf { first, end } if (first..end).contains(&layer)) {
                d_resid = Tensor::cat(vec![d_resid, without_layer], 0);
                n_rows += 1;
            }
            on_layer(layer, std::mem::take(&mut found.cache))?;
        }
        found.stream(Site::Embed, || d_resid.clone());
        if self.wpe.is_some() {
            found.stream(Site::PosEmbed, || d_resid);
        }
        Ok(found.cache)
    }

    /// The gradient at the output of the final norm. `[batch, n_read, d_model]`
    fn unembedding_gradient(&self, objective: Objective<'_>, logits: &Tensor<3>) -> Tensor<3> {
        let [batch, n_read, d_vocab] = logits.dims();
        let d_model = self.config.d_model;
        let matrix = self.unembedding_matrix();
        let cap = self.config.logit_cap;
        // The gradient before the cap on logits, from that after it.
        let through_cap = |d_logits: Tensor<2>, logits: Tensor<2>| match cap {
            Some(cap) => d_logits * slope_of_cap(logits, cap),
            None => d_logits,
        };
        // The gradients of some tokens' logits, one at each of the first positions.
        // [batch or 1, n, d_model]
        let rows_of = |tokens: &[u32]| {
            let n = tokens.len();
            let rows = matrix.rows(tokens).reshape([1, n, d_model]);
            let Some(cap) = cap else { return rows };
            let logit = |(nth, &token): (usize, &u32)| {
                logits.clone().narrow(1, nth, 1).narrow(2, token as usize, 1)
            };
            let logits = tokens.iter().enumerate().map(logit).collect();
            rows * slope_of_cap(Tensor::<3>::cat(logits, 1), cap)
        };
        let gradient = match objective {
            Objective::Logit { token, less } => {
                let direction = match less {
                    Some(less) => rows_of(&[token]) - rows_of(&[less]),
                    None => rows_of(&[token]),
                };
                direction.expand([batch, 1, d_model])
            }
            Objective::LogProb { tokens } => {
                let n = tokens.len();
                let read = logits.clone().narrow(1, 0, n).reshape([batch * n, d_vocab]);
                // The token's unembedding vector, less the one that the model expects there.
                let probs = through_cap(softmax(read.clone(), 1), read);
                rows_of(tokens) - matrix.expectation(&probs).reshape([batch, n, d_model])
            }
            Objective::Divergence { from } => {
                let read = logits.clone().narrow(1, 0, 1).reshape([batch, d_vocab]);
                let before = TensorData::new(from.to_vec(), [1, d_vocab]);
                let before = Tensor::<2>::from_data(before, &logits.device());
                let (now, probs) = (log_softmax(read.clone(), 1), softmax(read.clone(), 1));
                let surprise = now - before;
                let mean = (probs.clone() * surprise.clone()).sum_dim(1);
                let d_logits = through_cap(probs * (surprise - mean), read);
                matrix.expectation(&d_logits).reshape([batch, 1, d_model])
            }
        };
        let [_, n, _] = gradient.dims();
        if n == n_read {
            return gradient;
        }
        let after = Tensor::zeros([batch, n_read - n, d_model], &logits.device());
        Tensor::cat(vec![gradient, after], 1)
    }
}

/// The activations of the forward run, of which gradients need the part from the first wanted
/// position on.
pub(super) struct ForwardActivations<'a> {
    pub cache: &'a ActivationCache,
    pub first_pos: usize,
    pub n_pos: usize,

    /// How many positions of each of the run's rows are no padding. `[batch]`
    pub lengths: &'a [usize],

    /// How many rows the gradients have: as many as the run, or more if all belong to its only row.
    pub n_rows: usize,
}

impl ForwardActivations<'_> {
    /// An activation without heads, from the first wanted position on. `[batch, pos, width]`
    pub fn stream(&self, site: Site) -> Tensor<3> {
        let wanted = self.wanted(site);
        let [batch, _, _, width] = wanted.dims();
        wanted.reshape([batch, self.n_pos, width])
    }

    /// An activation from the first wanted position on. `[batch, pos, head, width]`
    pub fn wanted(&self, site: Site) -> Tensor<4> {
        self.all(site).narrow(1, self.first_pos, self.n_pos)
    }

    /// An activation from position 0 on. `[batch, pos, head, width]`
    pub fn all(&self, site: Site) -> Tensor<4> {
        let kept = self.cache.get(site).clone();
        let [batch, n_all, n_heads, width] = kept.dims();
        if batch == self.n_rows { kept } else { kept.expand([self.n_rows, n_all, n_heads, width]) }
    }
}

/// The gradients that were asked for, as far as they are computed.
pub(super) struct Gradients<'a> {
    wanted: &'a SiteSet,
    n_found: usize,

    /// The gradients that were not taken yet.
    cache: ActivationCache,
}

impl<'a> Gradients<'a> {
    pub fn new(wanted: &'a SiteSet) -> Self {
        Self { wanted, n_found: 0, cache: ActivationCache::default() }
    }

    fn is_complete(&self) -> bool {
        self.n_found == self.wanted.len()
    }

    /// Keeps the gradient at a site without heads if it is wanted. `[batch, pos, width]`
    pub fn stream(&mut self, site: Site, gradient: impl FnOnce() -> Tensor<3>) {
        self.heads(site, || {
            let gradient = gradient();
            let [batch, n_pos, width] = gradient.dims();
            gradient.reshape([batch, n_pos, 1, width])
        });
    }

    /// Keeps the gradient at a site if it is wanted. It has the axes `[batch, head, query, key]`
    /// for attention scores and weights, `[batch, pos, head, width]` for other sites.
    pub fn heads(&mut self, site: Site, gradient: impl FnOnce() -> Tensor<4>) {
        if self.wanted.contains(&site) {
            let gradient = match site.axes() {
                Axes::Attention => gradient().swap_dims(1, 2),
                Axes::Stream | Axes::Heads => gradient(),
            };
            self.cache.insert(site, gradient);
            self.n_found += 1;
        }
    }
}
