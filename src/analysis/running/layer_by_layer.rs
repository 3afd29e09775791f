//! Reads a plain run layer by layer, so that it never keeps more than one layer's activations.

use crate::analysis::Lab;
use crate::intervention::SiteSet;
use crate::model::{ActivationCache, BatchRow, Donors, Request};
use crate::task::Cancelled;

/// Runs a prompt, and calls `read` with each layer and the activations at those of the sites that have
/// come since the layer before, which are given up then.
pub(in crate::analysis) fn each_layer(
    &Lab { model, ctx, .. }: &Lab<'_>,
    ids: &[u32],
    sites: &SiteSet,
    read: &mut dyn FnMut(usize, &ActivationCache),
) -> Result<(), Cancelled> {
    let request = Request {
        rows: &[BatchRow::new(ids, &[])],
        donors: &Donors::new(),
        capture: sites,
        past: None,
        n_read: 1,
    };
    model.run_by_layer(&request, &mut |layer, cache| {
        read(layer, cache);
        cache.keep(|_| false);
        ctx.check_cancelled(model)
    })?;
    Ok(())
}
