"""`factscope average`: ROME's notebook `average_causal_effects`, over maps that `rome.py` makes."""

import json

import numpy as np

import rome
from checkpoint import readable_tokens, tokens_overlapping

# Much after the subject and one token, the subject first and later.
TEMPLATES = [
    "{} is the capital of", "{} is not like Rome in", "The café of {} is in", "I said that 東京's own {} was",
    "The mother tongue of {} is", "{} plays", "A friend of {} saw",
]
# Of one token and of many.
SUBJECTS = ["Paris", "Rome", "Dvořák", "Mr. K", "Danielle Darrieux", "the", "Marie Curie of Warsaw"]
N_KNOWN, N_UNKNOWN = 6, 3


def check_averages(program, reference):
    from compare_cli import guarded

    cases = [
        # Components, window, BOS, severed, direction, whether facts that are not known are kept.
        ("hidden,mlp,attn", 3, False, None, "denoise", False),
        ("mlp", 10, True, None, "denoise", True),
        ("hidden,attn", 2, False, "mlp", "denoise", True),
        ("mlp,hidden", 2, False, None, "noise", True),
    ]
    for case in cases:
        yield from guarded(f"average {', '.join(map(str, case))}", findings, program, reference, *case)


def findings(what, program, reference, kinds, window, bos, sever, direction, keeps):
    from compare_cli import EXACT, LOGIT, PROBABILITY, NOISE_SUBJECTS, close, exact, flag

    samples, noise_factor = 3, 3.0
    noise_std = noise_factor * rome.collect_embedding_std(reference.hf, reference.tokenizers[0], NOISE_SUBJECTS)
    path, places, answers, known = facts_file(reference, bos)
    found = program.json(
        "average", "--facts", path, "--n", len(places), "--kind", kinds, "--window", window, *flag(bos),
        *(["--sever", sever] if sever else []), *(["--keep-unknown"] if keeps else []), "--direction", direction,
        "--samples", samples, "--noise-subjects", reference.noise_file, "--noise", f"{noise_factor}s",
        "--shared-draws",
    )
    kept = [it["prompt"] for it in found["facts"]]
    expected = set(places) if keeps else known
    yield exact(f"{what}: facts", sorted(kept), sorted(expected))
    yield exact(f"{what}: left out", sorted(it["prompt"] for it in found["left_out"]), sorted(set(places) - expected))
    yield exact(f"{what}: known", sorted(it["prompt"] for it in found["facts"] if it["is_known"]), sorted(known))
    yield exact(f"{what}: counts", [found["n_asked"], found["n_facts"]], [len(places), len(expected)])

    for nth, kind in enumerate(kinds.split(",")):
        traced = []
        for text in kept:
            ids, _ = reference.encode(text, bos)
            subject_range = list(tokens_overlapping(reference.tokenizers[0], ids, int(bos), places[text]))
            flow = rome.calculate_hidden_flow(
                reference.hf, ids, subject_range, answers[text], None if kind == "hidden" else kind, window,
                samples, noise_std, 1, sever, direction,
            )
            traced.append((np.asarray(flow["scores"], dtype=np.float64), flow["low_score"], flow["high_score"], subject_range))
        map = found["maps"][nth]
        yield exact(f"{what}: kind", [map["kind"], map["window"]], [kind, 1 if kind == "hidden" else window])
        prob = map["metrics"]["prob"]
        result, low, high, size = as_the_notebook(traced)
        notebook = prob["rome"]
        yield exact(f"{what}: {kind} size", notebook["size"], size)
        yield close(f"{what}: {kind} low_score", notebook["low_score"], low, PROBABILITY)
        yield close(f"{what}: {kind} high_score", notebook["high_score"], high, PROBABILITY)
        numbers = [[np.nan if it is None else it for it in row] for row in notebook["result"]]
        is_none = np.isnan(numbers)
        yield exact(f"{what}: {kind} empty rows", is_none.tolist(), np.isnan(result).tolist())
        yield close(f"{what}: {kind} as the notebook", np.nan_to_num(numbers), np.nan_to_num(result), PROBABILITY)

        roles, rows = by_role(traced, direction)
        yield exact(f"{what}: {kind} roles", prob["roles"], roles)
        yield exact(f"{what}: {kind} facts by role", prob["n_facts"], [len(it) for it in rows])
        for role, row, mean, error, low, high in zip(
            roles, rows, prob["indirect"], prob["standard_error"], prob["low"], prob["high"]
        ):
            yield close(f"{what}: {kind} {role} mean", mean, row.mean(axis=0), PROBABILITY)
            if len(row) > 1:
                expected_error = row.std(axis=0, ddof=1) / np.sqrt(len(row))
                yield close(f"{what}: {kind} {role} standard error", error, expected_error, PROBABILITY)
                yield close(f"{what}: {kind} {role} low", low, row.mean(axis=0) - 1.96 * expected_error, PROBABILITY)
                yield close(f"{what}: {kind} {role} high", high, row.mean(axis=0) + 1.96 * expected_error, PROBABILITY)
        totals = np.array([high - low for _, low, high, _ in traced])
        yield close(f"{what}: {kind} total", prob["total"]["mean"], totals.mean(), PROBABILITY)
        yield close(
            f"{what}: {kind} total's error", prob["total"]["standard_error"],
            totals.std(ddof=1) / np.sqrt(len(totals)), PROBABILITY,
        )

        # One of the facts by the command for one.
        text = kept[-1]
        case = list(places).index(text)
        alone = program.file(
            "trace", "--facts", path, "--case", case, *flag(bos), "--answer", answer_text(reference, answers[text]),
            "--kind", kind, "--window", window, "--samples", samples, "--noise-subjects", reference.noise_file,
            "--noise", f"{noise_factor}s", "--direction", direction, *(["--sever", sever] if sever else []),
        )
        own = {it["metric"]: it for it in found["facts"][-1]["readings"]}
        for metric, tolerance in (("prob", PROBABILITY), ("logit", LOGIT), ("kl", LOGIT), ("rank", EXACT)):
            at_end = np.array(own[metric]["patched"][nth])[-1]
            yield close(f"{what}: {kind} {metric} alone", at_end, alone["metrics"][metric]["scores"][-1], tolerance)


