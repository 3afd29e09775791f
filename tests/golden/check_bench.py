"""`factscope bench`: each map against `factscope trace`, correlations against scipy."""

import numpy as np

from check_corruptions import LEAST_TOTAL, subjects_that_fit

try:
    from scipy.stats import spearmanr
except ImportError:
    spearmanr = None

# What rounding may do to a logit, or to a part of a probability; the same as the program says.
LEAST_STEP = 1e-4


def check_bench(program, reference):
    from compare_cli import PROMPTS, guarded

    cases = [
        # What is restored, windows, direction, severed.
        ("mlp", (10,), "denoise", None), ("attn", (2, 3), "denoise", None),
        ("hidden", (10,), "denoise", "mlp"), ("mlp", (3,), "noise", None),
    ]
    for index, (text, subject) in enumerate(PROMPTS):
        for case in cases if index == 0 else cases[index::2]:
            what = f"bench {', '.join(map(str, case))}, {text!r}"
            yield from guarded(what, findings, program, reference, text, subject, *case)


def findings(what, program, reference, text, subject, kind, windows, direction, sever):
    from compare_cli import EXACT, FOIL, PROBABILITY, close, exact

    ids, _ = reference.encode(text)
    begin, _ = reference.subject_range(text, subject, ids, False)
    others = subjects_that_fit(reference, text, subject, False)
    file = reference.folder / "bench_subjects.txt"
    file.write_text("".join(f"{it}\n" for it in others), encoding="utf-8")
    shared = [
        "--prompt", text, "--subject", subject, "--foil", FOIL, "--noise-subjects", reference.noise_file,
        "--kind", kind, "--direction", direction, *(["--sever", sever] if sever else []),
    ]
    found = program.json(
        "bench", *shared, "--samples", 3, "--window", ",".join(map(str, windows)), "--other-subjects", file,
        *(["--counterpart", list(others)[0]] if others else []),
    )
    names = ["gaussian", "str", "resample", "random-tokens", "mean", "zero"]
    left_out = [] if others else ["str", "resample"]
    yield exact(f"{what}: left out", [it["name"] for it in found["left_out"]], left_out)
    yield exact(f"{what}: reasons", all(it["reason"] for it in found["left_out"]), True)
    wanted = [1] if kind == "hidden" else [1, *windows]
    maps = [(it["name"], it["window"]) for it in found["maps"]]
    made = [(name, window) for name in names if name not in left_out for window in wanted]
    yield exact(f"{what}: maps", maps, made)

    # Two by the command for one of them.
    for nth in (0, len(maps) - 1):
        name, window = maps[nth]
        alone = program.json(
            "trace", *shared, "--corruption", name, "--samples", found["maps"][nth]["samples"], "--window", window,
        )
        for metric in ("prob", "logit_diff", "kl"):
            one, other = found["maps"][nth]["metrics"][metric], alone["metrics"][metric]
            yield close(f"{what}: {name}'s {metric}", one["scores"], other["scores"], EXACT)

    yield exact(f"{what}: cells", found["spearman_cells"], (len(ids) - begin) * reference.hf.config.n_layer)
    if spearmanr is None:
        print("scipy is not there: ranks by numpy")
    for metric in found["maps"][0]["metrics"]:
        for compared in ("score", "recovery"):
            levels = [steps(it["metrics"][metric], metric, compared, direction, begin) for it in found["maps"]]
            expected = [[correlation(a, b) for b in levels] for a in levels]
            rows = found["spearman"][metric][compared]
            flat = lambda rows: [np.nan if it is None else it for row in rows for it in row]
            is_none = [np.isnan(it) for it in flat(rows)]
            yield exact(f"{what}: {metric} {compared} none", is_none, [bool(np.isnan(it)) for it in flat(expected)])
            yield close(
                f"{what}: {metric} {compared} correlations", np.nan_to_num(flat(rows)).tolist(),
                np.nan_to_num(flat(expected)).tolist(), PROBABILITY,
            )


def steps(it, metric, compared, direction, begin):
    """The cells that the subject reaches, in steps that rounding cannot make. None where there is no order."""
    clean, corrupted = np.float32(it["clean"]), np.float32(it["corrupted"])
    scores = np.array(it["scores"], dtype=np.float32)[begin:].astype(np.float64).T.ravel()
    start = float(clean if direction == "noise" else corrupted)
    step = LEAST_STEP * (float(max(clean, corrupted)) if metric in ("prob", "answer_prob") else 1)
    if compared == "score":
        values = (scores - start) / step
    else:
        total = float(clean - corrupted)
        if abs(total) < np.float32(LEAST_TOTAL[metric]):
            return None
        values = (scores - start) * np.sign(total) / step
    return np.sign(values) * np.floor(np.abs(values) + 0.5)


def correlation(a, b):
    if a is None or b is None or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    if spearmanr is not None:
        return float(spearmanr(a, b).statistic)
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def ranks(values):
    """From 1; equals share the mean of their places."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]
