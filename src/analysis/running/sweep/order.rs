//! In which order conditions go through the model, so that a part of a map says something of all of
//! it.

use std::cmp::Reverse;

use super::branch::{Branch, first_difference};

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Every eighth layer at all positions, then those halfway between, and so on.
    CoarseToFine,

    /// Each position at once.
    ByPosition,
}

/// Layers begin to be filled in at this distance, a power of two.
const FIRST_STRIDE: usize = 8;

/// The fewest tokens that a position's first round should have: with fewer, a pass spends its time
/// reading the weights. Where there are not as many, the first round has more of the layers.
const TOKENS_PER_ROUND: usize = 384;

/// Puts branches in order, and says of each when its turn comes. `n_pos`: of the whole prompt.
///
/// Conditions that begin alike and part later, such as windows that are clipped at the first layer,
/// are one run until they part only if they have one turn. The first of them goes ahead, since all
/// of them are a fourth of a map's work, and they tell much the same. For that some layers are
/// computed twice: under one per cent.
pub(super) fn sort(branches: &mut [Branch], order: Order, n_pos: usize) {
    branches.sort_by_key(|it| (Reverse(it.pos), it.place, it.index));
    if order == Order::CoarseToFine {
        for alike in branches.chunk_by_mut(|a, b| a.pos == b.pos) {
            let n_rows = alike.iter().filter(|it| it.place.is_some()).count();
            let first_stride = first_stride(n_rows * (n_pos - alike[0].pos));
            for alike in alike.chunk_by_mut(|a, b| a.place == b.place) {
                let rounds: Vec<u32> =
                    (0..alike.len()).map(|nth| round_of(alike, nth, first_stride)).collect();
                for (branch, round) in alike.iter_mut().zip(rounds) {
                    branch.round = round;
                }
            }
        }
    }
    // Last positions first: they cost least, and show something soonest.
    branches.sort_by_key(|it| (it.round, Reverse(it.pos), it.place, it.index));
}

/// `alike`: branches that begin at the same place and position.
fn round_of(alike: &[Branch], nth: usize, first_stride: usize) -> u32 {
    let Branch { place, base, rest, .. } = &alike[nth];
    let Some(place) = place else { return 0 };
    let follows = |earlier: &Branch| {
        earlier.base == *base
            && first_difference(&earlier.rest, rest).is_some_and(|layer| layer > place.layer)
    };
    let layer = if alike[..nth].iter().any(follows) { FIRST_STRIDE / 4 } else { place.layer };
    round(layer, first_stride)
}

/// Of a position with so many tokens to compute in all.
fn first_stride(n_tokens: usize) -> usize {
    let mut stride = FIRST_STRIDE;
    while stride > 1 && n_tokens / stride < TOKENS_PER_ROUND {
        stride /= 2;
    }
    stride
}

/// 0 where the first stride comes by; what lies halfway between comes next.
fn round(layer: usize, first_stride: usize) -> u32 {
    if layer.is_multiple_of(first_stride) {
        return 0;
    }
    FIRST_STRIDE.trailing_zeros() - layer.trailing_zeros()
}
