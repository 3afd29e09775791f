"""The program as a process that is asked in lines of JSON: `factscope serve --stdio`."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import weakref
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any, Callable, Iterator, Sequence

from ._errors import Cancelled, Error, UsageError
from ._progress import Progress

# How many of its last lines are told when the process dies.
_LINES_TOLD = 12
_ERRORS = {"usage": UsageError, "cancelled": Cancelled}


def program() -> str:
    """The program's file: that of `FACTSCOPE_PROGRAM`, of this environment, or of the path."""
    named = os.environ.get("FACTSCOPE_PROGRAM")
    if named:
        if not shutil.which(named):
            raise Error(f"FACTSCOPE_PROGRAM names no program: {named}")
        return named
    name = "factscope.exe" if os.name == "nt" else "factscope"
    schemes = [None, f"{os.name}_user"]
    folders = [_scripts(scheme) for scheme in schemes] + [Path(sys.executable).parent]
    for folder in folders:
        if folder and (folder / name).is_file():
            return str(folder / name)
    found = shutil.which("factscope")
    if not found:
        raise Error(
            "there is no program `factscope` in this environment or on the path; "
            "the wheel brings it; or set FACTSCOPE_PROGRAM to its file"
        )
    return found


def _scripts(scheme: str | None) -> Path | None:
    try:
        return Path(sysconfig.get_path("scripts", scheme) if scheme else sysconfig.get_path("scripts"))
    except KeyError:
        return None


def _listen(stderr: IO[bytes], said: deque[str]) -> None:
    try:
        for line in stderr:
            said.append(line.decode("utf-8", "replace").rstrip())
    except ValueError:
        # The pipe was closed meanwhile.
        return


def _end(process: subprocess.Popen[bytes], listener: threading.Thread) -> None:
    """Ends a process at once, whatever it does."""
    if process.poll() is None:
        process.kill()
        process.wait()
    listener.join(timeout=5)
    for stream in (process.stdin, process.stdout, process.stderr):
        try:
            stream.close()
        except OSError:
            # What was still to be written has no reader any more.
            pass


@contextmanager
def _cancels(cancel: Callable[[], None]) -> Iterator[None]:
    """Calls `cancel` at an interrupt, and raises the interrupt after the block.

    An interrupt that is raised within the block would lose the part of a line that was read, or leave a
    progress bar in the notebook.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        # No interrupt is raised here.
        yield
        return
    interrupts: list[tuple[int, FrameType | None]] = []

    def keep(number: int, frame: FrameType | None) -> None:
        interrupts.append((number, frame))
        if len(interrupts) == 1:
            cancel()

    signal.signal(signal.SIGINT, keep)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if interrupts:
            before(*interrupts[0])


class Process:
    """A running program. It answers one request after the other."""

    def __init__(self, args: Sequence[str] = ()) -> None:
        own_group: dict[str, Any] = (
            # Ctrl-C is for Python, which then cancels what is asked; the process stays.
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if os.name == "nt"
            else {"start_new_session": True}
        )
        command = [program(), "serve", "--stdio", *args]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                **own_group,
            )
        except OSError as error:
            raise Error(f"the program cannot be started: {error}: {command[0]}") from error
        self._ids = itertools.count(1)
        self._turn = threading.Lock()
        self._said: deque[str] = deque(maxlen=_LINES_TOLD)
        # The thread knows the pipe and not this object, which would never be given up otherwise.
        listens_to = (self._process.stderr, self._said)
        self._listener = threading.Thread(target=_listen, args=listens_to, daemon=True)
        self._listener.start()
        # Called when nothing refers to this object any more, or before Python ends.
        weakref.finalize(self, _end, self._process, self._listener)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def ask(self, argv: Sequence[str], want: Sequence[str] = ("json",), **more: Any) -> dict[str, Any]:
        """The reply to a request. An interrupt cancels it, and the process stays."""
        with self._turn:
            request = {"id": next(self._ids), "argv": list(argv), "want": list(want)}
            request.update(cwd=os.getcwd(), **more)
            self._write(request)
            with _cancels(lambda: self._cancel(request["id"])), Progress() as progress:
                reply = self._read(request["id"], progress)
        if "error" in reply:
            kind = _ERRORS.get(reply.pop("kind"), Error)
            raise kind(reply.pop("error"), reply)
        return reply

    def describe(self) -> dict[str, Any]:
        """All commands and their flags."""
        with self._turn:
            request = {"id": next(self._ids), "describe": True}
            self._write(request)
            with _cancels(lambda: None):
                return self._read(request["id"], None)["result"]

    def _cancel(self, asked: int) -> None:
        """Cancels a request. Its last reply is still to be read, so that the next one is understood."""
        self._write({"id": next(self._ids), "cancel": asked})

    def _write(self, request: dict[str, Any]) -> None:
        if self._process.stdin.closed:
            raise Error("this model is closed; open it again")
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            self._has_ended()

    def _read(self, asked: int, progress: Progress | None) -> dict[str, Any]:
        """The last reply to a request. What is said before goes to its reader."""
        while True:
            line = self._process.stdout.readline()
            if not line.endswith(b"\n"):
                self._has_ended()
            reply = json.loads(line)
            if reply.get("id") != asked:
                continue
            if "progress" in reply:
                if progress:
                    progress.show(**reply["progress"])
            elif "note" in reply:
                if progress:
                    progress.note(reply["note"])
            else:
                return reply

    def _has_ended(self) -> None:
        """Tells how the process ended, with its last words."""
        code = self._process.wait()
        self._listener.join(timeout=5)
        said = "\n".join(["", *self._said]) if self._said else ""
        raise Error(f"the program has ended with {code}; open the model again{said}") from None

    def close(self) -> None:
        """Ends the process, whatever it does. May be called twice."""
        try:
            self._process.stdin.close()
        except OSError:
            # The process has ended, and reads no more.
            pass
        if self._turn.locked():
            self._process.kill()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            pass
        _end(self._process, self._listener)
