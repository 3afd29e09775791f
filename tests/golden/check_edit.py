"""`factscope edit` and `steer`, and other commands on models they change, against plain PyTorch."""

import json

import torch
from safetensors.torch import save_file

import hooked
import rome_edit
from checkpoint import tokens_overlapping

PREFIXES = ["The Seine", "Windows 95 was made by", "I said that"]
RECORD = {
    "case_id": 3,
    "requested_rewrite": {
        "prompt": "Like {}, it", "subject": "Rome", "target_true": {"str": "of"},
        "target_new": {"str": "Paris"},
    },
    "paraphrase_prompts": ["I said that Rome"],
    "neighborhood_prompts": ["The Seine is", "Paris is the"],
}


def check_edit(program, reference):
    from compare_cli import guarded

    cases = [
        # Layer, text before, second moment, BOS, target.
        (2, False, False, False, "Paris"), (1, True, False, False, "the"), (3, True, True, True, "Paris"),
        (reference.hf.config.n_layer - 2, False, True, False, "the"),
    ]
    for case in cases:
        what = "edit of layer {}, prefixes {}, second moment {}, BOS {}, {!r}".format(*case)
        yield from guarded(what, edit_findings, program, reference, *case)


def context(reference, text, subject, start, bos):
    ids, _ = reference.encode(text, bos)
    begin = len(text[:start].encode())
    last = list(tokens_overlapping(
        reference.tokenizers[0], ids, int(bos), (begin, begin + len(subject.encode()))
    ))[1] - 1
    return ids, last


def edit_findings(what, program, reference, layer, prefixes, moment, bos, target):
    from compare_cli import PROBABILITY, close, exact, flag

    hf, folder = reference.hf, reference.folder
    path = folder / "edit_facts.json"
    path.write_text(json.dumps([RECORD]), encoding="utf-8")
    prompt, subject = "Like Rome, it", "Rome"
    arguments = ["--facts", path, "--case", 3, "--layer", layer, "--target", target, *flag(bos)]
    contexts = [context(reference, prompt, subject, prompt.index(subject), bos)]
    if prefixes:
        file = folder / "prefixes.txt"
        file.write_text("".join(f"{it}\n" for it in PREFIXES), encoding="utf-8")
        arguments += ["--prefixes", file]
        for prefix in PREFIXES:
            text = f"{prefix}. {prompt}"
            contexts.append(context(reference, text, subject, len(prefix) + 2 + prompt.index(subject), bos))
    ids, last = context(reference, f"{subject} is a", subject, 0, bos)
    # All of it, as ROME reads it, though what follows the subject is not seen.
    essence = (ids, last)
    second = None
    if moment:
        d_mlp = 4 * hf.config.n_embd
        inputs = torch.randn(3 * d_mlp, d_mlp, generator=torch.Generator().manual_seed(layer)) + 0.3
        second = inputs.T @ inputs / len(inputs)
        file = folder / "mom2.safetensors"
        save_file({"mom2": second}, file)
        arguments += ["--second-moment", file]

    target_ids = reference.answer_ids(f" {target}")
    left = rome_edit.compute_u(hf, layer, contexts, second)
    right, steps = rome_edit.compute_v(hf, layer, contexts, essence, target_ids, left)
    found = program.file("edit", *arguments)
    theirs = found["spec"]["contexts"]
    yield exact(f"{what}: contexts", [(it["ids"], it["subject_last"]) for it in theirs], contexts)
    yield exact(f"{what}: target", found["spec"]["target"]["ids"], target_ids)
    yield exact(f"{what}: steps", len(found["steps"]), len(steps))
    for key in ("loss", "nll", "kl", "weight_decay", "prob", "delta_norm"):
        yield close(
            f"{what}: {key}", [it[key] for it in found["steps"]], [it[key] for it in steps], LOSS
        )
    update = found["update"]
    yield close(f"{what}: left", update["left"], left, 1e-5)
    # Of the largest: Adam's steps are as large where a gradient is nearly nothing.
    yield close(f"{what}: right", update["right"], right, 1e-3 * right.abs().max().item())

    asked = [("prompt", prompt)]
    asked += [("paraphrase", it) for it in RECORD["paraphrase_prompts"]]
    asked += [("neighbourhood", it) for it in RECORD["neighborhood_prompts"]]
    told = found["told"]
    yield exact(f"{what}: asked", [(it["kind"], it["text"]) for it in told], asked)
    old_ids = reference.answer_ids(" of")
    yield from told_findings(what, "before", told, reference, bos, target_ids, old_ids)
    theirs = torch.tensor(update["left"]), torch.tensor(update["right"])
    with rome_edit.edited(hf, layer, *theirs):
        yield from told_findings(what, "after", told, reference, bos, target_ids, old_ids)
        logits = reference.logits(contexts[0][0])
    value = found["update"]
    yield close(f"{what}: update norm", [value["change_norm"]], [(left[:, None] * right[None]).norm()], 1e-3 * value["change_norm"])

    # Every other command on the edited model.
    spec = folder / "edit.spec.json"
    program.run("edit", *arguments, "--save-spec", spec)
    predicted = program.json("predict", "--prompt", prompt, "--answer", "of", "--edit", spec, *flag(bos))
    top = predicted["top"]
    expected = logits[[it["id"] for it in top]]
    yield close(f"{what}: logits of the edited model", [it["logit"] for it in top], expected, 1e-3)
    yield exact(f"{what}: edits are told", len(predicted["edits"]), 1)
    with rome_edit.edited(hf, layer, *theirs):
        raw = hooked.raw_model(hf)
        ablated = hooked.ablated_logits(raw, contexts[0][0], "mlp", [last_of(contexts)], "zero")
    found = program.json(
        "ablate", "--prompt", prompt, "--answer", "of", "--part", "mlp", "--positions", last_of(contexts),
        "--edit", spec, *flag(bos),
    )
    theirs = [[cell["prob"] for cell in row] for row in found["ablated"]]
    expected = torch.softmax(ablated, dim=-1)[..., old_ids[0]]
    yield close(f"{what}: ablation of the edited model", theirs, expected, PROBABILITY)


