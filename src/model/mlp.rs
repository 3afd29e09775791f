//! The MLP of a block: forward and backward.

use burn::tensor::Tensor;

use super::Nonlinearity;
use super::backward::{ForwardActivations, Gradients};
use super::cpu;
use super::linear::Linear;
use super::norm::Norm;
use super::tap::Tap;
use super::writer::Writer;
use crate::intervention::Site;

/// The MLP of a block, plain or gated.
#[derive(Clone, Debug)]
pub(super) struct Mlp {
    /// `W_in` and `b_in`, whose outputs are bent; in a gated MLP this is the gate, `W_gate`.
    pub input: Linear,

    /// In a gated MLP, what the bent neurons are multiplied by: TransformerLens' `W_in` there.
    pub factor: Option<Linear>,

    /// `W_out` and `b_out`.
    pub output: Linear,

    /// The norm of the output, in models that have one.
    pub after: Option<Norm>,

    pub nonlinearity: Nonlinearity,
}

impl Mlp {
    fn writer(&self, layer: usize) -> Writer<'_> {
        let sites = [Site::MlpMapped(layer), Site::MlpOut(layer)];
        Writer { map: &self.output, after: self.after.as_ref(), sites }
    }

    /// The residual stream with the MLP's output for `x` added. `[batch, pos, d_model]`
    pub fn onto(
        &self,
        resid: Tensor<3>,
        x: Tensor<3>,
        layer: usize,
        tap: &mut Tap<'_>,
    ) -> Tensor<3> {
        let writer = self.writer(layer);
        let inside = [Site::MlpPre(layer), Site::MlpPreLinear(layer), Site::MlpPost(layer)];
        let is_idle_inside = inside.iter().all(|site| tap.is_idle_at(*site));
        let resid = if !is_idle_inside {
            resid
        } else if self.after.is_some() {
            match cpu::mlp_onto(resid.zeros_like(), &x, self) {
                Ok(mapped) => return writer.mapped_onto(resid, mapped, tap),
                Err(_) => resid,
            }
        } else if tap.is_idle_at(Site::MlpOut(layer)) {
            match cpu::mlp_onto(resid, &x, self) {
                Ok(resid) => return resid,
                Err(resid) => resid,
            }
        } else {
            resid
        };
        let pre = tap.stream(Site::MlpPre(layer), self.input.forward(x.clone()));
        let bent = self.nonlinearity.forward(pre);
        let post = match &self.factor {
            Some(factor) => bent * tap.stream(Site::MlpPreLinear(layer), factor.forward(x)),
            None => bent,
        };
        let post = tap.stream(Site::MlpPost(layer), post);
        writer.onto(resid, post, tap)
    }

    /// The gradient at the input, from the gradient at the output. `[batch, pos, d_model]`, both
    pub fn backward(
        &self,
        d_mlp_out: Tensor<3>,
        layer: usize,
        kept: &ForwardActivations<'_>,
        found: &mut Gradients<'_>,
    ) -> Tensor<3> {
        let d_post = self.writer(layer).backward(d_mlp_out, kept, found);
        found.stream(Site::MlpPost(layer), || d_post.clone());
        let pre = kept.stream(Site::MlpPre(layer));
        let (d_bent, through_factor) = match &self.factor {
            Some(factor) => {
                let d_factor = d_post.clone() * self.nonlinearity.forward(pre.clone());
                found.stream(Site::MlpPreLinear(layer), || d_factor.clone());
                let d_bent = d_post * kept.stream(Site::MlpPreLinear(layer));
                (d_bent, Some(factor.backward(d_factor)))
            }
            None => (d_post, None),
        };
        let d_pre = d_bent * self.nonlinearity.slope(pre);
        found.stream(Site::MlpPre(layer), || d_pre.clone());
        let d_input = self.input.backward(d_pre);
        match through_factor {
            Some(other) => d_input + other,
            None => d_input,
        }
    }
}
