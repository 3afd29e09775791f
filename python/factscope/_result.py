"""What a command found: its numbers as arrays with named axes, its figure, and what was asked."""

from __future__ import annotations

import base64
import io
import json
import os
import tempfile
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence, Union

import numpy as np

from . import _lens
from ._errors import Error

if TYPE_CHECKING:
    import pandas

    from ._model import Program

Path = Union[str, "os.PathLike[str]"]

# What is counted, from 0, along a side; all else is named.
_COUNTED = ("layer", "head")
_WANT = ("json", "spec", "npz", "svg")


class Chart:
    """One chart of a figure: a grid of numbers with two named axes, or columns of one length.

    Attributes
    ----------
    name
        What the chart is called in files.
    axes
        The names of the grid's axes, such as ``("token", "layer")``; ``()`` for columns.
    labels
        What stands along each axis: counted from 0 for layers and heads, else texts.
    values
        The numbers of a grid, ``[rows, columns]``; ``None`` for columns.
    columns
        Arrays by name: those of a table or list, or what a grid has beside its numbers.
    """

    def __init__(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        self.name = name
        self.values: np.ndarray | None = arrays.get("")
        self.axes: tuple[str, ...] = ()
        self.labels: tuple[list[Any], ...] = ()
        self.columns: dict[str, np.ndarray] = {}
        for key, array in arrays.items():
            side, _, noun = key.partition(".")
            if self.values is not None and (noun or key == "series"):
                noun = noun or "series"
                self.axes += (noun,)
                self.labels += (_labels(noun, array),)
            elif key:
                self.columns[key] = array
        if self.axes == ("series",):
            self.axes += ("layer",)
            self.labels += (list(range(self.values.shape[1])),)

    @property
    def numbers(self) -> np.ndarray | None:
        """The grid, or the numbers of a list; `None` for a table, which has several columns of them."""
        if self.values is not None:
            return self.values
        columns = list(self.columns)
        return self.columns[columns[1]] if columns[:1] == ["label"] else None

    def to_pandas(self) -> pandas.DataFrame:
        """In tidy form: a row for each number of a grid, with what it is about; else the columns."""
        import pandas

        if self.values is None:
            return pandas.DataFrame(self.columns)
        columns: dict[str, Any] = {}
        for nth, (axis, labels) in enumerate(zip(self.axes, self.labels)):
            places = np.indices(self.values.shape)[nth].ravel()
            if axis.endswith("token"):
                # Two tokens of a prompt may be alike.
                columns[f"{axis[:-5]}position"] = places
            columns[axis] = [labels[place] for place in places]
        columns["value"] = self.values.ravel()
        columns.update((name, array.ravel()) for name, array in self.columns.items())
        return pandas.DataFrame(columns)

    def __repr__(self) -> str:
        if self.values is None:
            return f"<chart {self.name!r}: columns {', '.join(self.columns)}>"
        sides = ", ".join(f"{axis} {n}" for axis, n in zip(self.axes, self.values.shape))
        return f"<chart {self.name!r}: {sides}>"


class Result:
    """What a command found.

    Attributes
    ----------
    json
        All that the command's ``--json`` prints, as a dictionary.
    spec
        What was asked, as ``--save-spec`` writes it: ``run`` asks it again. ``None`` where many facts were.
    title, notes
        The figure's title and small print.
    charts
        The charts of the figure by name, in their order.
    """

    def __init__(
        self, program: Program, argv: Sequence[str], last: Sequence[str], more: Mapping[str, Any]
    ) -> None:
        # What is asked of it later are flags, which stand before the files at the end.
        self._program, self._argv, self._last, self._more = program, list(argv), list(last), dict(more)
        reply = program._process.ask([*argv, *last], _WANT, **more)
        self._id = reply["id"]
        self.json: dict[str, Any] = reply["result"]
        self.spec: dict[str, Any] | None = reply.get("spec")
        self._svg: str = reply["svg"]
        arrays = np.load(io.BytesIO(base64.b64decode(reply["npz"])), allow_pickle=False)
        self.title = str(arrays["title"])
        self.notes = [str(note) for note in arrays["notes"]]
        self.charts = {it.name: it for it in _charts(arrays)}

    @property
    def _main(self) -> Chart:
        """The first grid, else the first list."""
        charts = list(self.charts.values())
        for is_it in (lambda it: it.values is not None, lambda it: it.numbers is not None):
            for chart in filter(is_it, charts):
                return chart
        raise Error(f"this is a table: see charts[{charts[0].name!r}].columns, or to_pandas()")

    @property
    def scores(self) -> np.ndarray:
        """The numbers of the first grid of the figure, else of its first list."""
        return self._main.numbers

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes of `scores`."""
        return self._main.axes or ("label",)

    @property
    def labels(self) -> tuple[list[Any], ...]:
        """What stands along each axis of `scores`."""
        main = self._main
        return main.labels or (main.columns["label"].tolist(),)

    def to_pandas(self, chart: str | None = None) -> pandas.DataFrame:
        """A chart in tidy form. Without a name: the one that `scores` are of, else the first."""
        if chart is not None:
            return self.charts[chart].to_pandas()
        try:
            return self._main.to_pandas()
        except Error:
            return next(iter(self.charts.values())).to_pandas()

    def to_transformer_lens(self) -> dict[str, np.ndarray]:
        """The numbers by the names of TransformerLens' hook points that they are about.

        See `docs/python.md` for what each name holds; an `Error` says where there is none.
        """
        return _lens.named(self)

    def svg(self, **look: Any) -> str:
        """The figure. With the arguments of `save` it is drawn anew."""
        if not look:
            return self._svg
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "figure.svg")
            self.save(path, **look)
            with open(path, encoding="utf-8") as file:
                return file.read()

    def save(
        self,
        path: Path,
        *,
        width: str | None = None,
        scale: int | None = None,
        charts: Sequence[str] = (),
        tokens: str | None = None,
        caption: bool = True,
    ) -> None:
        """Writes a file, by the ending of its name.

        ``.factscope`` is a session, which the window opens; ``.svg``, ``.pdf`` and ``.png`` are pictures;
        ``.csv``, ``.json``, ``.npz`` and ``.parquet`` hold the figure's numbers.

        Parameters
        ----------
        width
            How wide a picture is: ``free``, ``one-column`` or ``two-columns``.
        scale
            How large a PNG is, 1 to 4.
        charts
            The names of the charts that are drawn, as the figure has them; by default all.
        tokens
            How tokens are written: ``by-format``, ``plain`` or ``marked``.
        caption
            Whether title and notes stand around a picture.
        """
        path = os.fspath(path)
        if path.lower().endswith(".factscope"):
            self._again([f"--save-session={path}"])
            return
        flags = [f"--figure={path}", *(f"--figure-chart={it}" for it in charts)]
        flags += [f"--figure-width={width}"] * (width is not None)
        flags += [f"--figure-scale={scale}"] * (scale is not None)
        flags += [f"--figure-tokens={tokens}"] * (tokens is not None)
        flags += ["--no-caption"] * (not caption)
        self._again(flags)

    def save_spec(self, path: Path) -> None:
        """Writes what was asked, for `run` and `sweep`; of `edit` and `steer` for the argument `edit` too."""
        if self.spec is None:
            raise Error("many facts were asked: the folder of a sweep says what was asked of each")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.spec, file, indent=2, ensure_ascii=False)

    def _again(self, flags: Sequence[str]) -> None:
        """Has the program write what it found, or find it again if it keeps it no more."""
        argv = [*self._argv, *flags, *self._last]
        again = self._program._process.ask(argv, of=self._id, **self._more)
        if again["result"] != self.json:
            raise Error("the same question has another answer now: its model or dataset has changed")

    def _repr_svg_(self) -> str:
        return self._svg

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self._svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        charts = "\n".join(f"  {chart!r}" for chart in self.charts.values())
        return f"{self.title}\n{charts}"


def _labels(noun: str, array: np.ndarray) -> list[Any]:
    labels = array.tolist()
    is_counted = noun in _COUNTED and all(it.isdecimal() for it in labels)
    return [int(it) for it in labels] if is_counted else labels


def _charts(arrays: Mapping[str, np.ndarray]) -> Iterator[Chart]:
    """The arrays of a file, `NAME` and `NAME.PART`, by chart."""
    charts: dict[str, dict[str, np.ndarray]] = {}
    for key in arrays:
        name, _, part = key.partition(".")
        if key not in ("title", "notes"):
            charts.setdefault(name, {})[part] = arrays[key]
    for name, parts in charts.items():
        yield Chart(name, parts)
