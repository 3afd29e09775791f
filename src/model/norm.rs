//! The norms before attention, MLP and unembedding, and those after attention and MLP: forward,
//! backward, folded into what reads them, and as a direction of the residual stream.

use burn::tensor::Tensor;

use super::cpu;
use super::tap::Tap;
use crate::intervention::Site;

/// A norm over the last axis.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    /// What the unit vectors are multiplied by. `[width]`
    pub gain: Tensor<1>,

    pub kind: NormKind,

    /// What is added to the mean square, under the root.
    pub epsilon: f64,
}

/// What the two kinds of norms differ in.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a layer has two")]
pub(super) enum NormKind {
    /// Layer norm: the mean is taken off, and a bias is added. `[width]`
    Layer { bias: Tensor<1> },

    /// Root mean square norm.
    Rms,

    /// No norm: the output is the input, and all gains are 1. It has no scale.
    Absent,
}

impl Norm {
    /// The normalized input, passed through the tap at the norm's two sites.
    /// `[batch, pos, width]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        [scale_site, normalized_site]: [Site; 2],
        tap: &mut Tap<'_>,
    ) -> Tensor<3> {
        let has_scale = !matches!(self.kind, NormKind::Absent);
        let normalized = if !has_scale || tap.is_idle_at(scale_site) {
            self.normalize(x)
        } else {
            let centered = self.center(x);
            let scale = tap.stream(scale_site, self.scale(centered.clone()));
            self.finish(centered / scale)
        };
        tap.stream(normalized_site, normalized)
    }

    /// The normalized input, without the tap. `[…, width]`
    pub fn normalize<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if let Some(normalized) = cpu::normalize(&x, self) {
            return normalized;
        }
        match &self.kind {
            NormKind::Layer { bias } => {
                let (gain, bias) = (self.gain.clone(), Some(bias.clone()));
                burn::tensor::module::layer_norm(x, gain, bias, self.epsilon)
            }
            NormKind::Rms => {
                let scale = self.scale(x.clone());
                self.finish(x / scale)
            }
            NormKind::Absent => x,
        }
    }

    /// The normalized input if the norm divided it by `scale`, its divisor elsewhere.
    /// `[rows, width]` and `[rows, 1]`
    pub fn normalize_at(&self, x: Tensor<2>, scale: Tensor<2>) -> Tensor<2> {
        self.finish(self.center(x) / scale)
    }

    /// The norm's divisor for an input. `[rows, width]` to `[rows, 1]`
    pub fn scale_of(&self, x: Tensor<2>) -> Tensor<2> {
        self.scale(self.center(x))
    }

    /// The norm's divisor, from its centred input. `[…, width]` to `[…, 1]`
    fn scale<const D: usize>(&self, centered: Tensor<D>) -> Tensor<D> {
        let mean_square = (centered.clone() * centered).mean_dim(D - 1);
        match self.kind {
            NormKind::Layer { .. } | NormKind::Rms => (mean_square + self.epsilon).sqrt(),
            NormKind::Absent => mean_square.ones_like(),
        }
    }

    /// The input less its mean, if the norm takes that off. It is its own transpose.
    pub fn center<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self.kind {
            NormKind::Layer { .. } => x.clone() - x.mean_dim(D - 1),
            NormKind::Rms | NormKind::Absent => x,
        }
    }

    /// The norm's output for a unit vector.
    fn finish<const D: usize>(&self, unit: Tensor<D>) -> Tensor<D> {
        let scaled = unit * self.gain.clone().unsqueeze();
        match &self.kind {
            NormKind::Layer { bias } => scaled + bias.clone().unsqueeze(),
            NormKind::Rms | NormKind::Absent => scaled,
        }
    }

    /// Goes back from the gradient at the output. `[batch, pos, width]`, both
    pub fn backward(&self, input: Tensor<3>, d_output: Tensor<3>) -> ThroughNorm<'_> {
        let centered = self.center(input);
        let scale = self.scale(centered.clone());
        let unit = centered / scale.clone();
        let d_unit = d_output * self.gain.clone().unsqueeze();
        let along = match self.kind {
            NormKind::Layer { .. } | NormKind::Rms => (unit.clone() * d_unit.clone()).mean_dim(2),
            NormKind::Absent => scale.zeros_like(),
        };
        ThroughNorm { norm: self, unit, scale, d_unit, along }
    }

    /// How the output changes, to first order, where the input changes so.
    /// `[rows, pos, width]`, and `input` has one row
    pub fn change(&self, input: Tensor<3>, d_input: Tensor<3>) -> Tensor<3> {
        let centered = self.center(input);
        let scale = self.scale(centered.clone());
        let unit = centered / scale.clone();
        let d_unit = self.center(d_input) / scale;
        let along = match self.kind {
            NormKind::Layer { .. } | NormKind::Rms => (unit.clone() * d_unit.clone()).mean_dim(2),
            NormKind::Absent => return d_unit,
        };
        (d_unit - unit * along) * self.gain.clone().unsqueeze()
    }

    /// The directions of the input, not yet divided by the norm's scale, that give along the output
    /// what these give. `[rows, width]`, both
    pub fn directions(&self, of_output: Tensor<2>) -> Tensor<2> {
        self.center(of_output * self.gain.clone().unsqueeze())
    }

    /// As [`Self::directions`], for one direction. `[width]`, both
    pub fn direction(&self, of_output: Tensor<1>) -> Tensor<1> {
        let weights = self.gain.clone() * of_output;
        match self.kind {
            NormKind::Layer { .. } => weights.clone() - weights.mean(),
            NormKind::Rms | NormKind::Absent => weights,
        }
    }

    /// The matrix that reads the norm without gain and bias as `weight` reads this norm, but for the
    /// bias. `[width, d_out]`, both
    pub fn folded_into(&self, weight: Tensor<2>) -> Tensor<2> {
        let weight = weight * self.gain.clone().unsqueeze_dim(1);
        match self.kind {
            NormKind::Layer { .. } => weight.clone() - weight.mean_dim(0),
            NormKind::Rms | NormKind::Absent => weight,
        }
    }

    /// The bias, which is part of every output. `None` if there is none. `[width]`
    pub fn bias(&self) -> Option<&Tensor<1>> {
        match &self.kind {
            NormKind::Layer { bias } => Some(bias),
            NormKind::Rms | NormKind::Absent => None,
        }
    }

    /// The norm without gain and bias: TransformerLens' `LNPre` and `RMSPre`.
    pub fn plain(&self) -> Self {
        let kind = match &self.kind {
            NormKind::Layer { bias } => NormKind::Layer { bias: bias.zeros_like() },
            NormKind::Rms => NormKind::Rms,
            NormKind::Absent => NormKind::Absent,
        };
        Self { gain: self.gain.ones_like(), kind, epsilon: self.epsilon }
    }
}

/// The backward pass through a norm.
pub(super) struct ThroughNorm<'a> {
    norm: &'a Norm,

    /// The centred input, divided by `scale`. `[batch, pos, width]`
    unit: Tensor<3>,

    /// The norm's divisor. `[batch, pos, 1]`
    scale: Tensor<3>,

    /// The gradient at `unit`. `[batch, pos, width]`
    d_unit: Tensor<3>,

    /// The mean of `unit · d_unit`. `[batch, pos, 1]`
    along: Tensor<3>,
}

impl ThroughNorm<'_> {
    /// The gradient at the input. Mean and scale depend on the input too, so the parts of the
    /// gradient along the vector of ones and along the input are taken off. `[batch, pos, width]`
    pub fn d_input(self) -> Tensor<3> {
        let Self { norm, unit, scale, d_unit, along } = self;
        (norm.center(d_unit) - unit * along) / scale
    }

    /// The gradient at the scale, with the centred input held fixed. `[batch, pos, 1]`
    pub fn d_scale(&self) -> Tensor<3> {
        let [_, _, width] = self.unit.dims();
        -(self.along.clone() * width as f64) / self.scale.clone()
    }
}
