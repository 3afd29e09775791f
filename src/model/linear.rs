//! Affine and linear maps, which make queries, keys, values, neurons and outputs.

use burn::tensor::Tensor;

use super::cpu;
use super::matrix::Matrix;
use super::norm::Norm;

/// `y = x W + b`, with `W` as `[d_in, d_out]`, whichever way it lies in memory.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// `[d_in, d_out]`
    pub weight: Matrix,

    /// `[d_out]`
    pub bias: Option<Tensor<1>>,
}

impl Linear {
    /// `[batch, pos, d_in]` to `[batch, pos, d_out]`, as one product over all rows.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        if let Some(y) = cpu::affine(&x, self) {
            return y;
        }
        let [batch, n_pos, d_in] = x.dims();
        let [_, d_out] = self.weight.dims();
        let y = self.weight.after(x.reshape([batch * n_pos, d_in]));
        let y = match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze(),
            None => y,
        };
        y.reshape([batch, n_pos, d_out])
    }

    /// The residual stream with the map's output added. `[batch, pos, d_out]`
    pub fn onto(&self, resid: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        cpu::affine_onto(resid, &x, self).unwrap_or_else(|resid| resid + self.forward(x))
    }

    /// The gradient at the input, from the gradient at the output. `[batch, pos, d_out]` to
    /// `[batch, pos, d_in]`
    pub fn backward(&self, d_output: Tensor<3>) -> Tensor<3> {
        let [batch, n_pos, d_out] = d_output.dims();
        let [d_in, _] = self.weight.dims();
        let d_output = d_output.reshape([batch * n_pos, d_out]);
        self.weight.clone().transpose().after(d_output).reshape([batch, n_pos, d_in])
    }

    /// The output for the input 0. `[d_out]`
    pub fn offset(&self) -> Tensor<1> {
        match &self.bias {
            Some(bias) => bias.clone(),
            None => Tensor::zeros([self.weight.dims()[1]], &self.weight.device()),
        }
    }

    /// What a norm's bias gives through this map, if it has one. `[d_out]`
    pub fn of_bias(&self, norm: &Norm) -> Option<Tensor<1>> {
        let bias = norm.bias()?.clone().unsqueeze::<2>();
        Some(self.weight.after(bias).squeeze_dim::<1>(0))
    }

    /// The map that gives for the norm without gain and bias what this map gives for `norm`.
    pub fn reading(&self, norm: &Norm) -> Self {
        let weight = norm.folded_into(self.weight.widen()).into();
        Self { weight, bias: sum(self.bias.clone(), self.of_bias(norm)) }
    }

    /// The map whose outputs are this map's outputs less their mean.
    pub fn centered(&self) -> Self {
        Self {
            weight: centered_rows(self.weight.widen()).into(),
            bias: self.bias.clone().map(|bias| bias.clone() - bias.mean()),
        }
    }
}

/// The sum of two biases that may both be absent.
pub(super) fn sum(one: Option<Tensor<1>>, other: Option<Tensor<1>>) -> Option<Tensor<1>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    }
}

/// The rows less their means.
pub(super) fn centered_rows(rows: Tensor<2>) -> Tensor<2> {
    rows.clone() - rows.mean_dim(1)
}
