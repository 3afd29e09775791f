//! What configurations say about rotary positions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::rotary::{Pairs, RotaryConfig, RotaryScaling};

/// The fields about rotary positions: today's `rope_parameters`, or `rope_theta` and
/// `rope_scaling` of older files.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the fields are named so in the file")]
pub(super) struct RotaryFields {
    rope_theta: Option<f64>,
    rope_scaling: Option<Scaling>,
    rope_parameters: Option<Scaling>,
}

#[derive(Deserialize)]
struct Scaling {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<usize>,
    partial_rotary_factor: Option<f64>,
}

impl RotaryFields {
    /// How positions turn the first `width` dimensions of queries and keys. `base` is what a field
    /// of the family says, if it has one of its own.
    pub fn read(
        &self,
        width: usize,
        base: Option<f64>,
        pairs: Pairs,
    ) -> Result<RotaryConfig, String> {
        let given = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let of_file = given.and_then(|it| it.rope_theta).or(self.rope_theta).or(base);
        let base = of_file.unwrap_or(10_000.0);
        let kind = given.and_then(|it| it.rope_type.as_deref()).unwrap_or("default");
        let missing = |name: &str| format!("`{name}` is missing, which rotary `{kind}` needs");
        let of = |name: &str, value: Option<f64>| value.ok_or_else(|| missing(name));
        let scaling = match (kind, given) {
            ("default", _) | (_, None) => RotaryScaling::Unscaled,
            ("linear", Some(it)) => RotaryScaling::Linear { factor: of("factor", it.factor)? },
            ("llama3", Some(it)) => RotaryScaling::Llama3 {
                factor: of("factor", it.factor)?,
                low_freq_factor: of("low_freq_factor", it.low_freq_factor)?,
                high_freq_factor: of("high_freq_factor", it.high_freq_factor)?,
                original_n_ctx: it
                    .original_max_position_embeddings
                    .ok_or_else(|| missing("original_max_position_embeddings"))?,
            },
            (other, _) => {
                return Err(format!(
                    "`rope_type` is `{other}`, which is not one of `default`, `linear`, `llama3`"
                ));
            }
        };
        Ok(RotaryConfig { base, width, pairs, scaling })
    }

    /// The share of a head's dimensions that are turned, if the file says it here.
    pub fn partial_rotary_factor(&self) -> Option<f64> {
        self.rope_parameters.as_ref().and_then(|it| it.partial_rotary_factor)
    }
}

/// The fields about rotary positions, as `rope_parameters` has them.
pub(super) fn rotary_json(rotary: &RotaryConfig) -> Value {
    let theta = rotary.base;
    match rotary.scaling {
        RotaryScaling::Unscaled => json!({ "rope_type": "default", "rope_theta": theta }),
        RotaryScaling::Linear { factor } => {
            json!({ "rope_type": "linear", "rope_theta": theta, "factor": factor })
        }
        RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_n_ctx } => {
            json!({
                "rope_type": "llama3",
                "rope_theta": theta,
                "factor": factor,
                "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor,
                "original_max_position_embeddings": original_n_ctx,
            })
        }
    }
}
