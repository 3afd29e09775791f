//! The list of models that people study.

use factscope::hub::{HubName, KNOWN};
use factscope::model::ModelConfig;
use serde_json::{Value, json};

/// What a `config.json` says of a model's shape: heads, heads of keys, their width, the stream's width,
/// the MLP's width, tokens, whether the unembedding is the embedding.
type Shape = (usize, usize, usize, usize, usize, usize, bool);

fn gpt2(layers: usize, width: usize) -> Value {
    json!({
        "model_type": "gpt2", "n_layer": layers, "n_head": 1, "n_embd": width, "vocab_size": 50_257,
    })
}

fn neox(layers: usize, width: usize, tokens: usize) -> Value {
    json!({
        "model_type": "gpt_neox", "num_hidden_layers": layers, "num_attention_heads": 1,
        "hidden_size": width, "intermediate_size": 4 * width, "max_position_embeddings": 2048,
        "vocab_size": tokens,
    })
}

fn other(kind: &str, layers: usize, shape: Shape) -> Value {
    let (heads, kv_heads, head, width, mlp, tokens, is_tied) = shape;
    json!({
        "model_type": kind, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "head_dim": head, "hidden_size": width,
        "intermediate_size": mlp, "max_position_embeddings": 2048, "vocab_size": tokens,
        "tie_word_embeddings": is_tied,
    })
}

fn shape_of(name: &str) -> Value {
    let (_, name) = name.split_once('/').unwrap_or(("", name));
    match name {
        "gpt2" => gpt2(12, 768),
        "gpt2-medium" => gpt2(24, 1024),
        "gpt2-large" => gpt2(36, 1280),
        "gpt2-xl" => gpt2(48, 1600),
        "distilgpt2" => gpt2(6, 768),
        "gpt-j-6b" => json!({
            "model_type": "gptj", "n_layer": 28, "n_head": 16, "n_embd": 4096, "n_positions": 2048,
            "vocab_size": 50_400, "rotary_dim": 64,
        }),
        "pythia-70m" => neox(6, 512, 50_304),
        "pythia-160m" => neox(12, 768, 50_304),
        "pythia-410m" => neox(24, 1024, 50_304),
        "pythia-1b" => neox(16, 2048, 50_304),
        "pythia-1.4b" => neox(24, 2048, 50_304),
        "pythia-2.8b" => neox(32, 2560, 50_304),
        "pythia-6.9b" => neox(32, 4096, 50_432),
        "pythia-12b" => neox(36, 5120, 50_688),
        "SmolLM2-135M" => other("llama", 30, (9, 3, 64, 576, 1536, 49_152, true)),
        "SmolLM2-360M" => other("llama", 32, (15, 5, 64, 960, 2560, 49_152, true)),
        "SmolLM2-1.7B" => other("llama", 24, (32, 32, 64, 2048, 8192, 49_152, true)),
        "Llama-3.2-1B" => other("llama", 16, (32, 8, 64, 2048, 8192, 128_256, true)),
        "Llama-3.2-3B" => other("llama", 28, (24, 8, 128, 3072, 8192, 128_256, true)),
        "Llama-3.1-8B" => other("llama", 32, (32, 8, 128, 4096, 14_336, 128_256, false)),
        "Llama-2-7b-hf" => other("llama", 32, (32, 32, 128, 4096, 11_008, 32_000, false)),
        "Mistral-7B-v0.1" => other("mistral", 32, (32, 8, 128, 4096, 14_336, 32_000, false)),
        "Qwen2.5-0.5B" => other("qwen2", 24, (14, 2, 64, 896, 4864, 151_936, true)),
        "Qwen2.5-1.5B" => other("qwen2", 28, (12, 2, 128, 1536, 8960, 151_936, true)),
        "Qwen2.5-3B" => other("qwen2", 36, (16, 2, 128, 2048, 11_008, 151_936, true)),
        "Qwen2.5-7B" => other("qwen2", 28, (28, 4, 128, 3584, 18_944, 152_064, false)),
        "Qwen3-0.6B-Base" => other("qwen3", 28, (16, 8, 128, 1024, 3072, 151_936, true)),
        "Qwen3-1.7B-Base" => other("qwen3", 28, (16, 8, 128, 2048, 6144, 151_936, true)),
        "Qwen3-4B-Base" => other("qwen3", 36, (32, 8, 128, 2560, 9728, 151_936, true)),
        "Qwen3-8B-Base" => other("qwen3", 36, (32, 8, 128, 4096, 12_288, 151_936, false)),
        "gemma-2-2b" => other("gemma2", 26, (8, 4, 256, 2304, 9216, 256_000, true)),
        "gemma-2-9b" => other("gemma2", 42, (16, 8, 256, 3584, 14_336, 256_000, true)),
        "gemma-3-270m" => other("gemma3_text", 18, (4, 1, 256, 640, 2048, 262_144, true)),
        "gemma-3-1b-pt" => other("gemma3_text", 26, (4, 1, 256, 1152, 6912, 262_144, true)),
        "OLMo-2-0425-1B" => other("olmo2", 16, (16, 16, 128, 2048, 8192, 100_352, false)),
        "OLMo-2-1124-7B" => other("olmo2", 32, (32, 32, 128, 4096, 11_008, 100_352, false)),
        other => panic!("the shape of {other}"),
    }
}

#[test]
fn the_sizes_of_known_models_follow_from_their_shapes() {
    for known in &KNOWN {
        assert!(known.name.parse::<HubName>().is_ok());
        let config = ModelConfig::from_json(&shape_of(known.name).to_string()).unwrap();
        let millions = (config.n_params() as f64 / 1e6).round() as u64;
        assert_eq!(known.n_params, millions * 1_000_000, "{}", known.name);
    }
}
