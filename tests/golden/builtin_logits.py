#!/usr/bin/env python3
"""Writes what `transformers` makes of the built-in models: `tests/fixtures/builtin.json`.

    python tests/golden/builtin_logits.py

Every 60th bundled fact, both ways: ids, and the five likeliest next tokens with their logits. Needs
`torch` and `transformers`; rerun it when a built-in model is replaced.
"""

import json
from pathlib import Path

import torch
from transformers import GPT2LMHeadModel, GPT2Tokenizer

ROOT = Path(__file__).resolve().parents[2]
facts = json.loads((ROOT / "data/facts.json").read_text())
cases = []
for name in ("builtin", "builtin-planted"):
    model = GPT2LMHeadModel.from_pretrained(ROOT / "assets" / name).float().eval()
    tokenizer = GPT2Tokenizer.from_pretrained(ROOT / "assets" / name)
    for fact in facts[::60]:
        for rewrite in (fact["requested_rewrite"], fact["inverse"]):
            prompt = rewrite["prompt"].replace("{}", rewrite["subject"])
            ids = tokenizer(prompt)["input_ids"]
            with torch.no_grad():
                top = model(torch.tensor([ids])).logits[0, -1].topk(5)
            logits = [round(value, 5) for value in top.values.tolist()]
            cases.append({"model": name, "prompt": prompt, "ids": ids, "top_ids": top.indices.tolist(), "top_logits": logits})
out = ROOT / "tests/fixtures/builtin.json"
out.write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")
print(f"{len(cases)} prompts: {out}")
