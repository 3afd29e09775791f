//! What the metadata of a GGUF file call the fields of a `config.json`.

use super::gguf::family;
use crate::gguf::Header;

/// The metadata that stand for a field. `None` if the file has no such metadata.
pub(super) fn key(bytes: &[u8], field: &str) -> Option<String> {
    let architecture = family(&Header::read(bytes).ok()?).ok()?.architecture;
    let (_, key) = KEYS.iter().find(|(known, _)| *known == field)?;
    Some(if *key == TOKENS { TOKENS.to_owned() } else { format!("{architecture}.{key}") })
}

/// A text in which fields have the names of the metadata that stand for them.
pub(super) fn with_keys(bytes: &[u8], text: &str) -> String {
    KEYS.iter().fold(text.to_owned(), |text, (field, _)| match key(bytes, field) {
        Some(key) => text.replace(&format!("`{field}`"), &format!("`{key}`")),
        None => text,
    })
}

/// The list of tokens, which is as long as the vocabulary.
const TOKENS: &str = "tokenizer.ggml.tokens";

/// The fields of configurations, and the metadata that stand for each, without the architecture before
/// them.
const KEYS: [(&str, &str); 27] = [
    ("num_hidden_layers", "block_count"),
    ("n_layer", "block_count"),
    ("num_attention_heads", "attention.head_count"),
    ("n_head", "attention.head_count"),
    ("num_key_value_heads", "attention.head_count_kv"),
    ("head_dim", "attention.key_length"),
    ("query_pre_attn_scalar", "attention.key_length"),
    ("hidden_size", "embedding_length"),
    ("n_embd", "embedding_length"),
    ("intermediate_size", "feed_forward_length"),
    ("n_inner", "feed_forward_length"),
    ("max_position_embeddings", "context_length"),
    ("n_positions", "context_length"),
    ("vocab_size", TOKENS),
    ("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    ("layer_norm_eps", "attention.layer_norm_epsilon"),
    ("layer_norm_epsilon", "attention.layer_norm_epsilon"),
    ("sliding_window", "attention.sliding_window"),
    ("attn_logit_softcapping", "attn_logit_softcapping"),
    ("final_logit_softcapping", "final_logit_softcapping"),
    ("rotary_pct", "rope.dimension_count"),
    ("rope_theta", "rope.freq_base"),
    ("rotary_emb_base", "rope.freq_base"),
    ("rope_local_base_freq", "rope.freq_base_swa"),
    ("rope_type", "rope.scaling.type"),
    ("factor", "rope.scaling.factor"),
    ("original_max_position_embeddings", "rope.scaling.original_context_length"),
];
