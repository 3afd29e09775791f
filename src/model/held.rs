//! Gradients at outputs that are held together.
//!
//! Where the outputs of several layers are overwritten at one position, none of them reacts to the
//! others there, though all else does. A gradient of the free run counts these reactions; what they
//! are worth is found here, to be taken off.
//!
//! The outputs are held at one position only, and what happens at a position depends on nothing
//! after it, so gradients of later positions are right as they are. What is to be taken off
//! therefore stays at its position: it goes back through the other part of each block, through
//! attention as far as a position looks at itself.

use std::ops::Range;

use burn::tensor::Tensor;

use super::backward::{Found, Kept};
use super::{ActivationCache, Gpt2, Run};
use crate::intervention::{Site, SiteSet};

/// Outputs held together, and the gradients of the run in which they are free.
pub struct Held<'a> {
    /// With the sites of [`Backward::sites`](super::Backward::sites).
    pub run: &'a Run,

    /// From `first_pos` on, with [`Site::ResidMid`] and [`Site::ResidPost`] of every layer.
    pub gradients: &'a ActivationCache,
    pub first_pos: usize,
    pub output: HeldOutput,

    /// At least one.
    pub layers: Range<usize>,
}

/// What of a layer is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldOutput {
    Attn,
    Mlp,
}

impl Gpt2 {
    /// For each layer that is held but the last, from the last but one down: what of the gradient at
    /// its output, at each position, passes through the held outputs of later layers at the same
    /// position. `[batch, pos, d_model]` each
    ///
    /// # Panics
    ///
    /// If a site is missing: a bug in the caller.
    pub fn through_held(&self, held: &Held<'_>) -> Vec<Tensor<3>> {
        let last = held.layers.end - 1;
        let [n_rows, n_pos, _, d_model] = held.gradients.get(Site::ResidPost(last)).dims();
        let Held { run, first_pos, .. } = *held;
        let kept = Kept { cache: &run.cache, first_pos, n_pos, n_rows };
        let gradient =
            |site: Site| held.gradients.get(site).clone().reshape([n_rows, n_pos, d_model]);

        // What is to be taken off at the output of the layer above.
        let mut off = Tensor::zeros([n_rows, n_pos, d_model], &self.device());
        let mut found = Vec::new();
        for layer in held.layers.clone().rev() {
            if layer != last {
                off = match held.output {
                    HeldOutput::Mlp => off,
                    HeldOutput::Attn => self.through_mlp(layer, off, &kept),
                };
                found.push(off.clone());
            }
            if layer == held.layers.start {
                break;
            }
            off = match held.output {
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

    /// Gradient before a block's MLP from that after it.
    fn through_mlp(&self, layer: usize, d_resid: Tensor<3>, kept: &Kept<'_>) -> Tensor<3> {
        let block = &self.h[layer];
        let nothing = SiteSet::new();
        let d_normalized =
            block.mlp.backward(d_resid.clone(), layer, kept, &mut Found::new(&nothing));
        let through = block.ln_2.backward(kept.stream(Site::ResidMid(layer)), d_normalized);
        d_resid + through.d_input()
    }

    /// What of the gradient before a block comes from what attention adds at the same position.
    fn through_attention(&self, layer: usize, d_attn_out: Tensor<3>, kept: &Kept<'_>) -> Tensor<3> {
        let block = &self.h[layer];
        let d_normalized = block.attn.backward_in_place(d_attn_out, layer, kept);
        block.ln_1.backward(kept.stream(Site::ResidPre(layer)), d_normalized).d_input()
    }
}
