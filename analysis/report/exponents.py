"""Exponents: how an error falls along an axis of a sweep, beside the slope of the protocol's own formula."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.report.points import Point, of
from analysis.report.problems import Problem
from analysis.report.provable import prediction
from analysis.statistics import Slope, slope

LEAST = 3  # different places on an axis
TOLERANCE = 0.1  # of an exponent
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Axis:
    """A key of specs along which an exponent makes sense. x: the number whose logarithm is taken."""

    name: str
    key: tuple[str, ...]
    x: Callable[[float], float] = float


AXES = {
    "learn": (
        Axis("m", ("m",)),
        Axis("n", ("n",)),
        Axis("s", ("s",)),
        Axis("2^b", ("protocol", "bits"), lambda bits: 2.0**bits),
    ),
    "train": (
        Axis("W", ("workers",)),
        Axis("steps", ("steps",)),
        Axis("2^b", ("method", "compressor", "bits"), lambda bits: 2.0**bits),
        Axis("density", ("method", "compressor", "density")),
    ),
}


@dataclass(frozen=True, slots=True)
class Exponent:
    """The log-log slope of one method along one axis, all else equal. rest: what stays, where that has to be said."""

    method: str
    rest: str
    axis: str
    key: str
    low_x: float
    high_x: float
    places: int
    slope: Slope
    points: Sequence[Point]


def exponents(found: Sequence[Problem]) -> list[Exponent]:
    """Every slope that the points of all problems give, by axis and method."""
    rows = []
    for kind, axes in AXES.items():
        members = [(p, point) for p in found if p.kind == kind and not p.prior for point in p.points]
        for axis in axes:
            families: dict[str, list[tuple[Problem, Point]]] = {}
            for problem, point in members:
                spec = point.first["spec"]
                if _at(spec, axis.key) is not None:
                    families.setdefault(_without(spec, axis.key), []).append((problem, point))
            for family in families.values():
                row = _along(axis, family)
                if row is not None:
                    rows.append(row)
    return rows


def _along(axis: Axis, family: Sequence[tuple[Problem, Point]]) -> Exponent | None:
    """The slope of one family, None where it has too few places or values that have no logarithm."""
    problem = family[0][0]
    key = problem.views[0]
    at = sorted(((axis.x(_at(p.first["spec"], axis.key)), p) for _, p in family), key=lambda pair: pair[0])
    xs = [x for x, _ in at]
    chosen = [point for _, point in at]
    if len(set(xs)) < LEAST or min(xs) <= 0:
        return None
    columns = [[of(r, key) for r in sorted(p.records, key=lambda r: (r["seed"], r["repeat"]))] for p in chosen]
    if min(map(min, columns)) <= 0:
        return None
    theory = [prediction(point, key) for point in chosen]
    expected = _fit(xs, [t for t in theory if t is not None]) if None not in theory else None
    found = slope(xs, columns, expected, TOLERANCE)
    rest = problem.setting(chosen[0]) if len({problem.setting(p) for p in chosen}) == 1 else _rest(problem, chosen)
    name = chosen[0].method
    return Exponent(name, rest, axis.name, key, xs[0], xs[-1], len(set(xs)), found, chosen)


def _rest(problem: Problem, chosen: Sequence[Point]) -> str:
    """The parts of the setting that all points share."""
    parts = [problem.setting(point).split(", ") for point in chosen]
    return ", ".join(part for part in parts[0] if part and all(part in other for other in parts))


def _fit(xs: Sequence[float], values: Sequence[float]) -> float | None:
    """The least-squares slope of the formula's values."""
    if min(values) <= 0:
        return None
    return float(np.polyfit(np.log(xs), np.log(values), 1)[0])


def _at(spec: Row, key: Sequence[str]) -> Any:
    place: Any = spec
    for name in key:
        place = place.get(name) if isinstance(place, dict) else None
    return place if isinstance(place, int | float) and not isinstance(place, bool) else None


def _without(spec: Row, key: Sequence[str]) -> str:
    """The spec as text, but for one key: what all points of a family share."""

    def cut(table: Row, names: Sequence[str]) -> Row:
        rest = {name: value for name, value in table.items() if name != names[0]}
        return rest if len(names) == 1 else {**rest, names[0]: cut(table[names[0]], names[1:])}

    return json.dumps(cut(spec, key), sort_keys=True)
