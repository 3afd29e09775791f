//! What logits say about the tokens that are asked for.

use burn::tensor::Tensor;

use super::cpu;

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

/// Reads a token at each position of each row; one readback for all of them.
///
/// # Shapes
///
/// - `logits`: `[batch, pos, d_vocab]`
/// - `tokens`: `[pos]`
///
/// # Panics
///
/// If there are not as many tokens as positions, or one is not in the vocabulary.
pub fn read_tokens(logits: &Tensor<3>, tokens: &[u32], foil: Option<u32>) -> Vec<Reading> {
    let [batch, n_pos, d_vocab] = logits.dims();
    assert!(tokens.len() == n_pos, "one token for each position");
    let rows = logits.clone().reshape([batch * n_pos, d_vocab]);
    let (read, foils) = match cpu::read_logits(&rows, &tokens.repeat(batch)) {
        Some(read) => (read, foil.map(|foil| cpu::column(&rows, foil as usize, n_pos))),
        None => read_back(logits, tokens, foil),
    };
    read.chunks_exact(n_pos)
        .enumerate()
        .map(|(row, read)| Reading {
            tokens: read
                .iter()
                .map(|&[logit, log_sum, n_larger]| TokenReading {
                    logit,
                    log_prob: logit - log_sum,
                    n_likelier: n_larger as u32,
                })
                .collect(),
            foil_logit: foils.as_ref().map(|foils| foils[row]),
        })
        .collect()
}

/// From any device, at once. Of each row and position the logit, the logarithm of the sum of
/// exponentials, and how many logits are larger; of each row the foil's logit.
fn read_back(
    logits: &Tensor<3>,
    tokens: &[u32],
    foil: Option<u32>,
) -> (Vec<[f32; 3]>, Option<Vec<f32>>) {
    let [batch, n_pos, d_vocab] = logits.dims();
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
    let values: Vec<f32> = Tensor::cat(columns, 1).into_data().iter::<f32>().collect();
    let per_row = 3 * n_pos + usize::from(foil.is_some());
    let rows = values.chunks_exact(per_row);
    let read = rows
        .clone()
        .flat_map(|row| row[..3 * n_pos].chunks_exact(3).map(|it| [it[0], it[1], it[2]]));
    (read.collect(), foil.map(|_| rows.map(|row| row[3 * n_pos]).collect()))
}

/// `[rows, d_vocab]` to `[rows, 1]`, without overflow.
pub fn log_sum_exp(logits: Tensor<2>) -> Tensor<2> {
    let max = logits.clone().max_dim(1);
    (logits - max.clone()).exp().sum_dim(1).log() + max
}
