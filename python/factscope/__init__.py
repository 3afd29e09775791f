"""Factscope from Python: facts in language models under a microscope, each number that of the program.

>>> import factscope
>>> with factscope.open() as m:
...     t = m.trace("The capital of Egypt is", subject="Egypt", answer="Cairo", kind="mlp")
>>> t.scores.shape, t.axes
((5, 6), ('token', 'layer'))
"""

from __future__ import annotations

from ._errors import Cancelled, Error, UsageError
from ._model import Model, Program, open
from ._result import Chart, Result
from ._session import save, show

__all__ = [
    "Cancelled",
    "Chart",
    "Error",
    "Model",
    "Program",
    "Result",
    "UsageError",
    "open",
    "save",
    "show",
]
