//! A model that differs from the one on disk: in one matrix, or by what is added on the way.
//!
//! All other tensors are shared, so the original stays as it is and both fit in memory.

use burn::tensor::{Tensor, TensorData};

use super::Gpt2;
use crate::intervention::{Site, Span};

/// A vector added to what the MLP of a layer writes, in every run. As if it were part of `b_out`, but
/// at some positions only.
#[derive(Clone, Debug)]
pub(super) struct Addition {
    pub site: Site,
    pub positions: Span,

    /// `[d_model]`
    pub vector: Tensor<1>,
}

impl Gpt2 {
    /// With `left ⊗ right` added to the MLP's `W_out` of a layer.
    ///
    /// # Shapes
    ///
    /// - `left`: `[d_mlp]`
    /// - `right`: `[d_model]`
    ///
    /// # Panics
    ///
    /// If there is no such layer, or the vectors have other lengths.
    pub fn with_rank_one(&self, layer: usize, left: &[f32], right: &[f32]) -> Self {
        let mut edited = self.clone();
        let device = self.device();
        let column =
            Tensor::<2>::from_data(TensorData::new(left.to_vec(), [left.len(), 1]), &device);
        let row =
            Tensor::<2>::from_data(TensorData::new(right.to_vec(), [1, right.len()]), &device);
        let c_proj = &mut edited.h[layer].mlp.c_proj;
        assert_eq!(c_proj.weight.dims(), [left.len(), right.len()], "the update has another shape");
        c_proj.weight = c_proj.weight.clone() + column.matmul(row);
        edited
    }

    /// With a vector added to what the MLP of a layer writes, at these positions of every run.
    ///
    /// # Panics
    ///
    /// If there is no such layer, or the vector has another length.
    pub fn with_addition(&self, layer: usize, positions: Span, vector: &[f32]) -> Self {
        assert!(layer < self.config.n_layers, "there is no such layer");
        assert_eq!(vector.len(), self.config.d_model, "a direction has the model's width");
        let data = TensorData::new(vector.to_vec(), [vector.len()]);
        let vector = Tensor::from_data(data, &self.device());
        let mut edited = self.clone();
        edited.additions.push(Addition { site: Site::MlpOut(layer), positions, vector });
        edited
    }

    /// How the vocabulary reads a token from the residual stream, less another, or else less the mean
    /// of all: a direction along which the token's logit grows. `[d_model]`
    pub fn unembedding(&self, token: u32, less: Option<u32>) -> Vec<f32> {
        let matrix = self.lm_head.as_ref().unwrap_or(&self.wte);
        let d_model = self.config.d_model;
        let column = |token: u32| matrix.rows(&[token]).reshape([d_model]);
        let reference = less.map_or_else(|| matrix.mean(), column);
        (column(token) - reference).into_data().iter::<f32>().collect()
    }
}

impl Addition {
    /// `first_pos`: the position that `x` begins with. `[batch, pos, 1, width]`
    pub fn onto(&self, x: Tensor<4>, first_pos: usize) -> Tensor<4> {
        let [_, n_pos, _, width] = x.dims();
        let vector = self.vector.clone().reshape([1, 1, 1, width]);
        let range = match &self.positions {
            Span::All => return x + vector,
            Span::Only(range) => range,
        };
        let is_in = |pos: usize| if range.contains(&(first_pos + pos)) { 1.0_f32 } else { 0.0 };
        let mask: Vec<f32> = (0..n_pos).map(is_in).collect();
        if mask.iter().all(|it| *it == 0.0) {
            return x;
        }
        let device = x.device();
        let mask = Tensor::<4>::from_data(TensorData::new(mask, [1, n_pos, 1, 1]), &device);
        x + mask * vector
    }
}
