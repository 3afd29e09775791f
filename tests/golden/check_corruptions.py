"""`factscope trace --corruption`, its maps and its effects, against plain PyTorch."""

import torch

import attribution_patching
import corruptions
from checkpoint import readable_tokens

# The same as the program says.
LEAST_TOTAL = {
    "prob": 1e-3, "answer_prob": 1e-3, "log_prob": 1e-2, "logit": 1e-2, "logit_diff": 1e-2, "kl": 1e-2, "rank": 1,
}


def check_corruptions(program, reference):
    from compare_cli import PROMPTS, guarded

    cases = [
        # Corruption, replaced, kind, where, window or widths, direction.
        ("uniform", False, None, None, 10, "denoise"), ("gaussian", True, "mlp", None, 3, "denoise"),
        ("uniform", True, "attn", None, 2, "noise"), ("gaussian-per-dim", False, "mlp", None, 1, "denoise"),
        ("gaussian-per-dim", True, None, None, 1, "noise"),
        ("tokens-cosine", False, None, None, 1, "denoise"),
        ("tokens-distance", False, "attn", None, 3, "noise"),
        ("resample", False, "mlp", None, 2, "denoise"), ("random-subject", False, None, None, 1, "noise"),
        ("random-tokens", False, "attn", None, 1, "denoise"), ("str", False, "mlp", None, 10, "denoise"),
        ("zero", False, None, None, 1, "denoise"), ("mean", False, "attn", None, 2, "noise"),
        ("gaussian", False, "head", "last", 1, "denoise"), ("str", False, "head", "subject", 2, "noise"),
        ("gaussian", False, "head", "all", 1, "denoise"),
        ("gaussian", False, None, "subject", (1, 3, 20), "denoise"),
        ("uniform", False, "mlp", "all", (2, 5), "noise"), ("zero", False, "attn", "1..3", (1, 4), "denoise"),
    ]
    for index, (text, subject) in enumerate(PROMPTS):
        for bos in (False, True):
            for case in cases if index == 0 else cases[index::3]:
                what = f"corruption {', '.join(map(str, case))}, {text!r}{' with BOS' if bos else ''}"
                yield from guarded(what, findings, program, reference, text, subject, bos, *case)
    estimates = [
        # Corruption, base, metric, kind.
        ("uniform", "corrupted", "log_prob", None), ("zero", "clean", "logit", "mlp"),
        ("str", "corrupted", "logit_diff", "attn"), ("tokens-cosine", "clean", "prob", None),
        ("random-tokens", "corrupted", "prob", "mlp"),
    ]
    for index, (text, subject) in enumerate(PROMPTS):
        for case in estimates if index == 0 else estimates[index::2]:
            what = f"estimate {', '.join(map(str, case))}, {text!r}"
            yield from guarded(what, estimate_findings, program, reference, text, subject, *case)


def estimate_findings(what, program, reference, text, subject, corruption, base, metric, kind):
    from compare_cli import FOIL, LOGIT, close, exact, relative

    ids, _ = reference.encode(text)
    begin, end = subject_range = reference.subject_range(text, subject, ids, False)
    others = subjects_that_fit(reference, text, subject, False)
    if corruption == "str" and not others:
        return
    samples = 1 if corruption in ("zero", "str") else 3
    found = program.json(
        "atp", "--prompt", text, "--subject", subject, "--foil", FOIL, "--kind", kind or "hidden",
        "--noise-subjects", reference.noise_file, "--corruption", corruption, "--samples", samples,
        *(["--counterpart", list(others)[0]] if corruption == "str" else []), "--window", 2, "--windows", "added",
        "--base", base, "--metric", metric.replace("_", "-"),
    )
    vectors, prompts = corrupt(reference, found, ids, subject_range, corruption, False, samples, others)
    if prompts is not None:
        yield exact(f"{what}: prompts", [it["ids"] for it in found["corrupted"]], prompts)
        vectors = torch.stack([corruptions.embeddings(reference.hf, row[begin:end]) for row in prompts])
    noise = vectors.double() - corruptions.embeddings(reference.hf, ids[begin:end]).double()
    likeliest = int(reference.logits(ids).argmax())
    target = attribution_patching.Target(metric, [likeliest], reference.encode(FOIL)[0][0])
    expected = attribution_patching.attribution_patching(
        reference.raw, ids, subject_range, target, base, kind, 2, noise=noise
    )
    yield close(f"{what}: estimated from", [found["low_score"]], [expected["low_score"]], LOGIT)
    effects = torch.as_tensor(found["scores"]) - found["low_score"]
    yield relative(f"{what}: estimated effects", effects, expected["scores"] - expected["low_score"])
    yield relative(f"{what}: estimated head effects", found["head_effects"], expected["head_effects"])


