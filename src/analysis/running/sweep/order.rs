//! The order in which conditions run, chosen so that a partial map shows the whole map coarsely.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::branch::{Branch, first_difference};

/// The order in which the cells of a map are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Every eighth layer at all positions, then the layers halfway between, and so on.
    CoarseToFine,

    /// Position after position, with all layers.
    ByPosition,
}

/// The distance of the layers of the first round, a power of two.
const FIRST_STRIDE: usize = 8;

/// The fewest tokens that a position's first round should have, because a pass with fewer spends
/// its time reading the weights. If a position has fewer tokens, its first round takes more of the
/// layers.
const TOKENS_PER_ROUND: usize = 384;

/// Sorts branches, and sets the round of each. `n_pos` is the length of the whole prompt.
///
/// Conditions that start alike and part later, such as windows that are clipped at the first layer,
/// can be one run until they part only if they run in the same round. The first of them still goes
/// ahead, because together they are a fourth of a map's work and give similar numbers. Some layers
/// are therefore computed twice, which costs less than one per cent.
pub(super) fn sort(branches: &mut [Branch], order: Order, n_pos: usize) {
    branches.sort_by_key(|it| (Reverse(it.pos), it.place, it.index));
    if order == Order::CoarseToFine {
        for alike in branches.chunk_by_mut(|a, b| a.pos == b.pos) {
            let n_rows = alike.iter().filter(|it| it.place.is_some()).count();
            let first_stride = first_stride(n_rows * (n_pos - alike[0].pos));
            for alike in alike.chunk_by_mut(|a, b| a.place == b.place) {
                let mut earlier: HashMap<usize, Vec<usize>> = HashMap::new();
                for nth in 0..alike.len() {
                    let same_base = earlier.entry(alike[nth].base).or_default();
                    alike[nth].round = round_of(alike, nth, same_base, first_stride);
                    same_base.push(nth);
                }
            }
        }
    }
    // The last positions run first, because they cost least and so show something soonest.
    branches.sort_by_key(|it| (it.round, Reverse(it.pos), it.place, it.index));
}

/// The round of one of the branches that start at the same place and position. `same_base`: those of them
/// before it that have its base.
fn round_of(alike: &[Branch], nth: usize, same_base: &[usize], first_stride: usize) -> u32 {
    let Branch { place, rest, .. } = &alike[nth];
    let Some(place) = place else { return 0 };
    let follows = |&earlier: &usize| {
        let parting = first_difference(&alike[earlier].rest, rest);
        parting.is_some_and(|layer| layer > place.layer)
    };
    let layer = if same_base.iter().any(follows) { FIRST_STRIDE / 4 } else { place.layer };
    round(layer, first_stride)
}

/// The distance of the first round's layers at a position with this many tokens to compute.
fn first_stride(n_tokens: usize) -> usize {
    let mut stride = FIRST_STRIDE;
    while stride > 1 && n_tokens / stride < TOKENS_PER_ROUND {
        stride /= 2;
    }
    stride
}

/// The round of a layer: 0 at multiples of the first stride, then 1 halfway between, and so on.
fn round(layer: usize, first_stride: usize) -> u32 {
    if layer.is_multiple_of(first_stride) {
        return 0;
    }
    FIRST_STRIDE.trailing_zeros() - layer.trailing_zeros()
}
