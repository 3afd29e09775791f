"""`factscope compare` against ROME's procedure, TransformerLens and numpy."""

import json

import numpy
import torch

import comparison
import hooked
import rome

# Prompt with its place for the subject, subject, answer: asked forwards, and inversely.
FACTS = [
    (("{} is the capital of", "Paris", "the"), ("I said that {} was", "the", "Paris")),
    (("The café of {} is in", "Dvořák", "of"), ("Like {}, of", "Mr. K of Rome", "Dvořák")),
]
N_PERMUTATIONS = 4999


def write_facts(folder):
    path = folder / "pairs.json"
    rewrite = lambda it: {"prompt": it[0], "subject": it[1], "target_true": {"str": it[2]}}
    records = [
        {"case_id": nth, "requested_rewrite": rewrite(forward), "inverse": rewrite(inverse)}
        for nth, (forward, inverse) in enumerate(FACTS)
    ]
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def check_compare(program, reference):
    from compare_cli import guarded

    for nth in range(len(FACTS)):
        for bos in (False, True):
            for kind in ("hidden", "mlp", "ablation", "attribution"):
                what = f"compare {kind}, fact {nth}{' with BOS' if bos else ''}"
                yield from guarded(what, compare_findings, program, reference, nth, bos, kind)


def compare_findings(what, program, reference, nth, bos, kind):
    from compare_cli import LOGIT, PROBABILITY, close, exact, flag

    path = write_facts(reference.folder)
    window, k = 3, 5
    found = program.file(
        "compare", "--facts", path, "--case", nth, "--map", kind, "--window", window,
        "--samples", reference.samples, "--top", k, "--permutations", N_PERMUTATIONS, *flag(bos),
    )
    subjects = [forward[1] for forward, _ in FACTS]
    noise_std = 3 * rome.collect_embedding_std(reference.hf, reference.tokenizers[0], subjects)
    maps, all_roles = [], []
    for side, (template, subject, answer) in enumerate(FACTS[nth]):
        text = template.format(subject)
        ids, _ = reference.encode(text, bos)
        answer_id = reference.answer_ids(f" {answer}")[0]
        probs = torch.softmax(reference.logits(ids), dim=-1)
        recall = found["recall"][side]
        yield exact(f"{what}: right id", recall["right"]["id"], answer_id)
        yield exact(f"{what}: rank", recall["rank"], int((probs > probs[answer_id]).sum()))
        yield exact(f"{what}: is right", recall["is_right"], int(probs.argmax()) == answer_id)
        yield close(f"{what}: recall", [recall["right"]["prob"]], probs[[answer_id]], PROBABILITY)
        yield close(f"{what}: top", [recall["top"]["prob"]], [probs.max()], PROBABILITY)
        begin = template.index("{}")
        byte_range = (len(template[:begin].encode()), len((template[:begin] + subject).encode()))
        subject_range = tokens_of(reference, ids, bos, byte_range)
        if kind in ("hidden", "mlp"):
            trace = rome.calculate_hidden_flow(
                reference.hf, ids, subject_range, answer_id, None if kind == "hidden" else kind,
                window, reference.samples, noise_std, 1, None, "denoise",
            )
            maps.append(numpy.array(trace["scores"]) - trace["low_score"])
            total = trace["high_score"] - trace["low_score"]
            yield close(f"{what}: total effect", [found["total_effects"][side]], [total], 2 * PROBABILITY)
            all_roles.append(comparison.roles_of(len(ids), subject_range, bos))
        elif kind == "ablation":
            logits = hooked.ablated_logits(reference.raw, ids, "heads", list(range(len(ids))), "zero")
            changed = torch.softmax(logits, dim=-1)[..., answer_id] - probs[answer_id]
            maps.append(changed.double().numpy())
        else:
            expected = hooked.attribution(reference.processed, ids, answer_id, None, "heads")
            n_heads = reference.raw.cfg.n_heads
            n = n_heads * reference.raw.cfg.n_layers
            maps.append(expected["values"][:n].double().numpy().reshape(-1, n_heads))
    # Of a rare answer all probabilities are small.
    largest = max(abs(numpy.asarray(it)).max() for it in maps)
    tolerance = LOGIT if kind == "attribution" else min(2 * PROBABILITY, 1e-3 * largest)
    if all_roles:
        yield from role_findings(what, found, maps, all_roles, tolerance)
    else:
        yield from part_findings(what, found, maps, k, tolerance)


def tokens_of(reference, ids, bos, byte_range):
    from checkpoint import tokens_overlapping

    return list(tokens_overlapping(reference.tokenizers[0], ids, int(bos), byte_range))


def numbers(rows):
    return numpy.array([[numpy.nan if it is None else it for it in row] for row in rows])


