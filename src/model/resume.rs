//! Runs that begin where they first differ from another.
//!
//! In a causal model an intervention at layer *l* and position *t* changes only layers from *l* on
//! and positions from *t* on. All else equals a *base run*, so it is read from there: the residual
//! stream entering layer *l*, and the keys and values of positions before *t*. Rows that begin at
//! different layers join the batch on its way down.

use burn::tensor::Tensor;

use super::gpt2::{Pass, Past, hidden_keys, int_tensor};
use super::run::Row;
use super::tap::Tap;
use super::{ActivationCache, Donors, Gpt2};
use crate::intervention::{Site, SiteSet};
use crate::task::Cancelled;

/// One forward pass from where its rows differ from their base.
pub struct Resume<'a> {
    /// In the order of the layers they begin at. All of the base's length.
    pub rows: &'a [Row<'a>],

    /// Where each row begins: what it shares, and what it changes.
    pub starts: &'a [Start],

    /// A run of the same tokens, with the sites of [`Resume::sites`].
    pub base: &'a ActivationCache,

    /// The first position that is computed.
    pub first_pos: usize,

    /// What conditions may copy from.
    pub donors: &'a Donors,

    /// Of how many positions, at the end of each row, the logits are wanted.
    pub n_read: usize,
}

/// Where a row leaves its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The row of the base run that it equals so far.
    pub base_row: usize,

    /// The first layer that is computed.
    pub layer: usize,
}

impl Resume<'_> {
    /// What a base run must keep.
    pub fn sites(n_layers: usize) -> SiteSet {
        (0..n_layers)
            .flat_map(|layer| [Site::ResidPre(layer), Site::K(layer), Site::V(layer)])
            .collect()
    }
}

impl Gpt2 {
    /// Logits at the last `n_read` positions of each row. `[batch, n_read, d_vocab]`
    ///
    /// # Errors
    ///
    /// When `after_layer`, called with the layer and the number of rows in it, says so.
    ///
    /// # Panics
    ///
    /// If the rows are not in order, or a condition reaches before `first_pos` or a row's layer:
    /// bugs in the caller.
    pub fn resume(
        &self,
        request: &Resume<'_>,
        after_layer: &mut dyn FnMut(usize, usize) -> Result<(), Cancelled>,
    ) -> Result<Tensor<3>, Cancelled> {
        let Resume { rows, starts, base, first_pos, .. } = *request;
        let device = self.device();
        let (n_layers, d_model) = (self.config.n_layers, self.config.d_model);
        let [_, n_all, _, _] = base.get(Site::ResidPre(0)).dims();
        let n_pos = n_all - first_pos;
        assert!(starts.is_sorted_by_key(|start| start.layer), "rows must be in order");
        assert!(starts.len() == rows.len() && rows.iter().all(|row| row.ids.len() == n_all));
        assert!(n_pos >= request.n_read, "what is read must be computed");

        let hidden = hidden_keys(&[n_all], first_pos, n_pos, &device);
        let nothing = SiteSet::new();
        let mut tap = Tap::new(rows, request.donors, &nothing, first_pos);
        let mut resid: Option<Tensor<3>> = None;
        for layer in starts[0].layer..n_layers {
            let before = resid.as_ref().map_or(0, |x| x.dims()[0]);
            let n_rows = starts.partition_point(|start| start.layer <= layer);
            let base_rows = |starts: &[Start]| {
                int_tensor(starts.iter().map(|it| it.base_row as i32).collect(), &device)
            };
            if n_rows > before {
                let entering = base
                    .get(Site::ResidPre(layer))
                    .clone()
                    .narrow(1, first_pos, n_pos)
                    .select(0, base_rows(&starts[before..n_rows]))
                    .reshape([n_rows - before, n_pos, d_model]);
                resid = Some(match resid.take() {
                    Some(there) => Tensor::cat(vec![there, entering], 0),
                    None => entering,
                });
            }
            let Some(x) = resid.take() else { unreachable!("the first row begins here") };
            tap.set_rows(&rows[..n_rows]);
            let past = (first_pos > 0)
                .then(|| Past { cache: base, rows: Some(base_rows(&starts[..n_rows])) });
            let pass = Pass { past, hidden: hidden.clone(), n_past: first_pos };
            resid = Some(self.h[layer].forward(x, layer, &pass, &mut tap));
            after_layer(layer, n_rows)?;
        }

        let resid = resid.expect("there is at least one layer");
        let [batch, _, _] = resid.dims();
        let (normalized, n_read) = (self.normalize(resid, &mut tap), request.n_read);
        let read = normalized.narrow(1, n_pos - n_read, n_read).reshape([batch * n_read, d_model]);
        Ok(self.project(&read).reshape([batch, n_read, self.config.d_vocab]))
    }
}
