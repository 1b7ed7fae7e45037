"""Cells: what a table of a page shows, what it is sorted by (the exact value), and what hovering says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from analysis.report import words
from analysis.report.points import Point
from analysis.statistics import Interval

NOTHING = "–"
Kind = Literal["number", "text", "command", "bar", "forest"]


@dataclass(frozen=True, slots=True)
class Cell:
    """text: shown. value: what sorting and tests go by; None is always last. said: the exact value, on hovering.

    kind: "number" and "text"; "command" has a button that copies `said`; "bar" and "forest" draw `parts`.
    """

    text: str
    value: float | str | None = None
    said: str = ""
    kind: Kind = "text"
    parts: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A head of a table. said: what it means, in a sentence."""

    name: str
    said: str = ""
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, columns, rows of as many cells, and what has to be said below."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = field(default_factory=tuple)

    def told(self) -> Table:
        """The same without columns of words that say nothing in any row."""
        kept = [
            place
            for place, column in enumerate(self.columns)
            if column.kind != "text" or any(row[place].text != NOTHING for row in self.rows)
        ]
        rows = [[row[place] for place in kept] for row in self.rows]
        return Table(self.caption, [self.columns[place] for place in kept], rows, self.notes)


def text(shown: str, said: str = "") -> Cell:
    """Words."""
    return Cell(shown, shown, said)


def counted(count: float | None) -> Cell:
    """A number as it is."""
    return Cell(words.number(count), count, words.exact(count), "number")


def in_bits(count: float | None, said: str = "") -> Cell:
    """Bits in a humane unit; all digits on hovering."""
    return Cell(words.bits(count), count, f"{words.exact(count)} bits{said}" if count is not None else said, "number")


def between(found: Interval) -> Cell:
    """A number and its interval, which hovering shows in full."""
    if found.low is None:
        return Cell(words.number(found.value), found.value, f"{words.exact(found.value)}, one run", "number")
    half = max(found.value - found.low, (found.high or 0.0) - found.value)
    said = f"{words.exact(found.value)}, 95 %: {found.low:.6g} to {found.high:.6g}"
    shown = words.number(found.value) if half == 0 or found.value == 0 else words.with_reach(found.value, half)
    return Cell(shown, found.value, said, "number")


def command(point: Point) -> Cell:
    return Cell("copy", None, point.command, "command")
