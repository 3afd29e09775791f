"""Compares `atp-star`, `eap`, `path-patch`, and `atp` with windows held, with PyTorch on
TransformerLens. Used by `compare_cli.py`."""

import torch

import attribution_patching
import check_corruptions
import corruptions
import gradient_methods
import hooked
import rome
from compare_cli import (
    ANSWER, FOIL, LONG_ANSWER, LOGIT, PROBABILITY, PROMPTS, RESAMPLED, close, exact, flag, guarded,
    noise_std_of, relative,
)
from check_patching import DONOR, RECIPIENT

SAMPLES = 2


def target_of(metric, answer, reference):
    answer_ids = reference.encode(answer)[0]
    return attribution_patching.Target(metric, answer_ids, reference.answer_ids(FOIL)[0])


def corrupted_caches(reference, text, subject, ids, bos, target, contrast, found=None):
    """Of another prompt, of ROME's noise, or of another corruption; with the answer's tokens appended.
    `found`: what the program says that it drew."""
    appended = target.answer_ids[:-1]
    if contrast == "prompt":
        other = reference.encode(RESAMPLED, bos)[0]
        return [hooked.run_with_cache(reference.raw, other + appended)[1]]
    begin, end = subject_range = reference.subject_range(text, subject, ids, bos)
    clean = corruptions.embeddings(reference.hf, ids[begin:end])
    if contrast == "noise":
        random = attribution_patching.numpy.random.RandomState(1)
        noise = torch.from_numpy(random.randn(SAMPLES, end - begin, reference.raw.cfg.d_model))
        vectors = (clean.double() + noise_std_of("3s", reference) * noise).float()
    else:
        others = check_corruptions.subjects_that_fit(reference, text, subject, bos)
        drawn, samples = {"corrupted": found["corruptions"]}, len(found["corruptions"])
        vectors, prompts = check_corruptions.corrupt(
            reference, drawn, ids, subject_range, contrast, False, samples, others
        )
        if prompts is not None:
            ids_of_prompts = [it["ids"] for it in found["corruptions"]]
            if ids_of_prompts != prompts:
                raise ValueError(f"other prompts: {ids_of_prompts}, not {prompts}")
            vectors = torch.stack([corruptions.embeddings(reference.hf, row[begin:end]) for row in prompts])

    def cache_of(vectors):
        kept = {}

        def corrupt(embedding, hook):
            embedding = embedding.clone()
            embedding[0, begin:end] = vectors
            return embedding

        parts = ("hook_mlp_out", *(f"attn.hook_{it}" for it in "qkvz"))
        names = [f"blocks.{layer}.{part}" for layer in range(reference.raw.cfg.n_layers) for part in parts]
        hooks = [("hook_embed", corrupt)]
        hooks += [gradient_methods.leaf_hook(kept, name) for name in ("hook_embed", *names)]
        with torch.no_grad():
            reference.raw.run_with_hooks(torch.tensor([ids + appended]), fwd_hooks=hooks)
        return kept

    return [cache_of(one) for one in vectors]


def contrast_flags(reference, contrast, text, subject, ids, bos):
    if contrast == "prompt":
        return ["--other", RESAMPLED]
    noise = ["--noise-subjects", reference.noise_file, "--noise", "3s"]
    if contrast == "noise":
        return [*noise, "--samples", SAMPLES]
    subject_range = reference.subject_range(text, subject, ids, bos)
    others = check_corruptions.subjects_that_fit(reference, text, subject, bos)
    flags = ["--corruption", contrast, *noise]
    if contrast == "str":
        return [*flags, "--counterpart", list(others)[0]]
    if contrast == "resample":
        file = reference.folder / "other_subjects.txt"
        file.write_text("".join(f"{it}\n" for it in others), encoding="utf-8")
        flags += ["--other-subjects", file]
    return flags if contrast in ("zero", "mean") else [*flags, "--samples", SAMPLES]


