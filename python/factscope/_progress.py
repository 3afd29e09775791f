"""A bar for what takes a while: in a notebook's cell, or on a terminal's standard error."""

from __future__ import annotations

import html
import sys
import time
from typing import Any

# What is done sooner shows no bar, in seconds.
_AT_ONCE = 0.4
_WIDTH = 30


class Progress:
    """The progress of one request."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._handle: Any = None
        self._is_shown = False
        self._is_notebook = _is_notebook()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_shown:
            return
        if self._is_notebook:
            # What was found stays in a notebook, how long it took does not.
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)
        else:
            self._clear()

    def show(self, done: int, total: int, what: str, seconds_left: float | None) -> None:
        """Draws the bar."""
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        if time.monotonic() - self._start < _AT_ONCE or not (self._is_notebook or is_terminal):
            return
        share = done / total if total else 0.0
        left = "" if seconds_left is None else f", {_duration(seconds_left)} left"
        text = f"{what} {share:4.0%}{left}"
        if self._is_notebook:
            self._display(share, text)
        else:
            bar = ("=" * int(share * _WIDTH)).ljust(_WIDTH)
            print(f"\r\x1b[2K{what} [{bar}] {share:4.0%}{left}", end="", file=sys.stderr, flush=True)
        self._is_shown = True

    def note(self, text: str) -> None:
        """Says something beside the result."""
        if self._is_shown and not self._is_notebook:
            self._clear()
        if sys.stderr is not None:
            print(f"factscope: {text}", file=sys.stderr)

    def _display(self, share: float, text: str) -> None:
        from IPython.display import display

        bar = f'<progress value="{share:.3f}" max="1"></progress> {html.escape(text)}'
        data = {"text/plain": text, "text/html": bar}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)

    def _clear(self) -> None:
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
        self._is_shown = False


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ in ("ZMQInteractiveShell", "Shell")


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
