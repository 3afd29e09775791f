//! Computations on each token alone: norms, activation functions, and reading logits.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::super::Nonlinearity;
use super::super::norm::{Norm, NormKind};
use super::vector::{erf, exp, max, sum, sum2, vectorized};
use super::{View, change, rows_per_task, tensor};

/// A norm in one pass. `[…, width]`
pub fn normalize<const D: usize>(x: &Tensor<D>, norm: &Norm) -> Option<Tensor<D>> {
    if matches!(norm.kind, NormKind::Absent) {
        return Some(x.clone());
    }
    let shape = x.dims();
    let d = shape[D - 1];
    let (x, gain) = (View::of(x)?, View::of(&norm.gain)?);
    let (x, gain) = (x.values(), gain.values());
    let epsilon = norm.epsilon as f32;
    let mut out = vec![0.0; x.len()];
    let per_task = rows_per_task(x.len() / d) * d;
    let tasks = out.par_chunks_mut(per_task).zip(x.par_chunks(per_task));
    match &norm.kind {
        NormKind::Layer { bias } => {
            let bias = View::of(bias)?;
            let bias = bias.values();
            tasks.for_each(|(out, x)| {
                vectorized(|| {
                    for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                        let mean = sum(x, |x| x) / d as f32;
                        let variance = sum(x, |x| (x - mean) * (x - mean)) / d as f32;
                        let factor = 1.0 / (variance + epsilon).sqrt();
                        for nth in 0..d {
                            out[nth] = (x[nth] - mean) * factor * gain[nth] + bias[nth];
                        }
                    }
                });
            });
        }
        NormKind::Rms | NormKind::Absent => tasks.for_each(|(out, x)| {
            vectorized(|| {
                for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                    let factor = 1.0 / (sum(x, |x| x * x) / d as f32 + epsilon).sqrt();
                    for nth in 0..d {
                        out[nth] = x[nth] * factor * gain[nth];
                    }
                }
            });
        }),
    }
    Some(tensor(out, shape))
}

/// The values of an activation function, written into its input.
pub fn bend(x: Tensor<3>, nonlinearity: Nonlinearity) -> Result<Tensor<3>, Tensor<3>> {
    let [_, _, d] = x.dims();
    change(x, |x| bend_rows(x, d, nonlinearity))
}

/// Bends rows of length `d`.
pub(super) fn bend_rows(x: &mut [f32], d: usize, nonlinearity: Nonlinearity) {
    const SQRT_2_OVER_PI: f32 = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
    match nonlinearity {
        // As `x · sigmoid(2u)`, which equals `0.5 x (1 + tanh u)`.
        Nonlinearity::GeluNew => each(x, d, |x| {
            let cubic = x * x * (2.0 * SQRT_2_OVER_PI * 0.044_715) + 2.0 * SQRT_2_OVER_PI;
            x / (1.0 + exp(-x * cubic))
        }),
        Nonlinearity::Gelu => {
            each(x, d, |x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)));
        }
        Nonlinearity::Silu => each(x, d, |x| x / (1.0 + exp(-x))),
        Nonlinearity::Relu => each(x, d, |x| if x < 0.0 { 0.0 } else { x }),
    }
}

/// Replaces each number by its image, on all cores.
fn each(x: &mut [f32], d: usize, image: impl Fn(f32) -> f32 + Sync) {
    x.par_chunks_mut(rows_per_task(x.len() / d) * d).for_each(|x| {
        vectorized(|| {
            for x in x {
                *x = image(*x);
            }
        });
    });
}

/// The distribution that rows are compared with.
pub struct Compared<'a> {
    /// Its log-probabilities. `[1, d_vocab]`
    pub log_probs: &'a Tensor<2>,

    /// Only every `step`-th row is compared.
    pub step: usize,
}

/// Four numbers of each row: the logit of the row's token, the logarithm of the sum of the
/// exponentials of all logits, how many logits are larger than the token's, and, in rows that are
/// compared, the divergence from the other distribution, else 0. `logits` is `[rows, d_vocab]`.
pub fn read_logits(
    logits: &Tensor<2>,
    tokens: &[u32],
    compared: Option<&Compared<'_>>,
) -> Option<Vec<[f32; 4]>> {
    let [_, d_vocab] = logits.dims();
    let logits = View::of(logits)?;
    let compared = match compared {
        Some(it) => Some((View::of(it.log_probs)?, it.step)),
        None => None,
    };
    let rows = logits.values().par_chunks_exact(d_vocab).zip(tokens).enumerate();
    Some(
        rows.map(|(nth, (row, token))| {
            let compared = compared.as_ref().filter(|(_, step)| nth.is_multiple_of(*step));
            vectorized(|| {
                let logit = row[*token as usize];
                let max = max(row);
                let log_sum = sum(row, |x| exp(x - max)).ln() + max;
                let n_larger = sum2(row, row, |x, _| if x > logit { 1.0 } else { 0.0 });
                let divergence = match compared {
                    Some((other, _)) => {
                        sum2(row, other.values(), |x, other| exp(other) * (other - (x - log_sum)))
                    }
                    None => 0.0,
                };
                [logit, log_sum, n_larger, divergence]
            })
        })
        .collect(),
    )
}

/// A token's logit in every `step`-th row. `logits` is `[rows, d_vocab]`.
///
/// # Panics
///
/// If the logits are not on the CPU.
pub fn column(logits: &Tensor<2>, token: usize, step: usize) -> Vec<f32> {
    let [_, d_vocab] = logits.dims();
    let logits = View::of(logits).expect("`read_logits` has read the same logits");
    logits.values().chunks_exact(step * d_vocab).map(|rows| rows[token]).collect()
}
