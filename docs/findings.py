"""What docs/findings.sh asks of the folders of sweeps and `factscope population` does not show, by pandas.

    python docs/findings.py heads DIR    which heads facts need, and whether all need the same
    python docs/findings.py heads DIR --shared    the five that most of one half of the facts need, or as many
        that are drawn by a seed, of all as with --1, or of the same layers as with --beside-1
    python docs/findings.py without MODEL.gguf OUT.gguf 23.4 23.1    a copy of a model without some heads
    python docs/findings.py text FILE.json          next words of this folder's pages, as facts
    python docs/findings.py lost DIR CLEAN.json WITHOUT.json…    what facts lose in such a copy
    python docs/findings.py steered DIR DIR…    what steering does to facts and their inverses, by layer
    python docs/findings.py against DIR OTHER       the same changes less those of another direction, within each fact
    python docs/findings.py agree DIR PROGRAM       whether `population` and pandas say the same of a folder

Needs pandas, numpy and pyarrow, but for `without` and `text`.
"""

import itertools
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
N_NEEDED = 5
MAP = "Ablation of heads"
TOGETHER = "Without the 5 parts that matter most, together: "


def mean(values):
    """A mean with its interval of 1.96 standard errors, in words; of one number there is no interval."""
    if len(values) == 1:
        return f"{values.iloc[0]:.2f} (n 1)"
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():.2f} ({values.mean() - half:.2f} to {values.mean() + half:.2f}, n {len(values)})"


def rows_of(dir):
    import pandas as pd

    rows = pd.read_parquet(dir)
    return rows[rows.left_out.isna()].astype({"value": float})


def needed(dir):
    """The heads without which each fact loses most of ln p of its answer: a fact's relation and its set."""
    rows = rows_of(dir).query("chart == @MAP and direction == 'fact'")
    assert rows.quantity.unique().tolist() == ["Change of ln p(answer)"], rows.quantity.unique()
    found = {}
    for case, of in rows.groupby("case"):
        worst = of.nsmallest(N_NEEDED, "value")
        heads = frozenset(zip(worst.layer.astype(int), worst["head"].astype(int)))
        found[case] = (of.relation.iloc[0], heads)
    return found, int(rows.groupby(["layer", "head"]).ngroups)


def halves(found):
    """Every other fact of each relation: one half tells which heads are shared, the other tests them."""
    order = sorted(found, key=lambda case: (found[case][0], int(case)))
    told = [case for nth, case in enumerate(order) if nth % 2 == 0]
    return told, [case for case in order if case not in told]


def often(found, cases):
    """Heads by how many facts need them, those that most need first."""
    counts = {}
    for case in cases:
        for head in found[case][1]:
            counts[head] = counts.get(head, 0) + 1
    return sorted(counts.items(), key=lambda it: (-it[1], it[0]))


def drawn(all, shared, flag):
    """As many heads of all, as `--1` says, or as `--beside-1` says, others of the shared ones' layers or the nearest."""
    import numpy as np

    seed = int(flag.rpartition("-")[2])
    rng = np.random.default_rng(seed)
    if not flag.startswith("--beside-"):
        return [all[nth] for nth in sorted(rng.choice(len(all), len(shared), replace=False))]
    left, chosen = [head for head in all if head not in shared], []
    for layer, _ in shared:
        far = [abs(head[0] - layer) for head in left]
        nearest = [nth for nth, it in enumerate(far) if it == min(far)]
        chosen.append(left.pop(rng.choice(nearest)))
    return sorted(chosen)