CONTRASTS = [
    # Which prompt, how it is corrupted, metric, answer.
    (0, "prompt", "logit_diff", ANSWER), (0, "prompt", "log_prob", ANSWER), (1, "noise", "logit", ANSWER),
    (2, "noise", "answer_prob", LONG_ANSWER), (3, "noise", "prob", ANSWER),
    # Prompts, then vectors.
    (0, "resample", "log_prob", ANSWER), (0, "str", "logit_diff", ANSWER),
    (0, "random-tokens", "logit", ANSWER), (1, "tokens-cosine", "answer_prob", LONG_ANSWER),
    (2, "uniform", "logit", ANSWER), (1, "zero", "log_prob", ANSWER), (3, "mean", "logit_diff", ANSWER),
]


def check_atp_star(program, reference):
    for bos in (False, True):
        for index, contrast, metric, answer in CONTRASTS:
            what = f"atp-star by {contrast}, {metric}, {PROMPTS[index][0]!r}{' with BOS' if bos else ''}"
            yield from guarded(
                what, atp_star_findings, program, reference, *PROMPTS[index], bos, contrast, metric, answer
            )


def atp_star_findings(what, program, reference, text, subject, bos, contrast, metric, answer):
    ids, _ = reference.encode(text, bos)
    target = target_of(metric, answer, reference)
    found = program.file(
        "atp-star", "--prompt", text, "--subject", subject, "--answer", answer, "--foil", FOIL,
        *flag(bos), *contrast_flags(reference, contrast, text, subject, ids, bos),
        "--metric", metric.replace("_", "-"), "--verify", 6,
    )
    caches = corrupted_caches(reference, text, subject, ids, bos, target, contrast, found)
    expected = gradient_methods.atp_star(reference.raw, ids, caches, target)
    yield exact(f"{what}: base", found["base"], "clean")
    for name in ("atp", "atp_fixed", "atp_star"):
        for node, maps in expected[name].items():
            yield relative(f"{what}: {name} of {node}", found[name][node], maps)
    hook_of = {"query": "attn.hook_q", "key": "attn.hook_k", "value": "attn.hook_v", "z": "attn.hook_z",
               "mlp": "hook_mlp_out"}
    all_ids = ids + target.answer_ids[:-1]
    for it in found["verified"]:
        name = f"blocks.{it['layer']}.{hook_of[it['node']]}"
        readings = []
        for cache in caches:
            def edit(activation):
                if it["head"] is None:
                    activation[:, it["pos"]] = cache[name][:, it["pos"]]
                else:
                    activation[:, it["pos"], it["head"]] = cache[name][:, it["pos"], it["head"]]

            readings.append(gradient_methods.patched_reading(reference.raw, all_ids, target, {name: edit}))
        change = sum(readings) / len(readings) - expected["reading"]
        tolerance = PROBABILITY if metric in ("prob", "answer_prob") else LOGIT
        yield close(f"{what}: patched", [it["patched"]], [change], tolerance)
    for name in ("atp_fixed", "atp"):
        key = {"atp_fixed": "fixed", "atp": "plain"}[name]
        pairs = torch.tensor([[it["estimate"][key], it["patched"]] for it in found["verified"]]).double().T
        pearson = torch.corrcoef(pairs)[0, 1]
        spearman = torch.corrcoef(pairs.argsort(dim=1).argsort(dim=1).double())[0, 1]
        agreement = found["agreement"][name]
        yield close(f"{what}: pearson", [agreement["pearson"]], [pearson], 1e-5)
        yield close(f"{what}: spearman", [agreement["spearman"]], [spearman], 1e-5)


def check_eap(program, reference):
    for bos in (False, True):
        for index, contrast, metric, answer in CONTRASTS:
            for steps in (None, 5):
                what = (
                    f"eap, steps {steps}, by {contrast}, {metric}, "
                    f"{PROMPTS[index][0]!r}{' with BOS' if bos else ''}"
                )
                yield from guarded(
                    what, eap_findings, program, reference, *PROMPTS[index], bos, contrast, metric, answer,
                    steps,
                )


