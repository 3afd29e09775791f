use burn::tensor::Tensor;

use super::Gpt2;
use super::gpt2::Block;
use crate::intervention::Site;

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
        let scale = self.final_scale(resid.unsqueeze()).reshape([1]);
        let LogitDirection { weights, constant } = self.unscaled_logit_direction(token, foil);
        LogitDirection { weights: weights / scale, constant }
    }

    /// The same at any place, still to be divided by what the final layer norm divides by there.
    pub fn unscaled_logit_direction(&self, token: u32, foil: Option<u32>) -> LogitDirection {
        let d_model = self.config.d_model;
        let matrix = self.lm_head.as_ref().unwrap_or(&self.wte);
        let column = |token: u32| matrix.rows(&[token]).reshape([d_model]);
        let reference = foil.map_or_else(|| matrix.mean(), column);
        let column = column(token) - reference;
        let weights = self.ln_f.gain.clone() * column.clone();
        LogitDirection {
            weights: weights.clone() - weights.mean(),
            constant: (self.ln_f.bias.clone() * column).sum().into_scalar::<f32>()
                + self.unembed_bias_difference(token, foil),
        }
    }

    /// What the final layer norm divides by. `[rows, d_model]` to `[rows, 1]`
    pub fn final_scale(&self, resid: Tensor<2>) -> Tensor<2> {
        let centered = resid.clone() - resid.mean_dim(1);
        self.ln_f.scale(centered.unsqueeze_dim(0)).squeeze_dim::<2>(0)
    }

    /// `b_U` of a token less that of a foil, or less the mean over the vocabulary.
    fn unembed_bias_difference(&self, token: u32, foil: Option<u32>) -> f32 {
        let Some(bias) = &self.unembed_bias else { return 0.0 };
        let of = |token: u32| bias.clone().narrow(0, token as usize, 1).into_scalar::<f32>();
        of(token) - foil.map_or_else(|| bias.clone().mean().into_scalar::<f32>(), of)
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
        let heads = self.read_heads(layer, z.unsqueeze(), direction);
        (heads.into_data().iter::<f32>().collect(), self.attention_bias(layer, direction))
    }

    /// What the attention biases of a layer contribute along a direction, value biases included.
    pub fn attention_bias(&self, layer: usize, direction: &LogitDirection) -> f32 {
        let of_values = self.folded_value_bias(layer) * self.read_output(layer, direction);
        let of_output = self.h[layer].attn.c_proj.bias.clone() * direction.weights.clone();
        (of_values.sum() + of_output.sum()).into_scalar::<f32>()
    }

    /// How values, or means of them, reach the residual stream along a direction through their head's
    /// `W_O`; the value bias, `fold_ln`'s part of it included, is taken off.
    ///
    /// # Shapes
    ///
    /// - `values`: `[pos, n_heads, d_head]`
    /// - output: `[pos, n_heads]`
    pub fn read_heads(
        &self,
        layer: usize,
        values: Tensor<3>,
        direction: &LogitDirection,
    ) -> Tensor<2> {
        let [n_pos, n_heads, _] = values.dims();
        let values = values - self.folded_value_bias(layer).unsqueeze();
        let read = values * self.read_output(layer, direction).unsqueeze();
        read.sum_dim(2).reshape([n_pos, n_heads])
    }

    /// How each neuron of `layer` writes along a direction, per unit of its activation, and what
    /// `b_out` contributes. `[d_mlp]`
    pub fn read_neurons(&self, layer: usize, direction: &LogitDirection) -> (Tensor<1>, f32) {
        let out = &self.h[layer].mlp.c_proj;
        let per_unit = out.weight.clone().matmul(direction.weights.clone().unsqueeze_dim(1));
        let bias = (out.bias.clone() * direction.weights.clone()).sum().into_scalar::<f32>();
        (per_unit.squeeze_dim::<1>(1), bias)
    }

    /// What steering adds to the MLP's output of `layer` along a direction at a position.
    pub fn read_additions(&self, layer: usize, pos: usize, direction: &LogitDirection) -> f32 {
        let here = self.additions.iter().filter(|it| {
            it.site == Site::MlpOut(layer) && it.positions.resolve(pos + 1).contains(&pos)
        });
        let along = here
            .map(|it| (it.vector.clone() * direction.weights.clone()).sum().into_scalar::<f32>());
        along.sum()
    }

    /// How the residual stream that a head of `layer` reads turns into what it writes along a
    /// direction, through `W_V W_O`. Still to be divided by the scale of the first layer norm at the
    /// place that is read; that norm's bias and the value bias are left out.
    pub fn through_head(
        &self,
        layer: usize,
        head: usize,
        direction: &LogitDirection,
    ) -> LogitDirection {
        let Block { ln_1, attn, .. } = &self.h[layer];
        let d_head = self.config.d_head();
        let value = attn.value.weight.clone().narrow(1, head * d_head, d_head);
        let output = attn.c_proj.weight.clone().narrow(0, head * d_head, d_head);
        let read = value.matmul(output.matmul(direction.weights.clone().unsqueeze_dim(1)));
        let read = read.squeeze_dim::<1>(1) * ln_1.gain.clone();
        LogitDirection { weights: read.clone() - read.mean(), constant: 0.0 }
    }

    /// `fold_ln` puts the layer norm's bias, seen through `W_V`, into the value bias.
    /// `[n_heads, d_head]`
    fn folded_value_bias(&self, layer: usize) -> Tensor<2> {
        let Block { ln_1, attn, .. } = &self.h[layer];
        let seen = ln_1.bias.clone().unsqueeze::<2>().matmul(attn.value.weight.clone());
        let bias = attn.value.bias.clone().unsqueeze::<2>() + seen;
        bias.reshape([self.config.n_heads, self.config.d_head()])
    }

    /// `W_O` seen along a direction. `[n_heads, d_head]`
    fn read_output(&self, layer: usize, direction: &LogitDirection) -> Tensor<2> {
        let weight = self.h[layer].attn.c_proj.weight.clone();
        let read = weight.matmul(direction.weights.clone().unsqueeze_dim(1));
        read.reshape([self.config.n_heads, self.config.d_head()])
    }
}
