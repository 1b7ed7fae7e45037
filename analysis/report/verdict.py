"""The verdict: bits that each method needs for one error, the cheapest first, and what is said of those that fail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.report.material import Target
from analysis.report.points import Point, of
from analysis.report.problems import Problem
from analysis.statistics import Interval, Reached, bits_to_target, median_bits


@dataclass(frozen=True, slots=True)
class Verdict:
    """One method at the setting that needs the fewest bits for the target.

    bits: of learning the mean of the cheapest point whose mean error is as good as the target; of training the median
    over repeats of the bits at the first evaluation that is. Infinite where it was not reached: then the point is the
    one that came closest. value: the error or loss of that point, at its end. reached: how many of its runs did.
    """

    method: str
    setting: str
    point: Point
    bits: Interval
    value: Interval
    reached: int

    @property
    def censored(self) -> bool:
        """Whether the target was not reached."""
        return math.isinf(self.bits.value)


def verdicts(problem: Problem, target: Target) -> list[Verdict]:
    """A row a method, sorted by bits at the target; those that do not reach it by how close they come."""
    found = []
    for method, points in problem.methods.items():
        rows = (
            [_learned(problem, method, p, target) for p in points if p.booked]
            if problem.kind == "learn"
            else [_trained(problem, method, p, target) for p in points if p.booked]
        )
        if rows:
            found.append(min(rows, key=lambda row: _order(row, target)))
    return sorted(found, key=lambda row: _order(row, target))


def _order(row: Verdict, target: Target) -> tuple[float, float]:
    return row.bits.value, -row.value.value if target.key == "accuracy" else row.value.value


def _learned(problem: Problem, method: str, point: Point, target: Target) -> Verdict:
    value = point.value(target.key)
    bits = point.bits if target.met(value.value) else math.inf
    reached = sum(target.met(of(record, target.key)) for record in point.records)
    return Verdict(method, problem.setting(point), point, Interval(bits, None, None), value, reached)


def _trained(problem: Problem, method: str, point: Point, target: Target) -> Verdict:
    arrivals = arrived(point, target)
    reached = sum(not run.censored for run in arrivals)
    return Verdict(method, problem.setting(point), point, median_bits(arrivals), point.value(target.key), reached)


def arrived(point: Point, target: Target, bits: str = "payload_bits") -> list[Reached]:
    """The bits (or another column) of every run at its first evaluation that is as good as the target."""
    if target.key == "gap":
        optimum = point.first["optimum"]
        target = Target("loss", target.value + optimum)
    if point.series:
        return [bits_to_target(series, target.key, target.value, bits) for series in point.series]
    return [Reached(record[bits], not target.met(of(record, target.key))) for record in point.records]


def nearest(rows: Sequence[Verdict]) -> Verdict | None:
    """The cheapest method that reaches the target, None where none does."""
    return next((row for row in rows if not row.censored), None)
