//! A tensor as a weight file stores it, whatever the file's format.

use std::fmt;
use std::ops::Range;

use rayon::prelude::*;

use super::quantised::{LARGE, SMALL};

/// A tensor as a weight file stores it.
#[derive(Clone, Debug)]
pub(super) struct StoredTensor {
    /// The name that Hugging Face gives it, with the family's prefix if the file has that.
    pub name: String,

    /// The name in the file, if that is another.
    pub other_name: Option<String>,
    pub dtype: NumberType,
    pub shape: Vec<usize>,

    /// Where its numbers lie in the file.
    pub bytes: Range<usize>,
    pub order: Order,

    /// What the file has added to each number, as llama.cpp adds 1 to Gemma's gains.
    pub added: f32,
}

/// The order in which a tensor's numbers lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Row by row, as they are computed with.
    Rows,

    /// In another order: the length of each axis, outermost first, and how many numbers further its
    /// next index lies. The axes may cut those of the shape into several.
    Strides(Vec<Axis>),
}

/// An axis of numbers in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub len: usize,
    pub stride: usize,
}

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NumberType {
    F32,
    F16,
    BF16,
    Q8_0,
    Q6K,
    Q5K,
    Q5_1,
    Q5_0,
    Q4K,
    Q4_1,
    Q4_0,

    /// A type that no weights can be read from, by its name.
    Other(&'static str),
}

/// Why a weight file cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file ends inside a tensor or another thing, which should end at a byte.
    CutShort { what: String, end: usize },

    /// What is wrong, and what to do about it.
    Invalid(String),
}

impl Fault {
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}

impl NumberType {
    /// How many numbers a block of this type has, and how many bytes. `None` where nothing is read.
    pub(super) fn block(self) -> Option<(usize, usize)> {
        Some(match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q8_0 => (SMALL, 34),
            Self::Q6K => (LARGE, 210),
            Self::Q5K => (LARGE, 176),
            Self::Q5_1 => (SMALL, 24),
            Self::Q5_0 => (SMALL, 22),
            Self::Q4K => (LARGE, 144),
            Self::Q4_1 => (SMALL, 20),
            Self::Q4_0 => (SMALL, 18),
            Self::Other(_) => return None,
        })
    }

    /// How far the next number of this type lies from one of this size. None lies between those of a quantised
    /// type, of which each block has its own.
    pub(super) fn step(self, size: f32) -> f32 {
        let (n_bits, least) = match self {
            Self::F32 => (23, -126),
            Self::BF16 => (7, -126),
            Self::F16 => (10, -14),
            _ => return 0.0,
        };
        let exponent = (size.to_bits() >> 23) as i32 - 127;
        2.0_f32.powi(exponent.max(least) - n_bits)
    }
}

impl fmt::Display for NumberType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q6K => "Q6_K",
            Self::Q5K => "Q5_K",
            Self::Q5_1 => "Q5_1",
            Self::Q5_0 => "Q5_0",
            Self::Q4K => "Q4_K",
            Self::Q4_1 => "Q4_1",
            Self::Q4_0 => "Q4_0",
            Self::Other(name) => name,
        })
    }
}

impl StoredTensor {
    /// The name in the file.
    pub fn in_file(&self) -> &str {
        self.other_name.as_ref().unwrap_or(&self.name)
    }

    /// The numbers as the model has them.
    pub fn put_right(&self, values: Vec<f32>) -> Vec<f32> {
        let mut values = self.order.put_right(values);
        if self.added != 0.0 {
            for value in &mut values {
                *value -= self.added;
            }
        }
        values
    }
}

impl Order {
    /// The order of numbers that lie at these strides.
    pub fn of(shape: &[usize], strides: &[usize]) -> Self {
        let axes = shape.iter().zip(strides);
        let axes: Vec<Axis> = axes.map(|(&len, &stride)| Axis { len, stride }).collect();
        let mut next = 1;
        // The stride of an axis of one index says nothing.
        let are_rows = axes.iter().rev().filter(|axis| axis.len != 1).all(|axis| {
            let is_next = axis.stride == next;
            next *= axis.len;
            is_next
        });
        if are_rows { Self::Rows } else { Self::Strides(axes) }
    }

    /// The numbers row by row.
    fn put_right(&self, values: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Rows => values,
            Self::Strides(axes) => rows_of(&values, axes),
        }
    }
}

/// Numbers that lie at strides, row by row.
fn rows_of(values: &[f32], axes: &[Axis]) -> Vec<f32> {
    /// How many rows are written together: strided numbers that lie side by side are read together.
    const N_TOGETHER: usize = 16;
    let n_values = axes.iter().map(|axis| axis.len).product();
    let mut rows = vec![0.0; n_values];
    let Some((&columns, outer)) = axes.split_last() else {
        rows.copy_from_slice(&values[..1]);
        return rows;
    };
    // Where the row of an index begins.
    let start_of = |row: usize| {
        let mut rest = row;
        outer.iter().rev().fold(0, |start, axis| {
            let index = rest % axis.len;
            rest /= axis.len;
            start + index * axis.stride
        })
    };
    if n_values == 0 {
        return rows;
    }
    rows.par_chunks_mut(N_TOGETHER * columns.len).enumerate().for_each(|(nth, rows)| {
        let starts: Vec<usize> =
            (0..rows.len() / columns.len).map(|row| start_of(N_TOGETHER * nth + row)).collect();
        for column in 0..columns.len {
            for (row, start) in starts.iter().enumerate() {
                rows[row * columns.len + column] = values[start + column * columns.stride];
            }
        }
    });
    rows
}
