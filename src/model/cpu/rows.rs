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

/// What other rows are compared with.
pub struct Beside<'a> {
    /// Log-probabilities. `[1, d_vocab]`
    pub log_probs: &'a Tensor<2>,

    /// Every how many rows one is compared.
    pub step: usize,
}

/// Of each row: the token's logit, the logarithm of the sum of exponentials, how many logits are
/// larger, and for the rows that are compared the divergence of their distribution from the other.
/// `logits`: `[rows, d_vocab]`
pub fn read_logits(
    logits: &Tensor<2>,
    tokens: &[u32],
    beside: Option<&Beside<'_>>,
) -> Option<Vec<[f32; 4]>> {
    let [_, d_vocab] = logits.dims();
    let logits = View::of(logits)?;
    let beside = match beside {
        Some(beside) => Some((View::of(beside.log_probs)?, beside.step)),
        None => None,
    };
    let rows = logits.values().par_chunks_exact(d_vocab).zip(tokens).enumerate();
    Some(
        rows.map(|(nth, (row, token))| {
            let compared = beside.as_ref().filter(|(_, step)| nth.is_multiple_of(*step));
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
