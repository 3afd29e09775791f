//! What each head writes to the residual stream, and the gradient at the input of each that reads
//! it.

use burn::tensor::Tensor;

use super::attention::for_queries;
use super::{ActivationCache, Transformer};
use crate::intervention::Site;

impl Transformer {
    /// What each head adds to the residual stream, without `b_O`: TransformerLens' `hook_result`.
    /// Given values in place of `z`, what a head would add if it attended to one position alone.
    ///
    /// # Shapes
    ///
    /// - `z`: the heads' outputs, or values, `[pos, head, d_head]`
    /// - output: `[head, pos, d_model]`
    pub fn head_results(&self, layer: usize, z: Tensor<3>) -> Tensor<3> {
        let [_, n_heads, d_head] = z.dims();
        let output = self.h[layer].attn.output.weight.widen();
        z.swap_dims(0, 1).matmul(output.reshape([n_heads, d_head, self.config.d_model]))
    }

    /// How attention's output changes, to first order, where `W_O` writes so much more. `run` has
    /// [`Site::AttnMapped`] if the model has a norm there. `[head, pos, d_model]`, both, from
    /// `first_pos` on
    pub fn change_after_attention(
        &self,
        layer: usize,
        run: &ActivationCache,
        first_pos: usize,
        results: Tensor<3>,
    ) -> Tensor<3> {
        let Some(norm) = &self.h[layer].attn.after else { return results };
        let [_, n_pos, d_model] = results.dims();
        let mapped = run.get(Site::AttnMapped(layer)).clone().narrow(1, first_pos, n_pos);
        norm.change(mapped.reshape([1, n_pos, d_model]), results)
    }

    /// The value bias `b_V` of a layer, for each query head. `[head, d_head]`
    pub fn value_bias(&self, layer: usize) -> Tensor<2> {
        self.by_query_head(self.h[layer].attn.value.offset())
    }

    /// What belongs to heads of keys and values, once for each query head of their group.
    /// `[batch, pos, head, width]`
    pub fn for_queries(&self, x: Tensor<4>) -> Tensor<4> {
        for_queries(x, self.config.n_heads)
    }

    /// What all value heads have side by side, for each query head. `[n_kv_heads * d_head]` to
    /// `[n_heads, d_head]`
    pub(super) fn by_query_head(&self, x: Tensor<1>) -> Tensor<2> {
        let (n_kv_heads, d_head) = (self.config.n_kv_heads(), self.config.d_head());
        let x = self.for_queries(x.reshape([1, 1, n_kv_heads, d_head]));
        x.reshape([self.config.n_heads, d_head])
    }

    /// The gradients at the residual stream that the heads of a layer read, before the norm,
    /// as if each head had separate copies for its queries, keys and values: TransformerLens'
    /// `hook_q_input`, `hook_k_input` and `hook_v_input`.
    ///
    /// # Shapes
    ///
    /// - `run`: with [`Site::ResidPre`] of the layer
    /// - `gradients`: with [`Site::Q`], [`Site::K`] and [`Site::V`], beginning with `first_pos`
    /// - output: queries head by head, then keys and values, which have fewer heads if queries are
    ///   grouped, `[head, batch, pos, d_model]`
    pub fn head_input_gradients(
        &self,
        layer: usize,
        run: &ActivationCache,
        gradients: &ActivationCache,
        first_pos: usize,
    ) -> Tensor<4> {
        let d_normalized = self.h[layer].attn.inputs(layer).map(|(site, map, _)| {
            let gradient = gradients.get(site).clone();
            let [batch, n_pos, n_heads, d_head] = gradient.dims();
            let d_model = self.config.d_model;
            // [head, d_head, d_model]
            let weight = map.weight.widen().transpose().reshape([n_heads, d_head, d_model]);
            let gradient = gradient.reshape([batch * n_pos, n_heads, d_head]).swap_dims(0, 1);
            gradient.matmul(weight).reshape([n_heads * batch, n_pos, d_model])
        });
        let d_normalized = Tensor::cat(d_normalized.into(), 0);
        let [n_rows, n_pos, d_model] = d_normalized.dims();
        let input = run.get(Site::ResidPre(layer)).clone();
        let batch = input.dims()[0];
        let input = input.narrow(1, first_pos, n_pos).reshape([1, batch, n_pos, d_model]);
        let input = input.expand([n_rows / batch, batch, n_pos, d_model]);
        let input = input.reshape([n_rows, n_pos, d_model]);
        let through = self.h[layer].ln_1.backward(input, d_normalized);
        through.d_input().reshape([n_rows / batch, batch, n_pos, d_model])
    }

    /// The gradient at the residual stream that the MLP of a layer reads: TransformerLens'
    /// `hook_mlp_in`. `[1, batch, pos, d_model]`
    ///
    /// `run` has the site of [`ModelConfig::mlp_reads`](super::ModelConfig::mlp_reads), and
    /// `gradients` has [`Site::Ln2Normalized`].
    pub fn mlp_input_gradient(
        &self,
        layer: usize,
        run: &ActivationCache,
        gradients: &ActivationCache,
        first_pos: usize,
    ) -> Tensor<4> {
        let gradient = gradients.get(Site::Ln2Normalized(layer)).clone();
        let [batch, n_pos, _, d_model] = gradient.dims();
        let shape = [batch, n_pos, d_model];
        let input = run.get(self.config.mlp_reads(layer)).clone().narrow(1, first_pos, n_pos);
        let through = self.h[layer].ln_2.backward(input.reshape(shape), gradient.reshape(shape));
        through.d_input().reshape([1, batch, n_pos, d_model])
    }
}
