//! Runs the donors that conditions copy from: clean runs, other prompts, means over many, corrupted
//! runs.
//!
//! Each donor runs once, before the sweep.

use burn::tensor::{Tensor, TensorData};

use crate::analysis::error::at_least_one;
use crate::analysis::sweep::{Asked, batches, check_ids, row};
use crate::analysis::{AnalysisCtx, AnalysisError};
use crate::intervention::{Condition, SiteSet};
use crate::model::{ActivationCache, BatchRow, Donors, Request, Run, Transformer};
use crate::task::{Cancelled, Progress};

/// Runs several rows at once, and keeps `sites`.
pub(in crate::analysis) fn run(
    model: &Transformer,
    rows: &[BatchRow<'_>],
    sites: &SiteSet,
    n_read: usize,
    ctx: &AnalysisCtx<'_>,
) -> Result<Run, Cancelled> {
    let request = Request { rows, donors: &Donors::new(), capture: sites, past: None, n_read };
    model.run(&request, &mut |_| ctx.check_cancelled(model))
}

/// The clean run of a prompt, with the logits that predict the answer's tokens.
pub(in crate::analysis) fn clean(
    model: &Transformer,
    asked: &Asked,
    sites: &SiteSet,
    ctx: &AnalysisCtx<'_>,
) -> Result<Run, Cancelled> {
    run(model, &[row(asked, &Vec::new())], sites, asked.n_read, ctx)
}

/// The activations of a prompt under each condition.
pub(in crate::analysis) fn under(
    model: &Transformer,
    asked: &Asked,
    conditions: &[Condition],
    donors: &Donors,
    sites: &SiteSet,
    ctx: &AnalysisCtx<'_>,
) -> Result<Vec<ActivationCache>, Cancelled> {
    let mut caches = Vec::with_capacity(conditions.len());
    for batch in batches(conditions.len(), asked.ids.len(), model) {
        let rows: Vec<_> = conditions[batch].iter().map(|it| row(asked, it)).collect();
        let n_read = asked.n_read;
        let request = Request { rows: &rows, donors, capture: sites, past: None, n_read };
        let cache = model.run(&request, &mut |_| ctx.check_cancelled(model))?.cache;
        caches.extend((0..rows.len()).map(|nth| -> ActivationCache {
            sites.iter().map(|&site| (site, cache.get(site).clone().narrow(0, nth, 1))).collect()
        }));
    }
    Ok(caches)
}

/// The activations of another prompt's clean run.
pub(in crate::analysis) fn other(
    model: &Transformer,
    ids: &[u32],
    sites: &SiteSet,
    ctx: &AnalysisCtx<'_>,
) -> Result<ActivationCache, AnalysisError> {
    check_ids(model, ids, [].into_iter())?;
    Ok(run(model, &[BatchRow::new(ids, &[])], sites, 1, ctx)?.cache)
}

/// The most bytes of activations that are kept at once for a mean. All neurons of GPT-2-large take
/// 0.7 MB for each token.
const KEPT_BYTES: usize = 256 << 20;

/// The mean activations of many prompts, as the activations of a prompt with `n_pos` tokens.
///
/// Position 0 gets the mean over the prompts' first tokens, every other position the mean over all
/// their later tokens. First tokens are attention sinks whose activations are much larger (Xiao et
/// al. 2023), so one mean over all tokens would describe none of them.
pub(in crate::analysis) fn mean(
    model: &Transformer,
    prompts: &[Vec<u32>],
    n_pos: usize,
    sites: &SiteSet,
    ctx: &AnalysisCtx<'_>,
) -> Result<ActivationCache, AnalysisError> {
    let n_later: usize = prompts.iter().map(|ids| ids.len().saturating_sub(1)).sum();
    at_least_one("the number of prompts to take the mean of", prompts.len())?;
    if n_later == 0 && n_pos > 1 {
        return Err(AnalysisError::Zero { what: "the number of tokens after the prompts' first" });
    }
    for ids in prompts {
        at_least_one("the length of a prompt to take the mean of", ids.len())?;
        check_ids(model, ids, [].into_iter())?;
    }
    // Prompts of similar length go together, which saves padding.
    let mut order: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    order.sort_by_key(|ids| ids.len());

    let longest = order.last().map_or(1, |ids| ids.len());

    let n_rows = (KEPT_BYTES / model.config.bytes_at(sites, longest).max(1)).max(1);
    let pieces = batches(order.len(), longest, model)
        .flat_map(|batch| order[batch].chunks(n_rows).collect::<Vec<_>>());
    let mut progress = Progress { done: 0, total: order.len() as u64 };

    let mut sums: Vec<(Tensor<2>, [usize; 2])> = Vec::new();
    for piece in pieces {
        ctx.task.checkpoint(progress)?;
        progress.done += piece.len() as u64;
        let rows: Vec<_> = piece.iter().map(|ids| BatchRow::new(ids, &[])).collect();
        let cache = run(model, &rows, sites, 1, ctx)?.cache;
        for (nth, &site) in sites.iter().enumerate() {
            let activation = cache.get(site).clone();
            let [batch, len, n_heads, width] = activation.dims();
            let weights = class_weights(&rows, len, [prompts.len(), n_later]);
            let weights = TensorData::new(weights, [2, batch * len]);
            let weights = Tensor::<2>::from_data(weights, &activation.device());
            let sum = weights.matmul(activation.reshape([batch * len, n_heads * width]));
            match sums.get_mut(nth) {
                Some((there, _)) => *there = there.clone() + sum,
                None => sums.push((sum, [n_heads, width])),
            }
        }
    }
    let at_each_position = |(mean, [n_heads, width]): (Tensor<2>, [usize; 2])| {
        let class = |nth: usize, n: usize| {
            mean.clone()
                .narrow(0, nth, 1)
                .reshape([1, 1, n_heads, width])
                .expand([1, n, n_heads, width])
        };
        if n_pos == 1 {
            class(0, 1)
        } else {
            Tensor::cat(vec![class(0, 1), class(1, n_pos - 1)], 1)
        }
    };
    Ok(sites.iter().copied().zip(sums.into_iter().map(at_each_position)).collect())
}

/// The weight of each token in the mean of first tokens, and in that of later tokens.
/// `[class, row * pos]`
fn class_weights(rows: &[BatchRow<'_>], len: usize, [n_first, n_later]: [usize; 2]) -> Vec<f32> {
    let n = rows.len() * len;
    let mut weights = vec![0.0; 2 * n];
    for (nth, row) in rows.iter().enumerate() {
        weights[nth * len] = 1.0 / n_first as f32;
        weights[n + nth * len + 1..n + nth * len + row.ids.len()].fill(1.0 / n_later as f32);
    }
    weights
}
