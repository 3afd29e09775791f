//! Matrix products that add to what their output already holds.

use burn::tensor::Tensor;
use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::super::Nonlinearity;
use super::rows::bend_rows;
use super::{Matrix, View, change, rows_per_task, tensor};

/// How many tokens go through an MLP together: few enough that GPT-2-large's neurons stay in the
/// cache between the two products, and enough that the products run at full speed.
const TOKENS_PER_BLOCK: usize = 512;

/// `y = x W + b`. `[batch, pos, d_in]` to `[batch, pos, d_out]`
pub fn affine(x: &Tensor<3>, weight: &Tensor<2>, bias: &Tensor<1>) -> Option<Tensor<3>> {
    let [batch, n_pos, d_in] = x.dims();
    let (x, weight, bias) = (View::of(x)?, Matrix::of(weight)?, View::of(bias)?);
    let out = times(x.values(), d_in, &weight, bias.values());
    Some(tensor(out, [batch, n_pos, bias.values().len()]))
}

/// `resid + x W + b`, written into `resid`. `[batch, pos, d_out]`, and `x` is `[batch, pos, d_in]`.
pub fn affine_onto(
    resid: Tensor<3>,
    x: &Tensor<3>,
    weight: &Tensor<2>,
    bias: &Tensor<1>,
) -> Result<Tensor<3>, Tensor<3>> {
    let [_, _, d_in] = x.dims();
    let views = (View::of(x), Matrix::of(weight), View::of(bias));
    let (Some(x), Some(weight), Some(bias)) = views else { return Err(resid) };
    change(resid, |resid| {
        add_bias(resid, bias.values());
        multiply_add(resid, x.values(), d_in, &weight);
    })
}

/// `resid + f(x W_in + b_in) W_out + b_out`, written into `resid`. Both `[batch, pos, d_model]`
pub fn mlp_onto(
    resid: Tensor<3>,
    x: &Tensor<3>,
    weights: [&Tensor<2>; 2],
    biases: [&Tensor<1>; 2],
    nonlinearity: Nonlinearity,
) -> Result<Tensor<3>, Tensor<3>> {
    let [_, _, d_model] = x.dims();
    let ([Some(w_in), Some(w_out)], [Some(b_in), Some(b_out)], Some(x)) =
        (weights.map(Matrix::of), biases.map(View::of), View::of(x))
    else {
        return Err(resid);
    };
    let d_mlp = b_in.values().len();
    change(resid, |resid| {
        let block = TOKENS_PER_BLOCK * d_model;
        for (resid, x) in resid.chunks_mut(block).zip(x.values().chunks(block)) {
            let mut neurons = times(x, d_model, &w_in, b_in.values());
            bend_rows(&mut neurons, d_mlp, nonlinearity);
            add_bias(resid, b_out.values());
            multiply_add(resid, &neurons, d_mlp, &w_out);
        }
    })
}

/// `x Wᵀ`: `[rows, d]` and `[n, d]` to `[rows, n]`
pub fn project(x: &Tensor<2>, weight: &Tensor<2>) -> Option<Tensor<2>> {
    let ([n_rows, d], [n_out, _]) = (x.dims(), weight.dims());
    let (x, weight) = (View::of(x)?, Matrix::of(weight)?);
    let mut out = vec![0.0; n_rows * n_out];
    let [row, column] = weight.strides;
    product(&mut out, x.values(), weight.values(), [n_rows, d, n_out], [column, row]);
    Some(tensor(out, [n_rows, n_out]))
}

/// `x W + b`, row by row. `d_in` is the length of a row of `x`.
fn times(x: &[f32], d_in: usize, weight: &Matrix, bias: &[f32]) -> Vec<f32> {
    let n_rows = x.len() / d_in;
    let mut out = Vec::with_capacity(n_rows * bias.len());
    for _ in 0..n_rows {
        out.extend_from_slice(bias);
    }
    multiply_add(&mut out, x, d_in, weight);
    out
}

fn add_bias(rows: &mut [f32], bias: &[f32]) {
    let d = bias.len();
    rows.par_chunks_mut(rows_per_task(rows.len() / d) * d).for_each(|rows| {
        for row in rows.chunks_exact_mut(d) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += bias;
            }
        }
    });
}

/// `out += x W`, with `W` of shape `[d_in, d_out]`.
fn multiply_add(out: &mut [f32], x: &[f32], d_in: usize, weight: &Matrix) {
    let n_rows = x.len() / d_in;
    let sizes = [n_rows, d_in, out.len().checked_div(n_rows).unwrap_or(0)];
    product(out, x, weight.values(), sizes, weight.strides);
}

/// `out += x W`, for a `W` in any memory layout.
///
/// # Shapes
///
/// - `out`: `[m, n]`, row by row
/// - `x`: `[m, k]`, row by row
/// - `weight`: `[k, n]`, with these strides, neither of which may be negative
fn product(out: &mut [f32], x: &[f32], weight: &[f32], [m, k, n]: [usize; 3], strides: [isize; 2]) {
    assert!(out.len() == m * n && x.len() == m * k, "{m} × {k} × {n}");
    if m * k * n == 0 {
        return;
    }
    assert!(strides.iter().all(|stride| *stride >= 0), "a stride of the weights is negative");
    let last = (k - 1) * strides[0] as usize + (n - 1) * strides[1] as usize;
    assert!(last < weight.len(), "the weights are shorter than their shape and strides say");
    // A smaller product is finished before a second thread has started.
    let parallelism = if m * k * n < 1 << 20 { Parallelism::None } else { Parallelism::Rayon(0) };
    #[expect(unsafe_code, reason = "`gemm` takes pointers; the lengths are checked above")]
    // SAFETY: with these strides nothing outside the three slices is read or written, and `out`,
    // borrowed mutably, overlaps neither.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            true,
            x.as_ptr(),
            1,
            k as isize,
            weight.as_ptr(),
            strides[1],
            strides[0],
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}
