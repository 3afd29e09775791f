//! Matrix products that add to what their output already holds.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Once;

use burn::tensor::Tensor;
use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::super::checkpoint::StoredMatrix;
use super::super::linear::Linear;
use super::super::matrix::Matrix;
use super::super::mlp::Mlp;
use super::rows::bend_rows;
use super::{Strided, View, change, rows_per_task, tensor};

/// How many tokens go through an MLP together: few enough that GPT-2-large's neurons stay in the
/// cache between the two products, and enough that the products run at full speed.
const TOKENS_PER_BLOCK: usize = 512;

/// `y = x W + b`. `[batch, pos, d_in]` to `[batch, pos, d_out]`
pub fn affine(x: &Tensor<3>, map: &Linear) -> Option<Tensor<3>> {
    let [batch, n_pos, d_in] = x.dims();
    let (x, map) = (View::of(x)?, Map::of(map)?);
    let out = map.of_rows(x.values(), d_in);
    Some(tensor(out, [batch, n_pos, map.d_out]))
}

/// `resid + x W + b`, written into `resid`. `[batch, pos, d_out]`, and `x` is `[batch, pos, d_in]`.
pub fn affine_onto(resid: Tensor<3>, x: &Tensor<3>, map: &Linear) -> Result<Tensor<3>, Tensor<3>> {
    let [_, _, d_in] = x.dims();
    let (Some(x), Some(map)) = (View::of(x), Map::of(map)) else { return Err(resid) };
    change(resid, |resid| map.onto(resid, x.values(), d_in))
}

/// `resid + f(x W_in + b_in) W_out + b_out`, written into `resid`; in a gated MLP what is bent is
/// multiplied by the factor's `x W + b`. Both `[batch, pos, d_model]`
pub fn mlp_onto(resid: Tensor<3>, x: &Tensor<3>, mlp: &Mlp) -> Result<Tensor<3>, Tensor<3>> {
    let [_, _, d_model] = x.dims();
    let Mlp { input, factor, output, nonlinearity, .. } = mlp;
    let (Some(input), Some(output), Some(x)) = (Map::of(input), Map::of(output), View::of(x))
    else {
        return Err(resid);
    };
    let factor = factor.as_ref().and_then(Map::of);
    change(resid, |resid| {
        let block = TOKENS_PER_BLOCK * d_model;
        for (resid, x) in resid.chunks_mut(block).zip(x.values().chunks(block)) {
            let mut neurons = input.of_rows(x, d_model);
            bend_rows(&mut neurons, input.d_out, *nonlinearity);
            if let Some(factor) = &factor {
                multiply(&mut neurons, &factor.of_rows(x, d_model), input.d_out);
            }
            output.onto(resid, &neurons, input.d_out);
        }
    })
}

/// A matrix's numbers where they lie.
enum Operand {
    Wide(Strided),
    Stored(StoredMatrix),
}

impl Operand {
    /// `None` if the matrix is on another device.
    fn of(matrix: &Matrix) -> Option<Self> {
        Some(match matrix {
            Matrix::Wide(tensor) => Self::Wide(Strided::of(tensor)?),
            Matrix::Stored(stored) => Self::Stored(stored.clone()),
        })
    }
}

/// A map's numbers where they lie.
struct Map {
    weight: Operand,
    bias: Option<View>,
    d_out: usize,
}

impl Map {
    /// `None` if the map is on another device.
    fn of(map: &Linear) -> Option<Self> {
        let bias = match &map.bias {
            Some(bias) => Some(View::of(bias)?),
            None => None,
        };
        Some(Self { weight: Operand::of(&map.weight)?, bias, d_out: map.weight.dims()[1] })
    }

    /// `x W + b`, row by row. `d_in` is the length of a row of `x`.
    fn of_rows(&self, x: &[f32], d_in: usize) -> Vec<f32> {
        let n_rows = x.len() / d_in;
        let mut out = match &self.bias {
            Some(bias) => {
                let mut out = Vec::with_capacity(n_rows * self.d_out);
                for _ in 0..n_rows {
                    out.extend_from_slice(bias.values());
                }
                out
            }
            None => vec![0.0; n_rows * self.d_out],
        };
        multiply_add(&mut out, x, d_in, &self.weight);
        out
    }