def heads(dir, *flags):
    import numpy as np

    found, n_heads = needed(dir)
    told, _ = halves(found)
    shared = [head for head, _ in often(found, told)[:N_NEEDED]]
    if flags:
        chosen = shared
        if flags != ("--shared",):
            of_model = rows_of(dir).query("chart == @MAP")[["layer", "head"]].drop_duplicates().astype(int)
            all = sorted(of_model.itertuples(index=False, name=None))
            chosen = drawn(all, shared, *flags)
        print(*(f"{layer}.{head}" for layer, head in chosen))
        return
    cases = list(found)
    relations = np.array([found[case][0] for case in cases])
    jaccard = np.array(
        [[len(found[a][1] & found[b][1]) / len(found[a][1] | found[b][1]) for b in cases] for a in cases]
    )
    above = np.triu(np.ones_like(jaccard, bool), 1)

    def gap(labels):
        same = (labels[:, None] == labels[None, :]) & above
        return jaccard[same].mean() - jaccard[~same & above].mean()

    same = (relations[:, None] == relations[None, :]) & above
    rng = np.random.default_rng(1)
    shuffled = [gap(rng.permutation(relations)) for _ in range(1999)]
    p = (1 + sum(it >= gap(relations) for it in shuffled)) / 2000

    def uniform():
        sets = [set(rng.choice(n_heads, N_NEEDED, replace=False)) for _ in cases]
        pairs = itertools.combinations(sets, 2)
        return np.mean([len(a & b) / len(a | b) for a, b in pairs])

    print(f"{len(cases)} facts of {len(set(relations))} relations, {n_heads} heads, Jaccard of the first {N_NEEDED}")
    print(f"same relation {jaccard[same].mean():.3f} ({same.sum()} pairs), other {jaccard[~same & above].mean():.3f}")
    print(f"p of the gap {p:.4f}; heads drawn at random {np.mean([uniform() for _ in range(20)]):.3f}")
    for relation in sorted(set(relations)):
        of = same & (relations == relation)[:, None]
        print(f"  {relation} {jaccard[of].mean():.3f}")
    print(f"{len(often(found, cases))} heads are needed by a fact at least; most often:")
    for (layer, head), n in often(found, cases)[:12]:
        print(f"  L{layer} H{head} {n} of {len(cases)}")
    print("shared by the first half:", *(f"L{layer} H{head}" for layer, head in shared))
    lost = rows_of(dir)
    for kind in ["the fact", "the inverse, from the old answer"]:
        of = lost[lost.chart == TOGETHER + kind].pivot_table(index="case", columns="quantity", values="value")
        for column in ["Change of ln p without these", "Change of ln p without others"]:
            print(f"{kind}: {column} {mean(of[column])}")


