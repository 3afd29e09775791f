//! What configurations say about rotary positions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::rotary::{Pairs, RotaryConfig, RotaryScaling};
use super::above_zero;

/// The fields about rotary positions: today's `rope_parameters`, or `rope_theta` and
/// `rope_scaling` of older files.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the fields are named so in the file")]
pub(super) struct RotaryFields {
    rope_theta: Option<f64>,
    rope_scaling: Option<Scaling>,
    rope_parameters: Option<Scaling>,
    rope_local_base_freq: Option<f64>,
}

/// What positions turn.
#[derive(Clone, Copy)]
pub(super) struct Turned {
    /// How many of a head's dimensions, from the first on.
    pub width: usize,
    pub pairs: Pairs,

    /// The positions that the model was trained on, unless a field about scaling says it.
    pub n_ctx: usize,
}

#[derive(Default, PartialEq, Deserialize)]
struct Scaling {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<usize>,
    partial_rotary_factor: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    attention_factor: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    truncate: Option<bool>,

    // Of models whose layers differ in what they say of positions.
    full_attention: Option<Box<Self>>,
    sliding_attention: Option<Box<Self>>,
}

impl RotaryFields {
    /// How positions turn queries and keys. `base` is what a field of the family says in place of
    /// `rope_theta`, if it has one of its own.
    pub fn read(&self, turned: Turned, base: Option<f64>) -> Result<RotaryConfig, String> {
        let read = |given: Option<&Scaling>| {
            let differs =
                |it: &Scaling| it.full_attention.is_some() || it.sliding_attention.is_some();
            if given.is_some_and(differs) {
                return Err(
                    "`rope_parameters` differ by the type of layer, which is not supported".into(),
                );
            }
            let of_file = given.and_then(|it| it.rope_theta).or(base).or(self.rope_theta);
            Scaling::read(given, of_file.unwrap_or(10_000.0), turned)
        };
        let [today, older] = self.given();
        let rotary = read(today.or(older))?;
        if today.is_some() && older.is_some() {
            check_same(&rotary, &read(older)?, "rope_parameters")?;
        }
        Ok(rotary)
    }

    /// `rope_parameters` and `rope_scaling`. `None` for those that are absent, `null` or empty
    fn given(&self) -> [Option<&Scaling>; 2] {
        [&self.rope_parameters, &self.rope_scaling]
            .map(|it| it.as_ref().filter(|it| **it != Scaling::default()))
    }

    /// As [`Self::read`], of layers whose queries see all keys and of those whose queries see a window, as
    /// Gemma 3 has them.
    pub fn read_by_layer_type(&self, turned: Turned) -> Result<[RotaryConfig; 2], String> {
        let [today, older] = self.given();
        let (all, windowed) = match today {
            Some(it) if it.full_attention.is_none() && it.sliding_attention.is_none() => {
                return Err(
                    "`rope_parameters` has neither `full_attention` nor `sliding_attention`".into(),
                );
            }
            Some(it) => (it.full_attention.as_deref(), it.sliding_attention.as_deref()),
            None => (older, None),
        };
        let base = |given: Option<&Scaling>, of_file: Option<f64>, default: f64| {
            given.and_then(|it| it.rope_theta).or(of_file).unwrap_or(default)
        };
        let base_of_all = base(all, self.rope_theta, 1_000_000.0);
        if let Some(base) = self.rope_local_base_freq {
            above_zero("rope_local_base_freq", base)?;
        }
        let base_in_window = base(windowed, self.rope_local_base_freq, 10_000.0);
        let rotary = Scaling::read(all, base_of_all, turned)?;
        if today.is_some() && older.is_some() {
            let base = base(older, Some(base_of_all), base_of_all);
            let of_older = Scaling::read(older, base, turned)?;
            check_same(&rotary, &of_older, "rope_parameters.full_attention")?;
        }
        Ok([rotary, Scaling::read(windowed, base_in_window, turned)?])
    }

    /// The share of a head's dimensions that are turned, if the file says it here.
    pub fn partial_rotary_factor(&self) -> Result<Option<f64>, String> {
        match self.given().map(|it| it.map(|it| it.partial_rotary_factor)) {
            [Some(today), Some(older)] if today != older => Err(
                "`partial_rotary_factor` of `rope_parameters` is not that of `rope_scaling`, the same \
                 by its older name; remove the one that is not the model's"
                    .into(),
            ),
            [today, older] => Ok(today.or(older).flatten()),
        }
    }
}

/// Refuses two fields that say two things, of which `transformers` would take `rope_scaling`, and
/// other programs the other.
fn check_same(today: &RotaryConfig, older: &RotaryConfig, name: &str) -> Result<(), String> {
    if today == older {
        return Ok(());
    }
    Err(format!(
        "`{name}` says {} and `rope_scaling`, the same by its older name, says {}; remove the one that \
         is not the model's",
        rotary_json(today),
        rotary_json(older)
    ))
}

