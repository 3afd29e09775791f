//! The layers that a transformer block is made of: affine maps and layer norm.

use burn::tensor::Tensor;

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
        if let Some(y) = cpu::affine(&x, &self.weight, &self.bias) {
            return y;
        }
        let [batch, n_pos, d_in] = x.dims();
        let [_, d_out] = self.weight.dims();
        let y = x.reshape([batch * n_pos, d_in]).matmul(self.weight.clone());
        (y + self.bias.clone().unsqueeze()).reshape([batch, n_pos, d_out])
    }

    /// The residual stream with the map's output added. `[batch, pos, d_out]`
    pub fn onto(&self, resid: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        cpu::affine_onto(resid, &x, &self.weight, &self.bias)
            .unwrap_or_else(|resid| resid + self.forward(x))
    }
}

/// Layer norm with biased variance, and ε under the root.
#[derive(Clone, Debug)]
pub(super) struct LayerNorm {
    /// `[d_model]`
    pub gain: Tensor<1>,

    /// `[d_model]`
    pub bias: Tensor<1>,

    pub epsilon: f64,
}

impl LayerNorm {
    /// The normalized input, passed through the tap at the norm's two sites.
    /// `[batch, pos, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        [scale_site, normalized_site]: [Site; 2],
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

    /// The normalized input, without the tap. `[…, d_model]`
    pub fn normalize<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let Self { gain, bias, epsilon } = self;
        cpu::layer_norm(&x, gain, bias, *epsilon).unwrap_or_else(|| {
            burn::tensor::module::layer_norm(x, gain.clone(), Some(bias.clone()), *epsilon)
        })
    }

    /// The norm's divisor, from its input less the input's mean. `[batch, pos, d_model]` to
    /// `[batch, pos, 1]`
    pub fn scale(&self, centered: Tensor<3>) -> Tensor<3> {
        ((centered.clone() * centered).mean_dim(2) + self.epsilon).sqrt()
    }
}
