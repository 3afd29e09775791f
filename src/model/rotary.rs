//! Rotary positions (Su et al. 2021): queries and keys are turned by angles that grow with their
//! position, so that their product depends on the distance alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::config::MAX_SIZE;
use super::cpu;

/// How positions turn queries and keys, as a configuration says it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RotaryConfig {
    /// The base of the angles' wavelengths: `rope_theta`.
    pub base: f64,

    /// How many of a head's dimensions are turned, from the first on.
    pub width: usize,

    pub pairs: Pairs,
    pub scaling: RotaryScaling,
}

/// Which dimensions are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pairs {
    /// Dimension `i` with dimension `i + width / 2`, as in GPT-NeoX and Llama.
    Halves,

    /// Dimension `2 i` with dimension `2 i + 1`, as in GPT-J.
    Neighbours,
}

/// How the angles were changed for a longer context.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum RotaryScaling {
    /// They are those of the base.
    Unscaled,

    /// All angles are divided by a factor.
    Linear { factor: f64 },

    /// All angles of a prompt longer than the context are made smaller, the more so the longer it is:
    /// those of a base that grows with the prompt's length (`dynamic` in `transformers`).
    Dynamic { factor: f64, original_n_ctx: usize },

    /// Llama 3.1: slow angles are divided by a factor, fast ones are kept, and those between are
    /// blended.
    Llama3 { factor: f64, low_freq_factor: f64, high_freq_factor: f64, original_n_ctx: usize },

    /// `YaRN` (Peng et al. 2023): pairs that turn fewer than `beta_slow` times over the original context
    /// are divided by a factor, those that turn more than `beta_fast` times are kept, those between are
    /// blended by their index, and what is turned is also lengthened.
    Yarn {
        factor: f64,
        beta_fast: f64,
        beta_slow: f64,
        original_n_ctx: usize,

        /// What queries and keys are multiplied by.
        lengthening: f64,

        /// Whether the first and the last index of those between are whole numbers.
        is_truncated: bool,
    },
}

/// Turns queries and keys.
#[derive(Clone, Debug)]
pub(super) struct Rotary {
    config: RotaryConfig,

    /// The angle from one position to the next, for each pair of dimensions, in prompts that are no
    /// longer than the context. `[width / 2]`
    frequencies: Vec<f32>,

    /// What the turned dimensions are multiplied by.
    length: f64,
}

/// Which way heads are turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// By their positions' angles.
    Forth,

    /// Back, as gradients are.
    Back,
}

impl RotaryConfig {
    /// Whether the angles of all positions that a model may have are finite.
    pub(super) fn has_finite_angles(&self) -> bool {
        self.frequencies(0).iter().all(|it| (it * MAX_SIZE as f32).is_finite())
    }

    /// The most positions that the angles are made for, if that is more than the context.
    pub(super) fn stretched_n_ctx(&self) -> Option<usize> {
        let RotaryScaling::Dynamic { factor, original_n_ctx } = self.scaling else { return None };
        let stretched = (factor * original_n_ctx as f64) as usize;
        Some(stretched.clamp(original_n_ctx, MAX_SIZE))
    }

    /// Whether the angles of a prompt of this length are others than those of its beginning.
    pub(super) fn follows_length(&self, length: usize) -> bool {
        matches!(self.scaling, RotaryScaling::Dynamic { original_n_ctx, .. } if length > original_n_ctx)
    }

    /// The angle from one position to the next, for each pair of dimensions, in a prompt of this length.
    fn frequencies(&self, length: usize) -> Vec<f32> {
        let base = match self.scaling {
            RotaryScaling::Dynamic { factor, original_n_ctx } if self.follows_length(length) => {
                let stretch = factor * length as f64 / original_n_ctx as f64 - (factor - 1.0);
                self.base * stretch.powf(self.width as f64 / (self.width as f64 - 2.0))
            }
            _ => self.base,
        };
        let plain =
            (0..self.width / 2).map(|pair| base.powf(-((2 * pair) as f64) / self.width as f64));
        let scaled = plain.enumerate().map(|(pair, frequency)| match self.scaling {
            RotaryScaling::Unscaled | RotaryScaling::Dynamic { .. } => frequency,
            RotaryScaling::Linear { factor } => frequency / factor,
            RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_n_ctx } => {
                let turns = original_n_ctx as f64 * frequency / std::f64::consts::TAU;
                // As `transformers`, where the low factor need not be below the high one: then none
                // are blended.
                let kept = if turns < low_freq_factor {
                    0.0
                } else if turns >= high_freq_factor {
                    1.0
                } else {
                    (turns - low_freq_factor) / (high_freq_factor - low_freq_factor)
                };
                (1.0 - kept) * frequency / factor + kept * frequency
            }
            RotaryScaling::Yarn {
                factor,
                beta_fast,
                beta_slow,
                original_n_ctx,
                is_truncated,
                ..
            } => {
                // The index of the pair that turns so often over the original context.
                let index = |n_turns: f64| {
                    let length = original_n_ctx as f64 / (n_turns * std::f64::consts::TAU);
                    self.width as f64 * length.ln() / (2.0 * self.base.ln())
                };
                let (first, last) = (index(beta_fast), index(beta_slow));
                let (first, last) =
                    if is_truncated { (first.floor(), last.ceil()) } else { (first, last) };
                let (first, last) = (first.max(0.0), last.min(self.width as f64 - 1.0));
                let last = if first == last { last + 0.001 } else { last };
                let divided = ((pair as f64 - first) / (last - first)).clamp(0.0, 1.0);
                divided * frequency / factor + (1.0 - divided) * frequency
            }
        });
        scaled.map(|it| it as f32).collect()
    }
}

