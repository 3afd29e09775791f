"""Write tests/fixtures/trained.json: what `transformers` makes of facts that trained models know.

python tests/golden/make_trained.py FOLDER [FILE]     # where tests/fetch_models.sh put the models

For each model and fact: the tokens by llama.cpp, the likeliest next tokens, causal traces by ROME's
procedure (rome.py) at the last subject token and the last token, the answer's probability without the
edges from the subject to the last token (Geva et al. 2023, section 5), and what each layer's attention
and MLP add to the answer's logit. `transformers` dequantises the GGUF files and computes in f32.

Needs `pip install torch transformers gguf llama-cpp-python`; nothing is downloaded.
"""

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import llama_cpp
import torch
from transformers import AutoModelForCausalLM

import rome
from make_families import number, numbers, rows

ROOT = Path(__file__).resolve().parents[2]
N_TOP = 10
# Of the logits of all words, each so many'th is kept.
STEP = 997
N_SAMPLES = 2
SEED = 1
TRACE_WINDOW = 6
KNOCKOUT_WINDOW = 5


@dataclass
class Trained:
    file: str
    # The modules whose outputs enter the residual stream.
    attn: str
    mlp: str
    # What the embedding's module multiplies its rows by, and what is added to the last norm's weight.
    embed_scale: float
    plus: float


MODELS = [
    Trained("SmolLM2-135M-Instruct.Q4_1.gguf", "self_attn", "mlp", 1.0, 0.0),
    Trained("gemma-3-270m-q4_k_m.gguf", "post_attention_layernorm", "post_feedforward_layernorm", 640**0.5, 1.0),
]
FACTS = [
    ("The Eiffel Tower is located in the city of", "The Eiffel Tower", "Paris"),
    ("The mother tongue of Danielle Darrieux is", "Danielle Darrieux", "French"),
    ("The capital of Japan is", "Japan", "Tokyo"),
]


def main():
    rome.check_noise()
    folder, *wanted = sys.argv[1:]
    out = ROOT / "tests" / "fixtures" / "trained.json"
    found = json.loads(out.read_text()) if wanted else {}
    for trained in MODELS:
        if not wanted or trained.file in wanted:
            found[trained.file] = of_model(Path(folder), trained)
    out.write_text(json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n")


def of_model(folder, trained):
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=trained.file, attn_implementation="eager", dtype=torch.float32
    ).eval()
    # Only the last token's logits are read, and a vocabulary of 262,144 words is most of the work.
    model.lm_head.register_forward_pre_hook(lambda _module, args: (args[0][:, -1:],))
    words = llama_cpp.Llama(str(folder / trained.file), vocab_only=True, verbose=False)
    # Three standard deviations of what enters the stream, as in ROME.
    std = 3 * float(model.model.embed_tokens.weight.detach().std()) * trained.embed_scale
    settings = {
        "noise_std": float(f"{std:.3g}"), "n_samples": N_SAMPLES, "seed": SEED,
        "trace_window": TRACE_WINDOW, "knockout_window": KNOCKOUT_WINDOW,
    }
    return {**settings, "facts": [of_fact(model, words, trained, settings, *fact) for fact in FACTS]}


def of_fact(model, words, trained, settings, text, subject, answer):
    def ids_of(it, bos):
        return words.tokenize(it.encode(), add_bos=bos, special=False)

    ids = ids_of(text, True)
    end = ids_of(text[: text.index(subject) + len(subject)], True)
    assert ids[: len(end)] == end
    n_subject = len(ids_of(subject if text.startswith(subject) else f" {subject}", False))
    span = (len(end) - n_subject, len(end))
    answer_id = ids_of(f" {answer}", False)[0]

    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
    top = logits.topk(N_TOP)
    layers = range(len(model.model.layers))

    def probability(edits):
        noise = rome.corruption(span, settings["noise_std"], N_SAMPLES, SEED)
        return rome.mean_probability(model, ids, N_SAMPLES, {"model.embed_tokens": noise, **edits}, answer_id)

    def traced(module, window):
        def restored(layer, pos):
            window_layers = rome.window_layers(layer, window, len(layers))
            return probability({f"model.layers.{it}{module}": rome.restoring([pos]) for it in window_layers})

        return rows([[restored(layer, pos) for layer in layers] for pos in (span[1] - 1, len(ids) - 1)])

    found = {
        "text": text,
        "subject": subject,
        "answer": answer,
        "ids": ids,
        "subject_range": span,
        "answer_id": answer_id,
        "top": top.indices.tolist(),
        "logits": numbers(top.values),
        "every_997th": numbers(logits[::STEP]),
        "high_score": number(torch.softmax(logits, dim=0)[answer_id]),
        "low_score": number(probability({})),
        # [the last subject token, the last token][layer]
        "traces": {
            "hidden": traced("", 1),
            "mlp": traced(f".{trained.mlp}", TRACE_WINDOW),
            "attn": traced(f".{trained.attn}", TRACE_WINDOW),
        },
        "cut": numbers([cut(model, ids, span, layer, len(layers), answer_id) for layer in layers]),
        "parts": parts(model, trained, ids, answer_id),
    }
    print(trained.file, text, [words.detokenize([it]).decode(errors="replace") for it in found["top"][:3]],
          found["high_score"], found["low_score"])
    return found


def cut(model, ids, span, layer, n_layers, answer_id):
    """The answer's probability if, around a layer, the last token does not see the subject."""
    mask = torch.triu(torch.full((len(ids), len(ids)), torch.finfo(torch.float32).min), 1)
    mask[-1, span[0] : span[1]] = torch.finfo(torch.float32).min

    def masked(_module, args, kwargs):
        return args, {**kwargs, "attention_mask": mask[None, None]}

    below, above = KNOCKOUT_WINDOW // 2, KNOCKOUT_WINDOW - KNOCKOUT_WINDOW // 2
    with ExitStack() as stack, torch.no_grad():
        for it in range(max(0, layer - below), min(n_layers, layer + above)):
            attn = model.model.layers[it].self_attn
            stack.enter_context(attn.register_forward_pre_hook(masked, with_kwargs=True))
        logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
    return torch.softmax(logits, dim=0)[answer_id]


def parts(model, trained, ids, answer_id):
    """What each layer's attention and MLP add to the answer's logit less the vocabulary's mean, with the
    last norm's scale held: [layer][attention, MLP]."""
    kept = {}

    def keep(name):
        return lambda _module, _args, out: kept.__setitem__(name, (out[0] if isinstance(out, tuple) else out)[0, -1])

    with ExitStack() as stack, torch.no_grad():
        for layer, block in enumerate(model.model.layers):
            for kind in ("attn", "mlp"):
                module = block.get_submodule(getattr(trained, kind))
                stack.enter_context(module.register_forward_hook(keep((layer, kind))))
        stack.enter_context(model.model.norm.register_forward_pre_hook(
            lambda _module, args: kept.__setitem__("end", args[0][0, -1])
        ))
        model(torch.tensor([ids]), use_cache=False)
        unembed = model.lm_head.weight
        direction = (unembed[answer_id] - unembed.mean(dim=0)) * (model.model.norm.weight + trained.plus)
        scale = (kept["end"].pow(2).mean() + model.config.rms_norm_eps).rsqrt()
        return rows([
            [direction @ kept[layer, kind] * scale for kind in ("attn", "mlp")]
            for layer in range(len(model.model.layers))
        ])


if __name__ == "__main__":
    main()
