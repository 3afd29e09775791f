//! A vector that a steered model adds to an MLP's output in every run.

use burn::tensor::{Tensor, TensorData};

use crate::intervention::{Site, Span};

/// A vector added to the output of one layer's MLP in every run, as if it were part of `b_out`, but
/// at some positions only.
#[derive(Clone, Debug)]
pub(super) struct Addition {
    /// The site of the MLP's output.
    pub site: Site,
    pub positions: Span,

    /// `[d_model]`
    pub vector: Tensor<1>,
}

impl Addition {
    /// `x` with the vector added. `first_pos` is the position that `x` begins with.
    /// `[batch, pos, 1, width]`
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