def role_findings(what, found, maps, all_roles, tolerance):
    from compare_cli import close, exact

    rows = [role for role in comparison.ROLES if any(role in roles for roles in all_roles)]
    yield exact(f"{what}: roles", found["roles"], rows)
    expected = [comparison.pooled(*it, rows) for it in zip(maps, all_roles)]
    for side, one in enumerate(expected):
        theirs = numbers(found["maps"][side])
        yield exact(f"{what}: which cells", numpy.isnan(theirs).tolist(), numpy.isnan(one).tolist())
        yield close(f"{what}: map", numpy.nan_to_num(theirs), numpy.nan_to_num(one), tolerance)
    difference = numpy.nan_to_num(expected[0] - expected[1])
    yield close(f"{what}: difference", numpy.nan_to_num(numbers(found["difference"])), difference, 2 * tolerance)
    # Of the program's own numbers, so that what is far from the maps' rounding is held to more.
    after = [row for row, role in enumerate(rows) if role not in ("bos", "before")]
    a, b = (numbers(it)[after] for it in found["maps"])
    both = ~(numpy.isnan(a) | numpy.isnan(b))
    yield from likeness_findings(what, found["likeness"], a[both], b[both])
    expected_peaks = []
    for row in after:
        a, b = (numbers(it)[row] for it in found["maps"])
        if numpy.isnan([a, b]).any() or min(abs(a).max(), abs(b).max()) <= 1e-7:
            continue
        expected_peaks.append([{"role": rows[row]}, *peak_numbers(a, b)])
    theirs = [
        [it["of"], [p["layer"] for p in it["at"]], it["layers"], it["depth"]] for it in found["peaks"]
    ]
    yield exact(f"{what}: peaks", theirs, expected_peaks)


def peak_numbers(a, b):
    """Layers of the peaks, and their distance in layers and in depth."""
    layers = [int(numpy.argmax(abs(it))) for it in (a, b)]
    distance = layers[1] - layers[0]
    return [layers, distance, distance / (len(a) - 1)]


def likeness_findings(what, found, a, b):
    from compare_cli import close, exact

    yield exact(f"{what}: n", found["n"], len(a))
    yield close(f"{what}: Pearson", [found["pearson"]], [comparison.pearson(a, b)], 1e-6)
    yield close(f"{what}: Spearman", [found["spearman"]], [comparison.spearman(a, b)], 1e-9)


def part_findings(what, found, maps, k, tolerance):
    from compare_cli import close, exact

    for side in (0, 1):
        yield close(f"{what}: map", found["maps"][side], maps[side], tolerance)
    yield close(f"{what}: difference", found["difference"], maps[0] - maps[1], 2 * tolerance)
    a, b = (numpy.array(it) for it in found["maps"])
    n_layers, n_heads = a.shape
    yield from likeness_findings(what, found["likeness"], a.ravel(), b.ravel())
    layer_sums = [abs(it).sum(axis=1) for it in (a, b)]
    largest = [abs(it).max(axis=1) for it in (a, b)]
    expected = [["part", *peak_numbers(*largest)], ["layer", *peak_numbers(*layer_sums)]]
    theirs = [
        [it["of"], [p["layer"] for p in it["at"]], it["layers"], it["depth"]] for it in found["peaks"]
    ]
    yield exact(f"{what}: peaks", theirs, expected)

    overlap = found["overlap"]
    a, b = a.ravel(), b.ravel()
    tops = [comparison.top(it, k) for it in (a, b)]
    yield exact(f"{what}: top heads", overlap["top"], [[int(at) for at in it] for it in tops])
    shared = len(set(tops[0]) & set(tops[1]))
    yield exact(f"{what}: shared", overlap["n_shared"], shared)
    yield close(f"{what}: Jaccard", [overlap["jaccard"]], [shared / (2 * k - shared)], 1e-12)

    # Two counts of chance differ by chance: five standard errors, and the one that is added.
    def by_chance(p, n_draws):
        return 5 * (p * (1 - p) * n_draws) ** 0.5 + 2 / N_PERMUTATIONS

    exact_p = comparison.overlap_p(n_layers * n_heads, k, shared)
    tolerance = by_chance(exact_p, 1 / N_PERMUTATIONS)
    yield close(f"{what}: p of Jaccard", [overlap["any_part"]["jaccard"]], [exact_p], tolerance)
    for name, block in (("any_part", n_layers * n_heads), ("within_layers", n_heads)):
        p = comparison.permuted_p(comparison.rank_statistic(a, b), len(a), block, N_PERMUTATIONS, 7)
        theirs = overlap[name]["spearman"]
        tolerance = by_chance(p, 2 / N_PERMUTATIONS)
        yield close(f"{what}: p of Spearman, {name}", [theirs], [p], tolerance)
    p = comparison.permuted_p(comparison.shared_statistic(a, b, k), len(a), n_heads, N_PERMUTATIONS, 7)
    tolerance = by_chance(p, 2 / N_PERMUTATIONS)
    yield close(f"{what}: p of Jaccard within layers", [overlap["within_layers"]["jaccard"]], [p], tolerance)