LOSS = 1e-3


def last_of(contexts):
    return contexts[0][1]


def told_findings(what, when, told, reference, bos, target_ids, old_ids):
    from compare_cli import PROBABILITY, close

    for key, ids in (("new", target_ids), ("old", old_ids)):
        for it in told:
            text_ids, _ = reference.encode(it["text"], bos)
            logs = []
            for nth, token in enumerate(ids):
                probs = torch.softmax(reference.logits(text_ids + ids[:nth]), dim=-1)
                logs.append(probs[token].log())
                if nth == 0:
                    yield close(f"{what}: {when} p({key})", [it[when][key]["prob"]], [probs[token]], PROBABILITY)
            mean = torch.stack(logs).mean()
            yield close(f"{what}: {when} log p({key})", [it[when][key]["mean_log_prob"]], [mean], 1e-3)


def check_steer(program, reference):
    from compare_cli import guarded

    for bos in (False, True):
        for positions in ("all", "last", "subject"):
            for kind in ("prompts", "tokens", "token"):
                what = f"steer by {kind} at {positions}{' with BOS' if bos else ''}"
                yield from guarded(what, steer_findings, program, reference, bos, positions, kind)


def steer_findings(what, program, reference, bos, positions, kind):
    from compare_cli import PROBABILITY, close, exact, flag

    layer, scale = 2, 1.7
    text, subject = "Rome is not like Rome in", "Rome"
    ids, _ = reference.encode(text, bos)
    begin, end = reference.subject_range(text, subject, ids, bos)
    at = {"all": slice(None), "last": slice(len(ids) - 1, None), "subject": slice(begin, end)}[positions]
    raw = reference.raw
    if kind == "prompts":
        pair = ["Paris is the capital of", "I said that"]
        plus, minus = (
            hooked.run_with_cache(raw, reference.encode(it, bos)[0])[1]["resid_post", layer][0, -1] for it in pair
        )
        how = ["--plus", pair[0], "--minus", pair[1]]
    else:
        unembedding = reference.hf.lm_head.weight.detach()
        plus = unembedding[reference.answer_ids(" the")[0]]
        how = ["--plus-token", "the"]
        if kind == "tokens":
            minus = unembedding[reference.answer_ids(" of")[0]]
            how += ["--minus-token", "of"]
        else:
            minus = unembedding.mean(0)
    vector = scale * (plus - minus)
    name = f"blocks.{layer}.hook_resid_post"

    def add(activation):
        activation[:, at] += vector

    logits = hooked.run_with_hook(raw, ids, name, add)
    arguments = [
        *how, "--layer", layer, "--positions", positions, "--scale", scale, *flag(bos),
    ]
    fact = ["--prompt", text, "--subject", subject, "--answer", "of"]
    found = program.json("steer", *fact, *arguments)
    top = found["after"]["top"]
    probs = torch.softmax(logits, dim=-1)
    yield close(f"{what}: logits", [it["logit"] for it in top], logits[[it["id"] for it in top]], 1e-3)
    yield close(f"{what}: top probs", [it["prob"] for it in top], probs.topk(5).values, PROBABILITY)
    answer_id = reference.answer_ids(" of")[0]
    yield close(f"{what}: answer", [found["after"]["answer"]["prob"]], [probs[answer_id]], PROBABILITY)
    before = torch.softmax(reference.logits(ids), dim=-1)
    yield close(f"{what}: before", [found["before"]["answer"]["prob"]], [before[answer_id]], PROBABILITY)
    yield close(f"{what}: added", [found["added_norm"]], [vector.norm()], 1e-3)
    resid = hooked.run_with_cache(raw, ids)[1]["resid_post", layer][0, at]
    yield close(f"{what}: residual stream", [found["resid_norm"]], [resid.norm(dim=-1).mean()], 1e-3)

    # A sweep with exact reuse goes on from activations that have it already.
    spec = reference.folder / "steer.spec.json"
    program.run("steer", *fact, *arguments, "--save-spec", spec)
    swept = program.json("ablate", *fact, "--part", "layers", "--positions", "last", "--edit", spec, *flag(bos))
    expected = steered_ablation(raw, ids, name, add)[..., answer_id]
    theirs = [[cell["prob"] for cell in row] for row in swept["ablated"]]
    yield close(f"{what}: ablation of the steered model", theirs, expected, PROBABILITY)
    if positions == "all":
        written = program.json("generate", "--prompt", text, "--tokens", 8, "--edit", spec, *flag(bos))
        theirs = [it["id"] for it in written["written"]]
        expected, so_far = [], list(ids)
        for _ in theirs:
            expected.append(int(hooked.run_with_hook(raw, so_far, name, add).argmax()))
            so_far.append(expected[-1])
        yield exact(f"{what}: text of the steered model", theirs, expected)


def steered_ablation(raw, ids, name, add):
    """Without each layer's attention and MLP at the last token. What is added counts as the MLP's."""
    last = len(ids) - 1
    layers = []
    for layer in range(raw.cfg.n_layers):
        def silence(activation):
            activation[:, last] = 0

        edits = {f"blocks.{layer}.hook_attn_out": silence, f"blocks.{layer}.hook_mlp_out": silence}
        if name.startswith(f"blocks.{layer}."):
            def add_elsewhere(activation):
                before = activation[:, last].clone()
                add(activation)
                activation[:, last] = before

            edits[name] = add_elsewhere
        else:
            edits[name] = add
        layers.append(torch.softmax(hooked.run_with_hooks(raw, ids, edits), dim=-1)[None])
    return torch.stack(layers)