def eap_findings(what, program, reference, text, subject, bos, contrast, metric, answer, steps):
    ids, _ = reference.encode(text, bos)
    target = target_of(metric, answer, reference)
    found = program.file(
        "eap", "--prompt", text, "--subject", subject, "--answer", answer, "--foil", FOIL, *flag(bos),
        *contrast_flags(reference, contrast, text, subject, ids, bos),
        "--metric", metric.replace("_", "-"),
        *(["--method", "eap"] if steps is None else ["--method", "eap-ig", "--steps", steps]),
        "--edges", 1000000, "--verify", 6,
    )
    caches = corrupted_caches(reference, text, subject, ids, bos, target, contrast, found)
    expected = gradient_methods.edge_scores(reference.raw, ids, caches, target, steps)
    yield exact(f"{what}: how many", [found["n_edges"], len(found["edges"])], [len(expected)] * 2)
    scores = {(it["from"], it["to"]): it["score"] for it in found["edges"]}
    yield exact(f"{what}: which", sorted(scores), sorted(expected))
    in_order = [expected[edge] for edge in scores]
    yield relative(f"{what}: scores", list(scores.values()), torch.tensor(in_order))
    sums = {}
    for (sender, _), score in expected.items():
        sums[sender] = sums.get(sender, 0.0) + score
    n_heads = reference.raw.cfg.n_heads
    layers = range(reference.raw.cfg.n_layers)
    nodes = [found["nodes"]["embed"], *(x for row in found["nodes"]["heads"] for x in row), *found["nodes"]["mlps"]]
    names = ["embed", *(f"L{layer}H{head}" for layer in layers for head in range(n_heads)),
             *(f"MLP{layer}" for layer in layers)]
    yield relative(f"{what}: nodes", nodes, torch.tensor([sums[name] for name in names]))

    clean = found["clean"]
    reading = {"prob": "prob", "log_prob": "log_prob", "logit": "logit", "logit_diff": "logit_diff"}
    base = clean[reading[metric]] if metric in reading else torch.tensor(clean["answer_log_prob"]).exp().item()
    for it in found["edges"][:6]:
        edge = (it["from"], it["to"])
        readings = [gradient_methods.patched_edge(reference.raw, ids, cache, target, edge) for cache in caches]
        tolerance = PROBABILITY if metric in ("prob", "answer_prob") else LOGIT
        yield close(f"{what}: patched", [it["patched"]], [sum(readings) / len(readings) - base], tolerance)


PATHS = [
    # Receivers, where, whether MLPs are frozen.
    (["logits"], "all", False), (["logits"], "all", True), (["L3H1.q"], "all", False),
    (["L4H0.k", "L4H2.k"], "all", False), (["L2H3.v", "L5H1.q"], "2..4", False), (["MLP3"], "all", True),
    (["MLP2", "L5H0.v"], "last", False),
]


def check_path_patch(program, reference):
    for bos in (False, True):
        for receivers, where, is_frozen in PATHS:
            what = f"path-patch to {receivers} at {where}, {'frozen' if is_frozen else 'recomputed'}"
            what += " with BOS" if bos else ""
            yield from guarded(what, path_findings, program, reference, bos, receivers, where, is_frozen)


