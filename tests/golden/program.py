"""Runs the built program's commands, and compares what they give with what it should be."""

import json
import math
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import torch

LOGIT, PROBABILITY, EXACT = 1e-3, 1e-5, 0.0
OF_THE_LARGEST = 1e-4


@dataclass
class Finding:
    """How far one number of the program, or the farthest of many, is from the reference."""

    what: str
    difference: float
    tolerance: float
    note: str = ""

    def is_ok(self):
        return self.difference <= self.tolerance


class CommandFailed(Exception):
    pass


@dataclass
class Program:
    binary: Path
    folder: Path
    extra: list

    def json(self, command, *arguments):
        """What a command prints."""
        return parse_json(self.run(command, *arguments, "--json"), command)

    def file(self, command, *arguments):
        """What a command writes."""
        out = self.folder / "out.json"
        out.unlink(missing_ok=True)
        self.run(command, *arguments, "--out", str(out))
        if not out.is_file():
            raise CommandFailed(f"{command} wrote no file")
        return parse_json(out.read_text(encoding="utf-8"), command)

    def run(self, command, *arguments):
        line = [
            str(self.binary.resolve()), command, "--model", str(self.folder), *map(str, arguments),
            *self.extra,
        ]
        done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", timeout=600)
        if done.returncode != 0:
            raise CommandFailed(f"exit code {done.returncode}: {shlex.join(line)}\n{done.stderr.strip()}")
        return done.stdout


def parse_json(text, command):
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CommandFailed(f"{command} gave no JSON ({error}): {text[:200]!r}") from None


def relative(what, found, expected):
    """In parts of the largest."""
    size = expected.abs().max()
    return close(what, torch.as_tensor(found) / size, expected / size, OF_THE_LARGEST)


def guarded(what, findings, *arguments):
    """The findings; a command that fails or leaves something out is one more."""
    try:
        yield from findings(what, *arguments)
    except CommandFailed as error:
        yield Finding(what, math.inf, EXACT, str(error))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        yield Finding(what, math.inf, EXACT, f"unexpected output: {type(error).__name__}: {error}")
    except subprocess.TimeoutExpired:
        yield Finding(what, math.inf, EXACT, "no answer in ten minutes")


def exact(what, found, expected):
    is_same = found == expected
    return Finding(what, 0.0 if is_same else math.inf, EXACT, "" if is_same else f"{found} != {expected}")


def close(what, found, expected, tolerance, explain=None):
    found = torch.as_tensor(found, dtype=torch.float64)
    expected = torch.as_tensor(expected, dtype=torch.float64)
    if found.shape != expected.shape:
        note = f"shape {tuple(found.shape)} != {tuple(expected.shape)}"
        return Finding(what, math.inf, tolerance, note)
    differences = (found - expected).abs()
    # Not a number is never close.
    difference = math.inf if differences.isnan().any() else differences.max().item()
    note = explain(found, expected) if explain and difference > tolerance else ""
    return Finding(what, difference, tolerance, note)


def shift_note(found, expected):
    """Logits mean the same after a shift: then they are centred, not wrong."""
    shifts = found - expected
    if (shifts - shifts.mean()).abs().max() < LOGIT:
        return f"all are shifted by {shifts.mean():.4f}: centred over the vocabulary?"
    return ""


def print_summary(findings):
    """The farthest of each kind of number, then whatever is too far."""
    farthest = {}
    for finding in findings:
        kind = f"{finding.what.split(' ')[0]}: {finding.what.rsplit(': ', 1)[-1]}"
        if kind not in farthest or finding.difference > farthest[kind].difference:
            farthest[kind] = finding
    for kind, finding in farthest.items():
        mark = "ok  " if finding.is_ok() else "FAIL"
        print(f"{mark} {finding.difference:9.2e} of {finding.tolerance:7.0e}  {kind}")
    for finding in findings:
        if not finding.is_ok():
            print(f"\nFAIL {finding.what}: {finding.difference:.3g} > {finding.tolerance:g}")
            if finding.note:
                print(f"     {finding.note}")