def answer_text(reference, id):
    return readable_tokens(reference.tokenizers[0], [id])


def facts_file(reference, bos):
    """A dataset; by text, the bytes of each fact's subject, and its answer; and which the model knows.

    A random model says any token. As an answer is text with a space before it, only some can be asked for.
    """
    asked, answers, known = {}, {}, set()
    pairs = [(template, SUBJECTS[(nth + shift) % len(SUBJECTS)])
             for shift in range(len(SUBJECTS)) for nth, template in enumerate(TEMPLATES)]
    for template, subject in pairs:
        text = template.format(subject)
        ids = reference.logits(reference.encode(text, bos)[0]).argsort(descending=True).tolist()
        is_known = is_itself(reference, ids[0])
        if is_known and len(known) < N_KNOWN:
            known.add(text)
            answers[text] = ids[0]
        elif not is_known and len(asked) - len(known) < N_UNKNOWN:
            answers[text] = next(id for id in ids if is_itself(reference, id))
        else:
            continue
        asked[text] = (template, subject)
    rows = [
        {"case_id": nth, "requested_rewrite": {
            "prompt": template, "subject": subject, "relation_id": "none",
            "target_true": {"str": answer_text(reference, answers[text])},
        }}
        for nth, (text, (template, subject)) in enumerate(asked.items())
    ]
    path = reference.folder / "averaged.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    places = {}
    for text, (template, subject) in asked.items():
        start = len(template.split("{}")[0].encode())
        places[text] = (start, start + len(subject.encode()))
    return path, places, answers, known


def is_itself(reference, id):
    """Whether an answer of this text is this token: one with a space before it."""
    text = answer_text(reference, id)
    return text.startswith(" ") and text.strip() != "" and reference.answer_ids(text) == [id]


def as_the_notebook(traced):
    """Its rows, by its names: scores of all tokens of all facts, whatever fact they are of."""
    rows = [[] for _ in range(6)]
    for scores, _, _, (first_e, first_a) in traced:
        last_e, last_a = first_a - 1, len(scores) - 1
        rows[0].append(scores[first_e][None])
        rows[1].append(scores[first_e + 1 : last_e])
        rows[2].append(scores[last_e][None])
        rows[3].append(scores[first_a][None])
        rows[4].append(scores[first_a + 1 : last_a])
        rows[5].append(scores[last_a][None])
    pooled = [np.concatenate(row) for row in rows]
    n_layers = traced[0][0].shape[1]
    result = np.stack([row.mean(axis=0) if len(row) else np.full(n_layers, np.nan) for row in pooled])
    low = np.mean([low for _, low, _, _ in traced])
    return result, low, np.mean([high for _, _, high, _ in traced]), len(traced)


def by_role(traced, direction):
    """Effects of each fact, a token in one role only. Names, and `[fact, layer]` for each."""
    names = ["subject-first", "subject-middle", "subject-last", "after", "further", "last"]
    rows = {name: [] for name in names}
    for scores, low, high, (begin, end) in traced:
        effects = high - scores if direction == "noise" else scores - low
        last = len(scores) - 1
        own = {name: [] for name in names}
        for pos in range(begin, len(scores)):
            if pos == last:
                name = "last"
            elif pos >= end:
                name = "after" if pos == end else "further"
            elif pos == end - 1:
                name = "subject-last"
            else:
                name = "subject-first" if pos == begin else "subject-middle"
            own[name].append(effects[pos])
        for name, found in own.items():
            if found:
                rows[name].append(np.mean(found, axis=0))
    roles = [name for name in names if rows[name]]
    return roles, [np.array(rows[name]) for name in roles]
