"""Configurations of every family of models that opens, by chance."""

import math

from make_families import Family, gemma, gpt2, llama, olmo2


def variants(chance):
    """Configurations of all families."""
    pick = chance.choice

    def sizes():
        n_kv = pick([1, 2, 3])
        n_heads = n_kv * pick([1, 2, 3])
        return {
            "num_hidden_layers": pick([2, 3]), "num_key_value_heads": n_kv,
            "num_attention_heads": n_heads, "head_dim": pick([4, 6, 10]),
            # A multiple of the heads, though they have a width of their own.
            "hidden_size": n_heads * math.ceil(12 / n_heads) + n_heads * pick([0, 1]),
            "intermediate_size": pick([20, 37]),
            "max_position_embeddings": 64, "rope_theta": pick([100.0, 10000.0, 500000.0]),
            "rms_norm_eps": pick([1e-5, 1e-6]), "tie_word_embeddings": pick([True, False]),
        }

    def scaling():
        return pick([
            None,
            {"rope_type": "linear", "factor": 3.0},
            {"rope_type": "dynamic", "factor": 3.0},
            {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
             "original_max_position_embeddings": 16},
            {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
        ])

    def flag():
        return pick([True, False])

    def old_sizes():
        heads = pick([2, 3, 4])
        return {"n_layer": pick([2, 3]), "n_head": heads, "n_embd": heads * pick([6, 8]), "n_positions": 64}

    def neox(name, **fields):
        heads = pick([2, 3])
        config = {
            "model_type": "gpt_neox", "num_hidden_layers": pick([2, 3]), "num_attention_heads": heads,
            "hidden_size": heads * 8, "intermediate_size": pick([20, 37]), "max_position_embeddings": 64,
            "rotary_pct": pick([0.25, 0.5, 1.0]), "rotary_emb_base": pick([100, 10000]),
            "hidden_act": pick(["gelu", "gelu_new", "gelu_fast", "relu"]), "attention_bias": flag(),
            "tie_word_embeddings": flag(), **fields,
        }
        names = ["gpt_neox.layers", "attention", "mlp", "gpt_neox.embed_in", "gpt_neox.final_layer_norm"]
        return Family(name, config, *names)

    def activation():
        return pick(["gelu_new", "gelu", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu"])

    def gpt2_of(name, **fields):
        return gpt2(name, **old_sizes(), activation_function=activation(), n_inner=pick([None, 37]),
                    tie_word_embeddings=flag(), **fields)

    gptj_sizes = old_sizes()
    turned = pick([2, 4, 6])
    families = [
        gpt2_of("gpt2"),
        gpt2_of("gpt2-scales", scale_attn_by_inverse_layer_idx=flag(), scale_attn_weights=flag()),
        llama("llama", **sizes(), attention_bias=flag(), mlp_bias=flag(), rope_scaling=scaling()),
        llama("llama-scaled", **sizes(), rope_scaling={
            "rope_type": "llama3", "factor": pick([2.0, 32.0]), "low_freq_factor": 1.0,
            "high_freq_factor": pick([2.0, 4.0]), "original_max_position_embeddings": 32,
        }),
        llama("mistral", "mistral", **sizes(), sliding_window=pick([None, 3, 5])),
        llama("mistral-window", "mistral", **sizes(), sliding_window=pick([2, 4])),
        llama("qwen2", "qwen2", **without(sizes(), "head_dim", even=True), use_sliding_window=flag(),
              sliding_window=pick([3, 5]), max_window_layers=pick([0, 1]), rope_scaling=scaling()),
        llama("qwen3", "qwen3", **sizes(), attention_bias=flag(), use_sliding_window=flag(),
              sliding_window=pick([3, 5]), max_window_layers=pick([0, 1]), rope_scaling=scaling()),
        olmo2("olmo2", **without(sizes(), "head_dim", even=True), attention_bias=flag(), rope_scaling=scaling()),
        gemma("gemma2", "gemma2", 5, **sizes(), sliding_window=pick([2, 4]),
              query_pre_attn_scalar=pick([4, 10, 256]), attn_logit_softcapping=pick([None, 1.0, 5.0]),
              final_logit_softcapping=pick([None, 4.0, 9.0]), attention_bias=flag()),
        gemma("gemma3", "gemma3_text", 5, **without(sizes(), "rope_theta"), sliding_window=pick([2, 4]),
              query_pre_attn_scalar=pick([4, 10, 256]), rope_theta=pick([1000.0, 1e6]),
              rope_local_base_freq=pick([100.0, 1e4]), attention_bias=flag(), **windows(chance),
              rope_scaling=pick([None, {"rope_type": "linear", "factor": 8.0}])),
        neox("pythia", use_parallel_residual=True),
        neox("neox-sequential", use_parallel_residual=False),
        Family(
            "gptj",
            {"model_type": "gptj", **gptj_sizes, "rotary_dim": turned, "n_inner": pick([None, 37]),
             "activation_function": activation(), "tie_word_embeddings": False},
            "transformer.h", "attn", "mlp", "transformer.wte", "transformer.ln_f",
        ),
    ]
    # The prompts are longer than the context. It comes last, so that the others follow from the seed as before.
    dynamic = {"rope_type": "dynamic", "factor": pick([6.0, 9.0])}
    sizes_of_short = sizes() | {"max_position_embeddings": pick([5, 7])}
    return [*families, llama("llama-dynamic", **sizes_of_short, rope_scaling=dynamic)]


def without(sizes, field=None, even=False):
    """Without a field; where heads share the width out, it is a multiple of their number."""
    sizes = {name: value for name, value in sizes.items() if name != field}
    if even:
        sizes["hidden_size"] = sizes["num_attention_heads"] * 8
    return sizes


def windows(chance):
    """Which layers of a Gemma 3 see a window: as its period, or layer by layer."""
    return chance.choice([{"sliding_window_pattern": 2}, {"sliding_window_pattern": 1}, {}])
