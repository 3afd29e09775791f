"""A model that is open, and the program that holds it."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping, Sequence, Union

from ._methods import Commands, Methods
from ._process import Process
from ._result import Result

Path = Union[str, "os.PathLike[str]"]


class Program(Commands):
    """The program, running: it keeps the last two models open that were asked.

    It ends with `close()`, at the end of a `with`, or when nothing refers to it any more.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        threads: int | None = None,
        exact_naive: bool = False,
        ignore_memory: bool = False,
    ) -> None:
        self._flags = [f"--device={device}"]
        self._flags += ["--exact-naive"] * exact_naive + ["--ignore-memory"] * ignore_memory
        self._process = Process([f"--threads={threads}"] if threads else [])

    def open(
        self,
        model: Path = "builtin",
        *,
        edit: Sequence[Path] = (),
        process: str | None = None,
    ) -> Model:
        """A model in this program. See `factscope.open`."""
        return Model(self, model, edit, process)

    def close(self) -> None:
        """Ends the program. What it was asked before stays."""
        self._process.close()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, command: str, kind: str, given: Mapping[str, Any], places: Sequence[Any] = ()) -> Any:
        argv = [*command.split(" "), *self._flags, *_words(given)]
        more: dict[str, Any] = {}
        last = ["--"] * bool(places)
        for place in places:
            if isinstance(place, Mapping):
                # A spec at hand is what the command reads for standard input.
                more["input"], place = json.dumps(place), "-"
            last.append(os.fspath(place))
        if kind == "result":
            return Result(self, argv, last, more)
        if kind == "json":
            return self._process.ask([*argv, "--json", *last], **more).get("result")
        return self._process.ask([*argv, *last], **more).get("text", "")


class Model(Program, Methods):
    """A model that is open. Every command is a method, with its flags as arguments."""

    def __init__(
        self, held: Program, model: Path, edit: Sequence[Path] = (), process: str | None = None
    ) -> None:
        self._flags, self._process = held._flags, held._process
        self._usual = {"--model": model, "--edit": edit, "--process": process}

    def _ask(self, command: str, kind: str, given: Mapping[str, Any], places: Sequence[Any] = ()) -> Any:
        # What a command says itself goes before what was said of the model.
        asks_this_model = "--process" in given
        usual = {
            flag: value
            for flag, value in self._usual.items()
            if asks_this_model and given.get(flag, ()) in (None, ())
        }
        return super()._ask(command, kind, {**given, **usual}, places)

    def __repr__(self) -> str:
        return f"factscope.open({os.fspath(self._usual['--model'])!r})"


def open(
    model: Path = "builtin",
    *,
    device: str = "auto",
    threads: int | None = None,
    edit: Sequence[Path] = (),
    process: str | None = None,
    exact_naive: bool = False,
    ignore_memory: bool = False,
) -> Model:
    """Opens a model, in a program of its own.

    Parameters
    ----------
    model
        A folder in Hugging Face's layout, a GGUF or other weight file, the name of a model on its hub such
        as ``gpt2-large``, ``builtin`` or ``builtin-planted``.
    device
        ``auto``, ``cpu``, ``wgpu`` or ``wgpu:N``.
    threads
        CPU threads; by default one per core.
    edit
        Changes that are made to the model first: files that ``edit`` or ``steer`` have written.
    process
        How weights are rewritten after that, as TransformerLens does: ``default``, ``all`` or names.
    exact_naive
        Compute every run from its first token and layer on, which changes no number.
    ignore_memory
        Go on with what is said to need more memory than is free.

    The model is read when it is first asked.
    """
    held = Program(
        device=device, threads=threads, exact_naive=exact_naive, ignore_memory=ignore_memory
    )
    return held.open(model, edit=edit, process=process)


def _words(given: Mapping[str, Any]) -> list[str]:
    """Arguments as flags. What is `None`, `False` or empty was not said."""
    words: list[str] = []
    for flag, value in given.items():
        if value is None or value is False:
            continue
        if value is True:
            words.append(flag)
        elif isinstance(value, (list, tuple, range)) or hasattr(value, "tolist"):
            words += [f"{flag}={_word(it)}" for it in value]
        else:
            words.append(f"{flag}={_word(value)}")
    return words


def _word(value: Any) -> str:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
