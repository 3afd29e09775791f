"""Write checkpoints of tests/fixtures/families as GGUF files, as llama.cpp's converter would, and what
`transformers` makes of the same weights.

A GGUF file does not say all that a configuration does (the scalar of Gemma's scores, its local positions,
its pattern of windows), so the numbers are of the model that the file stands for, not of the folder's.
Where `transformers` reads the architecture, it is checked that it reads the same from the file.

Needs torch, transformers, gguf and accelerate; nothing is downloaded.
"""

import json
import os
import shutil

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
import numpy
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from make_families import OUT as FAMILIES, BEFORE, IDS

OUT = FAMILIES.parent / "formats" / "gguf-families"
FOLDERS = {
    "llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "olmo2": "olmo2", "gemma2": "gemma2",
    "gemma3": "gemma3", "pythia": "gptneox",
}
# What `transformers` 5.24 reads.
READ_BY_TRANSFORMERS = ["llama", "qwen2", "qwen3", "gemma2", "gemma3"]
OUTSIDE = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}
OUTSIDE_NEOX = {"embed_in": "token_embd", "final_layer_norm": "output_norm", "embed_out": "output"}
IN_BLOCK = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "attention.query_key_value": "attn_qkv", "attention.dense": "attn_output",
    "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down", "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
# What the norm after attention is before the MLP in most families.
SECOND_NORM = {"gemma2": "post_attention_norm", "gemma3": "post_attention_norm", "olmo2": "post_attention_norm"}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    golden = {}
    for name, architecture in FOLDERS.items():
        path = OUT / f"{name}.gguf"
        write(path, FAMILIES / name, architecture)
        config = config_of(FAMILIES / name, architecture)
        expected = logits_of(AutoModelForCausalLM.from_pretrained(FAMILIES / name, config=config, dtype=torch.float32))
        golden[name] = [round(float(it), 6) for it in expected[::10]]
        if name in READ_BY_TRANSFORMERS:
            model = AutoModelForCausalLM.from_pretrained(OUT, gguf_file=path.name, config=config, dtype=torch.float32)
            assert torch.allclose(logits_of(model), expected, atol=1e-5), name
        print(name, path.stat().st_size, golden[name][:3])
    (OUT / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


def config_of(folder, architecture):
    """The configuration that a file of a small model stands for."""
    config = AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    n_layers = config.num_hidden_layers
    if architecture in ("gemma2", "gemma3"):
        config.query_pre_attn_scalar = config.head_dim
    if architecture == "gemma3":
        config.rope_parameters["sliding_attention"]["rope_theta"] = 10_000.0
        config.layer_types = ["full_attention" if it % 6 == 5 else "sliding_attention" for it in range(n_layers)]
    if architecture == "qwen2":
        config.layer_types = ["full_attention"] * n_layers
        config.sliding_window = None
    return config


@torch.no_grad()
def logits_of(model):
    return model.eval()(torch.tensor([[BEFORE, *IDS]])).logits[0, -1]


def write(path, folder, architecture):
    config = AutoConfig.from_pretrained(folder)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    d_head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = config.rope_parameters
    rope = rope.get("full_attention", rope)
    writer.add_rope_freq_base(rope["rope_theta"])
    if architecture == "gptneox":
        writer.add_layer_norm_eps(config.layer_norm_eps)
        writer.add_rope_dimension_count(int(d_head * rope["partial_rotary_factor"]))
        writer.add_parallel_residual(config.use_parallel_residual)
    else:
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_key_length(d_head)
        writer.add_value_length(d_head)
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if architecture in ("gemma2", "gemma3"):
        writer.add_sliding_window(config.sliding_window)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    # `transformers` counts the tokens.
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"t{it}" for it in range(config.vocab_size)])
    writer.add_token_merges([])
    for name, weight in load_file(folder / "model.safetensors").items():
        own, weight = renamed(name, architecture), weight.float().numpy()
        if architecture.startswith("gemma") and own.endswith("norm.weight"):
            weight = weight + 1
        if architecture == "llama" and ("attn_q." in own or "attn_k." in own):
            n_heads = config.num_attention_heads if "attn_q." in own else config.num_key_value_heads
            halves = weight.reshape(n_heads, 2, d_head // 2, *weight.shape[1:])
            weight = halves.swapaxes(1, 2).reshape(weight.shape)
        if "attn_qkv" in own:
            n_heads = config.num_attention_heads
            parts = weight.reshape(n_heads, 3, d_head, *weight.shape[1:])
            weight = parts.swapaxes(0, 1).reshape(weight.shape)
        dtype = numpy.float32 if weight.ndim == 1 else numpy.float16
        writer.add_tensor(own, numpy.ascontiguousarray(weight.astype(dtype)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def renamed(name, architecture):
    stem, kind = name.removeprefix("model.").removeprefix("gpt_neox.").rsplit(".", 1)
    if not stem.startswith("layers."):
        return f"{(OUTSIDE | OUTSIDE_NEOX)[stem]}.{kind}"
    _, layer, part = stem.split(".", 2)
    if part == "post_attention_layernorm":
        return f"blk.{layer}.{SECOND_NORM.get(architecture, 'ffn_norm')}.{kind}"
    return f"blk.{layer}.{IN_BLOCK[part]}.{kind}"


if __name__ == "__main__":
    main()
