//! Corrects gradients for outputs that are held at once.
//!
//! If the outputs of several layers are overwritten at one position, none of them reacts to the
//! others there, while everything else reacts. The gradients of a free run include these reactions;
//! this file computes their part, to be taken off.
//!
//! The outputs are held at one position only, and no position depends on later ones, so the
//! gradients of later positions are right as they are. The correction therefore stays at its
//! position: it goes back through the other sublayer of each block, and through attention as far as
//! a position attends to itself.

use std::ops::Range;

use burn::tensor::Tensor;

use super::backward::{ForwardActivations, Gradients};
use super::{ActivationCache, Run, Transformer, Wiring};
use crate::intervention::{Site, SiteSet};

/// The outputs that are held, and the gradients of the run in which they are free.
pub struct Held<'a> {
    /// The free run, with the sites of [`Backward::sites`](super::Backward::sites).
    pub run: &'a Run,

    /// The free run's gradients from `first_pos` on, with [`Site::ResidPost`] of every layer, and
    /// [`Site::ResidMid`] where there is one.
    pub gradients: &'a ActivationCache,

    /// The position that the gradients begin with.
    pub first_pos: usize,

    /// Which output of each layer is held.
    pub output: HeldOutput,

    /// The layers whose outputs are held, at least one.
    pub layers: Range<usize>,
}

/// Which output of a layer is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldOutput {
    Attn,
    Mlp,
}

impl Transformer {
    /// The part of the gradient at each held output that passes through later held outputs at the
    /// same position. It has one entry for each layer, from the last but one down.
    /// `[batch, pos, d_model]` each
    ///
    /// # Panics
    ///
    /// If a site is missing, which is a bug in the caller.
    pub fn through_held(&self, held: &Held<'_>) -> Vec<Tensor<3>> {
        let last = held.layers.end - 1;
        let [n_rows, n_pos, _, d_model] = held.gradients.get(Site::ResidPost(last)).dims();
        let Held { run, first_pos, .. } = *held;
        let lengths = &run.lengths;
        let gradient =
            |site: Site| held.gradients.get(site).clone().reshape([n_rows, n_pos, d_model]);

        let is_parallel = self.config.wiring == Wiring::Parallel;
        // The part that passes through held outputs, at the output of the layer above.
        let mut off = Tensor::zeros([n_rows, n_pos, d_model], &self.device());
        let mut found = Vec::new();
        for layer in held.layers.clone().rev() {
            let of_layer = self.of_layer(run, layer);
            let kept = ForwardActivations { cache: &of_layer, first_pos, n_pos, lengths, n_rows };
            if layer != last {
                if held.output == HeldOutput::Attn && !is_parallel {
                    off = self.through_mlp(layer, off, &kept);
                }
                found.push(off.clone());
            }
            if layer == held.layers.start {
                break;
            }
            off = match held.output {
                HeldOutput::Mlp if is_parallel => {
                    let after = gradient(Site::ResidPost(layer));
                    let through_mlp = self.through_mlp(layer, after.clone(), &kept) - after;
                    off.clone() + through_mlp + self.through_attention(layer, off, &kept)
                }
                HeldOutput::Attn if is_parallel => {
                    let after = gradient(Site::ResidPost(layer));
                    let through_attn = self.through_attention(layer, after, &kept);
                    self.through_mlp(layer, off, &kept) + through_attn
                }
                HeldOutput::Mlp => {
                    let through_mlp =
                        gradient(Site::ResidMid(layer)) - gradient(Site::ResidPost(layer));
                    let off = off + through_mlp;
                    off.clone() + self.through_attention(layer, off, &kept)
                }
                HeldOutput::Attn => {
                    off + self.through_attention(layer, gradient(Site::ResidMid(layer)), &kept)
                }
            };
        }
        found
    }

    /// The gradient at the residual stream that a block's MLP reads, from the gradient after it, if
    /// nothing but the MLP lies between.
    /// `[batch, pos, d_model]`, both
    fn through_mlp(
        &self,
        layer: usize,
        d_resid: Tensor<3>,
        kept: &ForwardActivations<'_>,
    ) -> Tensor<3> {
        let block = &self.h[layer];
        let no_sites = SiteSet::new();
        let d_normalized =
            block.mlp.backward(d_resid.clone(), layer, kept, &mut Gradients::new(&no_sites));
        let through = block.ln_2.backward(kept.stream(self.config.mlp_reads(layer)), d_normalized);
        d_resid + through.d_input()
    }

    /// The part of the gradient before a block that comes through attention's output at the same
    /// position. `[batch, pos, d_model]`, both
    fn through_attention(
        &self,
        layer: usize,
        d_attn_out: Tensor<3>,
        kept: &ForwardActivations<'_>,
    ) -> Tensor<3> {
        let block = &self.h[layer];
        let d_normalized = block.attn.backward_in_place(d_attn_out, layer, kept);
        block.ln_1.backward(kept.stream(Site::ResidPre(layer)), d_normalized).d_input()
    }
}
