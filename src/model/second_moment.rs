//! The second moment of the inputs of an MLP's output matrix, by which a rank-one edit spares other
//! facts.
//!
//! It is read from a safetensors file with one tensor `mom2`, `[d_mlp, d_mlp]`, in f32 or f64: the
//! mean of `k kᵀ`, uncentred, over the inputs `k` of `mlp.c_proj` of one layer, like `mom2.mom2` in
//! the `.npz` files of ROME's `layer_stats.py`. The sum serves as well, since its scale does not
//! matter.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use safetensors::{Dtype, SafeTensors};

use crate::task::{Cancelled, Progress, TaskCtx};
use crate::whole_file;

/// The second moment `C` of a layer.
#[derive(Debug)]
pub struct SecondMoment {
    /// `[d_mlp, d_mlp]`, row by row
    values: Vec<f64>,
    size: usize,
    path: PathBuf,
}

/// Why a second moment cannot be read or used.
#[derive(Debug, thiserror::Error)]
pub enum SecondMomentError {
    #[error("cannot read the second moment: {source}: {path}")]
    Read { path: PathBuf, source: std::io::Error },

    #[error(
        "the file holds no second moment: {reason}; it must be a safetensors file with one tensor \
         `mom2` of shape [{size}, {size}] in f32 or f64: {path}"
    )]
    Layout { path: PathBuf, reason: String, size: usize },

    #[error(
        "the second moment is not positive definite (at row {row}), so it has no inverse; it must be \
         the mean of k kᵀ over more inputs than it has rows: {path}"
    )]
    NotPositive { path: PathBuf, row: usize },

    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl SecondMoment {
    /// Reads a second moment. `size` is the model's `d_mlp`.
    pub fn load(path: &Path, size: usize) -> Result<Self, SecondMomentError> {
        let bytes = whole_file::read(path)
            .map_err(|source| SecondMomentError::Read { path: path.to_owned(), source })?;
        let layout =
            |reason: String| SecondMomentError::Layout { path: path.to_owned(), reason, size };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| layout(error.to_string()))?;
        let tensor = file.tensor("mom2").map_err(|error| layout(error.to_string()))?;
        if tensor.shape() != [size, size] {
            return Err(layout(format!("`mom2` has the shape {:?}", tensor.shape())));
        }
        let data = tensor.data();
        let values: Vec<f64> = match tensor.dtype() {
            Dtype::F32 => {
                data.as_chunks().0.iter().map(|it| f64::from(f32::from_le_bytes(*it))).collect()
            }
            Dtype::F64 => data.as_chunks().0.iter().map(|it| f64::from_le_bytes(*it)).collect(),
            other => return Err(layout(format!("`mom2` holds numbers of type {other:?}"))),
        };
        if let Some(at) = values.iter().position(|it| !it.is_finite()) {
            return Err(layout(format!("a number in row {} is not finite", at / size)));
        }
        Ok(Self { values, size, path: path.to_owned() })
    }

    /// Computes `C⁻¹ k` with a Cholesky factorization, in f64. `[d_mlp]`, both
    ///
    /// # Panics
    ///
    /// If `k` has another length.
    pub fn solve(&self, k: &[f64], ctx: &TaskCtx<'_>) -> Result<Vec<f64>, SecondMomentError> {
        let n = self.size;
        assert_eq!(k.len(), n, "a key has the length of the second moment");
        let mut factor = self.values.clone();
        for column in 0..n {
            ctx.checkpoint(Progress { done: column as u64, total: n as u64 })?;
            let (above, below) = factor.split_at_mut((column + 1) * n);
            let row = &mut above[column * n..];
            let pivot = row[column] - dot(&row[..column], &row[..column]);
            if pivot <= 0.0 || pivot.is_nan() {
                return Err(SecondMomentError::NotPositive {
                    path: self.path.clone(),
                    row: column,
                });
            }
            row[column] = pivot.sqrt();
            let row = &row[..=column];
            below.par_chunks_mut(n).with_min_len(64).for_each(|other| {
                let rest = other[column] - dot(&other[..column], &row[..column]);
                other[column] = rest / row[column];
            });
        }
        let mut x = k.to_vec();
        for row in 0..n {
            let before = dot(&factor[row * n..row * n + row], &x[..row]);
            x[row] = (x[row] - before) / factor[row * n + row];
        }
        for row in (0..n).rev() {
            x[row] /= factor[row * n + row];
            let value = x[row];
            for (before, entry) in x[..row].iter_mut().zip(&factor[row * n..]) {
                *before -= entry * value;
            }
        }
        Ok(x)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
