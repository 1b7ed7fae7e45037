"""What is provable beside what was measured: bounds along the bits, and ratios where they may be formed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from analysis import intervals
from analysis.bounds import under_prior
from analysis.bounds.applicable import best_lower, best_lower_bits
from analysis.bounds.total_bits_l2 import bits_under_prior
from analysis.compare import class_of, mean, predicted
from analysis.report.points import Point
from analysis.report.problems import Problem
from analysis.statistics import CONFIDENCE, Interval

PLACES = 12  # of a curve


@dataclass(frozen=True, slots=True)
class Curve:
    """A lower bound along the bits of a figure. name: for whom it holds."""

    name: str
    bits: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Measured over provable of one point, both averaged over the prior of the bound.

    bits: payload bits over those that are provably needed at its error; error: its error over what is provable at its
    bits. needed, least: what is below. prior: its parameters.
    """

    point: Point
    value: float
    needed: float
    bits: Interval
    least: float
    error: Interval
    prior: str


def curves(problem: Problem, key: str) -> list[Curve]:
    """The error that is provable for the worst p of each class that the protocols are made for, at so many bits."""
    first = problem.first
    if problem.kind != "learn" or problem.prior or key not in ("l1", "l2_squared"):
        return []
    if key == "l2_squared" and first["s"] > 1:
        return []
    classes = {str(found): found for point in problem.points if (found := class_of(point.first)) is not None}
    if not classes:
        return []
    bits = [point.bits for point in problem.points]
    m = max(point.first["m"] for point in problem.points)
    along = np.geomspace(max(4.0, min(bits) / 1.6), max(bits) * 1.6, PLACES)
    lines = []
    for promised in classes.values():
        values = [best_lower(first["n"], m, first["s"], key, float(b), **promised).value for b in along]  # type: ignore[arg-type]
        lines.append(Curve(f"provable for the worst {_name(promised)}", along.tolist(), values))
    return lines


def _name(promised: dict[str, Any]) -> str:
    if "pieces" in promised:
        return f"histogram of {promised['pieces']} pieces"
    return f"p on {promised['support']} symbols" if "support" in promised else "p"


def needed(point: Point, key: str, error: float) -> float | None:
    """Bits that the worst p of a protocol's class provably needs at this error; None where no bound says so."""
    first = point.first
    promised = class_of(first) if first["kind"] == "learn" else None
    if promised is None or first["s"] > 1 or not error > 0:
        return None
    return _needed(first["n"], first["m"], key, error, tuple(promised.items()))


@cache
def _needed(n: int, m: int, key: str, error: float, promised: tuple[tuple[str, Any], ...]) -> float:
    return best_lower_bits(n, m, key, error, **dict(promised)).value  # type: ignore[arg-type]


def prediction(point: Point, key: str) -> float | None:
    """The mean of the protocol's own exact predictions of an error, None where it makes none."""
    if key == "l2_squared":
        return predicted(point.records)
    values = [r["risk_l1"] for r in point.records if r.get("risk_l1") is not None and r["risk_exact"]]
    return mean(values) if key == "l1" and len(values) == len(point.records) else None


def ratios(problem: Problem) -> list[Ratio]:
    """Measured over provable of every point of a problem under a prior, the nearest to 1 first."""
    if not problem.prior or problem.first["spec"]["distribution"]["name"] != "cos2_haar":
        return []
    found = [_ratio(point) for point in problem.points]
    return sorted((one for one in found if one is not None), key=lambda one: one.bits.value)


def _ratio(point: Point) -> Ratio | None:
    first = point.first
    prior = first["spec"]["distribution"]
    bits = [float(record["payload_bits"]) for record in point.records]
    errors = [float(record["l2_squared"]) for record in point.records]

    def at(error: float) -> float:
        return bits_under_prior(error, prior["n_sub"], prior["a"], prior["D"])

    def least(n_bits: float) -> float:
        return under_prior.l2_squared(prior, first["m"], first["s"], n_bits, first["bits_per_server"])

    error, n_bits = mean(errors), mean(bits)
    if not error > 0 or not at(error) > 0:
        return None

    def over_bits(means: intervals.Floats) -> float:
        needs = at(float(means[1]))
        return float(means[0]) / needs if needs > 0 else math.inf

    def over_error(means: intervals.Floats) -> float:
        return float(means[1]) / least(float(means[0]))

    def of_both(function: Any) -> Interval:
        if len(bits) < 2:
            return Interval(function(np.array([n_bits, error])), None, None)
        found = intervals.through(function, [bits, errors])
        return Interval(found.value, *found.interval(CONFIDENCE))

    named = f"n' = {prior['n_sub']}, a = {prior['a']}, D = {prior['D']:g}"
    return Ratio(point, error, at(error), of_both(over_bits), least(n_bits), of_both(over_error), named)
