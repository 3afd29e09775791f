"""Write what `transformers` makes of each field of a configuration that is missing or `null`.

`tests/fixtures/fields.json` holds for each family a configuration, and for each field that matters what
stands for it where it is missing, and whether it may be `null` (and what stands for that): the model is
built and run once with it.

Needs transformers 5.24 and torch; nothing is downloaded.
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

OUT = Path(__file__).resolve().parents[1] / "fixtures" / "fields.json"

OLD = {"n_layer": 2, "n_head": 4, "n_embd": 16, "n_positions": 32, "vocab_size": 19, "n_inner": 24}
SIZES = {
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 16,
    "intermediate_size": 24, "max_position_embeddings": 32, "vocab_size": 19,
}
BLOCK = [*SIZES, "head_dim", "rms_norm_eps", "tie_word_embeddings", "rope_theta", "rope_scaling", "rope_parameters"]
WINDOWS = ["use_sliding_window", "sliding_window", "max_window_layers", "layer_types"]
GEMMA = [
    *BLOCK, "hidden_activation", "attention_bias", "query_pre_attn_scalar", "sliding_window", "layer_types",
    "final_logit_softcapping", "attn_logit_softcapping", "use_bidirectional_attention",
]
NEOX = {name: size for name, size in SIZES.items() if name != "num_key_value_heads"}

FAMILIES = {
    "gpt2": (OLD, [
        *OLD, "layer_norm_epsilon", "activation_function", "tie_word_embeddings", "scale_attn_weights",
        "scale_attn_by_inverse_layer_idx", "add_cross_attention",
    ]),
    "gptj": (OLD | {"rotary_dim": 4}, [
        *OLD, "rotary_dim", "layer_norm_epsilon", "activation_function", "tie_word_embeddings",
    ]),
    "gpt_neox": (NEOX | {"rotary_pct": 0.5}, [
        *NEOX, "layer_norm_eps", "hidden_act", "tie_word_embeddings", "attention_bias", "use_parallel_residual",
        "rotary_pct", "rotary_emb_base", "rope_scaling", "rope_parameters",
    ]),
    "llama": (SIZES, [*BLOCK, "hidden_act", "attention_bias", "mlp_bias"]),
    "mistral": (SIZES, [*BLOCK, "hidden_act", "sliding_window"]),
    "qwen2": (SIZES, [*BLOCK, "hidden_act", *WINDOWS]),
    "qwen3": (SIZES | {"head_dim": 4}, [*BLOCK, "hidden_act", "attention_bias", *WINDOWS]),
    "olmo2": (SIZES, [*BLOCK, "hidden_act", "attention_bias"]),
    "gemma2": (SIZES | {"head_dim": 4}, GEMMA),
    "gemma3_text": (SIZES | {"head_dim": 4, "sliding_window_pattern": 2}, [
        *GEMMA, "rope_local_base_freq", "sliding_window_pattern",
    ]),
}

# What `transformers` has under another name, or not as a field.
UNSAID = object()


def value_of(config, field):
    it = getattr(config, field, UNSAID)
    return it if it is UNSAID or not field.startswith("rope") else None


def about(family, base, field):
    without = {name: value for name, value in base.items() if name != field}
    found = {}
    try:
        missing = value_of(AutoConfig.for_model(family, **without), field)
        found |= {} if missing is UNSAID else {"missing": missing}
    except Exception:
        # The size that stands for it does not go with the others.
        pass
    try:
        config = AutoConfig.for_model(family, **without, **{field: None})
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        with torch.no_grad():
            model(torch.arange(12)[None] % 19)
        of_null = value_of(config, field)
        found["null"] = {"is": None if of_null is UNSAID else of_null}
    except Exception:
        found["null"] = None
    return found


def main():
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    found = {
        family: {"base": base, "fields": {field: about(family, base, field) for field in fields}}
        for family, (base, fields) in FAMILIES.items()
    }
    OUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
