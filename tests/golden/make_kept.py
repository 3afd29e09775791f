"""Write `data/kept_numbers.json`: what `factscope verify` computes anew on the machine of its user.

    python tests/golden/make_kept.py PATH/TO/factscope

Asks the built-in model once by each method on a CPU, and keeps the record that each picture carries.
Needs only Python. That these numbers are right is what `compare_cli.py` and `check_builtin.py` say;
that they are the same elsewhere is what `verify` says.
"""

import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FACT = "--facts builtin --case 2"
COMMANDS = [
    f"predict {FACT}",
    f"predict {FACT} --inverse --bos",
    f"generate {FACT} --tokens 8",
    f"trace {FACT} --kind hidden --samples 2",
    f"trace {FACT} --kind mlp --samples 2 --inverse",
    f"trace {FACT} --kind attn --samples 1 --corruption zero",
    f"bench {FACT} --samples 2 --corruptions gaussian,mean",
    f"atp {FACT} --kind mlp --samples 2",
    f"atp-star {FACT}",
    f"attribute {FACT} --by layers",
    f"attribute {FACT} --by heads",
    f"lens {FACT}",
    f"attention {FACT} --layer 3 --head 2",
    f"heads {FACT}",
    f"norms {FACT}",
    f"contributions {FACT}",
    "circuit --head 3.2",
    "compose",
    f"ablate {FACT} --part heads",
    f"cut {FACT} --edge 4:3",
    f"knockout {FACT}",
    f"compare {FACT}",
    f"edit {FACT} --layer 2 --target Rome",
    f"steer {FACT} --plus-token Rome --minus-token Paris --layer 3 --scale 2",
    f"patch {FACT} --from-inverse --kind hidden",
    f"path-patch {FACT} --from-inverse --to logits",
    f"eap {FACT} --other-case 0",
]


def record(program: str, command: str) -> dict:
    """The record in the SVG that a command draws."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "figure.svg"
        asked = [program, *command.split(), "--device", "cpu", "--threads", "1"]
        subprocess.run(
            [*asked, "--json", "--figure", picture], check=True, cwd=ROOT, stdout=subprocess.DEVNULL
        )
        carried = ElementTree.parse(picture).find("{http://www.w3.org/2000/svg}metadata")
    return json.loads(carried.text)


def main() -> None:
    kept = [{"command": it, "record": record(sys.argv[1], it)} for it in COMMANDS]
    lines = ",\n".join(json.dumps(it, ensure_ascii=False, separators=(",", ":")) for it in kept)
    (ROOT / "data" / "kept_numbers.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
