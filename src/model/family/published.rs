//! The configurations of published models, by which random ones of the same size are made.

use super::super::ModelConfig;

/// Names, and what matters of each `config.json`.
const PUBLISHED: [(&str, &str); 15] = [
    (
        "gpt2",
        r#"{"model_type": "gpt2", "n_layer": 12, "n_head": 12, "n_embd": 768, "vocab_size": 50257}"#,
    ),
    (
        "gpt2-medium",
        r#"{"model_type": "gpt2", "n_layer": 24, "n_head": 16, "n_embd": 1024, "vocab_size": 50257}"#,
    ),
    (
        "gpt2-large",
        r#"{"model_type": "gpt2", "n_layer": 36, "n_head": 20, "n_embd": 1280, "vocab_size": 50257}"#,
    ),
    (
        "gpt2-xl",
        r#"{"model_type": "gpt2", "n_layer": 48, "n_head": 25, "n_embd": 1600, "vocab_size": 50257}"#,
    ),
    (
        "smollm2-135m",
        r#"{"model_type": "llama", "num_hidden_layers": 30, "num_attention_heads": 9,
            "num_key_value_heads": 3, "hidden_size": 576, "intermediate_size": 1536,
            "max_position_embeddings": 8192, "vocab_size": 49152, "rms_norm_eps": 1e-5,
            "rope_theta": 100000, "tie_word_embeddings": true}"#,
    ),
    (
        "llama-3.2-1b",
        r#"{"model_type": "llama", "num_hidden_layers": 16, "num_attention_heads": 32,
            "num_key_value_heads": 8, "hidden_size": 2048, "intermediate_size": 8192, "head_dim": 64,
            "max_position_embeddings": 131072, "vocab_size": 128256, "rms_norm_eps": 1e-5,
            "rope_theta": 500000, "tie_word_embeddings": true, "rope_scaling": {
                "rope_type": "llama3", "factor": 32, "low_freq_factor": 1, "high_freq_factor": 4,
                "original_max_position_embeddings": 8192}}"#,
    ),
    (
        "mistral-7b",
        r#"{"model_type": "mistral", "num_hidden_layers": 32, "num_attention_heads": 32,
            "num_key_value_heads": 8, "hidden_size": 4096, "intermediate_size": 14336,
            "max_position_embeddings": 32768, "vocab_size": 32000, "rms_norm_eps": 1e-5,
            "rope_theta": 10000, "sliding_window": 4096}"#,
    ),
    (
        "qwen2.5-1.5b",
        r#"{"model_type": "qwen2", "num_hidden_layers": 28, "num_attention_heads": 12,
            "num_key_value_heads": 2, "hidden_size": 1536, "intermediate_size": 8960,
            "max_position_embeddings": 131072, "vocab_size": 151936, "rms_norm_eps": 1e-6,
            "rope_theta": 1000000, "tie_word_embeddings": true}"#,
    ),
    (
        "qwen3-0.6b",
        r#"{"model_type": "qwen3", "num_hidden_layers": 28, "num_attention_heads": 16,
            "num_key_value_heads": 8, "hidden_size": 1024, "intermediate_size": 3072, "head_dim": 128,
            "max_position_embeddings": 40960, "vocab_size": 151936, "rms_norm_eps": 1e-6,
            "rope_theta": 1000000, "tie_word_embeddings": true}"#,
    ),
    (
        "olmo-2-1b",
        r#"{"model_type": "olmo2", "num_hidden_layers": 16, "num_attention_heads": 16,
            "num_key_value_heads": 16, "hidden_size": 2048, "intermediate_size": 8192,
            "max_position_embeddings": 4096, "vocab_size": 100352, "rms_norm_eps": 1e-6,
            "rope_theta": 500000}"#,
    ),
    (
        "gemma-2-2b",
        r#"{"model_type": "gemma2", "num_hidden_layers": 26, "num_attention_heads": 8,
            "num_key_value_heads": 4, "hidden_size": 2304, "intermediate_size": 9216, "head_dim": 256,
            "max_position_embeddings": 8192, "vocab_size": 256000, "sliding_window": 4096,
            "query_pre_attn_scalar": 256, "attn_logit_softcapping": 50, "final_logit_softcapping": 30}"#,
    ),
    (
        "gemma-3-270m",
        r#"{"model_type": "gemma3_text", "num_hidden_layers": 18, "num_attention_heads": 4,
            "num_key_value_heads": 1, "hidden_size": 640, "intermediate_size": 2048, "head_dim": 256,
            "max_position_embeddings": 32768, "vocab_size": 262144, "sliding_window": 512}"#,
    ),
    (
        "gemma-3-1b",
        r#"{"model_type": "gemma3_text", "num_hidden_layers": 26, "num_attention_heads": 4,
            "num_key_value_heads": 1, "hidden_size": 1152, "intermediate_size": 6912, "head_dim": 256,
            "max_position_embeddings": 32768, "vocab_size": 262144, "sliding_window": 512}"#,
    ),
    (
        "pythia-410m",
        r#"{"model_type": "gpt_neox", "num_hidden_layers": 24, "num_attention_heads": 16,
            "hidden_size": 1024, "intermediate_size": 4096, "max_position_embeddings": 2048,
            "vocab_size": 50304, "rotary_pct": 0.25}"#,
    ),
    (
        "gpt-j-6b",
        r#"{"model_type": "gptj", "n_layer": 28, "n_head": 16, "n_embd": 4096, "n_positions": 2048,
            "vocab_size": 50400, "rotary_dim": 64}"#,
    ),
];

impl ModelConfig {
    /// The names of published models whose configurations are known.
    pub fn published_names() -> impl Iterator<Item = &'static str> {
        PUBLISHED.iter().map(|(name, _)| *name)
    }

    /// The configuration of a published model. `None` if it is not known.
    pub fn published(name: &str) -> Option<Self> {
        let (_, text) = PUBLISHED.iter().find(|(known, _)| *known == name)?;
        Self::from_json(text).ok()
    }
}
