//! What single heads carry from one position to another, as vectors of the residual stream.

use burn::tensor::Tensor;

use super::Gpt2;

impl Gpt2 {
    /// Each value as its head's `W_O` writes it, before attention weighs it.
    ///
    /// # Shapes
    ///
    /// - `values`: `[pos, n_heads, d_head]`
    /// - output: `[n_heads, pos, d_model]`
    pub fn values_through_output(&self, layer: usize, values: Tensor<3>) -> Tensor<3> {
        let [_, n_heads, d_head] = values.dims();
        let output = self.h[layer].attn.c_proj.weight.clone();
        let output = output.reshape([n_heads, d_head, self.config.d_model]);
        values.swap_dims(0, 1).matmul(output)
    }

    /// `b_V`. `[n_heads, d_head]`
    pub fn value_bias(&self, layer: usize) -> Tensor<2> {
        let bias = self.h[layer].attn.value.bias.clone();
        bias.reshape([self.config.n_heads, self.config.d_head()])
    }
}
