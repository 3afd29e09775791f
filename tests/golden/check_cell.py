"""`factscope trace --cell` against ROME's procedure: what is said in the runs behind a cell."""

import numpy
import torch

import rome

N_TOP = 10


def check_cell(program, reference):
    from compare_cli import PROMPTS, guarded

    cases = [
        # Kind, window, noise, severed, direction.
        (None, 1, "3s", None, "denoise"), ("mlp", 10, "3s", None, "denoise"),
        ("attn", 3, "0.5", None, "denoise"), (None, 1, "3s", "mlp", "denoise"),
        ("attn", 3, "3s", "mlp", "denoise"), ("mlp", 2, "3s", "attn", "noise"),
        (None, 1, "0.5", None, "noise"),
    ]
    for index, (text, subject) in enumerate(PROMPTS):
        for bos in (False, True):
            for case in cases if index == 0 else cases[index::3]:
                what = f"cell {', '.join(map(str, case))}, {text!r}{' with BOS' if bos else ''}"
                yield from guarded(what, findings, program, reference, text, subject, bos, *case)


def findings(what, program, reference, text, subject, bos, kind, window, noise, sever, direction):
    from compare_cli import PROBABILITY, close, exact, flag, noise_std_of

    seed, samples = 1, reference.samples
    ids, tokens = reference.encode(text, bos)
    begin, end = reference.subject_range(text, subject, ids, bos)
    n_layers = len(reference.hf.transformer.h)
    noise_std = noise_std_of(noise, reference)
    likely = int(reference.logits(ids).argmax())
    # The subject's last token, where a trace has its early peak, and the last, where it has its late one.
    for pos, layer in [(end - 1, n_layers // 2), (len(ids) - 1, n_layers - 1)]:
        found = program.json(
            "trace", "--prompt", text, "--subject", subject, *flag(bos),
            "--noise-subjects", reference.noise_file, "--noise", noise, "--kind", kind or "hidden",
            "--window", window, "--samples", samples, "--seed", seed, "--direction", direction,
            *(["--sever", sever] if sever else []), "--cell", f"{pos},{layer}", "--top", N_TOP,
        )
        layers = [layer] if kind is None else rome.window_layers(layer, window, n_layers)
        states = [(pos, rome.layer_name(it, kind)) for it in layers]
        frozen = [(pos, rome.layer_name(it, sever)) for it in range(n_layers) if sever]
        patched = next_probs(
            reference.hf, ids, states, frozen, (begin, end), noise_std, samples, seed, sever, direction
        )
        corrupted = next_probs(
            reference.hf, ids, [], [], (begin, end), noise_std, samples, seed, None, "denoise"
        )
        clean = torch.softmax(reference.logits(ids), dim=0)
        expected = {"clean": clean, "corrupted": corrupted.mean(dim=0), "patched": patched.mean(dim=0)}

        yield exact(f"{what}: token", found["token"], tokens[pos])
        yield exact(f"{what}: layers", list(range(*found["layers"])), list(layers))
        for run, probs in expected.items():
            listed = found["top"][run]
            numbers = [it[run] for it in listed]
            # Whichever they are: equally likely ones may change places.
            yield close(f"{what}: top of {run}", numbers, probs.topk(N_TOP).values, PROBABILITY)
            at = [it["id"] for it in listed]
            for other, of_other in expected.items():
                numbers = [it[other] for it in listed]
                yield close(f"{what}: {other} at top of {run}", numbers, of_other[at], PROBABILITY)
        start = expected["corrupted" if direction == "denoise" else "clean"]
        at = [it["id"] for it in found["top"]["patched"]]
        changes = [it["change"] for it in found["top"]["patched"]]
        difference = expected["patched"][at] - start[at]
        yield close(f"{what}: change", changes, difference, 2 * PROBABILITY)

        each = [it["prob"] for it in found["samples"]["patched"]]
        yield close(f"{what}: each sample, patched", each, patched[:, likely], PROBABILITY)
        each = [it["prob"] for it in found["samples"]["corrupted"]]
        yield close(f"{what}: each sample, corrupted", each, corrupted[:, likely], PROBABILITY)
        means = found["means"]["prob"]
        numbers = [means[run] for run in expected]
        yield close(f"{what}: means", numbers, [it[likely] for it in expected.values()], PROBABILITY)
        noise_at = rome_noise(samples, end - begin, reference.hf.config.n_embd, noise_std, seed)
        distances = [it["distances"] for it in found["corrupted"]]
        yield close(f"{what}: distances", distances, noise_at.norm(dim=-1), 1e-4 * noise_at.norm().item())
        yield close(f"{what}: noise_std", [found["noise_std"]], [noise_std], 1e-6 * max(1.0, noise_std))


def next_probs(model, ids, states, frozen, subject_range, noise_std, samples, seed, sever, direction):
    """The next token's distribution in each sample. `[sample, d_vocab]`

    The edits of `rome.trace_with_patch`, `trace_with_repatch` and `trace_with_corruption`, whose
    functions average over samples and give the answer's probability alone.
    """
    corrupt = rome.corruption(subject_range, noise_std, samples, seed)
    held = [place for place in frozen if place not in states]
    if direction == "noise":
        kept = rome.outputs_of(model, ids, samples, {name for _, name in states}, corrupt)
        edits = {
            name: rome.putting(kept[name], chosen) for name, chosen in rome.by_name(states).items()
        }
        edits.update((name, rome.restoring(chosen)) for name, chosen in rome.by_name(held).items())
    else:
        kept = rome.outputs_of(model, ids, samples, {name for _, name in held}, corrupt) if sever else {}
        edits = {"transformer.wte": rome.corruption(subject_range, noise_std, samples, seed)}
        edits.update((name, rome.restoring(chosen)) for name, chosen in rome.by_name(states).items())
        edits.update(
            (name, rome.putting(kept[name], chosen)) for name, chosen in rome.by_name(held).items()
        )
    with torch.no_grad(), rome.outputs_edited(model, edits):
        logits = model(rome.rows(ids, samples), use_cache=False).logits
    return torch.softmax(logits[1:, -1], dim=1)


def rome_noise(samples, n_subject, d_model, noise_std, seed):
    """`[sample, token, d_model]`"""
    noise = numpy.random.RandomState(seed).randn(samples, n_subject, d_model)
    return noise_std * torch.from_numpy(noise)


CHECKS = {"cell": check_cell}
