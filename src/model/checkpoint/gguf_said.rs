//! What the metadata of a GGUF file say that is not read here: whatever may change a model's numbers is
//! refused by its name.
//!
//! Reference: `gguf-py/gguf/constants.py` of llama.cpp, which lists the keys.

use super::gguf_families::Says;
use super::stored::Fault;
use crate::gguf::Value;

/// The keys that are read here, or that change no number, without the architecture before them.
const KNOWN: [&str; 24] = [
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.value_length",
    "attn_logit_softcapping",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "final_logit_softcapping",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.scale_linear",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "tensor_data_layout",
    "use_parallel_residual",
    "vocab_size",
];

/// Keys whose usual value is what every family does here anyway.
const USUAL: [(&str, f64); 5] = [
    ("rope.scaling.attn_factor", 1.0),
    ("rope.scaling.yarn_attn_factor", 1.0),
    ("rope.scaling.yarn_beta_fast", 32.0),
    ("rope.scaling.yarn_beta_slow", 1.0),
    ("rope.scaling.yarn_ext_factor", 1.0),
];

/// How many layers follow one another until one without a window, by architecture.
const PATTERNS: [(&str, usize); 2] = [("gemma2", 2), ("gemma3", 6)];

/// Checks that nothing is said of the model that is not read.
pub(super) fn check(it: &Says<'_>) -> Result<(), Fault> {
    for (key, value) in &it.header.metadata {
        let of_model = key.strip_prefix(it.architecture).and_then(|it| it.strip_prefix('.'));
        let Some(name) = of_model.filter(|it| !KNOWN.contains(it)) else { continue };
        if !is_usual(it, name, value)? {
            return Err(Fault::invalid(format!(
                "metadata `{key}` is {value}, which is not known here and may change every number; make \
                 the file anew without it, or open the model from Hugging Face's files"
            )));
        }
    }
    Ok(())
}

fn is_usual(it: &Says<'_>, name: &str, value: &Value<'_>) -> Result<bool, Fault> {
    let pattern = PATTERNS.iter().find(|(of, _)| *of == it.architecture).map(|it| it.1);
    if let ("attention.sliding_window_pattern", Some(period)) = (name, pattern) {
        return Ok(match value {
            Value::Array(layers) => {
                let has_window = |nth: usize| nth % period != period - 1;
                let mut is_it = layers.len() == it.size("block_count")?;
                for (nth, layer) in layers.values().enumerate() {
                    is_it &= matches!(layer?, Value::Bool(own) if own == has_window(nth));
                }
                is_it
            }
            other => other.number() == Some(period as f64),
        });
    }
    let usual = USUAL.iter().find(|(known, _)| *known == name).map(|it| it.1);
    Ok(match value {
        Value::Bool(is_on) => *is_on == (name == "attention.causal"),
        other => other.number().is_some_and(|number| number == usual.unwrap_or(0.0)),
    })
}