impl Scaling {
    /// How positions turn queries and keys.
    fn read(given: Option<&Self>, base: f64, turned: Turned) -> Result<RotaryConfig, String> {
        let Turned { width, pairs, n_ctx } = turned;
        let kind = given.and_then(|it| it.rope_type.as_deref()).unwrap_or("default");
        let missing = |name: &str| format!("`{name}` is missing, which rotary `{kind}` needs");
        let of = |name: &str, value: Option<f64>| {
            value.ok_or_else(|| missing(name)).and_then(|it| above_zero(name, it))
        };
        let of_context = |it: &Self| match it.original_max_position_embeddings {
            None => Ok(n_ctx),
            Some(0) => Err("`original_max_position_embeddings` is 0".to_owned()),
            Some(n_ctx) => Ok(n_ctx),
        };
        above_zero("rope_theta", base)?;
        let scaling = match (kind, given) {
            ("default", _) | (_, None) => RotaryScaling::Unscaled,
            ("dynamic", Some(it)) => {
                if width <= 2 {
                    return Err(
                        "rotary `dynamic` needs more than 2 dimensions of a head to turn".into()
                    );
                }
                let factor = of("factor", it.factor)?;
                RotaryScaling::Dynamic { factor, original_n_ctx: n_ctx }
            }
            ("linear", Some(it)) => RotaryScaling::Linear { factor: of("factor", it.factor)? },
            ("llama3", Some(it)) => RotaryScaling::Llama3 {
                factor: of("factor", it.factor)?,
                low_freq_factor: of("low_freq_factor", it.low_freq_factor)?,
                high_freq_factor: of("high_freq_factor", it.high_freq_factor)?,
                original_n_ctx: of_context(it)?,
            },
            ("yarn", Some(it)) => {
                let factor = of("factor", it.factor)?;
                let length =
                    |scale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 };
                let of_scales = match (it.mscale, it.mscale_all_dim) {
                    (Some(one), Some(all)) if one != 0.0 && all != 0.0 => length(one) / length(all),
                    _ => length(1.0),
                };
                // Hugging Face takes 0 for what is not said.
                let beta = |name: &str, given: Option<f64>, default: f64| {
                    above_zero(name, given.filter(|it| *it != 0.0).unwrap_or(default))
                };
                if base.ln() == 0.0 {
                    return Err("`rope_theta` is 1, whose logarithm rotary `yarn` cannot \
                                divide by; any other number above 0 is allowed"
                        .into());
                }
                let lengthening = match it.attention_factor {
                    Some(given) => above_zero("attention_factor", given)?,
                    None => above_zero("mscale` by `mscale_all_dim", of_scales)?,
                };
                RotaryScaling::Yarn {
                    factor,
                    beta_fast: beta("beta_fast", it.beta_fast, 32.0)?,
                    beta_slow: beta("beta_slow", it.beta_slow, 1.0)?,
                    original_n_ctx: of_context(it)?,
                    lengthening,
                    is_truncated: it.truncate.unwrap_or(true),
                }
            }
            (other, _) => {
                return Err(format!(
                    "`rope_type` is `{other}`, which is not one of `default`, `dynamic`, `linear`, \
                     `llama3`, `yarn`"
                ));
            }
        };
        let config = RotaryConfig { base, width, pairs, scaling };
        if !config.has_finite_angles() {
            return Err(format!(
                "positions turn by angles that are too large for 32 bits, as with a `rope_theta` \
                 ({base}) or `factor` near 0"
            ));
        }
        Ok(config)
    }
}

/// The fields about rotary positions, as `rope_parameters` has them.
pub(super) fn rotary_json(rotary: &RotaryConfig) -> Value {
    let theta = rotary.base;
    match rotary.scaling {
        RotaryScaling::Unscaled => json!({ "rope_type": "default", "rope_theta": theta }),
        RotaryScaling::Dynamic { factor, .. } => {
            json!({ "rope_type": "dynamic", "rope_theta": theta, "factor": factor })
        }
        RotaryScaling::Linear { factor } => {
            json!({ "rope_type": "linear", "rope_theta": theta, "factor": factor })
        }
        RotaryScaling::Yarn {
            factor,
            beta_fast,
            beta_slow,
            original_n_ctx,
            lengthening,
            is_truncated,
        } => json!({
            "rope_type": "yarn",
            "rope_theta": theta,
            "factor": factor,
            "beta_fast": beta_fast,
            "beta_slow": beta_slow,
            "original_max_position_embeddings": original_n_ctx,
            "attention_factor": lengthening,
            "truncate": is_truncated,
        }),
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
