"""Compares what `factscope population` says of a sweep with pandas and numpy over its Parquet files.

    python tests/golden/check_population.py target/release/factscope [FACTS]

Means, standard errors, counts and paired differences must agree to rounding; the bootstrap's ends and the
p-values of the sign flips, which are drawn by other generators, within what draws differ by. Facts that ask
the same question, as inverses of a many-to-one relation do, count as one.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd

N_FACTS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
FACTS = pathlib.Path(__file__).resolve().parents[2] / "data" / "facts.json"
PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
SPECS = {
    "heads": ["attribute", "--by", "heads", "--case", "2", "--facts", "builtin"],
    "trace": ["trace", "--kind", "mlp", "--samples", "1", "--window", "2", "--case", "2", "--facts", "builtin"],
}
# Probabilities, their logarithms, shares and ranks.
UNSIGNED = re.compile(r"p\(|ln p\(|probability|rank|share|kl |step|length", re.IGNORECASE)
CHARTS = {"heads": "Logit attribution of heads", "trace": None}


def run(*args):
    done = subprocess.run([PROGRAM, *args, "--quiet"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


def place(row):
    """What a number is about, as the table writes it."""
    parts = [row.component, None if pd.isna(row.layer) else f"L{int(row.layer)}"]
    parts += [None if pd.isna(row["head"]) else f"H{int(row['head'])}", row.role]
    return " ".join(part for part in parts if part is not None and not pd.isna(part)) or "all"


def table(figure, ending):
    for chart in figure["charts"]:
        (kind, chart), = chart.items()
        if kind == "Table" and chart["name"].endswith(ending):
            yield chart["name"], [[next(iter(cell.values())) for cell in row["cells"]] for row in chart["rows"]]


def by_question(values, prompts):
    """The means of facts that ask the same, by place and question; and how many facts have a value."""
    values = values.rename("value").reset_index()
    values["question"] = values.record.map(prompts)
    each = values.groupby(["question", "place"]).value.mean().unstack("place")
    return each, values.groupby("place").record.nunique()


def paired(values):
    """Inverse less fact of each record, by place."""
    wide = values.unstack("direction")
    return (wide["inverse"] - wide["fact"]).dropna()


def max_t_p(wide, n=1999, seed=7):
    """The p-values of sign flips of facts, by the largest |t| of all places."""
    x = wide.to_numpy(float)
    there = ~np.isnan(x)
    x, count = np.where(there, x, 0.0), there.sum(0)
    squares = (x**2).sum(0)

    def t(sums):
        means = sums / count
        error = (squares - sums**2 / count) / (count - 1) / count
        with np.errstate(divide="ignore", invalid="ignore"):
            sizes = np.abs(means) / np.sqrt(np.maximum(error, 0))
        # Fewer than six facts are not tested, and do not hide others.
        return np.where((means == 0) | (count < 6), 0.0, sizes)

    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n, len(x)))
    largest = np.array([t(sign @ x).max() for sign in signs])
    given = t(x.sum(0))
    return dict(zip(wide.columns, [(1 + (largest >= it * (1 - 1e-9)).sum()) / (1 + n) for it in given]))


def ends(values, seed=5):
    """The percentile bootstrap over all facts, of which some may lack a value."""
    draws = np.random.default_rng(seed).integers(0, len(values), (2000, len(values)))
    drawn = values[draws]
    drawn = drawn[~np.isnan(drawn).all(1)]
    return np.quantile(np.nanmean(drawn, axis=1), [0.025, 0.975])


def check(name, dir):
    spec, out = dir / f"{name}.json", dir / name
    run(*SPECS[name], "--save-spec", str(spec))
    # Two beside each other, evenly spaced, so that some of many-to-one relations share an inverse.
    facts = json.loads(FACTS.read_text(encoding="utf-8"))
    step = 2 * len(facts) // N_FACTS
    chosen = [fact for nth, fact in enumerate(facts) if nth % step < 2]
    cases = [word for fact in chosen for word in ("--case", str(fact["case_id"]))]
    run("sweep", str(spec), *cases, "--both-ways", "--out", str(out))
    said = json.loads(run("population", str(out), "--top", "100000", "--json"))["figure"]
    rows = pd.read_parquet(out)
    rows = rows[rows.left_out.isna() & (rows.chart != "Recall of the answer") & rows.value.notna()]
    n_checked = n_shared = 0
    for title, listed in table(said, ": largest means"):
        chart = title.removesuffix(": largest means")
        quantities = rows[["chart", "quantity"]].drop_duplicates().itertuples(index=False)
        of = [it for it in quantities if f"{it.chart}, {it.quantity}" == chart]
        if not of or "argest" in of[0].chart:
            continue
        mine = rows[(rows.chart == of[0].chart) & (rows.quantity == of[0].quantity)]
        if mine.label.notna().any() or mine.label_2.notna().any():
            continue
        assert set(mine.direction) == {"fact", "inverse"}, (title, set(mine.direction))
        mine = mine.assign(place=mine.apply(place, axis=1))
        values = mine.groupby(["record", "place", "direction"]).value.apply(lambda it: it.astype(float).mean())
        prompts = {way: mine[mine.direction == way].groupby("record").prompt.first() for way in ["fact", "inverse"]}
        # No two facts share their own question here, so that pairs do only by their inverses.
        assert prompts["fact"].is_unique
        counted = {
            way: by_question(values.xs(way, level="direction"), prompts[way]) for way in ["fact", "inverse"]
        }
        counted["inverse − fact"] = by_question(paired(values), prompts["inverse"])
        wide = {group: it[0] for group, it in counted.items()}
        n_shared += sum(counted["inverse"][1] > wide["inverse"].count())
        p = {way: max_t_p(it) for way, it in wide.items()}
        for group, at, mean, se_low, se_high, low, high, p_value, n_facts, *n in listed:
            x = wide[group][at].dropna().to_numpy()
            scale = max(np.abs(x).max(), 1e-6)
            error = x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.nan
            assert n_facts == counted[group][1][at], (title, group, at, n_facts)
            assert (n or [n_facts])[0] == len(x), (title, group, at, n, len(x))
            assert abs(mean - x.mean()) < 1e-6 * scale, (title, group, at, mean, x.mean())
            if len(x) > 1:
                assert abs(se_low - (x.mean() - 1.96 * error)) < 2e-6 * scale, (title, group, at)
                assert abs(se_high - (x.mean() + 1.96 * error)) < 2e-6 * scale, (title, group, at)
                # Ends of 2,000 draws differ by about 5 % of the standard error; ten such, for one outlying fact
                # makes the drawn means lumpy. Means of a few facts take few values, from one of which an end
                # may jump to the next.
                own = ends(wide[group][at].to_numpy())
                width = 0.5 if len(x) >= 20 else 1.5
                assert max(abs(low - own[0]), abs(high - own[1])) < width * error + 1e-6 * scale, (at, low, high, own)
                # A mean of what lies on one side of zero is not tested against zero.
                if len(x) < 6 or (UNSIGNED.match(of[0].quantity) and "−" not in group):
                    assert p_value is None, (title, group, at, p_value)
                else:
                    wanted = p[group][at]
                    tolerance = 5 * np.sqrt(2 * max(wanted * (1 - wanted), 1e-3) / 1999)
                    assert abs(p_value - wanted) < tolerance, (title, group, at, p_value, wanted)
            n_checked += 1
    assert n_checked > 50 and n_shared > 0, (name, n_checked, n_shared)
    print(f"{name}: {n_checked} means, intervals and p-values agree")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as dir:
        for name in SPECS:
            check(name, pathlib.Path(dir))
