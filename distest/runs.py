"""Runs: the records of one or many runs as one sequence, and what people make of them: tables, files, pictures."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from distest import records
from distest.errors import UsageError, require
from distest.records import Lines, Record, within

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.axes import Axes

    from distest.audit import Verdict

Row = dict[str, Any]


class ConflictWarning(UserWarning):
    """One run was recorded with two results."""


@dataclass(frozen=True, slots=True)
class Part:
    """Records from one place. path: the file they were read from, None where they never were in one. series: points
    of runs of training in memory, each with its `run`."""

    records: Sequence[Record]
    path: Path | None = None
    series: Sequence[Row] = ()

    @property
    def points(self) -> Sequence[Row]:
        """The points of all series, read from beside the records where they were kept."""
        beside = None if self.path is None else self.path.with_name(records.SERIES)
        return Lines(beside) if beside is not None and beside.exists() else self.series


class Runs(Sequence[Record]):
    """Records in the order in which they were made, or read. Each is a dict of plain values, see docs or `runs[0]`.

    `distest.learn`, `distest.train`, `distest.compare` and `distest.load` give one.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self._ends = list(accumulate(len(part.records) for part in self.parts))

    @classmethod
    def read(cls, paths: Sequence[str | Path]) -> Runs:
        """The records of files, of runs' folders, and of all folders below one that has no records itself.

        Raises UsageError for a path with no records file, a file that cannot be read and one without a record; warns
        (ConflictWarning) of runs that were recorded with two results.
        """
        if not paths:
            raise UsageError("no file or folder of records was named")
        try:
            parts = [Part(Lines(file), file) for file in dict.fromkeys(chain.from_iterable(map(_files, paths)))]
        except records.RecordError as error:
            raise UsageError(str(error)) from None
        found = cls(parts)
        for part in parts:
            if part.records and "spec_hash" not in part.records[0]:  # a series, or the trials of a search
                raise UsageError(f"{part.path} holds no records of runs; name its folder, or {records.FILE} in it")
        if not found:
            named = ", ".join(str(part.path) for part in parts)
            raise UsageError(f"{named} holds no record: no run was finished; run it once more")
        for conflict in found.conflicts():
            warnings.warn(str(conflict), ConflictWarning, stacklevel=3)
        return found

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Record]:
        return chain.from_iterable(part.records for part in self.parts)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Runs: ...
    def __getitem__(self, place: int | slice) -> Record | Runs:
        if isinstance(place, slice):
            return self._some(range(len(self))[place])
        part, inside = self._find(place)
        return part.records[inside]

    def __repr__(self) -> str:
        kinds = sorted({str(kind) for (kind,) in self.rows(("kind",))})
        return f"<Runs: {len(self)} record{'s' * (len(self) != 1)}{' of ' * bool(kinds)}{' and '.join(kinds)}>"

    def _find(self, place: int) -> tuple[Part, int]:
        if not -len(self) <= place < len(self):
            raise IndexError(f"there are {len(self)} records, none at {place}")
        place %= len(self)
        part = bisect_right(self._ends, place)
        return self.parts[part], place - (self._ends[part - 1] if part else 0)

    def _some(self, places: Sequence[int]) -> Runs:
        """Some of the records, with the series of all."""
        return Runs([Part([self[place] for place in places], None, list(self._points()))])

    def where(self, **columns: Any) -> Runs:
        """The records whose columns have these values: `runs.where(kind="train", seed=3)`."""
        wanted = tuple(columns.values())
        return self._some([place for place, row in enumerate(self.rows(tuple(columns))) if row == wanted])

    def rows(self, names: Sequence[str], places: Sequence[int] | None = None) -> Iterator[tuple[Any, ...]]:
        """Some columns of all records, a tuple a record: fast, since nothing else is decoded.

        places: ascending, where not all records are asked for.
        """
        starts = [0, *self._ends]
        for part, start, end in zip(self.parts, starts, self._ends, strict=False):
            yield from records.rows(part.records, names, within(places, start, end))

    @property
    def runs(self) -> Sequence[int]:
        """Of each record a number for its run, equal where a run was recorded more than once."""
        return [run for part in self.parts for run in records.runs_of(part.records)]

    def place(self, place: int) -> str:
        """Where a record stands: "swept/records.jsonl, line 3"."""
        part, inside = self._find(place)
        if part.path is None or not isinstance(part.records, Lines):
            return f"record {place + 1}"
        return f"{part.path}, line {part.records.line(inside)}"

    def conflicts(self) -> list[records.Conflict]:
        """Runs that were recorded with two results."""
        return records.conflicts(self, self.place)

    # ---- tables

    def table(self, target: float | None = None, key: str = "loss") -> list[Row]:
        """The summary as rows: a row a spec, means over repeats, with bounds for learning and bits both ways for
        training.

        target: for training, the loss (or another `key` of the series) whose bits are asked for.
        """
        if target is not None:
            require("a median of bits to a target", "scipy", extra="train")
        from analysis import compare

        learned = [record for record in self if record["kind"] == "learn"]
        trained = [record for record in self if record["kind"] == "train"]
        rows = compare.summary(learned) if learned else []
        return rows + (compare.training(trained, self.points(), target, key) if trained else [])

    def points(self) -> dict[str, list[Row]]:
        """The series of runs of training: their evaluations in the order of steps, by the name of the run."""
        return records.by_run(self._points())

    def _points(self) -> Iterator[Row]:
        return chain.from_iterable(part.points for part in self.parts)

    def series(self) -> pd.DataFrame:
        """All evaluations of runs of training as one long table: run, label, seed, repeat, step, bits, loss, ..."""
        from analysis import exports

        require("a series as a table", "pandas", "pyarrow")
        told = self.points()
        rows = [
            {"run": name, **{key: record[key] for key in ("label", "seed", "repeat")}, **point}
            for record in self
            for name in (records.run_name(record),)
            for point in told.get(name, ())
        ]
        frame: pd.DataFrame = exports.arrow(rows).to_pandas()
        return frame

    def to_arrow(self) -> pa.Table:
        """Every record as a row; keys inside tables are columns with dotted names (`analysis/exports.py`)."""
        from analysis import exports

        require("to_arrow", "pyarrow")
        return exports.arrow(self)

    def to_pandas(self) -> pd.DataFrame:
        """The table of `to_arrow` as a DataFrame."""
        require("to_pandas", "pandas", "pyarrow")
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    # ---- files

    def to_parquet(self, path: str | Path) -> Path:
        """Write the table of `to_arrow`; pandas, polars and others read it as it is."""
        from analysis import exports

        require("a .parquet file", "pyarrow", extra="parquet")
        return _written(path, lambda file: exports.parquet(self, file))

    def to_csv(self, path: str | Path) -> Path:
        """Write the same table as CSV."""
        from analysis import exports

        return _written(path, lambda file: file.write_text(exports.csv_text(self), encoding="utf-8"))

    def to_markdown(self, target: float | None = None, key: str = "loss") -> str:
        """The summary (`table`) as Markdown."""
        from analysis import exports

        return exports.markdown(self.table(target, key))

    def save(self, folder: str | Path) -> Path:
        """Add the records, and the series of training, to a folder, as `--out` does; boards are kept by that alone."""
        out = Path(folder)
        try:
            out.mkdir(parents=True, exist_ok=True)
            told = self.points()
            for record in self:
                records.keep(out, record, told.get(records.run_name(record), ()))
        except OSError as error:
            raise UsageError(f"the output {out} cannot be written ({error.strerror})") from None
        except records.RecordError as error:
            raise UsageError(str(error)) from None
        return out

    def figures(self, folder: str | Path, formats: Sequence[str] = ("svg", "pdf")) -> list[Path]:
        """Draw error, or loss, against bits, a picture a problem, for a paper; the paths of what was written."""
        require("a figure", "matplotlib")
        from analysis import figures

        drawn: list[Path] = []

        def draw(out: Path) -> None:
            drawn.extend(figures.error_against_bits(list(self), out, formats))
            drawn.extend(figures.loss_against_bits(list(self), self.points(), out, formats))

        _written(folder, draw)
        return drawn

    def bibtex(self) -> str:
        """The papers behind the protocols, methods and their parts in these records, as BibTeX."""
        from analysis import sources

        return sources.bibtex(self)

    # ---- pictures and proof

    def plot(self, y: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw y against payload bits, log-log, and return the axes.

        y: "l2_squared" (the default of learning; with the provable bound, dashed) or "l1"; "loss" (the default of
        training) or another column of the series. Raises UsageError for records of both kinds, or of several problems.
        """
        require("a plot", "matplotlib")
        from matplotlib import pyplot as plt  # before figures, which otherwise asks for files only

        from analysis import figures

        kinds = {record["kind"] for record in self}
        if len(kinds) != 1:
            raise UsageError(f"a plot is of one kind of runs, got {' and '.join(sorted(kinds)) or 'none'}; use where()")
        axes = plt.subplots(layout="constrained")[1] if ax is None else ax
        if kinds == {"learn"}:
            figures.draw_errors(axes, list(self), y or "l2_squared")
        else:
            figures.draw_series(axes, list(self), self.points(), y or "loss")
        axes.legend(frameon=False)
        return axes

    def verify(self) -> list[Verdict]:
        """Replay every board that was kept beside the records and compare; `Verdict.wrong` is None where all agrees.

        Raises UsageError where no board was kept.
        """
        from distest import audit

        found = [
            audit.audit(part.path.parent, record, number)
            for part in self.parts
            if part.path is not None
            for number, record in enumerate(part.records, 1)
            if "board" in record
        ]
        if not found:
            raise UsageError("no board was kept beside these records; run with --out FOLDER --boards")
        return found


def _files(path: str | Path) -> list[Path]:
    """The files of records that a path stands for."""
    path = Path(path)
    if not path.is_dir() or (path / records.FILE).exists():
        return [records.file_of(path)]
    found = sorted(path.rglob(records.FILE))
    if not found:
        raise UsageError(f"{path} holds no {records.FILE}, nor does a folder in it: no run was finished there")
    return found


def _written(path: str | Path, write: Callable[[Path], object]) -> Path:
    try:
        write(Path(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})") from None
    return Path(path)
