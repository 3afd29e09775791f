//! The functions that bend the input of a neuron, and their slopes.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};
use serde::{Deserialize, Serialize};

use super::cpu;

/// The function between the two matrices of an MLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// GPT-2's GELU, the tanh approximation (Hendrycks & Gimpel 2016).
    #[default]
    GeluNew,

    /// `x Φ(x)`, with the standard normal distribution function `Φ`.
    Gelu,

    /// `x sigmoid(x)`, also called swish.
    Silu,

    /// `max(x, 0)`.
    Relu,
}

/// The linear factor `2 √(2/π)` of GPT-2's GELU, `x · sigmoid(GELU_LINEAR x + GELU_CUBIC x³)`.
const GELU_LINEAR: f64 = 2.0 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;

/// The cubic factor of GPT-2's GELU.
const GELU_CUBIC: f64 = GELU_LINEAR * 0.044_715;

/// The density of the standard normal distribution at 0.
const NORMAL_DENSITY: f64 =
    std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2 / 2.0;

impl Nonlinearity {
    /// The names that configurations of Hugging Face give the functions, the usual name of each
    /// first.
    const NAMES: [(&str, Self); 9] = [
        ("gelu_new", Self::GeluNew),
        ("gelu_fast", Self::GeluNew),
        ("gelu_pytorch_tanh", Self::GeluNew),
        ("gelu_accurate", Self::GeluNew),
        ("gelu", Self::Gelu),
        ("gelu_python", Self::Gelu),
        ("silu", Self::Silu),
        ("swish", Self::Silu),
        ("relu", Self::Relu),
    ];

    /// The usual name in configurations of Hugging Face.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, it)| *it == self);
        found.map_or("", |(name, _)| name)
    }

    /// The function that a field of a `config.json` names. The error names the field.
    pub(super) fn of_field(field: &str, name: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, it)| *it).ok_or_else(|| {
            let known: Vec<_> = Self::NAMES.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("`{field}` is `{name}`, which is not one of {}", known.join(", "))
        })
    }

    /// The function's values. `[batch, pos, width]`
    pub(super) fn forward(self, x: Tensor<3>) -> Tensor<3> {
        cpu::bend(x, self).unwrap_or_else(|x| match self {
            // `x · sigmoid(2u)` equals `0.5 x (1 + tanh u)` and takes half as many passes.
            Self::GeluNew => {
                let factor = x.clone() * x.clone() * GELU_CUBIC + GELU_LINEAR;
                x.clone() * sigmoid(factor * x)
            }
            Self::Gelu => x.clone() * normal_distribution(x),
            Self::Silu => x.clone() * sigmoid(x),
            Self::Relu => relu(x),
        })
    }

    /// The function's derivative. `[batch, pos, width]`
    pub(super) fn slope(self, x: Tensor<3>) -> Tensor<3> {
        match self {
            // The function is `x s` with `s = sigmoid(w)` and `w = x (a + b x²)`. The derivative is
            // `s + x s (1 - s) (a + 3 b x²)`.
            Self::GeluNew => {
                let squared = x.clone() * x.clone();
                let s = sigmoid((squared.clone() * GELU_CUBIC + GELU_LINEAR) * x.clone());
                let slope_of_w = squared * (3.0 * GELU_CUBIC) + GELU_LINEAR;
                ((-s.clone() + 1.0) * slope_of_w * x + 1.0) * s
            }
            Self::Gelu => {
                let density = (x.clone() * x.clone() * -0.5).exp() * NORMAL_DENSITY;
                normal_distribution(x.clone()) + x * density
            }
            Self::Silu => {
                let s = sigmoid(x.clone());
                ((-s.clone() + 1.0) * x + 1.0) * s
            }
            Self::Relu => x.greater_elem(0.0).float(),
        }
    }
}

/// The standard normal distribution function.
fn normal_distribution(x: Tensor<3>) -> Tensor<3> {
    (x * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5
}
