//! Makes edited copies of a model, which differ in one matrix or by an added vector.
//!
//! A copy shares all other tensors with the original, so both fit in memory.

use burn::tensor::{Tensor, TensorData};

use super::Transformer;
use super::addition::Addition;
use crate::intervention::{Site, Span};

impl Transformer {
    /// A copy of the model with `left ⊗ right` added to `W_out` of one layer's MLP.
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
        let output = &mut edited.h[layer].mlp.output;
        assert_eq!(output.weight.dims(), [left.len(), right.len()], "the update has another shape");
        output.weight = (output.weight.widen() + column.matmul(row)).into();
        edited
    }

    /// A copy of the model that adds a vector to the output of one layer's MLP, at these positions
    /// of every run: at [`Site::MlpOut`] or [`Site::MlpMapped`].
    ///
    /// # Panics
    ///
    /// If there is no such site, or the vector has another length.
    pub fn with_addition(&self, site: Site, positions: Span, vector: &[f32]) -> Self {
        let is_there = site.layer().is_some_and(|layer| layer < self.config.n_layers);
        assert!(is_there && self.config.has(site), "there is no `{site}`");
        assert_eq!(vector.len(), self.config.d_model, "a direction has the model's width");
        let data = TensorData::new(vector.to_vec(), [vector.len()]);
        let vector = Tensor::from_data(data, &self.device());
        let mut edited = self.clone();
        edited.additions.push(Addition { site, positions, vector });
        edited
    }

    /// The direction of the residual stream along which a token's logit grows: its unembedding
    /// vector less that of another token, or less the mean of all tokens. `[d_model]`
    pub fn unembedding(&self, token: u32, less: Option<u32>) -> Vec<f32> {
        self.unembedding_difference(token, less).into_data().iter::<f32>().collect()
    }
}
