//! How attention and MLPs write to the residual stream: through their last map, and through the norm
//! after it in models that have one.

use burn::tensor::Tensor;

use super::backward::{ForwardActivations, Gradients};
use super::linear::Linear;
use super::norm::Norm;
use super::tap::Tap;
use crate::intervention::Site;

/// The last steps of attention or an MLP.
pub(super) struct Writer<'a> {
    /// `W_O` and `b_O`, or `W_out` and `b_out`.
    pub map: &'a Linear,

    /// The norm of what the map gives.
    pub after: Option<&'a Norm>,

    /// The sites before and after that norm. A model without it has the second only.
    pub sites: [Site; 2],
}

impl Writer<'_> {
    /// The residual stream with the output for `x` added. `[batch, pos, d_model]`
    pub fn onto(&self, resid: Tensor<3>, x: Tensor<3>, tap: &mut Tap<'_>) -> Tensor<3> {
        if self.after.is_none() && tap.is_idle_at(self.sites[1]) {
            return self.map.onto(resid, x);
        }
        self.mapped_onto(resid, self.map.forward(x), tap)
    }

    /// The residual stream with what the map has given added. `[batch, pos, d_model]`
    pub fn mapped_onto(&self, resid: Tensor<3>, mapped: Tensor<3>, tap: &mut Tap<'_>) -> Tensor<3> {
        let [before, out] = self.sites;
        let output = match self.after {
            Some(norm) => norm.normalize(tap.stream(before, mapped)),
            None => mapped,
        };
        resid + tap.stream(out, output)
    }

    /// The gradient at the map's input, from that at the output. `[batch, pos, width]`
    pub fn backward(
        &self,
        d_output: Tensor<3>,
        kept: &ForwardActivations<'_>,
        found: &mut Gradients<'_>,
    ) -> Tensor<3> {
        let [before, _] = self.sites;
        let d_mapped = match self.after {
            Some(norm) => {
                let d_mapped = norm.backward(kept.stream(before), d_output).d_input();
                found.stream(before, || d_mapped.clone());
                d_mapped
            }
            None => d_output,
        };
        self.map.backward(d_mapped)
    }
}
