//! The vocabulary matrix, in pieces that fit a device's binding limit.
//!
//! GPT-2-large's is 257 MB, and some adapters bind at most 128 MiB at once. Slicing one large
//! tensor does not help there (the buffer behind it stays large), so the pieces are tensors of
//! their own.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use burn::tensor::{Int, Tensor, TensorData};
use rayon::prelude::*;

use super::cpu::{self, View};
use super::device::ComputeDevice;

/// `[d_vocab, d_model]`, split by rows.
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
        // A GPU's tensors are far when the mean is asked for, a CPU's are not.
        if View::of(&Tensor::<1>::zeros([1], device)).is_none() {
            let values = data.as_slice::<f32>().expect("the vocabulary is f32");
            let row = TensorData::new(mean_row(values, d_model), [d_model]);
            mean.get_or_init(|| Tensor::from_data(row, device));
        }
        let d_vocab = data.num_elements() / d_model;
        let row_bytes = (d_model * size_of::<f32>()) as u64;
        let rows = max_bytes.map_or(d_vocab, |max| ((max / row_bytes) as usize).clamp(1, d_vocab));
        let shards = if rows >= d_vocab {
            // The usual case, without a copy.
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

    /// The mean of all rows, in double precision. On the CPU it is computed when first asked for:
    /// opening a file that is mapped touches none of it. `[d_model]`
    pub fn mean(&self) -> Tensor<1> {
        let mean = self.mean.get_or_init(|| {
            let [shard] = self.shards.as_slice() else {
                unreachable!("only a GPU has its vocabulary in pieces");
            };
            let view = View::of(&shard.weight).expect("a GPU is told when it is filled");
            let d_model = shard.weight.dims()[1];
            cpu::tensor(mean_row(view.values(), d_model), [d_model])
        });
        mean.clone()
    }

    pub fn n_shards(&self) -> usize {
        self.shards.len()
    }

    /// Rows of the matrix, one per id. `[ids, d_model]`
    pub fn rows(&self, ids: &[u32]) -> Tensor<2> {
        let device = self.shards[0].weight.device();
        let int = |values: Vec<i32>| {
            let shape = [values.len()];
            Tensor::<1, Int>::from_data(TensorData::new(values, shape), &device)
        };
        if let [shard] = self.shards.as_slice() {
            return shard.weight.clone().select(0, int(ids.iter().map(|&id| id as i32).collect()));
        }
        // Gathered shard by shard, then put back in the order asked for.
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
                found.push(shard.weight.clone().select(0, int(local)));
            }
        }
        Tensor::cat(found, 0).select(0, int(place))
    }

    /// Another matrix of the same shape. `f` makes each row of its own, and the mean of its rows
    /// from the mean of these: an affine map.
    pub fn map_rows(&self, f: impl Fn(Tensor<2>) -> Tensor<2>) -> Self {
        let shard = |it: &Shard| Shard { tokens: it.tokens.clone(), weight: f(it.weight.clone()) };
        let mean = f(self.mean().unsqueeze()).squeeze_dim::<1>(0);
        Self {
            shards: self.shards.iter().map(shard).collect(),
            mean: Arc::new(OnceLock::from(mean)),
        }
    }

    /// `x W^T`: `[rows, d_model]` to `[rows, d_vocab]`
    pub fn project(&self, x: &Tensor<2>) -> Tensor<2> {
        let logits = self.shards.iter().map(|it| {
            cpu::project(x, &it.weight)
                .unwrap_or_else(|| x.clone().matmul(it.weight.clone().transpose()))
        });
        let mut logits: Vec<_> = logits.collect();
        if logits.len() == 1 { logits.remove(0) } else { Tensor::cat(logits, 1) }
    }

    /// Of each row, the sum of its squares. `[d_vocab]`
    pub fn squares(&self) -> Vec<f32> {
        const ROWS: usize = 4096;
        let mut squares = Vec::new();
        for shard in &self.shards {
            // In pieces: all at once would be a second matrix.
            for start in (0..shard.tokens.len()).step_by(ROWS) {
                let n = ROWS.min(shard.tokens.len() - start);
                let rows = shard.weight.clone().narrow(0, start, n);
                squares.extend((rows.clone() * rows).sum_dim(1).into_data().iter::<f32>());
            }
        }
        squares
    }

    /// `p W`, the mean row if `p` are probabilities: `[rows, d_vocab]` to `[rows, d_model]`
    pub fn expectation(&self, p: &Tensor<2>) -> Tensor<2> {
        let parts = self.shards.iter().map(|it| {
            let (start, len) = (it.tokens.start, it.tokens.len());
            p.clone().narrow(1, start, len).matmul(it.weight.clone())
        });
        parts.reduce(|sum, part| sum + part).expect("there is at least one shard")
    }
}

/// Summed in double precision, in parts of which the order is always the same.
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
