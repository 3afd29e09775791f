"""Compares `patch` with TransformerLens' hooks. Used by `compare_cli.py`."""

import torch

import patching
from compare_cli import ANSWER, FOIL, LOGIT, PROBABILITY, close, exact, flag, guarded

# Prompts of different lengths, each with its subject, and which of their positions correspond.
RECIPIENT, DONOR = ("Paris is the capital of", "Paris"), ("The capital of old 東京 is", "東京")
CASES = [
    # Kind, window, pairs unless they are proposed, whether all are patched at once.
    ("hidden", 1, None, False), ("mlp", 3, None, False), ("attn", 2, [(0, 1), (3, 4)], False),
    ("heads", 1, [(2, 2), (1, 3)], False), ("heads", 1, None, True), ("mlp", 10, None, True),
]


def check_patch(program, reference):
    for bos in (False, True):
        for recipient, donor in ((RECIPIENT, DONOR), (DONOR, RECIPIENT)):
            for kind, window, pairs, together in CASES:
                what = (
                    f"patch {kind}, window {window}, pairs {pairs}, {'together' if together else 'each'}, "
                    f"{recipient[0]!r}{' with BOS' if bos else ''}"
                )
                yield from guarded(
                    what, patch_findings, program, reference, recipient, donor, bos, kind, window, pairs,
                    together,
                )


def patch_findings(what, program, reference, recipient, donor, bos, kind, window, pairs, together):
    ids, tokens = reference.encode(recipient[0], bos)
    donor_ids, donor_tokens = reference.encode(donor[0], bos)
    found = program.file(
        "patch", "--prompt", recipient[0], "--subject", recipient[1], "--answer", ANSWER,
        "--from", donor[0], "--from-subject", donor[1], "--from-answer", FOIL, *flag(bos),
        "--kind", kind, "--window", window, *(["--together"] if together else []),
        *(word for source, target in pairs or [] for word in ("--pair", f"{source}:{target}")),
    )
    used = [(it["from"]["pos"], it["to"]["pos"]) for it in found["pairs"]]
    expected = pairs or by_role(
        len(donor_ids), reference.subject_range(*donor, donor_ids, bos), len(ids),
        reference.subject_range(*recipient, ids, bos), bos,
    )
    yield exact(f"{what}: pairs", sorted(used), sorted(map(tuple, expected)))
    names = [(donor_tokens[source], tokens[target]) for source, target in used]
    yield exact(f"{what}: tokens", [(it["from"]["token"], it["to"]["token"]) for it in found["pairs"]], names)
    groups = [used] if together else [[pair] for pair in used]
    logits = patching.patched_logits(reference.raw, ids, donor_ids, groups, kind, window)
    logits = logits if kind == "heads" else logits[None]
    answer_id, foil_id = reference.answer_ids(ANSWER)[0], reference.answer_ids(FOIL)[0]
    probs = torch.softmax(logits, dim=-1)
    difference = logits[..., answer_id] - logits[..., foil_id]
    yield close(f"{what}: probs", found["prob"], probs[..., answer_id], PROBABILITY)
    yield close(f"{what}: foil probs", found["foil_prob"], probs[..., foil_id], PROBABILITY)
    yield close(f"{what}: logit differences", found["logit_diff"], difference, LOGIT)

    def gap(ids):
        logits = reference.logits(ids)
        return logits[answer_id] - logits[foil_id]

    clean, there = gap(ids), gap(donor_ids)
    yield close(f"{what}: clean", [found["clean"]["logit_diff"]], [clean], LOGIT)
    yield close(f"{what}: donor", [found["donor"]["logit_diff"]], [there], LOGIT)
    tolerance = 2 * LOGIT / abs(there - clean)
    yield close(f"{what}: recovery", found["recovery"], (difference - clean) / (there - clean), tolerance)


def by_role(n_donor, donor_subject, n_recipient, subject, bos):
    """First with first and last with last; the rest as far as both have it."""
    def roles(n, begin, end):
        named = {0: "bos"} if bos else {}
        named |= {pos: f"{begin - pos} before" for pos in range(int(bos), begin)}
        middle = {pos: f"subject {pos - begin}" for pos in range(begin, end - 1)}
        rest = {pos: f"{n - 1 - pos} before the end" for pos in range(end + 1, n - 1)}
        return named | middle | rest | {end - 1: "last of the subject", end: "after", n - 1: "last"}

    of_donor = {role: pos for pos, role in roles(n_donor, *donor_subject).items()}
    of_recipient = {role: pos for pos, role in roles(n_recipient, *subject).items()}
    return [(of_donor[role], of_recipient[role]) for role in of_donor if role in of_recipient]


CHECKS = {"patch": check_patch}
