"""Write a small checkpoint of each family to tests/fixtures/families, and what `transformers` makes of it.

`golden.json` of a folder holds, for a prompt with and without a token before it: logits of the last
position, what enters each block, what leaves the final norm, attention weights, gradients of the
answer's log-probability at the embeddings and at what enters each block, and causal traces of all
three kinds by ROME's procedure (rome.py) through hooks.

Needs transformers, torch and safetensors; nothing is downloaded. Names of folders may be given, then
only these are written.
"""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

import rome

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "fixtures" / "families"
# As many as the tokenizer of tests/fixtures/tiny has.
N_VOCAB = 657
IDS = [7, 53, 133, 247, 395, 577, 2]
BEFORE = 656
SUBJECT = (1, 4)
NOISE_STD = 0.6
N_SAMPLES = 2
WINDOW = 2
SEED = 1


@dataclass
class Family:
    """A checkpoint, and where its modules are whose outputs enter the residual stream."""

    name: str
    config: dict
    blocks: str
    attn: str
    mlp: str
    embed: str
    norm: str
    # What norms multiply by is 1 + their weight.
    plus_one: bool = False
    seed: int = 5


def gpt2(name, **fields):
    sizes = {"n_layer": 2, "n_head": 4, "n_embd": 16, "n_positions": 32, "n_inner": 40}
    config = {"model_type": "gpt2", **sizes, **fields}
    return Family(name, config, "transformer.h", "attn", "mlp", "transformer.wte", "transformer.ln_f")


def llama(name, model_type="llama", seed=5, **fields):
    sizes = {
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 16,
        "intermediate_size": 24, "max_position_embeddings": 32,
    }
    config = {"model_type": model_type, **sizes, **fields}
    names = ["model.layers", "self_attn", "mlp", "model.embed_tokens", "model.norm"]
    return Family(name, config, *names, seed=seed)


def gemma(name, model_type, seed, **fields):
    """What enters the stream are outputs of the norms after attention and MLP."""
    sizes = {
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 16,
        "head_dim": 8, "intermediate_size": 24, "max_position_embeddings": 32,
    }
    config = {"model_type": model_type, **sizes, **fields}
    after = ["post_attention_layernorm", "post_feedforward_layernorm"]
    names = ["model.layers", *after, "model.embed_tokens", "model.norm"]
    return Family(name, config, *names, plus_one=True, seed=seed)


def olmo2(name, **fields):
    family = llama(name, "olmo2", **fields)
    family.attn, family.mlp = "post_attention_layernorm", "post_feedforward_layernorm"
    return family


LLAMA_3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8,
}

# The prompts are longer than the context, so the angles follow from their length.
DYNAMIC = {"rope_type": "dynamic", "factor": 8.0}

YARN = {
    "rope_type": "yarn", "factor": 4.0, "beta_fast": 4.0, "beta_slow": 1.0, "original_max_position_embeddings": 64,
}

FAMILIES = [
    gpt2("gpt2-by-layer", activation_function="gelu_fast", scale_attn_by_inverse_layer_idx=True),
    gpt2("gpt2-gelu", activation_function="gelu"),
    gpt2("gpt2-unscaled", activation_function="relu", scale_attn_weights=False, tie_word_embeddings=False),
    llama("llama", rope_theta=500.0),
    llama("llama-3", rope_scaling=LLAMA_3, head_dim=8, attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
    llama("mistral", "mistral", seed=6, sliding_window=5, num_key_value_heads=1, tie_word_embeddings=True),
    llama("qwen2", "qwen2", seed=6, use_sliding_window=True, sliding_window=6, max_window_layers=1, tie_word_embeddings=True),
    Family(
        "pythia",
        {
            "model_type": "gpt_neox", "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16,
            "intermediate_size": 32, "max_position_embeddings": 32, "rotary_pct": 0.5, "rotary_emb_base": 1000,
            "tie_word_embeddings": False,
        },
        "gpt_neox.layers", "attention", "mlp", "gpt_neox.embed_in", "gpt_neox.final_layer_norm", seed=6,
    ),
    Family(
        "neox-sequential",
        {
            "model_type": "gpt_neox", "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 16,
            "intermediate_size": 24, "max_position_embeddings": 32, "rotary_pct": 1.0, "hidden_act": "gelu_fast",
            "use_parallel_residual": False, "tie_word_embeddings": True,
        },
        "gpt_neox.layers", "attention", "mlp", "gpt_neox.embed_in", "gpt_neox.final_layer_norm",
    ),
    Family(
        "gptj",
        {
            "model_type": "gptj", "n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 32, "rotary_dim": 4,
            "tie_word_embeddings": False,
        },
        "transformer.h", "attn", "mlp", "transformer.wte", "transformer.ln_f",
    ),
    llama("qwen3", "qwen3", seed=7, head_dim=8, rope_scaling={"type": "linear", "factor": 2.0}),
    llama("qwen2-yarn", "qwen2", seed=9, rope_theta=100.0, rope_scaling=YARN, max_position_embeddings=256),
    llama("llama-dynamic", seed=8, head_dim=8, rope_theta=100.0, rope_scaling=DYNAMIC, max_position_embeddings=4),
    olmo2("olmo2", rope_theta=500.0),
    # Caps that most scores and logits come near, and windows shorter than the prompt.
    gemma(
        "gemma2", "gemma2", 12, sliding_window=3, query_pre_attn_scalar=6, attn_logit_softcapping=1.5,
        final_logit_softcapping=7.0, rope_theta=500.0,
    ),
    # With the fields of published configurations.
    gemma(
        "gemma3", "gemma3_text", 6, sliding_window=4, sliding_window_pattern=2, query_pre_attn_scalar=20,
        rope_theta=1000.0, rope_local_base_freq=100.0, rope_scaling={"rope_type": "linear", "factor": 4.0},
    ),
]


def main():
    torch.manual_seed(0)
    rome.check_noise()
    wanted = sys.argv[1:]
    for family in FAMILIES:
        if not wanted or family.name in wanted:
            write(family)


def write(family):
    folder = OUT / family.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fields = {"vocab_size": N_VOCAB, "bos_token_id": BEFORE, "eos_token_id": BEFORE, **family.config}
    (folder / "config.json").write_text(json.dumps(fields, indent=2) + "\n")

    config = AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).eval().float()
    tensors = random_tensors(model, family)
    # The name in published checkpoints; transformers 5 reads it too, and has another inside.
    is_neox = family.config["model_type"] == "gpt_neox"
    named = {name.replace("lm_head", "embed_out") if is_neox else name: it for name, it in tensors.items()}
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    missing, unexpected = model.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    assert not unexpected and all("lm_head" in it or "embed_out" in it for it in missing), (missing, unexpected)
    model.tie_weights()

    cases = [case(model, family, ids, subject) for ids, subject in [
        (IDS, SUBJECT),
        ([BEFORE, *IDS], tuple(it + 1 for it in SUBJECT)),
    ]]
    (folder / "golden.json").write_text(json.dumps({
        "noise_std": NOISE_STD, "n_samples": N_SAMPLES, "seed": SEED, "window": WINDOW, "cases": cases,
    }, separators=(",", ":")) + "\n")
    print(family.name, sum(it.stat().st_size for it in folder.iterdir()), cases[0]["answer"], cases[0]["high_score"])


