//! What is done to each token on its own.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::super::layers::LayerNorm;
use super::vector::{exp, max, sum, sum2, vectorized};
use super::{View, change, rows_per_task, tensor};

/// What layer norm gives, in one pass. `[batch, pos, d_model]`
pub fn layer_norm<const D: usize>(x: &Tensor<D>, norm: &LayerNorm) -> Option<Tensor<D>> {
    let shape = x.dims();
    let d = shape[D - 1];
    let (x, gain, bias) = (View::of(x)?, View::of(&norm.gain)?, View::of(&norm.bias)?);
    let (x, gain, bias) = (x.values(), gain.values(), bias.values());
    let epsilon = norm.epsilon as f32;
    let mut out = vec![0.0; x.len()];
    let per_task = rows_per_task(x.len() / d) * d;
    out.par_chunks_mut(per_task).zip(x.par_chunks(per_task)).for_each(|(out, x)| {
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
    Some(tensor(out, shape))
}

/// GPT-2's GELU, into its input.
pub fn gelu_new(x: Tensor<3>) -> Result<Tensor<3>, Tensor<3>> {
    let [_, _, d] = x.dims();
    change(x, |x| gelu_rows(x, d))
}

/// `0.5 x (1 + tanh u)` is `x · sigmoid(2u)`.
pub(super) fn gelu_rows(x: &mut [f32], d: usize) {
    const SQRT_2_OVER_PI: f32 = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
    x.par_chunks_mut(rows_per_task(x.len() / d) * d).for_each(|x| {
        vectorized(|| {
            for x in x {
                let cubic = *x * *x * (2.0 * SQRT_2_OVER_PI * 0.044_715) + 2.0 * SQRT_2_OVER_PI;
                *x /= 1.0 + exp(-*x * cubic);
            }
        });
    });
}

/// Of each row: the token's logit, the logarithm of the sum of exponentials, and how many logits
/// are larger. `logits`: `[rows, d_vocab]`
pub fn read_logits(logits: &Tensor<2>, tokens: &[u32]) -> Option<Vec<[f32; 3]>> {
    let [_, d_vocab] = logits.dims();
    let logits = View::of(logits)?;
    let rows = logits.values().par_chunks_exact(d_vocab).zip(tokens);
    Some(
        rows.map(|(row, token)| {
            vectorized(|| {
                let logit = row[*token as usize];
                let max = max(row);
                let log_sum = sum(row, |x| exp(x - max)).ln() + max;
                let n_larger = sum2(row, row, |x, _| if x > logit { 1.0 } else { 0.0 });
                [logit, log_sum, n_larger]
            })
        })
        .collect(),
    )
}

/// One logit of every `step`-th row. `logits`: `[rows, d_vocab]`
///
/// # Panics
///
/// If the logits are not on the CPU.
pub fn column(logits: &Tensor<2>, token: usize, step: usize) -> Vec<f32> {
    let [_, d_vocab] = logits.dims();
    let logits = View::of(logits).expect("the logits were read here before");
    logits.values().chunks_exact(step * d_vocab).map(|rows| rows[token]).collect()
}
