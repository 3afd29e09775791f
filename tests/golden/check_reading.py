"""Runs the Python of docs/populations.md, with pandas, Polars and DuckDB, on a sweep, and compares what each
makes of it.

    python tests/golden/check_reading.py target/release/factscope

Needs pandas, pyarrow, polars and duckdb.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "populations.md"
TOLERANCE = 1e-6  # of means of f32, which pandas adds up otherwise than the others


def table(means):
    """Means and standard errors by direction, layer and head, whatever the library."""
    if hasattr(means, "collect"):
        means = means.collect()
    if hasattr(means, "to_pandas"):
        means = means.to_pandas()
    means = means.reset_index()
    keys = zip(means.direction, means.layer.astype(int), means["head"].astype(int))
    return dict(zip(keys, zip(means["mean"], means["sem"])))


def main(program):
    program = Path(program).resolve()
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 3, f"{len(blocks)} blocks of Python on the page"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        fact = ["--facts", "builtin", "--case", "2"]
        call = lambda *command: subprocess.run([program, *command], check=True, stdout=subprocess.PIPE)
        call("attribute", "--by", "heads", *fact, "--save-spec", "heads.json")
        call("sweep", "heads.json", "--both-ways", "--n", "40", "--out", "heads", "--quiet")
        found = {}
        for block in blocks:
            names = {}
            exec(block, names)
            found[re.search(r"import (\w+)", block)[1]] = table(names["means"])
            assert block.count("\n") <= 12, "more than some ten lines"
        first, *others = found.items()
        assert len(first[1]) == 2 * 6 * 6, "each way, six layers of six heads"
        for name, other in others:
            assert other.keys() == first[1].keys(), name
            worst = max(abs(a - b) for key, it in other.items() for a, b in zip(it, first[1][key]))
            assert worst < TOLERANCE, (name, worst)
            print(f"{first[0]} and {name} agree within {worst:.1e} over {len(other)} means")


if __name__ == "__main__":
    main(*sys.argv[1:])
