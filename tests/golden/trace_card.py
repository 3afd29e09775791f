#!/usr/bin/env python3
"""Where the built-in model's traces peak: mean indirect effect by token class and layer.

    python3 tests/golden/trace_card.py PATH/TO/factscope [N_FACTS] [KIND]

Traces N facts that were taught both ways and that the model recalls, with ROME's settings, and
prints a Markdown table of means with 95 % bootstrap intervals over facts. Needs only `numpy`.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
program = sys.argv[1]
n_facts = int(sys.argv[2]) if len(sys.argv) > 2 else 100
kind = sys.argv[3] if len(sys.argv) > 3 else "hidden"
CLASSES = ["before", "first subject", "middle subject", "last subject", "between", "last"]

split = json.loads((ROOT / "assets/builtin/split.json").read_text())
cases = [plan["case"] for plan in split["facts"] if plan["group"] == "both"]
rows = {name: [] for name in CLASSES}
n_used = n_skipped = 0
with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / "trace.json"
    for case in np.random.default_rng(1).permutation(cases):
        if n_used == n_facts:
            break
        command = [program, "trace", "--facts", str(ROOT / "data/facts.json"), "--case", case]
        command += ["--kind", kind, "--window", "3", "--noise-rng", "numpy", "--quiet", "--out", str(out)]
        subprocess.run(command, check=True, capture_output=True)
        trace = json.loads(out.read_text())
        if not trace["correct_prediction"]:
            n_skipped += 1
            continue
        n_used += 1
        effect = np.array(trace["scores"]) - trace["low_score"]
        start, end = trace["subject_range"]
        last = len(effect) - 1
        for position, values in enumerate(effect):
            if position == last:
                name = "last"
            elif position < start:
                name = "before"
            elif position >= end:
                name = "between"
            elif position == end - 1:
                name = "last subject"
            else:
                name = "first subject" if position == start else "middle subject"
            rows[name].append((n_used, values))

rng = np.random.default_rng(1)
print(f"{n_used} facts, {n_skipped} not recalled and left out, kind {kind}\n")
layers = len(rows["last"][0][1])
print("| token | " + " | ".join(f"layer {layer}" for layer in range(layers)) + " |")
print("|---" * (layers + 1) + "|")
for name in CLASSES:
    if not rows[name]:
        continue
    facts = {}
    for fact, values in rows[name]:
        facts.setdefault(fact, []).append(values)
    means = np.array([np.mean(values, axis=0) for values in facts.values()])
    draws = means[rng.integers(0, len(means), (2000, len(means)))].mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    cells = [f"{m:.3f} [{a:.3f}, {b:.3f}]" for m, a, b in zip(means.mean(axis=0), low, high)]
    print(f"| {name} ({len(means)}) | " + " | ".join(cells) + " |")