    /// Adds `x W + b` to rows.
    fn onto(&self, out: &mut [f32], x: &[f32], d_in: usize) {
        if let Some(bias) = &self.bias {
            add_bias(out, bias.values());
        }
        multiply_add(out, x, d_in, &self.weight);
    }
}

/// `x Wᵀ`: `[rows, d]` and `[n, d]` to `[rows, n]`
pub fn project(x: &Tensor<2>, weight: &Matrix) -> Option<Tensor<2>> {
    product_of(x, &weight.clone().transpose())
}

/// `x W`: `[rows, d]` and `[d, n]` to `[rows, n]`
pub fn product_of(x: &Tensor<2>, weight: &Matrix) -> Option<Tensor<2>> {
    let ([n_rows, d], [_, n_out]) = (x.dims(), weight.dims());
    let (x, weight) = (View::of(x)?, Operand::of(weight)?);
    let mut out = vec![0.0; n_rows * n_out];
    multiply_add(&mut out, x.values(), d, &weight);
    Some(tensor(out, [n_rows, n_out]))
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

/// Multiplies rows of length `d` by others, number by number.
fn multiply(rows: &mut [f32], by: &[f32], d: usize) {
    let n = rows_per_task(rows.len() / d) * d;
    rows.par_chunks_mut(n).zip(by.par_chunks(n)).for_each(|(rows, by)| {
        for (value, by) in rows.iter_mut().zip(by) {
            *value *= by;
        }
    });
}

/// `out += x W`, with `W` of shape `[d_in, d_out]`.
fn multiply_add(out: &mut [f32], x: &[f32], d_in: usize, weight: &Operand) {
    let n_rows = x.len() / d_in;
    let d_out = out.len().checked_div(n_rows).unwrap_or(0);
    let sizes = [n_rows, d_in, d_out];
    match weight {
        Operand::Wide(matrix) => product(out, d_out, x, matrix.values(), sizes, matrix.strides),
        Operand::Stored(matrix) => by_tiles(out, x, sizes, matrix),
    }
}

/// `out += x W`, where some columns of `W` are widened at a time. The numbers are those of the product
/// with all columns: no sum is cut.
fn by_tiles(out: &mut [f32], x: &[f32], [m, k, n]: [usize; 3], weight: &StoredMatrix) {
    /// How many numbers a tile has at most, unless it is as narrow as may be: few enough for the cache.
    const TILE: usize = 1 << 20;
    if m * k * n == 0 {
        return;
    }
    // A thread computes one product after the other, and pages that it has already are faster than new ones.
    let mut tile = SCRATCH.take();
    // Quantised numbers are widened in blocks of up to 256.
    let width = (TILE / k).max(NARROWEST).next_multiple_of(256);
    let mut start = 0;
    while start < n {
        let end = if start + width + NARROWEST > n { n } else { start + width };
        let part = weight.clone().narrow(1, start..end);
        if tile.len() < part.n_values() {
            tile.resize(part.n_values(), 0.0);
        }
        let values = &mut tile[..part.n_values()];
        part.widen_into(values);
        product(&mut out[start..], n, x, values, [m, k, end - start], part.strides());
        start = end;
    }
    SCRATCH.set(tile);
}

thread_local! {
    /// Room for the tile that a thread's products widen.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// `out += x W`, for a `W` in any memory layout.
///
/// # Shapes
///
/// - `out`: `[m, n]`, row by row, where rows begin `stride` numbers apart
/// - `x`: `[m, k]`, row by row
/// - `weight`: `[k, n]`, with these strides, neither of which may be negative
fn product(
    out: &mut [f32],
    stride: usize,
    x: &[f32],
    weight: &[f32],
    [m, k, n]: [usize; 3],
    strides: [isize; 2],
) {
    assert!(x.len() == m * k && n <= stride, "{m} × {k} × {n}");
    if m * k * n == 0 {
        return;
    }
    assert!((m - 1) * stride + n <= out.len(), "the output is shorter than its shape says");
    assert!(strides.iter().all(|stride| *stride >= 0), "a stride of the weights is negative");
    let last = (k - 1) * strides[0] as usize + (n - 1) * strides[1] as usize;
    assert!(last < weight.len(), "the weights are shorter than their shape and strides say");
    let columns = Columns { out: out.as_mut_ptr(), stride, x, weight, sizes: [m, k, n], strides };
    let n_threads = rayon::current_num_threads();
    // Each thread computes the same number of parts.
    let n_parts = (n / NARROWEST).min(2 * n_threads) / n_threads * n_threads;
    match n.checked_div(n_parts) {
        // A smaller product is finished before a second thread has started.
        _ if m * k * n < 1 << 20 => columns.multiply(0..n, Parallelism::None),
        None => columns.multiply(0..n, Parallelism::Rayon(0)),
        // With few rows, `gemm` by itself leaves threads without work.
        Some(width) => (0..n_parts).into_par_iter().for_each(|nth| {
            let width = width / LANES * LANES;
            let end = if nth + 1 == n_parts { n } else { (nth + 1) * width };
            columns.multiply(nth * width..end, Parallelism::None);
        }),
    }
}

/// How many numbers the widest registers hold.
const LANES: usize = 16;

/// The fewest columns that are a product of their own. A narrower one would be a product of another kind to
/// `gemm`, which sums in another order, so that the numbers depended on how many threads there are.
const NARROWEST: usize = 320;

/// A product of which columns are computed on several threads at once.
struct Columns<'a> {
    /// Rows begin `stride` numbers apart.
    out: *mut f32,
    stride: usize,
    x: &'a [f32],
    weight: &'a [f32],

    /// `[m, k, n]`
    sizes: [usize; 3],
    strides: [isize; 2],
}

#[expect(unsafe_code, reason = "threads write to one output through a pointer")]
// SAFETY: no two threads are given the same columns.
unsafe impl Sync for Columns<'_> {}

impl Columns<'_> {
    /// Adds to these columns of the output.
    fn multiply(&self, columns: Range<usize>, parallelism: Parallelism) {
        let Self { out, stride, x, weight, sizes: [m, k, _], strides } = *self;
        let weight = &weight[columns.start * strides[1] as usize..];
        LEAST_PACKED.call_once(|| {
            // Weights lie thousands of numbers apart from row to row. By its own measure `gemm` puts them
            // together only for more than 64 rows, and is two to three times as slow for 10 to 64.
            gemm::set_lhs_packing_threshold_single_thread(1);
            gemm::set_lhs_packing_threshold_multi_thread(1);
        });
        #[expect(unsafe_code, reason = "`gemm` takes pointers; `product` has checked the lengths")]
        // SAFETY: with these strides nothing outside of `x`, `weight` and the output's rows is read or
        // written; the output, borrowed mutably by `product`, overlaps neither, and no other thread has
        // these columns.
        unsafe {
            gemm(
                m,
                columns.len(),
                k,
                out.add(columns.start),
                1,
                stride as isize,
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
}

/// Whether `gemm` was told from how many rows on it puts weights together.
static LEAST_PACKED: Once = Once::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_depend_on_how_many_threads_there_are() {
        let number = |nth: usize| ((nth * 7919) % 1009) as f32 / 1009.0 - 0.5;
        for [m, k, n] in [[5, 576, 576], [40, 130, 700], [100, 64, 1933], [70, 1280, 1280]] {
            let x: Vec<f32> = (0..m * k).map(number).collect();
            let weight: Vec<f32> = (0..k * n).map(|nth| number(nth + 1)).collect();
            for strides in [[n as isize, 1], [1, k as isize]] {
                let on = |n_threads: usize| -> Vec<u32> {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
                    let mut out = vec![0.0; m * n];
                    pool.unwrap().install(|| product(&mut out, n, &x, &weight, [m, k, n], strides));
                    out.into_iter().map(f32::to_bits).collect()
                };
                let one = on(1);
                for n_threads in [2, 3, 4, 8] {
                    assert!(on(n_threads) == one, "{m} × {k} × {n}, {n_threads} threads");
                }
            }
        }
    }
}
