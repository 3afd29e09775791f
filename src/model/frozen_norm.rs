//! The norm after attention or an MLP with its scales held fixed, which splits its output into what
//! heads and neurons bring to it.
//!
//! `TransformerLens` splits the output of attention before that norm, so that the parts of heads there
//! do not add up to what enters the residual stream. Here they do.

use burn::tensor::Tensor;

use super::norm::Norm;
use super::{ActivationCache, LogitDirection, Transformer};
use crate::intervention::Site;

/// A norm with the scales of one run held fixed, so that it is linear; the identity where a model has
/// no norm there.
pub struct FrozenNorm<'a> {
    /// The norm, and its divisor at each position. `[pos, 1]`
    norm: Option<(&'a Norm, Tensor<2>)>,
}

impl Transformer {
    /// The norm after a layer's attention in a run of one row that kept [`Site::AttnMapped`], if the
    /// model has it.
    pub fn norm_after_attention(&self, layer: usize, run: &ActivationCache) -> FrozenNorm<'_> {
        FrozenNorm::new(self.h[layer].attn.after.as_ref(), Site::AttnMapped(layer), run)
    }

    /// The norm after a layer's MLP in a run of one row that kept [`Site::MlpMapped`], if the model has
    /// it.
    pub fn norm_after_mlp(&self, layer: usize, run: &ActivationCache) -> FrozenNorm<'_> {
        FrozenNorm::new(self.h[layer].mlp.after.as_ref(), Site::MlpMapped(layer), run)
    }
}

impl<'a> FrozenNorm<'a> {
    fn new(norm: Option<&'a Norm>, site: Site, run: &ActivationCache) -> Self {
        Self { norm: norm.map(|norm| (norm, norm.scale_of(run.stream(site)))) }
    }

    /// The direction of the norm's input that gives at a position what `direction` gives of its output.
    pub fn direction_at(&self, pos: usize, direction: &LogitDirection) -> LogitDirection {
        let LogitDirection { weights, constant } = self.unscaled_direction(direction);
        let weights = match &self.norm {
            Some((_, scale)) => weights / scale.clone().narrow(0, pos, 1).reshape([1]),
            None => weights,
        };
        LogitDirection { weights, constant }
    }

    /// As [`Self::direction_at`], but not yet divided by the scale of a position.
    pub fn unscaled_direction(&self, direction: &LogitDirection) -> LogitDirection {
        let LogitDirection { weights, constant } = direction.clone();
        let weights = match &self.norm {
            Some((norm, _)) => norm.direction(weights),
            None => weights,
        };
        LogitDirection { weights, constant }
    }

    /// Divides what belongs to positions by their scales. `[pos, width]`
    pub fn divide(&self, rows: Tensor<2>) -> Tensor<2> {
        match &self.norm {
            Some((_, scale)) => rows / scale.clone(),
            None => rows,
        }
    }

    /// What vectors of the norm's input give of its output, but for the division by the scale of a
    /// position. `[…, …, d_model]`
    pub fn unscaled(&self, vectors: Tensor<3>) -> Tensor<3> {
        match &self.norm {
            Some((norm, _)) => norm.center(vectors) * norm.gain.clone().unsqueeze(),
            None => vectors,
        }
    }

    /// Divides the weights of a query by its scale. `[head, key, 1]`
    pub fn divide_at(&self, query: usize, weights: Tensor<3>) -> Tensor<3> {
        match &self.norm {
            Some((_, scale)) => weights / scale.clone().narrow(0, query, 1).unsqueeze(),
            None => weights,
        }
    }

    /// Divides each query's weights by its scale. `[head, query, key]`
    pub fn divide_queries(&self, mut weights: Vec<f32>) -> Vec<f32> {
        let Some((_, scale)) = &self.norm else { return weights };
        let scales: Vec<f32> = scale.clone().into_data().iter::<f32>().collect();
        for (row, scale) in weights.chunks_mut(scales.len()).zip(scales.iter().cycle()) {
            for it in row {
                *it /= scale;
            }
        }
        weights
    }
}
