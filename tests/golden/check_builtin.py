#!/usr/bin/env python3
"""The built-in model in `transformers` and in Factscope: the same tokens, the same logits.

    python tests/golden/check_builtin.py PATH/TO/factscope [N [MODEL]]

Needs `torch` and `transformers`. Asks every N-th bundled fact, both ways. MODEL is `builtin` or
`builtin-planted`.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch
from transformers import GPT2LMHeadModel, GPT2Tokenizer

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-3

name = sys.argv[3] if len(sys.argv) > 3 else "builtin"
model = GPT2LMHeadModel.from_pretrained(ROOT / "assets" / name).float().eval()
tokenizer = GPT2Tokenizer.from_pretrained(ROOT / "assets" / name)
facts = json.loads((ROOT / "data/facts.json").read_text())
step = int(sys.argv[2]) if len(sys.argv) > 2 else 25
worst, n_asked = 0.0, 0
for fact in facts[::step]:
    for rewrite in (fact["requested_rewrite"], fact["inverse"]):
        prompt = rewrite["prompt"].replace("{}", rewrite["subject"])
        answer = rewrite["target_true"]["str"]
        command = [sys.argv[1], "predict", "--model", name, "--prompt", prompt, "--answer", answer, "--json", "--quiet"]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ids = tokenizer(prompt)["input_ids"]
        assert ids == ours["ids"], (prompt, ids, ours["ids"])
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1]
        for entry in ours["top"]:
            worst = max(worst, abs(float(logits[entry["id"]]) - entry["logit"]))
        worst = max(worst, abs(float(logits[ours["answer"]["id"]]) - ours["answer"]["logit"]))
        n_asked += 1
print(f"{n_asked} prompts, largest difference in logits {worst:.2e} (allowed {TOLERANCE:.0e})")
sys.exit(worst > TOLERANCE)
