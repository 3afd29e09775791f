//! Computes the inside of a block again from what entered it, so that a run need not keep all layers at once.
//!
//! Attention weights grow with the square of a prompt, and are most of what a run could keep. What goes
//! through the layers one after the other keeps the residual stream before each, and has one layer's
//! activations at a time (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").

use std::borrow::Cow;

use super::tap::Tap;
use super::transformer::Pass;
use super::{ActivationCache, BatchRow, Donors, Request, Run, Transformer};
use crate::intervention::{Site, SiteSet};
use crate::task::Cancelled;

impl Transformer {
    /// [`Self::kept_bytes`], unless it is changed.
    pub const KEPT_BYTES: usize = 1 << 30;

    /// Runs the model as [`Self::run`] does, and keeps what it takes to go back through it: `sites`,
    /// beside those that the request names. If that is more than [`Self::kept_bytes`], it gives up what
    /// can be computed again.
    ///
    /// # Errors
    ///
    /// If `after_layer`, which is called after each block, returns an error.
    pub fn run_to_go_back(
        &self,
        request: &Request<'_>,
        sites: &SiteSet,
        after_layer: &mut dyn FnMut(usize) -> Result<(), Cancelled>,
    ) -> Result<Run, Cancelled> {
        let capture = request.capture | sites;
        let n_pos = request.rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let is_little =
            request.rows.len() * self.config.bytes_at(&capture, n_pos) <= self.kept_bytes;
        let last = Site::ResidPost(self.config.n_layers - 1);
        let stays = |site: Site| {
            is_little
                || site == last
                || matches!(site, Site::ResidPre(_))
                || request.capture.contains(&site)
        };
        let mut given_up = SiteSet::new();
        let request = Request { capture: &capture, ..*request };
        let run = self.run_by_layer(&request, &mut |layer, cache| {
            given_up.extend(cache.sites().filter(|site| !stays(*site)));
            cache.keep(stays);
            after_layer(layer)
        })?;
        Ok(Run { given_up, ..run })
    }

    /// A run's activations, in which those of a layer are complete.
    pub fn of_layer<'a>(&self, run: &'a Run, layer: usize) -> Cow<'a, ActivationCache> {
        let is_here = |site: &Site| site.layer() == Some(layer);
        if !run.given_up.iter().any(is_here) {
            return Cow::Borrowed(&run.cache);
        }
        // With all sites that the run passed through its tap there, so that the same steps give the same
        // numbers.
        let passed = run.given_up.iter().copied().chain(run.cache.sites());
        let sites = passed.filter(is_here).collect();
        Cow::Owned(self.layer_again(&run.cache, &run.lengths, layer, &sites))
    }

    /// The activations at some sites of a layer, in a run that changed no block and kept
    /// [`Site::ResidPre`] of the layer. They are the run's, bit for bit, if the run passed these sites
    /// through its tap too. `lengths` are how many positions of each row are no padding, `[batch]`.
    ///
    /// # Panics
    ///
    /// If the run did not keep what entered the layer, which is a bug in the caller.
    pub fn layer_again(
        &self,
        kept: &ActivationCache,
        lengths: &[usize],
        layer: usize,
        sites: &SiteSet,
    ) -> ActivationCache {
        let entered = kept.get(Site::ResidPre(layer)).clone();
        let [batch, n_pos, _, d_model] = entered.dims();
        let pass = Pass::new(self, [0, n_pos], lengths, None);
        let (donors, no_ids) = (Donors::new(), vec![0; n_pos]);
        let rows = vec![BatchRow::new(&no_ids, &[]); batch];
        let mut tap = Tap::new(&rows, &donors, sites, 0, (&self.additions, 0));
        self.h[layer].forward(entered.reshape([batch, n_pos, d_model]), layer, &pass, &mut tap);
        tap.into_cache()
    }
}
