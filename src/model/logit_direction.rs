use burn::tensor::Tensor;

use super::Gpt2;

/// The final layer norm and the unembedding of one token as one linear map.
///
/// Exact at the place it was taken from, because the layer norm's scale is held fixed there. This is
/// what lets a logit be split into the parts that components wrote to the residual stream.
#[derive(Clone, Debug)]
pub struct LogitDirection {
    /// Gain, unembedding, centring and scale in one. `[d_model]`
    pub weights: Tensor<1>,

    /// What the final layer norm's bias adds, whatever the input. TransformerLens' `b_U` after
    /// `fold_ln` and `center_unembed`.
    pub constant: f32,
}

impl Gpt2 {
    /// How the residual stream at one place turns into the logit of `token`, compared with that of
    /// `foil`, or without one with the mean over the vocabulary (TransformerLens' `center_unembed`,
    /// which changes no probability).
    ///
    /// # Shapes
    ///
    /// - `resid`: the final residual stream at that place, `[d_model]`
    pub fn logit_direction(
        &self,
        resid: Tensor<1>,
        token: u32,
        foil: Option<u32>,
    ) -> LogitDirection {
        let d_model = self.config.d_model;
        let matrix = self.lm_head.as_ref().unwrap_or(&self.wte);
        let column = |token: u32| matrix.rows(&[token]).reshape([d_model]);
        let reference = foil.map_or_else(|| matrix.mean(), column);
        let column = column(token) - reference;

        let resid = resid.reshape([1, 1, d_model]);
        let centered = resid.clone() - resid.mean_dim(2);
        let scale = self.ln_f.scale(centered).reshape([1]);
        let weights = self.ln_f.gain.clone() * column.clone();
        LogitDirection {
            weights: (weights.clone() - weights.mean()) / scale,
            constant: (self.ln_f.bias.clone() * column).sum().into_scalar::<f32>(),
        }
    }

    /// How each head of `layer` reaches the residual stream along a direction, and what the
    /// attention biases contribute.
    ///
    /// TransformerLens' `fold_value_biases`: since attention weights sum to one, the value bias is
    /// a constant and counts as bias, not as the head's result.
    ///
    /// # Shapes
    ///
    /// - `z`: the heads' outputs at one place, `[n_heads, d_head]`
    /// - output: per head, and the bias
    pub fn project_heads(
        &self,
        layer: usize,
        z: Tensor<2>,
        direction: &LogitDirection,
    ) -> (Vec<f32>, f32) {
        let [n_heads, d_head] = z.dims();
        let attn = &self.h[layer].attn;
        // `fold_ln` puts the layer norm's bias, seen through `W_V`, into the value bias.
        let value_bias = attn.value.bias.clone()
            + self.h[layer]
                .ln_1
                .bias
                .clone()
                .unsqueeze::<2>()
                .matmul(attn.value.weight.clone())
                .reshape([n_heads * d_head]);
        // `W_O` seen along the direction. `[n_heads, d_head]`
        let read = attn
            .c_proj
            .weight
            .clone()
            .matmul(direction.weights.clone().unsqueeze_dim(1))
            .reshape([n_heads, d_head]);
        let value_bias = value_bias.reshape([n_heads, d_head]);
        let heads = ((z - value_bias.clone()) * read.clone()).sum_dim(1);
        let bias = (value_bias * read).sum()
            + (attn.c_proj.bias.clone() * direction.weights.clone()).sum();
        (heads.into_data().iter::<f32>().collect(), bias.into_scalar::<f32>())
    }
}
