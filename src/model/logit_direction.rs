//! The direction of the residual stream that a token's logit reads, and how components write along
//! it.

use burn::tensor::Tensor;

use super::Transformer;
use super::transformer::Block;
use crate::intervention::Site;

/// The final norm and one token's unembedding as one linear map.
///
/// It holds the norm's scale fixed, so it is exact at the position whose scale it uses. There
/// it splits a logit into what each component wrote to the residual stream.
#[derive(Clone, Debug)]
pub struct LogitDirection {
    /// The product of gain, unembedding, centring and scale. `[d_model]`
    pub weights: Tensor<1>,

    /// What the final norm's bias adds to the logit for any input: TransformerLens' `b_U`
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

    /// The direction of a logit for any position, not yet divided by the final norm's scale there.
    pub fn unscaled_logit_direction(&self, token: u32, foil: Option<u32>) -> LogitDirection {
        let column = self.unembedding_difference(token, foil);
        let of_bias = self.ln_f.bias().map_or(0.0, |bias| along(bias, &column));
        LogitDirection {
            weights: self.ln_f.direction(column),
            constant: of_bias + self.unembed_bias_difference(token, foil),
        }
    }

    /// The unembedding vector of a token less that of a foil, or less the mean over the vocabulary.
    /// `[d_model]`
    pub(super) fn unembedding_difference(&self, token: u32, foil: Option<u32>) -> Tensor<1> {
        let matrix = self.unembedding_matrix();
        let column = |token: u32| matrix.rows(&[token]).reshape([self.config.d_model]);
        column(token) - foil.map_or_else(|| matrix.mean(), column)
    }

    /// The final norm's divisor. `[rows, d_model]` to `[rows, 1]`
    pub fn final_scale(&self, resid: Tensor<2>) -> Tensor<2> {
        self.ln_f.scale_of(resid)
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
        let of_output = self.h[layer].attn.output.bias.as_ref();
        of_values.sum().into_scalar::<f32>()
            + of_output.map_or(0.0, |bias| along(bias, &direction.weights))
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
        let out = &self.h[layer].mlp.output;
        let per_unit = out.weight.times(direction.weights.clone());
        let bias = out.bias.as_ref().map_or(0.0, |bias| along(bias, &direction.weights));
        (per_unit, bias)
    }

    /// What steering writes along a direction through the MLP output of `layer`, at a position.
    pub fn read_additions(&self, layer: usize, pos: usize, direction: &LogitDirection) -> f32 {
        let here = self.additions.iter().filter(|it| {
            it.site == Site::MlpOut(layer) && it.positions.resolve(pos + 1).contains(&pos)
        });
        here.map(|it| along(&it.vector, &direction.weights)).sum()
    }

    /// The direction of the residual stream that a head of `layer` reads in order to write along
    /// `direction`, through `W_V W_O`. It is not yet divided by the first norm's scale at the
    /// position that is read, and leaves out that norm's bias and the value bias.
    pub fn through_head(
        &self,
        layer: usize,
        head: usize,
        direction: &LogitDirection,
    ) -> LogitDirection {
        let Block { ln_1, attn, .. } = &self.h[layer];
        let d_head = self.config.d_head();
        let kv_head = head * attn.n_kv_heads / attn.n_heads;
        let value = attn.value.weight.clone().narrow(1, kv_head * d_head, d_head);
        let output = attn.output.weight.clone().narrow(0, head * d_head, d_head);
        let read = value.times(output.times(direction.weights.clone()));
        LogitDirection { weights: ln_1.direction(read), constant: 0.0 }
    }

    /// The value bias as `fold_ln` makes it: with the first norm's bias, seen through `W_V`,
    /// added. `[n_heads, d_head]`
    fn folded_value_bias(&self, layer: usize) -> Tensor<2> {
        let Block { ln_1, attn, .. } = &self.h[layer];
        let bias = attn.value.offset();
        self.by_query_head(match attn.value.of_bias(ln_1) {
            Some(seen) => bias + seen,
            None => bias,
        })
    }

    /// What each dimension of each head's output writes along a direction, through `W_O`.
    /// `[n_heads, d_head]`
    fn read_output(&self, layer: usize, direction: &LogitDirection) -> Tensor<2> {
        let read = self.h[layer].attn.output.weight.times(direction.weights.clone());
        read.reshape([self.config.n_heads, self.config.d_head()])
    }
}

/// The sum of the products of two vectors.
fn along(vector: &Tensor<1>, direction: &Tensor<1>) -> f32 {
    (vector.clone() * direction.clone()).sum().into_scalar::<f32>()
}