# Of each type of GGUF that such matrices have: the numbers of a block, and its bytes. A block of zero bytes is zeros.
BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
}
PLAIN = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def without(model, out, *parts):
    """Zeroes what W_O has of each head, as `ablate --with zero` does with what the head gives to it."""
    shutil.copyfile(model, out)
    with open(out, "r+b") as file:
        read = lambda form: struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))
        text = lambda: file.read(read("Q")[0]).decode(errors="replace")

        def value(kind):
            if kind == 8:
                return text()
            if kind == 9:
                of, n = read("IQ")
                return [value(of) for _ in range(n)]
            return read(PLAIN[kind])[0]

        assert file.read(4) == b"GGUF", model
        _, n_tensors, n_keys = read("IQQ")
        keys = {text(): value(read("I")[0]) for _ in range(n_keys)}
        tensors = {}
        for _ in range(n_tensors):
            name, n_axes = text(), read("I")[0]
            tensors[name] = (read(f"{n_axes}Q"), *read("IQ"))
        align = keys.get("general.alignment", 32)
        begin = -(-file.tell() // align) * align
        n_heads = keys[keys["general.architecture"] + ".attention.head_count"]
        for layer, head in (map(int, part.split(".")) for part in parts):
            (width, n_rows), kind, offset = tensors[f"blk.{layer}.attn_output.weight"]
            per_block, n_bytes = BLOCKS[kind]
            of_head, row = width // n_heads // per_block * n_bytes, width // per_block * n_bytes
            assert head < n_heads and width // n_heads % per_block == 0, (layer, head)
            for nth in range(n_rows):
                file.seek(begin + offset + nth * row + head * of_head)
                file.write(bytes(of_head))


def text(out, n=80):
    """Beginnings of sentences of these pages and the word that follows, evenly spaced."""
    found = []
    for page in sorted(it for it in HERE.glob("*.md") if it.stem != "findings"):
        for line in page.read_text(encoding="utf-8").splitlines():
            words = line.split(" ")
            if len(words) > 12 and all(re.fullmatch(r"[A-Za-z’',;]+", it) for it in words[:11]) and words[10].isalpha():
                found.append((" ".join(words[:10]), words[10]))
    chosen = found[:: max(1, len(found) // n)][:n]
    # A fact needs a subject; any word will do.
    facts = [
        {"id": nth, "prompt": prompt, "subject": prompt.split(" ")[5], "answer": answer}
        for nth, (prompt, answer) in enumerate(chosen)
    ]
    pathlib.Path(out).write_text(json.dumps(facts, indent=0), encoding="utf-8")


def lost(dir, clean, *others):
    import numpy as np
    import pandas as pd

    def recalled(file):
        facts = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))["facts"]
        return pd.DataFrame(
            {
                "case": it["case"],
                "relation": it["relation"],
                "way": it["direction"],
                "rank": it["recall"]["rank"],
                "p": it["recall"]["prob"],
            }
            for it in facts
        ).set_index(["case", "way"])

    before = recalled(clean)
    tested = halves(needed(dir)[0])[1]
    if before.relation.notna().any():
        of_own = rows_of(dir).query("chart == @TOGETHER + 'the fact' and quantity == 'Change of ln p without these'")
        own = of_own.set_index("case").value[tested]
        print(f"each without its own {N_NEEDED}, forward: change of ln p {mean(own)}")
    for file in others:
        after = recalled(file)
        both = before.join(after.add_suffix("_after")).reset_index()
        both = both[both["rank"] < 10]
        if both.relation.notna().any():
            both = both[both.case.isin(tested)]
        both["change"] = np.log(both.p_after) - np.log(both.p)
        for way, of in both.groupby("way"):
            print(
                f"{pathlib.Path(file).stem}, {way}: change of ln p {mean(of.change)}; lose a nat {(of.change < -1).mean():.0%}; still among ten {(of.rank_after < 10).mean():.0%}"
            )
            for relation, part in of.groupby("relation"):
                print(f"    {relation} {mean(part.change)}")


REACHED = {"fact": "the fact", "old": "the inverse, from the old answer", "new": "the inverse, from the new answer"}
ASKED_OF = [
    ("fact", "fact", "new"),
    ("fact", "fact", "old"),
    ("inverse of old", "old", "old"),
    ("inverse of new", "new", "new"),
    ("inverse of new", "new", "old"),
]


def reached(dir):
    """What the fact says, and its inverse asked from the old answer and from the new one: a row a fact and layer."""
    rows = rows_of(dir)
    return {
        name: rows[rows.chart == "What the change reaches: " + chart].pivot_table(
            index=["case", "layer"], columns="quantity", values="value"
        )
        for name, chart in REACHED.items()
    }


def steered(*dirs):
    for dir in dirs:
        tables = reached(dir)
        print(dir)
        for layer, of_layer in tables["fact"].groupby("layer"):
            print(f"  layer {layer:.0f}, {len(of_layer)} facts")
            for name, table, asked in ASKED_OF:
                of = tables[table].xs(layer, level="layer")
                before, after = of[f"p({asked}) before"].mean(), of[f"p({asked}) after"].mean()
                ranks = [of[f"rank({asked}) {when}"].median() for when in ["before", "after"]]
                change = mean(of[f"change of ln p({asked})"].dropna())
                print(
                    f"    {name}: p({asked}) {before:.3f} to {after:.3f}, middle rank {ranks[0]:.0f} to {ranks[1]:.0f}, ln p {change}"
                )
            print(f"    new likelier: {of_layer['Share where new is likelier after'].mean():.0%}")


def against(dir, other):
    ours, theirs = reached(dir), reached(other)
    for name, table, asked in ASKED_OF:
        change = f"change of ln p({asked})"
        differences = (ours[table][change] - theirs[table][change]).dropna()
        for layer, of in differences.groupby("layer"):
            print(f"{name}, {asked}, layer {layer:.0f}: {mean(of)}")


def agree(dir, program):
    """Means of `population` in all places, against those of pandas over the same files."""
    command = [
        program,
        "population",
        dir,
        "--json",
        "--top",
        "1000000",
        "--quiet",
        "--draws",
        "10",
        "--permutations",
        "10",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, most, n = rows_of(dir), 0.0, 0
    told = {f"{chart}, {quantity}: largest means": of for (chart, quantity), of in rows.groupby(["chart", "quantity"])}
    for chart in json.loads(said.stdout)["figure"]["charts"]:
        ((kind, chart),) = chart.items()
        if kind != "Table" or chart["name"] not in told:
            continue
        of = told[chart["name"]]
        of = of.assign(place=of.apply(place, axis=1))
        # Tokens of one role count once in a fact, and a question that several facts ask counts once.
        per_fact = of.groupby(["direction", "prompt", "case", "place"]).value.mean()
        means = per_fact.groupby(["direction", "prompt", "place"]).mean().groupby(["direction", "place"]).mean()
        for row in chart["rows"]:
            way, at, mean_told = [next(iter(it.values())) for it in row["cells"]][:3]
            if (way, at) in means.index:
                of_pandas = means[way, at]
                if mean_told is None:
                    # JSON has no infinity, such as the logarithm of a probability that is zero.
                    assert of_pandas == -float("inf"), (chart["name"], at, of_pandas)
                    continue
                most, n = max(most, abs(of_pandas - mean_told) / max(1.0, abs(of_pandas))), n + 1
    assert n > 0 and most < 1e-5, (dir, n, most)
    print(f"{dir}: {n} means agree to {most:.1g}")


def place(row):
    """What a number is about, as the table writes it."""
    import pandas as pd

    parts = [row.component, None if pd.isna(row.layer) else f"L{int(row.layer)}"]
    parts += [None if pd.isna(row["head"]) else f"H{int(row['head'])}", row.role]
    return " ".join(it for it in parts if it is not None and not pd.isna(it)) or "all"


if __name__ == "__main__":
    parts = [heads, without, text, lost, steered, against, agree]
    {part.__name__: part for part in parts}[sys.argv[1]](*sys.argv[2:])
