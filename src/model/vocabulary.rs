//! The vocabulary matrix, in pieces that fit a device's binding limit.
//!
//! GPT-2-large's is 257 MB, and some adapters bind at most 128 MiB at once. Slicing one large
//! tensor does not help there (the buffer behind it stays large), so the pieces are tensors of
//! their own.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::cpu;

/// `[d_vocab, d_model]`, split by rows.
#[derive(Clone, Debug)]
pub(super) struct Vocabulary {
    shards: Vec<Shard>,
}

#[derive(Clone, Debug)]
struct Shard {
    tokens: Range<usize>,

    /// `[tokens, d_model]`
    weight: Tensor<2>,
}

impl Vocabulary {
    /// `data`: `[d_vocab, d_model]`. `max_bytes`: the most that one tensor may hold.
    pub fn new(data: TensorData, d_model: usize, max_bytes: Option<u64>, device: &Device) -> Self {
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
        Self { shards }
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

    /// `x W^T`: `[rows, d_model]` to `[rows, d_vocab]`
    pub fn project(&self, x: &Tensor<2>) -> Tensor<2> {
        let logits = self.shards.iter().map(|it| {
            cpu::project(x, &it.weight)
                .unwrap_or_else(|| x.clone().matmul(it.weight.clone().transpose()))
        });
        let mut logits: Vec<_> = logits.collect();
        if logits.len() == 1 { logits.remove(0) } else { Tensor::cat(logits, 1) }
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
