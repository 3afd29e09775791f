//! The vocabulary matrix, in shards that fit a device's binding limit.
//!
//! GPT-2-large's matrix has 257 MB, and some adapters bind at most 128 MiB at once. Slices of one
//! large tensor would not help, because the buffer behind them stays large, so each shard is a
//! tensor.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::checkpoint::StoredMatrix;
use super::cpu::{self, View};
use super::device::ComputeDevice;
use super::indices::int_tensor;
use super::matrix::Matrix;

/// A matrix with a row for each token, split by rows. `[d_vocab, d_model]`
#[derive(Clone, Debug)]
pub(super) struct Vocabulary {
    shards: Vec<Shard>,

    /// The mean of all rows. `[d_model]`
    mean: Arc<OnceLock<Tensor<1>>>,
}

#[derive(Clone, Debug)]
struct Shard {
    tokens: Range<usize>,

    /// `[tokens, d_model]`
    weight: Matrix,
}

impl Vocabulary {
    /// `data`: `[d_vocab, d_model]`
    pub fn new(data: TensorData, d_model: usize, device: &ComputeDevice) -> Self {
        let ComputeDevice { max_binding_bytes: max_bytes, burn: device, .. } = device;
        let mean = OnceLock::new();
        // On a GPU the mean is computed now, from the numbers in main memory.
        if View::of(&Tensor::<1>::zeros([1], device)).is_none() {
            let values = data.as_slice::<f32>().expect("the vocabulary is f32");
            let row = TensorData::new(mean_row(values, d_model), [d_model]);
            mean.get_or_init(|| Tensor::from_data(row, device));
        }
        let d_vocab = data.num_elements() / d_model;
        let row_bytes = (d_model * size_of::<f32>()) as u64;
        let rows = max_bytes.map_or(d_vocab, |max| ((max / row_bytes) as usize).clamp(1, d_vocab));
        let shards = if rows >= d_vocab {
            // The usual case needs no copy.
            vec![Shard { tokens: 0..d_vocab, weight: Tensor::from_data(data, device).into() }]
        } else {
            let starts = (0..d_vocab).step_by(rows);
            let values = data.as_slice::<f32>().expect("the vocabulary is f32");
            values
                .chunks(rows * d_model)
                .zip(starts)
                .map(|(chunk, start)| {
                    let n_rows = chunk.len() / d_model;
                    let data = TensorData::new(chunk.to_vec(), [n_rows, d_model]);
                    let weight = Tensor::from_data(data, device);
                    Shard { tokens: start..start + n_rows, weight: weight.into() }
                })
                .collect()
        };
        Self { shards, mean: Arc::new(mean) }
    }

    /// A vocabulary that stays as its file has it. `[d_vocab, d_model]`
    pub fn stored(matrix: StoredMatrix) -> Self {
        let shard = Shard { tokens: 0..matrix.dims()[0], weight: Matrix::Stored(matrix) };
        Self { shards: vec![shard], mean: Arc::default() }
    }

    /// The mean of all rows, summed in double precision. On the CPU it is computed when it is first
    /// asked for, so that opening a mapped file reads none of it. `[d_model]`
    pub fn mean(&self) -> Tensor<1> {
        let mean = self.mean.get_or_init(|| {
            let [shard] = self.shards.as_slice() else {
                unreachable!("only a GPU has a vocabulary in several shards");
            };
            let [n_rows, d_model] = shard.weight.dims();
            let mean = match &shard.weight {
                Matrix::Wide(tensor) => {
                    let view = View::of(tensor).expect("on a GPU the mean is computed at once");
                    mean_row(view.values(), d_model)
                }
                Matrix::Stored(stored) => mean_of_parts(n_rows, d_model, |rows| {
                    Cow::Owned(stored.clone().narrow(0, rows).widened())
                }),
            };
            cpu::tensor(mean, [d_model])
        });
        mean.clone()
    }

    pub fn n_shards(&self) -> usize {
        self.shards.len()
    }

    /// The rows of some tokens. `[ids, d_model]`
    pub fn rows(&self, ids: &[u32]) -> Tensor<2> {
        let device = self.shards[0].weight.device();
        if let [shard] = self.shards.as_slice() {
            return rows_of(&shard.weight, ids, &device);
        }
        // The rows are gathered shard by shard, then put into the order that was asked for.
        let mut found = Vec::new();
        let mut place = vec![0; ids.len()];
        let mut n_found = 0;
        for shard in &self.shards {
            let mut local = Vec::new();
            for (index, &id) in ids.iter().enumerate() {
                if shard.tokens.contains(&(id as usize)) {
                    local.push(id - shard.tokens.start as u32);
                    place[index] = n_found;
                    n_found += 1;
                }
            }
            if !local.is_empty() {
                found.push(rows_of(&shard.weight, &local, &device));
            }
        }
        Tensor::cat(found, 0).select(0, int_tensor(place, &device))
    }

