//! Reads logits and probabilities of chosen tokens from a run.

use std::sync::PoisonError;

use burn::tensor::Tensor;

use super::{DeviceFailed, Transformer, cpu};

/// The numbers read from one row of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The token at each position that is read.
    pub tokens: Vec<TokenReading>,

    /// The foil's logit at the first of these positions, if there is a foil.
    pub foil_logit: Option<f32>,

    /// The divergence of the distribution at the first of these positions from the [`Reference`],
    /// in nats, if there is a reference. Rounding may bring it slightly below 0.
    pub divergence: Option<f32>,
}

/// A distribution over the vocabulary that others are compared with, such as the clean run's.
#[derive(Clone, Debug)]
pub struct Reference {
    /// `[1, d_vocab]`
    log_probs: Tensor<2>,
}

impl Reference {
    /// The distribution at the first position of the first row. `logits` is
    /// `[batch, pos, d_vocab]`.
    pub fn of(logits: &Tensor<3>) -> Self {
        let [_, _, d_vocab] = logits.dims();
        let first = logits.clone().narrow(0, 0, 1).narrow(1, 0, 1).reshape([1, d_vocab]);
        Self { log_probs: first.clone() - log_sum_exp(first) }
    }

    /// The Kullback–Leibler divergence of other distributions from this one: Σ p (ln p − ln q).
    ///
    /// # Shapes
    ///
    /// - `logits`: `[rows, d_vocab]`
    /// - `log_sums`: the logarithms of the sums of their exponentials, `[rows, 1]`
    /// - output: `[rows, 1]`
    fn divergence(&self, logits: Tensor<2>, log_sums: Tensor<2>) -> Tensor<2> {
        let clean = self.log_probs.clone();
        (clean.clone().exp() * (clean - (logits - log_sums))).sum_dim(1)
    }
}

/// One token's numbers at one position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenReading {
    pub logit: f32,

    /// The natural logarithm of the token's probability.
    pub log_prob: f32,

    /// How many tokens have a larger logit.
    pub n_likelier: u32,
}

/// The readings of a pass, which may still be on the device.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are a few per map")]
pub enum Readout {
    Here(Vec<Reading>),

    /// Numbers that the device will compute.
    Queued {
        /// Three numbers for each position: the token's logit, the logarithm of the sum of
        /// exponentials, and how many logits are larger. Then the foil's logit and the divergence,
        /// if they were asked for. `[batch, 3 * pos + 0, 1 or 2]`
        values: Tensor<2>,
        n_pos: usize,
        has_foil: bool,
    },
}

/// How much was copied back from the device for readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub n_readbacks: u64,
    pub n_bytes: u64,
}

/// Reads one token at each position of each row. On the CPU the readings are there at once; on a
/// device with a queue they are computed later, and [`Transformer::read_back`] waits for them.
///
/// # Shapes
///
/// - `logits`: `[batch, pos, d_vocab]`
/// - `tokens`: the token to read at each position, `[pos]`
/// - `reference`: what each row's distribution at the first position is compared with
///
/// # Panics
///
/// If there are not as many tokens as positions, or if a token is not in the vocabulary.
pub fn ask_tokens(
    logits: &Tensor<3>,
    tokens: &[u32],
    foil: Option<u32>,
    reference: Option<&Reference>,
) -> Readout {
    let [batch, n_pos, d_vocab] = logits.dims();
    assert!(tokens.len() == n_pos, "one token for each position");
    let rows = logits.clone().reshape([batch * n_pos, d_vocab]);
    let compared = reference.map(|it| cpu::Compared { log_probs: &it.log_probs, step: n_pos });
    if let Some(read) = cpu::read_logits(&rows, &tokens.repeat(batch), compared.as_ref()) {
        let foils = foil.map(|foil| cpu::column(&rows, foil as usize, n_pos));
        let rows = read.chunks_exact(n_pos).enumerate().map(|(row, read)| Reading {
            tokens: read.iter().map(|&[logit, sum, n, _]| token([logit, sum, n])).collect(),
            foil_logit: foils.as_ref().map(|foils| foils[row]),
            divergence: reference.map(|_| read[0][3]),
        });
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
    let log_sums = columns[1].clone();
    columns.extend(foil.map(|foil| column(&first, foil)));
    columns.extend(reference.map(|it| it.divergence(first, log_sums)));
    Readout::Queued { values: Tensor::cat(columns, 1), n_pos, has_foil: foil.is_some() }
}

impl Transformer {
    /// The readings of several passes, a list of rows for each. All that is still on the device is
    /// copied back at once, so the passes must have read the same tokens.
    pub fn read_back(&self, readouts: Vec<Readout>) -> Result<Vec<Vec<Reading>>, DeviceFailed> {
        let queued = readouts.iter().filter_map(|it| match it {
            Readout::Here(_) => None,
            Readout::Queued { values, .. } => Some(values.clone()),
        });
        let queued: Vec<Tensor<2>> = queued.collect();
        let values = if queued.is_empty() {
            Vec::new()
        } else {
            let data = Tensor::cat(queued, 0).try_into_data();
            let data = data.map_err(|error| DeviceFailed(error.to_string()))?;
            let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
            traffic.n_readbacks += 1;
            traffic.n_bytes += data.bytes().len() as u64;
            data.iter::<f32>().collect()
        };
        let mut rest = values.as_slice();
        let read = readouts.into_iter().map(|it| match it {
            Readout::Here(readings) => readings,
            Readout::Queued { values, n_pos, has_foil } => {
                let [n_rows, width] = values.dims();
                let (mine, others) = rest.split_at(n_rows * width);
                rest = others;
                mine.chunks_exact(width)
                    .map(|row| {
                        let (read, more) = row.split_at(3 * n_pos);
                        let (foil, divergence) = more.split_at(usize::from(has_foil));
                        let (read, _) = read.as_chunks::<3>();
                        Reading {
                            tokens: read.iter().copied().map(token).collect(),
                            foil_logit: foil.first().copied(),
                            divergence: divergence.first().copied(),
                        }
                    })
                    .collect()
            }
        });
        Ok(read.collect())
    }

    /// How much was copied back from the device for readings so far.
    pub fn traffic(&self) -> Traffic {
        *self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn token([logit, log_sum, n_larger]: [f32; 3]) -> TokenReading {
    TokenReading { logit, log_prob: logit - log_sum, n_likelier: n_larger as u32 }
}

/// The logarithm of the sum of exponentials of each row, without overflow. `[rows, d_vocab]` to
/// `[rows, 1]`
pub fn log_sum_exp(logits: Tensor<2>) -> Tensor<2> {
    let max = logits.clone().max_dim(1);
    (logits - max.clone()).exp().sum_dim(1).log() + max
}
