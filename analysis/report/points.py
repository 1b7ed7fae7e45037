"""Points: what the repeats of one spec have in common, as averages with their intervals."""

from __future__ import annotations

import math
import statistics as middle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from analysis.compare import groups
from analysis.report.commands import command_of
from analysis.statistics import Interval, student

Row = dict[str, Any]
_BUDGETS = ("b=", "density=", "k=")  # words of a label that say how much may be sent: settings of one method


@dataclass(frozen=True, eq=False)
class Point:
    """One spec. records: its repeats, each once; series: of training, their points along the way, where kept."""

    records: Sequence[Row]
    series: Sequence[Sequence[Row]] = ()

    @property
    def first(self) -> Row:
        """A record of it: what all repeats share."""
        return self.records[0]

    @property
    def label(self) -> str:
        """The method with its options."""
        return str(self.first["label"])

    @cached_property
    def method(self) -> str:
        """The label without budgets: points of one method at several budgets are held against each other."""
        return " ".join(word for word in self.label.split() if not word.startswith(_BUDGETS))

    @property
    def budget(self) -> str:
        """The words of the label that are budgets."""
        return " ".join(word for word in self.label.split() if word.startswith(_BUDGETS))

    @cached_property
    def command(self) -> str:
        """What repeats it."""
        return command_of(self.records)

    @cached_property
    def bits(self) -> float:
        """Payload bits, the mean over repeats."""
        return mean_of(self.records, "payload_bits")

    @cached_property
    def booked(self) -> bool:
        """False for runs of which nothing was booked."""
        return self.first.get("ledger") != "none"

    def value(self, key: str) -> Interval:
        """The mean over repeats of an error or loss, with Student's interval."""
        if key not in self._values:
            self._values[key] = student([of(record, key) for record in self.records])
        return self._values[key]

    @cached_property
    def _values(self) -> dict[str, Interval]:
        """What was worked out already."""
        return {}


def points(records: Iterable[Row], series: Mapping[str, Sequence[Row]]) -> list[Point]:
    """A point a spec, in order of first appearance."""
    found = []
    for group in groups(records):
        along = [series.get(f"{r['spec_hash']}-{r['seed']}-{r['repeat']}", ()) for r in group] if series else []
        found.append(Point(group, [one for one in along if one]))
    return found


def of(row: Row, key: str) -> float:
    """A value of a record or of a point of a series; "gap" is the loss above the least there is."""
    return float(row["loss"] - row["optimum"] if key == "gap" else row[key])


def mean_of(rows: Sequence[Row], key: str) -> float:
    """The average of a column."""
    return math.fsum(row[key] for row in rows) / len(rows)


@dataclass(frozen=True, slots=True)
class Along:
    """A place of a run of training, over its repeats: after `step` steps so many bits, a value, and the
    median of the seconds, of which a first run has more: it compiles."""

    step: int
    bits: float
    seconds: float
    value: Interval


def along(point: Point, key: str) -> list[Along]:
    """The course of a value: at every evaluation that all repeats have; only the end where no series was kept."""
    optimum = point.first.get("optimum")
    if not point.series:
        first = point.first
        seconds = middle.median(record["seconds"] for record in point.records)
        return [Along(first["steps"], point.bits, seconds, point.value(key))]
    by_step: dict[int, list[Row]] = {}
    for series in point.series:
        for row in series:
            by_step.setdefault(row["step"], []).append(row)
    found = []
    for step, rows in sorted(by_step.items()):
        if len(rows) == len(point.series):
            values = [of({**row, "optimum": optimum}, key) for row in rows]
            seconds = middle.median(row["seconds"] for row in rows)
            found.append(Along(step, mean_of(rows, "payload_bits"), seconds, student(values)))
    return found
