//! The vocabulary matrix, in shards that fit a device's binding limit.
//!
//! GPT-2-large's matrix has 257 MB, and some adapters bind at most 128 MiB at once. Slices of one
//! large tensor would not help, because the buffer behind them stays large, so each shard is a
//! tensor.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::cpu::{self, View};
use super::device::ComputeDevice;
use super::indices::int_tensor;

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
    weight: Tensor<2>,
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
            vec![Shard { tokens: 0..d_vocab, weight: Tensor::from_data(data, device) }]
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
                    Shard { tokens: start..start + n_rows, weight }
                })
                .collect()
        };
        Self { shards, mean: Arc::new(mean) }
    }

    /// The mean of all rows, summed in double precision. On the CPU it is computed when it is first
    /// asked for, so that opening a mapped file reads none of it. `[d_model]`
    pub fn mean(&self) -> Tensor<1> {
        let mean = self.mean.get_or_init(|| {
            let [shard] = self.shards.as_slice() else {
                unreachable!("only a GPU has a vocabulary in several shards");
            };
            let view = View::of(&shard.weight).expect("on a GPU the mean is computed at once");
            let d_model = shard.weight.dims()[1];
            cpu::tensor(mean_row(view.values(), d_model), [d_model])
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
            let rows = ids.iter().map(|&id| id as i32).collect();
            return shard.weight.clone().select(0, int_tensor(rows, &device));
        }
        // The rows are gathered shard by shard, then put into the order that was asked for.
        let mut found = Vec::new();
        let mut place = vec![0; ids.len()];
        let mut n_found = 0;
        for shard in &self.shards {
            let mut local = Vec::new();
            for (index, &id) in ids.iter().enumerate() {
                if shard.tokens.contains(&(id as usize)) {
                    local.push((id as usize - shard.tokens.start) as i32);
                    place[index] = n_found;
                    n_found += 1;
                }
            }
            if !local.is_empty() {
                found.push(shard.weight.clone().select(0, int_tensor(local, &device)));
            }
        }
        Tensor::cat(found, 0).select(0, int_tensor(place, &device))
    }

    /// A matrix whose rows are `f` of these. `f` must be affine, because the mean is mapped too.
    pub fn map_rows(&self, f: impl Fn(Tensor<2>) -> Tensor<2>) -> Self {
        let shard = |it: &Shard| Shard { tokens: it.tokens.clone(), weight: f(it.weight.clone()) };
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
                .unwrap_or_else(|| x.clone().matmul(it.weight.clone().transpose()))
        });
        let mut logits: Vec<_> = logits.collect();
        if logits.len() == 1 { logits.remove(0) } else { Tensor::cat(logits, 1) }
    }

    /// The sum of squares of each row. `[d_vocab]`
    pub fn squares(&self) -> Vec<f32> {
        const ROWS: usize = 4096;
        let mut squares = Vec::new();
        for shard in &self.shards {
            // All rows at once would need memory for a second matrix.
            for start in (0..shard.tokens.len()).step_by(ROWS) {
                let n = ROWS.min(shard.tokens.len() - start);
                let rows = shard.weight.clone().narrow(0, start, n);
                squares.extend((rows.clone() * rows).sum_dim(1).into_data().iter::<f32>());
            }
        }
        squares
    }

    /// The product `p W`, which is the expected row if `p` are probabilities. `[rows, d_vocab]` to
    /// `[rows, d_model]`
    pub fn expectation(&self, p: &Tensor<2>) -> Tensor<2> {
        let parts = self.shards.iter().map(|it| {
            let (start, len) = (it.tokens.start, it.tokens.len());
            p.clone().narrow(1, start, len).matmul(it.weight.clone())
        });
        parts.reduce(|sum, part| sum + part).expect("there is at least one shard")
    }
}

/// The mean of the rows, summed in double precision and in an order that never changes.
fn mean_row(values: &[f32], d: usize) -> Vec<f32> {
    const ROWS_PER_PART: usize = 1024;
    let sums: Vec<Vec<f64>> = values
        .par_chunks(ROWS_PER_PART * d)
        .map(|rows| {
            let mut sum = vec![0.0_f64; d];
            for row in rows.chunks_exact(d) {
                for (sum, value) in sum.iter_mut().zip(row) {
                    *sum += f64::from(*value);
                }
            }
            sum
        })
        .collect();
    let n = (values.len() / d) as f64;
    (0..d).map(|nth| (sums.iter().map(|sum| sum[nth]).sum::<f64>() / n) as f32).collect()
}