def findings(what, program, reference, text, subject, bos, corruption, replace, kind, at, window, direction):
    from compare_cli import ANSWER, FOIL, LOGIT, PROBABILITY, close, exact, flag

    ids, tokens = reference.encode(text, bos)
    begin, end = subject_range = reference.subject_range(text, subject, ids, bos)
    others = subjects_that_fit(reference, text, subject, bos)
    is_other = corruption in ("resample", "random-subject", "str")
    samples = 1 if corruption in ("zero", "mean", "str") else 3
    if is_other and len(others) < samples:
        yield exact(f"{what}: other subjects", len(others), samples)
        return
    extra = ["--counterpart", list(others)[0]] if corruption == "str" else []
    if is_other and corruption != "str":
        file = reference.folder / "other_subjects.txt"
        # One of another length is left out.
        file.write_text("".join(f"{it}\n" for it in [subject * 7, *others]), encoding="utf-8")
        extra = ["--other-subjects", file]
    widths = isinstance(window, tuple)
    # The likeliest unless it is given: then its probability is small.
    answer = None if corruption in ("uniform", "str", "resample", "zero") or at == "last" else ANSWER
    found = program.file(
        "trace", "--prompt", text, "--subject", subject, "--foil", FOIL, *flag(bos),
        *(["--answer", answer] if answer else []),
        "--noise-subjects", reference.noise_file, "--kind", kind or "hidden", "--direction", direction,
        "--corruption", corruption, *(["--replace"] if replace else []), *extra,
        *(["--at", at] if at else []), "--samples", samples,
        *(["--widths", ",".join(map(str, window))] if widths else ["--window", window]),
    )
    model = reference.hf
    vectors, prompts = corrupt(reference, found, ids, subject_range, corruption, replace, samples, others)
    yield exact(f"{what}: samples", len(found["corrupted"]), samples)
    if prompts is not None:
        yield exact(f"{what}: prompts", [it["ids"] for it in found["corrupted"]], prompts)
        pieces = [[readable_tokens(reference.tokenizers[0], [id]) for id in row] for row in prompts]
        yield exact(f"{what}: their tokens", [it["tokens"] for it in found["corrupted"]], pieces)
        vectors = torch.tensor([row[begin:end] for row in prompts])
        # The distribution is that of the other prompts themselves.
        logits = torch.stack([reference.logits(row) for row in prompts])
    else:
        clean = corruptions.embeddings(model, ids[begin:end])
        norms = [it["norms"] for it in found["corrupted"]]
        yield close(f"{what}: norms", norms, vectors.norm(dim=-1), LOGIT)
        distances = [it["distances"] for it in found["corrupted"]]
        yield close(f"{what}: distances", distances, (vectors - clean).norm(dim=-1), LOGIT)

    n_layers, n_heads = model.config.n_layer, model.config.n_head
    positions = positions_of(at, len(ids), subject_range)
    if kind == "head":
        cells = corruptions.head_cells(positions, n_layers, n_heads, model.config.n_embd // n_heads, window)
        columns = list(range(n_heads))
    elif at:
        cells, columns = corruptions.together_cells(positions, n_layers, kind, window), list(window)
    else:
        cells, columns = corruptions.token_cells(len(ids), n_layers, kind, window), tokens
    yield exact(f"{what}: columns", found["columns"], columns)

    flat = [cell for column in cells for cell in column]
    clean, corrupted, exchanged = corruptions.trace(model, ids, subject_range, vectors, flat, direction)
    if prompts is not None:
        yield close(f"{what}: the reference's own two ways", corrupted, logits, LOGIT)
    answer_id = reference.answer_ids(answer)[0] if answer else int(clean.argmax())
    foil_id = reference.encode(FOIL)[0][0]
    yield exact(f"{what}: answer id", found["whole_answer"]["ids"][0], answer_id)
    of = lambda rows: corruptions.metrics(clean, rows, answer_id, foil_id)
    high, low, scores = of(clean), of(corrupted), of(exchanged)
    for metric, tolerance in [
        ("prob", PROBABILITY), ("log_prob", LOGIT), ("logit", LOGIT), ("logit_diff", LOGIT), ("kl", LOGIT),
        # A tie may fall either way.
        ("rank", 1.0),
    ]:
        it = found["metrics"][metric]
        mean = scores[metric].mean(dim=-1).reshape(len(columns), n_layers)
        yield close(f"{what}: clean {metric}", [it["clean"]], [high[metric]], tolerance)
        yield close(f"{what}: corrupted {metric}", [it["corrupted"]], [low[metric].mean()], tolerance)
        yield close(f"{what}: {metric}", it["scores"], mean, tolerance)
        effects = corruptions.effects(
            high[metric], low[metric].mean(), mean, direction, LEAST_TOTAL[metric]
        )
        yield exact(f"{what}: bound of {metric}", round(it["least_total"], 6), LEAST_TOTAL[metric])
        for name in ("total", "indirect", "direct"):
            yield close(f"{what}: {name} effect on {metric}", it[name], effects[name], 2 * tolerance)
        total = abs(effects["total"])
        if effects["recovery"] is None:
            is_undefined = all(cell is None for column in it["recovery"] for cell in column)
            # At the bound itself either is right.
            is_at_bound = abs(total - LEAST_TOTAL[metric]) < tolerance
            yield exact(f"{what}: no recovery of {metric}", is_undefined or is_at_bound, True)
        elif abs(total - LEAST_TOTAL[metric]) >= tolerance:
            recovery = torch.as_tensor(it["recovery"]) * total
            # The total is off by two tolerances at most, and a share may be many times the whole.
            share = max(1.0, effects["recovery"].abs().max().item())
            bound = 2 * (1 + share) * tolerance
            yield close(f"{what}: recovery of {metric}", recovery, effects["recovery"] * total, bound)
    yield close(f"{what}: ROME's scores", found["scores"], found["metrics"]["prob"]["scores"], 0.0)


def corrupt(reference, found, ids, subject_range, corruption, replace, samples, others):
    """The subject's embeddings in each sample; or the prompts, where these have other tokens."""
    model, (begin, end) = reference.hf, subject_range
    noise_ids = [
        id for subject in open(reference.noise_file, encoding="utf-8").read().splitlines()
        for id in reference.tokenizers[0].encode(subject, add_special_tokens=False)
    ]
    spread = corruptions.embeddings(model, noise_ids)
    if corruption in ("gaussian", "uniform", "gaussian-per-dim") or corruption.startswith("tokens-"):
        level = 3 * (spread.double().std(dim=0) if corruption == "gaussian-per-dim" else spread.std().item())
        vectors = corruptions.noisy(model, ids, subject_range, corruption, replace, level, samples)
        if not corruption.startswith("tokens-"):
            return vectors, None
        nearest = corruptions.nearest_tokens(
            model, vectors, corruption.removeprefix("tokens-"), text_ids(reference)
        )
        return None, [ids[:begin] + row + ids[end:] for row in nearest.tolist()]
    if corruption in ("zero", "mean"):
        vector = torch.zeros(model.config.n_embd) if corruption == "zero" else spread.mean(dim=0)
        return vector.expand(samples, end - begin, -1), None
    if corruption == "str":
        return None, [ids[:begin] + list(others.values())[0] + ids[end:]]
    # Which were drawn is the program's business, but not what may be.
    drawn = [it["ids"][begin:end] for it in found["corrupted"]]
    allowed = set(text_ids(reference))
    if corruption == "random-tokens":
        drawn = [row if len(row) == end - begin and set(row) <= allowed else None for row in drawn]
    else:
        drawn = [row if row in others.values() and drawn.count(row) == 1 else None for row in drawn]
    if None in drawn:
        raise ValueError(f"a sample that must not be drawn: {found['corrupted']}")
    return None, [ids[:begin] + row + ids[end:] for row in drawn]


def text_ids(reference):
    tokenizer = reference.tokenizers[0]
    special = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    return sorted(id for id in tokenizer.get_vocab().values() if id != special)


CANDIDATES = [
    "Lima", "Rome", "Oslo", "Berlin", "Dr. No", "Mr. K", "Mr. J", "Mr. Q", "Ms. K", "Dvořák", "Dvořák's",
    "Janáčeks", "Dvorák", "Ann", "Bob", "Cleo", "Peru", "Quito", "Kairo", "Madri",
]


def subjects_that_fit(reference, text, subject, bos):
    """The candidates that have as many tokens in the prompt, and leave all others as they are."""
    ids, _ = reference.encode(text, bos)
    begin, end = subject_range = reference.subject_range(text, subject, ids, bos)
    fitting = {}
    letters = "abcdefghijklmnopqrstuvwxyz"
    variants = [subject[:-1] + letter for letter in letters] + [letter + subject[1:] for letter in letters]
    for other in [*CANDIDATES, *variants]:
        other_ids, _ = reference.encode(text.replace(subject, other, 1), bos)
        is_same = len(other_ids) == len(ids) and other_ids[:begin] == ids[:begin] and other_ids[end:] == ids[end:]
        its_range = list(range_of(reference, text, subject, other, other_ids, bos)) if is_same else None
        row = other_ids[begin:end]
        if is_same and its_range == list(subject_range) and row != ids[begin:end] and row not in fitting.values():
            fitting[other] = row
    return fitting


def range_of(reference, text, subject, other, other_ids, bos):
    from checkpoint import tokens_overlapping

    start = len(text[: text.index(subject)].encode())
    return tokens_overlapping(reference.tokenizers[0], other_ids, int(bos), (start, start + len(other.encode())))


def positions_of(at, n_pos, subject_range):
    return {
        None: None, "all": range(n_pos), "last": [n_pos - 1], "subject": range(*subject_range), "1..3": [1, 2],
    }[at]
