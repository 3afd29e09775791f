"""Write what TransformerLens 4 makes of some checkpoints of tests/fixtures/families, beside them.

`transformer_lens.json` of a folder holds, for the second prompt of its `golden.json`: logits of the last
position, and the parts of the answer's logit (less the mean over the vocabulary, before a cap on
logits) that embeddings, attention, MLPs and heads write, with weights processed as TransformerLens
does by default. TransformerLens' heads stop before a norm after attention (Gemma, OLMo 2), so its own `ln1_post`
carries them on, with the scale that its cache has of it.

Needs transformer-lens 4 beside what make_families.py needs; nothing is downloaded:
`pip install 'transformer-lens>=4'`.
"""

import json
import os
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoConfig, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from make_families import OUT

FAMILIES = ["llama", "pythia", "olmo2", "gemma2", "gemma3"]


def main():
    torch.set_grad_enabled(False)
    for name in FAMILIES:
        folder = OUT / name
        found = of_model(folder)
        (folder / "transformer_lens.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
        parts = found["layers"]
        print(name, parts, sum(found["heads"]) - sum(it for key, it in parts.items() if "attn" in key))


def of_model(folder):
    case = json.loads((folder / "golden.json").read_text())["cases"][1]
    tokens, answer = torch.tensor([case["ids"]]), case["answer"]
    with tempfile.TemporaryDirectory() as copy:
        # It wants a tokenizer, and the name of the model's class.
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        config = AutoConfig.from_pretrained(folder)
        config.architectures = [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[config.model_type]]
        config.save_pretrained(copy)
        tiny = OUT.parent / "tiny" / "tokenizer.json"
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tiny), bos_token="<|endoftext|>")
        tokenizer.save_pretrained(copy)
        model = TransformerBridge.boot_transformers(copy, device="cpu")
    model.enable_compatibility_mode()
    model.set_use_attn_result(False)
    logits, cache = model.run_with_cache(tokens)

    # Where logits have a cap TransformerLens does not centre the unembedding itself.
    direction = model.W_U[:, answer] - model.W_U.mean(dim=1)
    if model.cfg.architecture == "Olmo2ForCausalLM":
        # Whose gains TransformerLens does not fold into what reads them.
        direction = direction * model.ln_final.weight
    bias = getattr(model, "b_U", None)
    bias = 0.0 if bias is None else float(bias[answer] - bias.mean())

    def along(stack):
        scaled = cache.apply_ln_to_stack(stack, layer=-1)
        return [round(float(it), 6) for it in scaled[:, 0, -1] @ direction]

    layers, labels = cache.decompose_resid(layer=-1, mode="all", return_labels=True)
    heads = []
    for layer in range(model.cfg.n_layers):
        results = torch.einsum("bphd,hdm->hbpm", cache[f"blocks.{layer}.attn.hook_z"], model.blocks[layer].attn.W_O)
        after = getattr(model.blocks[layer], "ln1_post", None)
        if after is not None:
            gain = 1.0 + after.weight if model.cfg.rmsnorm_uses_offset else after.weight
            results = results / cache[f"blocks.{layer}.ln1_post.hook_scale"] * gain
        heads += along(results)
    return {
        "ids": case["ids"],
        "answer": answer,
        # Of every tenth token, less the mean over the vocabulary where there is no cap.
        "logits": [round(float(it), 6) for it in logits[0, -1, ::10]],
        "layers": dict(zip(labels, along(layers))),
        "heads": heads,
        "bias": bias,
    }


if __name__ == "__main__":
    main()
