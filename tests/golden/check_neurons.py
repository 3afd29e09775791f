"""Compares `ablate --part neurons` with hooks on TransformerLens. Used by `compare_cli.py`."""

import torch

import neurons
from compare_cli import (
    ANSWER, FOIL, LOGIT, MEAN_PROMPTS, PROBABILITY, PROMPTS, RESAMPLED, close, exact, flag, guarded,
    relative,
)
from check_gradients import target_of

N_TOP = 12


def check_neurons(program, reference):
    cases = [
        ("all", "zero", "log_prob", []), ("last", "mean", "logit_diff", []),
        ("subject", "resample", "logit", [1, 4]), ("non-subject", "zero", "prob", [2]),
    ]
    for index, (text, subject) in enumerate(PROMPTS):
        for bos in (False, True):
            here = [case for case in cases if index == 0 or case[1] != "resample"]
            for case in here:
                what = f"ablate-neurons {case}, {text!r}{' with BOS' if bos else ''}"
                yield from guarded(what, findings, program, reference, text, subject, bos, *case)


def findings(what, program, reference, text, subject, bos, where, replacement, metric, layers):
    model = reference.raw
    ids, _ = reference.encode(text, bos)
    begin, end = reference.subject_range(text, subject, ids, bos)
    last = len(ids) - 1
    positions = {
        "all": list(range(len(ids))),
        "last": [last],
        "subject": list(range(begin, end)),
        "non-subject": [pos for pos in range(last) if not begin <= pos < end],
    }[where]
    extra, other = [], "zero"
    if replacement == "mean":
        file = reference.folder / "mean_prompts.txt"
        file.write_text("".join(f"{prompt}\n" for prompt in MEAN_PROMPTS), encoding="utf-8")
        extra, other = ["--mean-prompts", file], [reference.encode(it, bos)[0] for it in MEAN_PROMPTS]
    elif replacement == "resample":
        extra, other = ["--other", RESAMPLED], reference.encode(RESAMPLED, bos)[0]
    new = neurons.replacement_of(model, other, len(ids))
    target = target_of(metric, ANSWER, reference)
    expected, activations = neurons.estimates(model, ids, target, positions, new)
    chosen = layers or list(range(model.cfg.n_layers))

    found = program.file(
        "ablate", "--part", "neurons", "--prompt", text, "--subject", subject, "--answer", ANSWER,
        "--foil", FOIL, "--positions", where, "--with", replacement, *extra, "--top", N_TOP,
        "--metric", metric.replace("_", "-"), *flag(bos),
        *(["--layers", ",".join(map(str, layers))] if layers else []),
    )
    yield exact(f"{what}: how many", found["n_neurons"], len(chosen) * model.cfg.d_mlp)
    listed = found["neurons"]
    places = [(it["layer"], it["neuron"]) for it in listed]
    yield exact(f"{what}: within the layers", [it for it in places if it[0] not in chosen], [])
    of_listed = torch.stack([expected[layer, neuron] for layer, neuron in places])
    yield relative(f"{what}: estimates", [it["estimate"] for it in listed], of_listed)
    # By rank, so that a tie may fall either way.
    largest = expected[chosen].abs().flatten().topk(N_TOP).values
    yield relative(f"{what}: the largest", [abs(it["estimate"]) for it in listed], largest)

    here = lambda read: [read(layer, neuron) for layer, neuron in places]
    acts = here(lambda layer, neuron: activations[neurons.hook_name(layer)][0, positions, neuron].tolist())
    put_in = here(lambda layer, neuron: new[layer][positions, neuron].tolist())
    yield close(f"{what}: activations", [it["activations"] for it in listed], acts, LOGIT)
    yield close(f"{what}: replacements", [it["replacements"] for it in listed], put_in, LOGIT)

    logits = torch.stack(here(
        lambda layer, neuron: neurons.ablated_logits(model, ids, layer, neuron, positions, new)
    ))
    answer_id, foil_id = reference.answer_ids(ANSWER)[0], reference.answer_ids(FOIL)[0]
    probs = torch.softmax(logits, dim=-1)[:, answer_id]
    read = lambda key: [it["ablated"][key] for it in listed]
    yield close(f"{what}: probs", read("prob"), probs, PROBABILITY)
    yield close(f"{what}: logits", read("logit"), logits[:, answer_id], LOGIT)
    difference = logits[:, answer_id] - logits[:, foil_id]
    yield close(f"{what}: logit differences", read("logit_diff"), difference, LOGIT)
    clean = torch.softmax(reference.logits(ids), dim=-1)[answer_id]
    yield close(
        f"{what}: change", [it["change"]["prob"] for it in listed], probs - clean, 2 * PROBABILITY
    )


CHECKS = {"ablate-neurons": check_neurons}
