"""Results as a session file, and the window that shows them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import Sequence, Union

from ._errors import Error
from ._process import program
from ._result import Result

Path = Union[str, "os.PathLike[str]"]


def save(path: Path, results: Sequence[Result]) -> None:
    """Writes results of one model to one session file, which the window opens."""
    results = list(results)
    if not results:
        raise Error("a session needs a result")
    path = os.path.abspath(os.fspath(path))
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, f"{nth}.factscope") for nth in range(len(results))]
        for result, file in zip(results, files):
            result.save(file)
        results[0]._program._process.ask(["session", f"--join={path}", "--", *files], ())


def show(*results: Result) -> subprocess.Popen:
    """Opens the window on results of one model, and does not wait for it to close.

    The session lies in a folder for temporary files, which outlives Python as the window may.
    """
    folder = tempfile.mkdtemp(prefix="factscope-")
    path = os.path.join(folder, "results.factscope")
    save(path, results)
    return subprocess.Popen([program(), path])