    /// A matrix whose rows are `f` of these. `f` must be affine, because the mean is mapped too.
    pub fn map_rows(&self, f: impl Fn(Tensor<2>) -> Tensor<2>) -> Self {
        let shard =
            |it: &Shard| Shard { tokens: it.tokens.clone(), weight: f(it.weight.widen()).into() };
        let mean = f(self.mean().unsqueeze()).squeeze_dim::<1>(0);
        Self {
            shards: self.shards.iter().map(shard).collect(),
            mean: Arc::new(OnceLock::from(mean)),
        }
    }

    /// The product `x W^T`. `[rows, d_model]` to `[rows, d_vocab]`
    pub fn project(&self, x: &Tensor<2>) -> Tensor<2> {
        let logits = self.shards.iter().map(|it| {
            cpu::project(x, &it.weight)
                .unwrap_or_else(|| it.weight.clone().transpose().after(x.clone()))
        });
        let mut logits: Vec<_> = logits.collect();
        if logits.len() == 1 { logits.remove(0) } else { Tensor::cat(logits, 1) }
    }

    /// The sum of squares of each row. `[d_vocab]`
    pub fn squares(&self) -> Vec<f32> {
        let mut squares = Vec::new();
        for shard in &self.shards {
            // All rows at once would need memory for a second matrix.
            for start in (0..shard.tokens.len()).step_by(ROWS_TOGETHER) {
                let n = ROWS_TOGETHER.min(shard.tokens.len() - start);
                let rows = shard.weight.clone().narrow(0, start, n).widen();
                squares.extend((rows.clone() * rows).sum_dim(1).into_data().iter::<f32>());
            }
        }
        squares
    }

    /// The product `p W`, which is the expected row if `p` are probabilities. `[rows, d_vocab]` to
    /// `[rows, d_model]`
    pub fn expectation(&self, p: &Tensor<2>) -> Tensor<2> {
        let parts = self.shards.iter().flat_map(|it| {
            // Of a matrix that is widened only a part may lie in memory.
            let n = match it.weight {
                Matrix::Wide(_) => it.tokens.len(),
                Matrix::Stored(_) => ROWS_TOGETHER,
            };
            let end = it.tokens.end;
            it.tokens.clone().step_by(n).map(move |start| {
                let len = n.min(end - start);
                let rows = it.weight.clone().narrow(0, start - it.tokens.start, len);
                rows.after(p.clone().narrow(1, start, len))
            })
        });
        parts.reduce(|sum, part| sum + part).expect("there is at least one shard")
    }
}

/// How many rows of a large matrix are computed with together where all would need memory for a second
/// one.
const ROWS_TOGETHER: usize = 4096;

/// Some rows of a matrix. `[ids, d_model]`
fn rows_of(matrix: &Matrix, ids: &[u32], device: &Device) -> Tensor<2> {
    match matrix {
        Matrix::Wide(tensor) => {
            let rows = ids.iter().map(|&id| id as i32).collect();
            tensor.clone().select(0, int_tensor(rows, device))
        }
        Matrix::Stored(stored) => {
            let d_model = stored.dims()[1];
            let mut rows = vec![0.0; ids.len() * d_model];
            for (row, &id) in rows.chunks_exact_mut(d_model).zip(ids) {
                stored.clone().narrow(0, id as usize..id as usize + 1).widen_into(row);
            }
            cpu::tensor(rows, [ids.len(), d_model])
        }
    }
}

/// The mean of the rows, summed in double precision and in an order that never changes.
fn mean_row(values: &[f32], d: usize) -> Vec<f32> {
    let part = |rows: Range<usize>| Cow::Borrowed(&values[rows.start * d..rows.end * d]);
    mean_of_parts(values.len() / d, d, part)
}

/// As [`mean_row`], of rows that are read part by part.
fn mean_of_parts<'a>(
    n_rows: usize,
    d: usize,
    part: impl Fn(Range<usize>) -> Cow<'a, [f32]> + Sync,
) -> Vec<f32> {
    const ROWS_PER_PART: usize = 1024;
    let n_parts = n_rows.div_ceil(ROWS_PER_PART);
    let sums: Vec<Vec<f64>> = (0..n_parts)
        .into_par_iter()
        .map(|nth| {
            let rows = nth * ROWS_PER_PART..n_rows.min((nth + 1) * ROWS_PER_PART);
            let mut sum = vec![0.0_f64; d];
            for row in part(rows).chunks_exact(d) {
                for (sum, value) in sum.iter_mut().zip(row) {
                    *sum += f64::from(*value);
                }
            }
            sum
        })
        .collect();
    let n = n_rows as f64;
    (0..d).map(|nth| (sums.iter().map(|sum| sum[nth]).sum::<f64>() / n) as f32).collect()
}
