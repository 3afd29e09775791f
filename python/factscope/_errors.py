"""What can go wrong, in the program's own words."""

from __future__ import annotations

from typing import Any


class Error(Exception):
    """A command failed, or the program has ended. `found` holds what was found before."""

    def __init__(self, message: str, found: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.found = found or {}


class UsageError(Error):
    """A flag is wrong or missing: the command would have ended before it asked a model."""


class Cancelled(Error):
    """The request was cancelled."""
