//! The direction of the residual stream that a token's logit reads, and how components write along
//! it.

use burn::tensor::Tensor;

use super::Transformer;
use super::transformer::Block;
use crate::intervention::Site;

/// The final layer norm and one token's unembedding as one linear map.
///
/// It holds the layer norm's scale fixed, so it is exact at the position whose scale it uses. There
/// it splits a logit into what each component wrote to the residual stream.
#[derive(Clone, Debug)]
pub struct LogitDirection {
    /// The product of gain, unembedding, centring and scale. `[d_model]`
    pub weights: Tensor<1>,

    /// What the final layer norm's bias adds to the logit for any input: TransformerLens' `b_U`
    /// after `fold_ln` and `center_unembed`.
    pub constant: f32,
}

impl Transformer {
    /// The direction that gives the logit of `token` less that of `foil`. Without a foil the mean
    /// over the vocabulary is taken off, which changes no probability (TransformerLens'
    /// `center_unembed`).
    ///
    /// # Shapes
    ///
    /// - `resid`: the final residual stream at the position to read, `[d_model]`
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

    /// The same direction for any position, not yet divided by the final layer norm's scale there.
    pub fn unscaled_logit_direction(&self, token: u32, foil: Option<u32>) -> LogitDirection {
        let column = self.unembedding_difference(token, foil);
        let weights = self.ln_f.gain.clone() * column.clone();
        LogitDirection {
            weights: weights.clone() - weights.mean(),
            constant: (self.ln_f.bias.clone() * column).sum().into_scalar::<f32>()
                + self.unembed_bias_difference(token, foil),
        }
    }

    /// The unembedding vector of a token less that of a foil, or less the mean over the vocabulary.
    /// `[d_model]`
    pub(super) fn unembedding_difference(&self, token: u32, foil: Option<u32>) -> Tensor<1> {
        let matrix = self.unembedding_matrix();
        let column = |token: u32| matrix.rows(&[token]).reshape([self.config.d_model]);
        column(token) - foil.map_or_else(|| matrix.mean(), column)
    }

    /// The final layer norm's divisor. `[rows, d_model]` to `[rows, 1]`
    pub fn final_scale(&self, resid: Tensor<2>) -> Tensor<2> {
        let centered = resid.clone() - resid.mean_dim(1);
        self.ln_f.scale(centered.unsqueeze_dim(0)).squeeze_dim::<2>(0)
    }

    /// The entry of `b_U` for a token less that for a foil, or less the mean over the vocabulary.
    fn unembed_bias_difference(&self, token: u32, foil: Option<u32>) -> f32 {
        let Some(bias) = &self.unembed_bias else { return 0.0 };
        let of = |token: u32| bias.clone().narrow(0, token as usize, 1).into_scalar::<f32>();
        of(token) - foil.map_or_else(|| bias.clone().mean().into_scalar::<f32>(), of)
    }

    /// What each head of `layer` writes along a direction, and what the attention biases write.
    ///
    /// Since attention weights sum to one, the value bias adds a constant. It counts as bias and
    /// not as the head's result, as with TransformerLens' `fold_value_biases`.
    ///
    /// # Shapes
    ///
    /// - `z`: the heads' outputs at one position, `[n_heads, d_head]`
    /// - output: one number for each head, and that of the biases
    pub fn project_heads(
        &self,
        layer: usize,
        z: Tensor<2>,
        direction: &LogitDirection,
    ) -> (Vec<f32>, f32) {
        let heads = self.read_heads(layer, z.unsqueeze(), direction);
        (heads.into_data().iter::<f32>().collect(), self.attention_bias(layer, direction))
    }

    /// What the attention biases of a layer, value biases included, write along a direction.
    pub fn attention_bias(&self, layer: usize, direction: &LogitDirection) -> f32 {
        let of_values = self.folded_value_bias(layer) * self.read_output(layer, direction);
        let of_output = self.h[layer].attn.c_proj.bias.clone() * direction.weights.clone();
        (of_values.sum() + of_output.sum()).into_scalar::<f32>()
    }

    /// What values, or means of values, write along a direction through their head's `W_O`, without
    /// the value bias as `fold_ln` makes it.
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

    /// What each neuron of `layer` writes along a direction per unit of its activation, `[d_mlp]`,
    /// and what `b_out` writes.
    pub fn read_neurons(&self, layer: usize, direction: &LogitDirection) -> (Tensor<1>, f32) {
        let out = &self.h[layer].mlp.c_proj;
        let per_unit = out.weight.clone().matmul(direction.weights.clone().unsqueeze_dim(1));
        let bias = (out.bias.clone() * direction.weights.clone()).sum().into_scalar::<f32>();
        (per_unit.squeeze_dim::<1>(1), bias)
    }

    /// What steering writes along a direction through the MLP output of `layer`, at a position.
    pub fn read_additions(&self, layer: usize, pos: usize, direction: &LogitDirection) -> f32 {
        let here = self.additions.iter().filter(|it| {
            it.site == Site::MlpOut(layer) && it.positions.resolve(pos + 1).contains(&pos)
        });
        let along = here
            .map(|it| (it.vector.clone() * direction.weights.clone()).sum().into_scalar::<f32>());
        along.sum()
    }

    /// The direction of the residual stream that a head of `layer` reads in order to write along
    /// `direction`, through `W_V W_O`. It is not yet divided by the first layer norm's scale at the
    /// position that is read, and leaves out that norm's bias and the value bias.
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

    /// The value bias as `fold_ln` makes it: with the first layer norm's bias, seen through `W_V`,
    /// added. `[n_heads, d_head]`
    fn folded_value_bias(&self, layer: usize) -> Tensor<2> {
        let Block { ln_1, attn, .. } = &self.h[layer];
        let seen = ln_1.bias.clone().unsqueeze::<2>().matmul(attn.value.weight.clone());
        let bias = attn.value.bias.clone().unsqueeze::<2>() + seen;
        bias.reshape([self.config.n_heads, self.config.d_head()])
    }

    /// What each dimension of each head's output writes along a direction, through `W_O`.
    /// `[n_heads, d_head]`
    fn read_output(&self, layer: usize, direction: &LogitDirection) -> Tensor<2> {
        let weight = self.h[layer].attn.c_proj.weight.clone();
        let read = weight.matmul(direction.weights.clone().unsqueeze_dim(1));
        read.reshape([self.config.n_heads, self.config.d_head()])
    }
}
