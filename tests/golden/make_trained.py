"""Write what `transformers` makes of the trained models that tests read where they are (README.md), as
tests/fixtures/formats/gguf/trained_logits.json: for some ids, the likeliest next token and logits.

    python tests/golden/make_trained.py FILE.gguf …

The ids are those that trained.json holds of the first two texts, behind BOS for Gemma, whose tokenizer
adds it. Needs torch, transformers, gguf and accelerate.
"""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import AutoModelForCausalLM

OUT = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "formats" / "gguf"
# Which logits are kept.
STEP = 997


def main():
    known = json.loads((OUT / "trained.json").read_text())
    found = {}
    for path in map(Path, sys.argv[1:]):
        model = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        before = [model.config.bos_token_id] if "gemma" in path.name else []
        found[path.name] = [case(model, before + ids) for ids in known[path.name]["ids"][:2]]
        print(path.name, found[path.name][0]["ids"], found[path.name][0]["top"])
    (OUT / "trained_logits.json").write_text(json.dumps(found) + "\n")


@torch.no_grad()
def case(model, ids):
    logits = model(torch.tensor([ids])).logits[0, -1]
    return {
        "ids": ids,
        "top": int(logits.argmax()),
        "prob": float(torch.softmax(logits, dim=0).max()),
        "logits": [round(float(it), 5) for it in logits[::STEP]],
    }


if __name__ == "__main__":
    main()