def random_tensors(model, family):
    """Weights that are no initialisation: attention looks somewhere, and every bias matters."""
    random = numpy.random.RandomState(family.seed)
    tied = model.config.tie_word_embeddings
    tensors = {}
    modules = dict(model.named_modules())
    for name, parameter in model.named_parameters():
        module = modules[name.rpartition(".")[0]]
        shape = tuple(parameter.shape)
        if len(shape) == 1:
            is_gain = name.endswith("weight")
            mean = 0.0 if family.plus_one or not is_gain else 1.0
            values = mean + (0.2 if is_gain else 0.1) * random.randn(*shape)
        elif "wpe" in name:
            values = 1.0 / shape[1] ** 0.5 * random.randn(*shape)
        elif isinstance(module, torch.nn.Embedding) or "lm_head" in name or "embed_out" in name:
            values = 2.6 / shape[1] ** 0.5 * random.randn(*shape)
        else:
            n_in = shape[0] if type(module).__name__ == "Conv1D" else shape[1]
            values = 1.2 / n_in**0.5 * random.randn(*shape)
        tensors[name] = torch.from_numpy(values).to(torch.float16).contiguous()
    if tied:
        tensors.pop("lm_head.weight", None)
        tensors.pop("embed_out.weight", None)
    return tensors


def case(model, family, ids, subject):
    tokens = torch.tensor([ids])
    embedding = model.get_submodule(family.embed)(tokens).detach().requires_grad_()
    out = model(inputs_embeds=embedding, output_hidden_states=True, output_attentions=True, use_cache=False)
    hidden = out.hidden_states
    for state in hidden:
        state.retain_grad()
    answer = int(out.logits[0, -1].argmax())
    torch.log_softmax(out.logits[0, -1], dim=0)[answer].backward()
    n_layers = len(model.get_submodule(family.blocks))
    def probability(edits):
        # Noise on what enters the residual stream.
        edits = {family.embed: rome.corruption(subject, NOISE_STD, N_SAMPLES, SEED), **edits}
        return rome.mean_probability(model, ids, N_SAMPLES, edits, answer)

    def restored(names, pos):
        return probability({name: rome.restoring([pos]) for name in names})

    def traced(module, window):
        def names(layer):
            layers = rome.window_layers(layer, window, n_layers)
            return [f"{family.blocks}.{it}{module}" for it in layers]

        return rows(
            [[restored(names(layer), pos) for layer in range(n_layers)] for pos in range(len(ids))]
        )

    probs = torch.softmax(out.logits[0, -1], dim=0)
    return {
        "ids": ids,
        "subject": list(subject),
        "answer": answer,
        # Of every tenth token.
        "logits": numbers(out.logits[0, -1, ::10]),
        # What enters each block, then what leaves the final norm. Only without a token before.
        "hidden": [rows(it[0]) for it in hidden if ids == IDS],
        # [layer][head][query][key]
        "attention": [[rows(head) for head in it[0]] for it in out.attentions],
        "d_embed": rows(embedding.grad[0]),
        "d_hidden": [rows(it.grad[0]) for it in hidden[:n_layers] if ids == IDS],
        "high_score": number(probs[answer]),
        "low_score": number(probability({})),
        "traces": {
            "hidden": traced("", 1),
            "mlp": traced(f".{family.mlp}", WINDOW),
            "attn": traced(f".{family.attn}", WINDOW),
        },
    }


def number(it):
    return round(float(it.detach()), 6)


def numbers(it):
    return [number(x) for x in it]


def rows(it):
    return [numbers(row) for row in it]


if __name__ == "__main__":
    main()