impl Rotary {
    pub fn new(config: &RotaryConfig) -> Self {
        let length = match config.scaling {
            RotaryScaling::Yarn { lengthening, .. } => lengthening,
            _ => 1.0,
        };
        Self { config: *config, frequencies: config.frequencies(0), length }
    }

    /// The cosine and sine of each position and pair in a prompt of this length. `[pos, width / 2]`
    fn angles(&self, positions: Range<usize>, length: usize, turn: Turn) -> Vec<[f32; 2]> {
        let frequencies = if self.config.follows_length(length) {
            Cow::Owned(self.config.frequencies(length))
        } else {
            Cow::Borrowed(&self.frequencies)
        };
        // As `transformers`, the angle is an f32.
        let angles = positions.flat_map(|pos| frequencies.iter().map(move |it| pos as f32 * it));
        let turned = angles.map(|angle| {
            let (sin, cos) = f64::from(angle).sin_cos();
            let (sin, cos) = (sin * self.length, cos * self.length);
            [cos as f32, if turn == Turn::Forth { sin as f32 } else { -sin as f32 }]
        });
        turned.collect()
    }

    /// Turns heads whose first position is `first_pos`. `[batch, pos, head, d_head]`
    ///
    /// `lengths`: how many positions of each row are no padding, one for all or `[batch]`.
    pub fn turn(&self, x: Tensor<4>, first_pos: usize, lengths: &[usize], turn: Turn) -> Tensor<4> {
        let [batch, n_pos, n_heads, d_head] = x.dims();
        let n_pairs = self.frequencies.len();
        // Rows that turn alike share their angles.
        let kind = |length: &usize| if self.config.follows_length(*length) { *length } else { 0 };
        let mut kinds: Vec<usize> = lengths.iter().map(kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let all = |length: &usize| self.angles(first_pos..first_pos + n_pos, *length, turn);
        let tables: BTreeMap<usize, Vec<[f32; 2]>> =
            kinds.iter().map(|length| (*length, all(length))).collect();
        let table_of = |row: usize| &tables[&kind(&lengths[row.min(lengths.len() - 1)])][..];
        let n_tables = if tables.len() == 1 { 1 } else { batch };
        let of_rows: Vec<&[[f32; 2]]> = (0..n_tables).map(table_of).collect();
        let at = |pair: usize| match self.config.pairs {
            Pairs::Halves => [pair, pair + n_pairs],
            Pairs::Neighbours => [2 * pair, 2 * pair + 1],
        };
        let turned = cpu::change(x, |x| {
            for (vector, x) in x.chunks_exact_mut(d_head).enumerate() {
                let (row, pos) = (vector / n_heads / n_pos, vector / n_heads % n_pos);
                let angles = &of_rows[row.min(n_tables - 1)][pos * n_pairs..][..n_pairs];
                for (pair, [cos, sin]) in angles.iter().enumerate() {
                    let [a, b] = at(pair);
                    (x[a], x[b]) = (x[a] * cos - x[b] * sin, x[b] * cos + x[a] * sin);
                }
            }
        });
        turned.unwrap_or_else(|x| {
            let device = x.device();
            let table = |nth: usize| {
                let values = of_rows.iter().flat_map(|table| table.iter().map(|it| it[nth]));
                let data = TensorData::new(values.collect(), [n_tables, n_pos, 1, n_pairs]);
                Tensor::<4>::from_data(data, &device)
            };
            let (cos, sin) = (table(0), table(1));
            let shape = [batch, n_pos, n_heads, n_pairs];
            let part = |x: &Tensor<4>, nth: usize| match self.config.pairs {
                Pairs::Halves => x.clone().narrow(3, nth * n_pairs, n_pairs),
                Pairs::Neighbours => {
                    let turned = x.clone().narrow(3, 0, 2 * n_pairs);
                    let pairs = turned.reshape([batch, n_pos, n_heads * n_pairs, 2]);
                    pairs.narrow(3, nth, 1).reshape(shape)
                }
            };
            let (a, b) = (part(&x, 0), part(&x, 1));
            let new_a = a.clone() * cos.clone() - b.clone() * sin.clone();
            let new_b = b * cos + a * sin;
            let turned = match self.config.pairs {
                Pairs::Halves => Tensor::cat(vec![new_a, new_b], 3),
                Pairs::Neighbours => {
                    let as_pair = |x: Tensor<4>| x.reshape([batch, n_pos, n_heads * n_pairs, 1]);
                    let pairs = Tensor::cat(vec![as_pair(new_a), as_pair(new_b)], 3);
                    pairs.reshape([batch, n_pos, n_heads, 2 * n_pairs])
                }
            };
            if 2 * n_pairs == d_head {
                return turned;
            }
            let kept = x.narrow(3, 2 * n_pairs, d_head - 2 * n_pairs);
            Tensor::cat(vec![turned, kept], 3)
        })
    }
}
