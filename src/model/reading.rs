//! What logits say about the tokens that are asked for.

use std::sync::atomic::Ordering;

use burn::tensor::Tensor;

use super::{Gpt2, cpu};

/// One row of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// One for each position that is read.
    pub tokens: Vec<TokenReading>,

    /// Logit of the foil at the first of these positions, if there is one.
    pub foil_logit: Option<f32>,
}

/// What is said of one token at one position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenReading {
    pub logit: f32,

    /// Natural logarithm of its probability.
    pub log_prob: f32,

    /// How many tokens are likelier.
    pub n_likelier: u32,
}

/// What was asked of a pass: there already, or still on the device.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are a few per map")]
pub enum Readout {
    Here(Vec<Reading>),

    /// Of each row, for each position the logit, the logarithm of the sum of exponentials and the
    /// number of larger logits; then the foil's logit. `[batch, 3 * pos + 1 or 0]`
    Queued {
        values: Tensor<2>,
        n_pos: usize,
    },
}

/// The device is lost, or out of memory. What was queued on it gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device failed: {0}")]
pub struct DeviceFailed(pub String);

/// What came back from the device for readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub n_readbacks: u64,
    pub n_bytes: u64,
}

/// Asks for a token at each position of each row. On the CPU the answer is there at once; a device
/// with a queue goes on, and [`Gpt2::read_back`] waits for it.
///
/// # Shapes
///
/// - `logits`: `[batch, pos, d_vocab]`
/// - `tokens`: `[pos]`
///
/// # Panics
///
/// If there are not as many tokens as positions, or one is not in the vocabulary.
pub fn ask_tokens(logits: &Tensor<3>, tokens: &[u32], foil: Option<u32>) -> Readout {
    let [batch, n_pos, d_vocab] = logits.dims();
    assert!(tokens.len() == n_pos, "one token for each position");
    let rows = logits.clone().reshape([batch * n_pos, d_vocab]);
    if let Some(read) = cpu::read_logits(&rows, &tokens.repeat(batch)) {
        let foils = foil.map(|foil| cpu::column(&rows, foil as usize, n_pos));
        let rows = read.chunks_exact(n_pos).enumerate();
        let rows = rows.map(|(row, read)| reading(read, foils.as_ref().map(|foils| foils[row])));
        return Readout::Here(rows.collect());
    }
    let column = |rows: &Tensor<2>, token: u32| rows.clone().narrow(1, token as usize, 1);
    let mut columns = Vec::new();
    for (nth, &token) in tokens.iter().enumerate() {
        let rows = logits.clone().narrow(1, nth, 1).reshape([batch, d_vocab]);
        let logit = column(&rows, token);
        let is_larger = rows.clone().greater(logit.clone().expand([batch, d_vocab]));
        columns.extend([logit, log_sum_exp(rows), is_larger.int().sum_dim(1).float()]);
    }
    let first = logits.clone().narrow(1, 0, 1).reshape([batch, d_vocab]);
    columns.extend(foil.map(|foil| column(&first, foil)));
    Readout::Queued { values: Tensor::cat(columns, 1), n_pos }
}

impl Gpt2 {
    /// What several passes were asked for, each its rows; one readback for all that is still on the
    /// device. All must have been asked for the same tokens.
    pub fn read_back(&self, asked: Vec<Readout>) -> Result<Vec<Vec<Reading>>, DeviceFailed> {
        let queued = asked.iter().filter_map(|it| match it {
            Readout::Here(_) => None,
            Readout::Queued { values, .. } => Some(values.clone()),
        });
        let queued: Vec<Tensor<2>> = queued.collect();
        let values = if queued.is_empty() {
            Vec::new()
        } else {
            let data = Tensor::cat(queued, 0).try_into_data();
            let data = data.map_err(|error| DeviceFailed(error.to_string()))?;
            self.readbacks.fetch_add(1, Ordering::Relaxed);
            self.bytes_read_back.fetch_add(data.bytes().len() as u64, Ordering::Relaxed);
            data.iter::<f32>().collect()
        };
        let mut rest = values.as_slice();
        let read = asked.into_iter().map(|it| match it {
            Readout::Here(readings) => readings,
            Readout::Queued { values, n_pos } => {
                let [n_rows, width] = values.dims();
                let (mine, others) = rest.split_at(n_rows * width);
                rest = others;
                mine.chunks_exact(width)
                    .map(|row| {
                        let (read, foil) = row.split_at(3 * n_pos);
                        let (read, _) = read.as_chunks::<3>();
                        reading(read, foil.first().copied())
                    })
                    .collect()
            }
        });
        Ok(read.collect())
    }

    pub fn traffic(&self) -> Traffic {
        Traffic {
            n_readbacks: self.readbacks.load(Ordering::Relaxed),
            n_bytes: self.bytes_read_back.load(Ordering::Relaxed),
        }
    }
}

fn reading(tokens: &[[f32; 3]], foil_logit: Option<f32>) -> Reading {
    let tokens = tokens.iter().map(|&[logit, log_sum, n_larger]| TokenReading {
        logit,
        log_prob: logit - log_sum,
        n_likelier: n_larger as u32,
    });
    Reading { tokens: tokens.collect(), foil_logit }
}

/// `[rows, d_vocab]` to `[rows, 1]`, without overflow.
pub fn log_sum_exp(logits: Tensor<2>) -> Tensor<2> {
    let max = logits.clone().max_dim(1);
    (logits - max.clone()).exp().sum_dim(1).log() + max
}