def path_findings(what, program, reference, bos, receivers, where, is_frozen):
    ids, _ = reference.encode(RECIPIENT[0], bos)
    donor_ids, _ = reference.encode(DONOR[0], bos)
    found = program.file(
        "path-patch", "--prompt", RECIPIENT[0], "--subject", RECIPIENT[1], "--answer", ANSWER,
        "--foil", FOIL, "--from", DONOR[0], "--from-subject", DONOR[1], *flag(bos),
        *(word for it in receivers for word in ("--to", it)), "--positions", where,
        "--mlps", "frozen" if is_frozen else "recomputed",
    )
    positions = {"all": list(range(len(ids))), "last": [len(ids) - 1], "2..4": [2, 3]}[where]
    pairs = [(it["from"]["pos"], it["to"]["pos"]) for it in found["pairs"]]
    expected = gradient_methods.path_patched_logits(
        reference.raw, ids, donor_ids, pairs, receivers, positions, is_frozen
    )
    cells = {f"L{layer}H{head}": cell for layer, row in enumerate(found["heads"])
             for head, cell in enumerate(row) if cell}
    cells |= {f"MLP{layer}": cell for layer, cell in enumerate(found["mlps"]) if cell}
    yield exact(f"{what}: senders", sorted(cells), sorted(expected))
    answer_id, foil_id = reference.answer_ids(ANSWER)[0], reference.answer_ids(FOIL)[0]
    logits = torch.stack([expected[name] for name in cells])
    probs = torch.softmax(logits, dim=-1)[:, answer_id]
    yield close(f"{what}: probs", [it["prob"] for it in cells.values()], probs, PROBABILITY)
    yield close(f"{what}: logits", [it["logit"] for it in cells.values()], logits[:, answer_id], LOGIT)
    difference = logits[:, answer_id] - logits[:, foil_id]
    yield close(
        f"{what}: logit differences", [it["logit_diff"] for it in cells.values()], difference, LOGIT
    )


def check_held(program, reference):
    cases = [("corrupted", "mlp", 10), ("clean", "mlp", 3), ("corrupted", "attn", 10), ("clean", "attn", 2)]
    for index, (text, subject) in enumerate(PROMPTS[:3]):
        for base, kind, window in cases if index == 0 else cases[::3]:
            what = f"held {kind}, window {window}, {base}, {text!r}"
            yield from guarded(what, held_findings, program, reference, text, subject, base, kind, window)


def held_findings(what, program, reference, text, subject, base, kind, window):
    """The derivative in the direction of restoring, through one number that moves a whole window."""
    model = reference.raw
    ids, _ = reference.encode(text)
    answer_id = reference.answer_ids(ANSWER)[0]
    found = program.json(
        "atp", "--prompt", text, "--subject", subject, "--answer", ANSWER, "--metric", "log-prob",
        "--noise-subjects", reference.noise_file, "--noise", "3s", "--kind", kind, "--window", window,
        "--samples", SAMPLES, "--base", base,
    )
    yield exact(f"{what}: windows", found["windows"], "held")
    target = attribution_patching.Target("log_prob", [answer_id])
    caches = corrupted_caches(reference, text, subject, ids, False, target, "noise")
    _, clean = hooked.run_with_cache(model, ids)
    n_layers, hook_name = model.cfg.n_layers, attribution_patching.HOOKS[kind]
    effects = torch.zeros(len(ids), n_layers)
    for pos in range(len(ids)):
        for layer in range(n_layers):
            names = [f"blocks.{it}.{hook_name}" for it in rome.window_layers(layer, window, n_layers)]
            for cache in caches:
                start = cache if base == "corrupted" else clean
                share = torch.zeros((), requires_grad=True)

                def move(activation, hook):
                    activation = activation.clone()
                    change = clean[hook.name][:, pos] - cache[hook.name][:, pos]
                    activation[:, pos] = start[hook.name][:, pos] + share * change
                    return activation

                hooks = gradient_methods.hooks_between(start["hook_embed"])
                with torch.enable_grad():
                    logits = model.run_with_hooks(
                        torch.tensor([ids]), fwd_hooks=hooks + [(name, move) for name in names]
                    )
                    reading = torch.log_softmax(logits[0, -1], dim=-1)[answer_id]
                    slope, = torch.autograd.grad(reading, share)
                effects[pos, layer] += slope / len(caches)
    estimated = torch.tensor(found["scores"]) - found["low_score"]
    yield relative(f"{what}: effects", estimated, effects)


CHECKS = {
    "atp-star": check_atp_star,
    "eap": check_eap,
    "path-patch": check_path_patch,
    "held": check_held,
}
