//! The parts a block is made of: affine maps, layer norm, GELU.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::cpu;
use super::tap::Tap;
use crate::intervention::Site;

/// `y = x W + b`, with `W` stored `[d_in, d_out]` as GPT-2's Conv1D does.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    /// `[d_in, d_out]`
    pub weight: Tensor<2>,

    /// `[d_out]`
    pub bias: Tensor<1>,
}

impl Affine {
    /// `[batch, pos, d_in]` to `[batch, pos, d_out]`, as one product over all rows.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        if let Some(y) = cpu::affine(&x, self) {
            return y;
        }
        let [batch, n_pos, d_in] = x.dims();
        let [_, d_out] = self.weight.dims();
        let y = x.reshape([batch * n_pos, d_in]).matmul(self.weight.clone());
        (y + self.bias.clone().unsqueeze()).reshape([batch, n_pos, d_out])
    }

    /// The same, added to the residual stream.
    pub fn onto(&self, resid: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        cpu::affine_onto(resid, &x, self).unwrap_or_else(|resid| resid + self.forward(x))
    }
}

/// Layer norm with biased variance, ε inside the root.
#[derive(Clone, Debug)]
pub(super) struct LayerNorm {
    /// `[d_model]`
    pub gain: Tensor<1>,

    /// `[d_model]`
    pub bias: Tensor<1>,

    pub epsilon: f64,
}

impl LayerNorm {
    /// With a stop at its two sites.
    pub fn forward(
        &self,
        x: Tensor<3>,
        scale_site: Site,
        normalized_site: Site,
        tap: &mut Tap<'_>,
    ) -> Tensor<3> {
        let normalized = if tap.is_idle_at(scale_site) {
            self.normalize(x)
        } else {
            let centered = x.clone() - x.mean_dim(2);
            let scale = tap.stream(scale_site, self.scale(centered.clone()));
            (centered / scale) * self.gain.clone().unsqueeze() + self.bias.clone().unsqueeze()
        };
        tap.stream(normalized_site, normalized)
    }

    /// Without stops. `[…, d_model]`
    pub fn normalize<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        cpu::layer_norm(&x, self).unwrap_or_else(|| {
            let (gain, bias) = (self.gain.clone(), self.bias.clone());
            burn::tensor::module::layer_norm(x, gain, Some(bias), self.epsilon)
        })
    }

    /// What it divides by. `[batch, pos, d_model]`, mean already taken off, to `[batch, pos, 1]`
    pub fn scale(&self, centered: Tensor<3>) -> Tensor<3> {
        ((centered.clone() * centered).mean_dim(2) + self.epsilon).sqrt()
    }
}

/// GPT-2's GELU is `x · sigmoid(GELU_LINEAR x + GELU_CUBIC x³)`: `2 √(2/π)`, and 0.044715 of it.
pub(super) const GELU_LINEAR: f64 =
    2.0 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
pub(super) const GELU_CUBIC: f64 = GELU_LINEAR * 0.044_715;

/// GPT-2's GELU, the tanh approximation (Hendrycks & Gimpel 2016).
///
/// `0.5 x (1 + tanh u)` is `x · sigmoid(2u)`: the same numbers from half as many passes.
pub(super) fn gelu_new(x: Tensor<3>) -> Tensor<3> {
    cpu::gelu_new(x).unwrap_or_else(|x| {
        let factor = x.clone() * x.clone() * GELU_CUBIC + GELU_LINEAR;
        x.clone() * sigmoid(factor * x)
    })
}
