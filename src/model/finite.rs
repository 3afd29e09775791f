//! Finds weights that are not finite.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

/// A weight that is not finite, so that nothing can be computed with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tensor `{tensor}` holds {value} at element {index}: {path}")]
pub struct NotFinite {
    /// The tensor's name in the file.
    pub tensor: String,

    /// The number's index in the tensor.
    pub index: usize,

    /// `NaN`, `inf` or `-inf`.
    pub value: String,

    /// The weight file.
    pub path: PathBuf,
}

impl NotFinite {
    /// The error for a tensor's values, at least one of which is not finite.
    pub(super) fn find(tensor: &str, values: &[f32], path: &Path) -> Self {
        let index = values.iter().position(|value| !value.is_finite()).unwrap_or_default();
        let (tensor, path) = (tensor.to_owned(), path.to_owned());
        Self { tensor, index, value: values[index].to_string(), path }
    }
}

/// Whether all numbers of a little-endian `f32` tensor are finite. Uses all cores.
pub(super) fn is_finite(bytes: &[u8]) -> bool {
    const EXPONENT: u32 = f32::INFINITY.to_bits();
    bytes.par_chunks(1 << 18).all(|bytes| {
        let (numbers, _) = bytes.as_chunks::<4>();
        // Taking the largest exponent has no branch, so that many numbers are compared at once.
        let largest = numbers
            .iter()
            .fold(0, |largest, bytes| largest.max(u32::from_le_bytes(*bytes) & EXPONENT));
        largest < EXPONENT
    })
}
