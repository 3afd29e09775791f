//! The fields of a family's configuration as its class in `transformers` has them: what stands for one that
//! is missing, and which may be `null`.
//!
//! Reference: `configuration_*.py` of transformers 5.24, which checks the kinds of all fields.

use serde_json::{Map, Value};

use super::Family;

/// The fields of a class that matter here.
struct ClassFields {
    /// The fields of the class with what stands for one that is missing, as JSON. `null` may be written
    /// where it stands for a missing one, too.
    usual: &'static str,

    /// The other fields in which `null` stands for something.
    null_too: &'static [&'static str],

    /// The fields that the class does not have and takes where they are given, but not as `null`.
    beside: &'static [&'static str],
}

const GPT2: ClassFields = ClassFields {
    usual: r#"{
        "n_layer": 12, "n_head": 12, "n_embd": 768, "n_inner": null, "n_positions": 1024,
        "vocab_size": 50257, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new",
        "tie_word_embeddings": true, "scale_attn_weights": true,
        "scale_attn_by_inverse_layer_idx": false, "add_cross_attention": false
    }"#,
    null_too: &[],
    beside: &[],
};

const GPTJ: ClassFields = ClassFields {
    usual: r#"{
        "n_layer": 28, "n_head": 16, "n_embd": 4096, "n_inner": null, "n_positions": 2048,
        "vocab_size": 50400, "rotary_dim": 64, "layer_norm_epsilon": 1e-5,
        "activation_function": "gelu_new", "tie_word_embeddings": false
    }"#,
    null_too: &[],
    beside: &[],
};

const NEOX: ClassFields = ClassFields {
    usual: r#"{
        "num_hidden_layers": 44, "num_attention_heads": 64, "hidden_size": 6144,
        "intermediate_size": 24576, "max_position_embeddings": 2048, "vocab_size": 50432,
        "layer_norm_eps": 1e-5, "hidden_act": "gelu", "tie_word_embeddings": false,
        "attention_bias": true, "use_parallel_residual": true
    }"#,
    null_too: &[],
    beside: &["rotary_pct", "rotary_emb_base"],
};

const LLAMA: ClassFields = ClassFields {
    usual: r#"{
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": null,
        "head_dim": null, "hidden_size": 4096, "intermediate_size": 11008,
        "max_position_embeddings": 2048, "vocab_size": 32000, "rms_norm_eps": 1e-6,
        "hidden_act": "silu", "tie_word_embeddings": false, "attention_bias": false,
        "mlp_bias": false
    }"#,
    null_too: &[],
    beside: &["rope_theta"],
};

const MISTRAL: ClassFields = ClassFields {
    usual: r#"{
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": null, "hidden_size": 4096, "intermediate_size": 14336,
        "max_position_embeddings": 131072, "vocab_size": 32000, "rms_norm_eps": 1e-6,
        "hidden_act": "silu", "tie_word_embeddings": false, "sliding_window": 4096,
        "layer_types": null
    }"#,
    null_too: &["sliding_window"],
    beside: &["rope_theta"],
};

const QWEN2: ClassFields = ClassFields {
    usual: r#"{
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
        "hidden_size": 4096, "intermediate_size": 22016, "max_position_embeddings": 32768,
        "vocab_size": 151936, "rms_norm_eps": 1e-6, "hidden_act": "silu",
        "tie_word_embeddings": false, "use_sliding_window": false, "sliding_window": 4096,
        "max_window_layers": 28, "layer_types": null
    }"#,
    null_too: &["num_key_value_heads", "sliding_window"],
    beside: &["rope_theta", "head_dim"],
};

const QWEN3: ClassFields = ClassFields {
    usual: r#"{
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
        "head_dim": 128, "hidden_size": 4096, "intermediate_size": 22016,
        "max_position_embeddings": 32768, "vocab_size": 151936, "rms_norm_eps": 1e-6,
        "hidden_act": "silu", "tie_word_embeddings": false, "attention_bias": false,
        "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 28,
        "layer_types": null
    }"#,
    null_too: &["num_key_value_heads", "sliding_window"],
    beside: &["rope_theta"],
};

const OLMO2: ClassFields = ClassFields {
    usual: r#"{
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": null,
        "hidden_size": 4096, "intermediate_size": 11008, "max_position_embeddings": 2048,
        "vocab_size": 50304, "rms_norm_eps": 1e-5, "hidden_act": "silu",
        "tie_word_embeddings": false, "attention_bias": false
    }"#,
    null_too: &[],
    beside: &["rope_theta", "head_dim"],
};

const GEMMA2: ClassFields = ClassFields {
    usual: r#"{
        "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
        "head_dim": 256, "hidden_size": 2304, "intermediate_size": 9216,
        "max_position_embeddings": 8192, "vocab_size": 256000, "rms_norm_eps": 1e-6,
        "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": true,
        "attention_bias": false, "query_pre_attn_scalar": 256, "sliding_window": 4096,
        "layer_types": null, "final_logit_softcapping": 30, "attn_logit_softcapping": 50,
        "use_bidirectional_attention": null
    }"#,
    null_too: &["sliding_window", "final_logit_softcapping", "attn_logit_softcapping"],
    beside: &["rope_theta"],
};

const GEMMA3: ClassFields = ClassFields {
    usual: r#"{
        "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
        "head_dim": 256, "hidden_size": 2304, "intermediate_size": 9216,
        "max_position_embeddings": 131072, "vocab_size": 262208, "rms_norm_eps": 1e-6,
        "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": true,
        "attention_bias": false, "query_pre_attn_scalar": 256, "sliding_window": 4096,
        "layer_types": null, "final_logit_softcapping": null, "attn_logit_softcapping": null,
        "use_bidirectional_attention": null, "sliding_window_pattern": 6
    }"#,
    null_too: &["sliding_window"],
    beside: &["rope_theta", "rope_local_base_freq"],
};

impl Family {
    fn class_fields(self) -> &'static ClassFields {
        match self {
            Self::Gpt2 => &GPT2,
            Self::Gptj => &GPTJ,
            Self::GptNeox => &NEOX,
            Self::Llama => &LLAMA,
            Self::Mistral => &MISTRAL,
            Self::Qwen2 => &QWEN2,
            Self::Qwen3 => &QWEN3,
            Self::Olmo2 => &OLMO2,
            Self::Gemma2 => &GEMMA2,
            Self::Gemma3 => &GEMMA3,
        }
    }

    /// Fills in the fields that are missing, and refuses a `null` that stands for nothing.
    pub(super) fn fill_in(self, fields: &mut Map<String, Value>) -> Result<(), String> {
        let class = self.class_fields();
        let usual: Map<String, Value> =
            serde_json::from_str(class.usual).expect("the table holds JSON");
        let is_null = |name: &str| fields.get(name).is_some_and(Value::is_null);
        for (name, usual) in &usual {
            if is_null(name) && !usual.is_null() && !class.null_too.contains(&name.as_str()) {
                return Err(format!(
                    "`{name}` is null, which stands for nothing; write what it is, or leave the field \
                     out, for {usual} as in `transformers`"
                ));
            }
        }
        if let Some(name) = class.beside.iter().find(|it| is_null(it)) {
            return Err(format!(
                "`{name}` is null, which stands for nothing; write what it is, or leave the field out"
            ));
        }
        for (name, usual) in usual {
            fields.entry(name).or_insert(usual);
        }
        Ok(())
    }
}
