//! The direct effect of a change in one component on another, with all attention held at its clean
//! values.
//!
//! Held attention moves nothing from one position to another, so a change stays at its position and
//! only MLPs react to it. The change is added to the clean residual stream and passed through the
//! MLPs between the two components. The result is exactly that of a pass in which every head is
//! overwritten with its clean output, but needs no attention.

use std::ops::Range;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::indices::indices;
use super::tap::Tap;
use super::{ActivationCache, Donors, Sender, Transformer, Wiring};
use crate::intervention::{Site, SiteSet};
use crate::task::Cancelled;

/// The direct paths to compute, from changed components to those that read them.
pub struct DirectPaths<'a> {
    /// The clean run of one row, with the sites of [`DirectPaths::sites`].
    pub clean: &'a ActivationCache,

    /// What the senders write instead, at [`Site::Embed`], [`Site::Z`] or [`Site::MlpOut`]. It has
    /// the shape of `clean` and equals it where nothing is changed.
    pub changed: &'a ActivationCache,

    /// The components that are changed, one at a time, in the order in which they write.
    pub senders: &'a [Sender],

    /// Whether the MLPs between a sender and a receiver react to the change.
    pub between: Between,

    /// The receivers' sites, which are computed with the change: [`Site::Q`], [`Site::K`],
    /// [`Site::V`], the MLP's input [`Site::Ln2Normalized`], or the last layer's
    /// [`Site::ResidPost`].
    pub receivers: &'a SiteSet,

    /// The positions that are computed.
    pub positions: Range<usize>,
}

/// What the MLPs between a sender and a receiver do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Between {
    /// They react, as in Wang et al. 2022.
    #[default]
    Recomputed,

    /// They keep their clean outputs.
    Frozen,
}

impl DirectPaths<'_> {
    /// The sites that the clean run must keep.
    pub fn sites(n_layers: usize) -> SiteSet {
        let in_block = |layer| {
            [
                Site::ResidPre(layer),
                Site::Z(layer),
                Site::AttnMapped(layer),
                Site::ResidMid(layer),
                Site::MlpOut(layer),
                Site::ResidPost(layer),
            ]
        };
        (0..n_layers).flat_map(in_block).chain([Site::Embed]).collect()
    }
}

impl Transformer {
    /// The activation at each receiver's site, with one row for each sender that reaches it, in
    /// order. `[sender, pos, head, width]`
    ///
    /// # Errors
    ///
    /// If `after_layer`, which is called after each block with the number of rows in it, returns an
    /// error.
    ///
    /// # Panics
    ///
    /// If the senders are out of order or a run lacks a site, which are bugs in the caller.
    pub fn direct_paths(
        &self,
        request: &DirectPaths<'_>,
        after_layer: &mut dyn FnMut(usize) -> Result<(), Cancelled>,
    ) -> Result<ActivationCache, Cancelled> {
        let DirectPaths { clean, changed, senders, between, receivers, .. } = *request;
        assert!(senders.is_sorted_by_key(|it| it.order()), "senders must be in order");
        let positions = &request.positions;
        let n_pos = positions.len();
        // [1, pos, d_model]
        let stream = |cache: &ActivationCache, site: Site| {
            let activation = cache.get(site).clone();
            let [_, _, _, width] = activation.dims();
            activation.narrow(1, positions.start, n_pos).reshape([1, n_pos, width])
        };
        let change = |site: Site| stream(changed, site) - stream(clean, site);
        let of_heads = |layer: usize, heads: &[usize]| {
            let site = Site::Z(layer);
            let [_, _, n_heads, d_head] = clean.get(site).dims();
            let here = |cache: &ActivationCache| {
                let z = cache.get(site).clone().narrow(1, positions.start, n_pos);
                z.reshape([n_pos, n_heads, d_head])
            };
            let results = self.head_results(layer, here(changed) - here(clean));
            let results = results.select(0, indices(heads, &self.device()));
            match &self.h[layer].attn.after {
                Some(norm) => {
                    let mapped = stream(clean, Site::AttnMapped(layer));
                    norm.normalize(mapped.clone() + results) - norm.normalize(mapped)
                }
                None => results,
            }
        };

        let (no_sites, no_donors) = (SiteSet::new(), Donors::new());
        let mut tap = Tap::new(&[], &no_donors, &no_sites, 0, (&self.additions, positions.start));
        let mut found = ActivationCache::default();
        // How each sender's change has changed the residual stream so far. [sender, pos, d_model]
        let mut deltas: Option<Tensor<3>> = None;
        if senders.contains(&Sender::Embed) {
            join(&mut deltas, change(Site::Embed));
        }
        for (layer, block) in self.h.iter().enumerate() {
            if let Some(deltas) = &deltas {
                let attn = &block.attn;
                let inputs = attn.inputs(layer).into_iter();
                for (site, map, n_heads) in inputs.filter(|(site, ..)| receivers.contains(site)) {
                    let resid = stream(clean, Site::ResidPre(layer)) + deltas.clone();
                    let read = map.forward(block.ln_1.normalize(resid));
                    let [n_rows, _, width] = read.dims();
                    let shape = [n_rows, n_pos, n_heads, width / n_heads];
                    found.insert(site, read.reshape(shape));
                }
            }
            let reads_beside = block.wiring == Wiring::Parallel;
            let mut react = |deltas: Option<Tensor<3>>| {
                let deltas = deltas?;
                let resid = stream(clean, self.config.mlp_reads(layer)) + deltas.clone();
                let normalized = block.ln_2.normalize(resid.clone());
                if receivers.contains(&Site::Ln2Normalized(layer)) {
                    let [n_rows, _, d_model] = normalized.dims();
                    let read = normalized.clone().reshape([n_rows, n_pos, 1, d_model]);
                    found.insert(Site::Ln2Normalized(layer), read);
                }
                if between == Between::Frozen {
                    return Some(deltas);
                }
                let resid = block.mlp.onto(resid, normalized, layer, &mut tap);
                Some(if reads_beside {
                    let mlp_out = stream(clean, Site::MlpOut(layer));
                    resid - stream(clean, Site::ResidPre(layer)) - mlp_out
                } else {
                    resid - stream(clean, Site::ResidPost(layer))
                })
            };
            if reads_beside {
                deltas = react(deltas);
            }
            let here = senders.iter().filter_map(|it| match it {
                Sender::Head { layer: its, head } if *its == layer => Some(*head),
                _ => None,
            });
            let heads: Vec<usize> = here.collect();
            if !heads.is_empty() {
                join(&mut deltas, of_heads(layer, &heads));
            }
            if !reads_beside {
                deltas = react(deltas);
            }
            if senders.contains(&Sender::Mlp { layer }) {
                join(&mut deltas, change(Site::MlpOut(layer)));
            }
            if let Some(deltas) = &deltas
                && receivers.contains(&Site::ResidPost(layer))
            {
                let resid = stream(clean, Site::ResidPost(layer)) + deltas.clone();
                let [n_rows, _, d_model] = resid.dims();
                found.insert(Site::ResidPost(layer), resid.reshape([n_rows, n_pos, 1, d_model]));
            }
            if receivers.iter().all(|it| it.layer() <= Some(layer)) {
                break;
            }
            after_layer(deltas.as_ref().map_or(0, |it| it.dims()[0]))?;
        }
        Ok(found)
    }
}

/// Puts the changes by another sender below those that are there. `[sender, pos, d_model]`
fn join(deltas: &mut Option<Tensor<3>>, new: Tensor<3>) {
    *deltas = Some(match deltas.take() {
        Some(there) => Tensor::cat(vec![there, new], 0),
        None => new,
    });
}
