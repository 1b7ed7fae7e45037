"""Checks of what theory says against records: slopes, constants, ratios and bounds, each with an interval.

A check passes when its whole confidence interval lies where theory puts the number. So a run that is too noisy to
tell does not pass. Checks are data (scripts/specs/thresholds.toml); nothing here knows an experiment.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from analysis import intervals
from analysis.bounds import under_prior
from analysis.bounds.total_bits_l2 import bits_under_prior
from analysis.compare import law
from analysis.intervals import Estimate

Record = dict[str, Any]
Table = dict[str, Any]
ROUNDING = 1e-9  # relative slack for numbers that are the same in every repeat
SURE = 3.0  # standard errors within which an exact formula has to be met


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One number and where it has to lie.

    what: in words, for the table. kind: "mean" of y; "worst": the largest y of all repeats; "ratio" of the mean
    of y to that of the records `against`;
    "slope" of log mean y against log x; "line": slope of mean y against x; "least": the x at which mean y is smallest
    (its interval: all x that are not worse with confidence); "bits": payload bits over those that are provably needed
    for the mean of y, and "error": mean of y over what is provable at the measured bits, both under the prior of the
    bound itself.
    where, against: which records, by column: a value, or a list of them. by: one number for each combination of
    these columns; the worst is shown. expected with tolerance, or low and high: where the interval has to be; expected
    may be a product of columns, or a table by group; with `share` the tolerance is a share of it. exact: expected has
    to be within 3 standard errors as well.
    quick: what a quick run changes in these fields, tolerances only.
    """

    what: str
    kind: Literal["mean", "worst", "ratio", "slope", "line", "least", "bits", "error"]
    y: str = "l2_squared"
    x: str = ""
    where: Table = {}
    against: Table = {}
    by: list[str] = []
    expected: float | str | dict[str, float] | None = None
    tolerance: float = 0.0
    share: bool = False
    low: float | None = None
    high: float | None = None
    exact: bool = False
    quick: dict[Literal["tolerance", "low", "high"], float] = {}


class Plant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error that a real bug would make: columns of some records, each multiplied by a product of columns.

    what: the bug in words.
    """

    what: str
    scale: dict[str, str]
    where: Table = {}


class Experiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Checks on the records of one spec. quick: settings (as for --set) that make its run short."""

    title: str
    checks: list[Check]
    plant: Plant
    quick: list[str] = []


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why thresholds are what they are since a day. digest: of all experiments, as `digest` gives it."""

    day: str
    why: str
    digest: str


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of thresholds. confidence: of every interval."""

    confidence: float
    changes: list[Change]
    experiments: dict[str, Experiment]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: the worst of its groups. low, high: where the interval has to be."""

    what: str
    group: str
    groups: int
    value: float
    interval: tuple[float, float]
    expected: float | None
    low: float
    high: float
    passed: bool


def read(table: Table) -> Thresholds:
    """The thresholds of a TOML table. Raises msgspec.ValidationError where it does not fit."""
    return msgspec.convert(table, Thresholds)


def digest(table: Table) -> str:
    """12 hex digits that change with any threshold, spec setting or planted error."""
    kept = json.dumps([table["confidence"], table["experiments"]], sort_keys=True)
    return hashlib.sha256(kept.encode()).hexdigest()[:12]


def run(experiment: Experiment, records: Sequence[Record], confidence: float, quick: bool = False) -> list[Finding]:
    """Every check of an experiment on its records. Raises ValueError where a check finds no record."""
    return [examine(check, records, confidence, quick) for check in experiment.checks]


def examine(check: Check, records: Sequence[Record], confidence: float, quick: bool = False) -> Finding:
    """The worst group of one check."""
    if quick:
        check = msgspec.structs.replace(check, **check.quick)
    chosen = split(records, check.where, check.by)
    others = split(records, check.against, check.by) if check.kind == "ratio" else {}
    if not chosen or (check.kind == "ratio" and set(chosen) != set(others)):
        raise ValueError(f"{check.what!r} has no records, or not on both sides of its ratio")
    found = []
    for group, members in chosen.items():
        expected = _expected(check, group, members[0])
        low, high = _band(check, expected)
        if check.kind == "least":
            value, interval = _least(check, members, confidence)
            near = True
        else:
            estimate = _MEASURES[check.kind](check, members, others.get(group, []))
            value, interval = estimate.value, estimate.interval(confidence)
            near = not check.exact or abs(value - (expected or 0)) <= SURE * estimate.error + ROUNDING * abs(value)
        slack = ROUNDING * abs(value)
        inside = low - slack <= interval[0] and interval[1] <= high + slack
        found.append(
            Finding(
                what=check.what,
                group=group,
                groups=len(chosen),
                value=value,
                interval=interval,
                expected=expected,
                low=low,
                high=high,
                passed=bool(inside and near),
            )
        )
    return min(found, key=_room)


def _room(finding: Finding) -> tuple[bool, float]:
    """How far a finding is from failing: failures first, then the least room as a share of the band."""
    band = finding.high - finding.low
    scale = band if math.isfinite(band) and band > 0 else abs(finding.value) or 1.0
    room = min(finding.interval[0] - finding.low, finding.high - finding.interval[1])
    return finding.passed, room / scale


def planted(plant: Plant, records: Iterable[Record]) -> list[Record]:
    """The records as they would be with the error planted."""
    found = []
    for record in records:
        changed = record
        if _fits(record, plant.where):
            changed = copy.copy(record)
            for column, factor in plant.scale.items():
                changed[column] = record[column] * product(record, factor)
        found.append(changed)
    return found


# ---- columns


def column(record: Record, name: str) -> Any:
    """A value of a record by its dotted name, in the record itself or in its spec, or one that is made of them.

    bits: b, the cap of bits per server. cells: 2^b - 1. half: 2^(b-1). samples: m s. doublings: log2 n. law: in a
    few words. Raises ValueError for an unknown name.
    """
    if name in _MADE:
        return _MADE[name](record)
    for root in (record, record["spec"]):
        place: Any = root
        for key in name.split("."):
            place = place.get(key) if isinstance(place, dict) else None
        if place is not None and not isinstance(place, dict):
            return place
    raise ValueError(f"no column {name!r} in the records of {record['label']}")


_MADE: dict[str, Callable[[Record], Any]] = {
    "bits": lambda record: record["bits_per_server"],
    "cells": lambda record: 2 ** record["bits_per_server"] - 1,
    "half": lambda record: 2 ** (record["bits_per_server"] - 1),
    "doublings": lambda record: math.log2(record["n"]),
    "samples": lambda record: record["m"] * record["s"],
    "law": law,
}
_FACTOR = re.compile(r"([*/])?\s*([a-z0-9_.]+)(?:\^(-?[0-9.]+))?\s*")


def product(record: Record, text: str) -> float:
    """The value of a product of columns and numbers, such as "l2_squared * m / 2 * cells^0.5"."""
    value, place = 1.0, 0
    while place < len(text):
        found = _FACTOR.match(text, place)
        if not found or (found[1] is None) != (place == 0):
            raise ValueError(f"a product is written a * b^2 / c, got {text!r}")
        name = found[2]
        factor = float(name) if name[0].isdigit() else float(column(record, name))
        value *= factor ** (float(found[3] or 1) * (-1 if found[1] == "/" else 1))
        place = found.end()
    return value


def _fits(record: Record, where: Table) -> bool:
    for name, wanted in where.items():
        try:
            value = column(record, name)
        except ValueError:
            return False
        if value not in (wanted if isinstance(wanted, list) else [wanted]):
            return False
    return True


def split(records: Iterable[Record], where: Table, by: Sequence[str]) -> dict[str, list[Record]]:
    """The records that fit, by group: "256, grouping b=3"."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        if _fits(record, where):
            groups.setdefault(", ".join(str(column(record, name)) for name in by), []).append(record)
    return groups


def _values(records: Iterable[Record], y: str) -> list[float]:
    """One value a repeat: y, averaged over the records that share the repeat's coins."""
    repeats: dict[tuple[int, int], list[float]] = {}
    for record in records:
        repeats.setdefault((record["seed"], record["repeat"]), []).append(product(record, y))
    return [math.fsum(values) / len(values) for _, values in sorted(repeats.items())]


def _along(check: Check, records: Iterable[Record]) -> dict[float, list[float]]:
    """The values at every x."""
    return {
        product(members[0], check.x): _values(members, check.y)
        for members in split(records, {}, re.findall(r"[a-z_][a-z0-9_.]*", check.x)).values()
    }


# ---- numbers


def _expected(check: Check, group: str, record: Record) -> float | None:
    if isinstance(check.expected, dict):
        if group not in check.expected:
            raise ValueError(f"{check.what!r} expects nothing of {group!r}; it knows {', '.join(check.expected)}")
        return check.expected[group]
    return product(record, check.expected) if isinstance(check.expected, str) else check.expected


def _band(check: Check, expected: float | None) -> tuple[float, float]:
    low = -math.inf if check.low is None else check.low
    high = math.inf if check.high is None else check.high
    if expected is not None:
        reach = check.tolerance * (abs(expected) if check.share else 1.0)
        low, high = max(low, expected - reach), min(high, expected + reach)
    if not math.isfinite(low) and not math.isfinite(high):
        raise ValueError(f"{check.what!r} says neither what is expected nor a limit")
    return low, high


def _mean(check: Check, members: list[Record], others: list[Record]) -> Estimate:
    return intervals.mean(_values(members, check.y))


def _worst(check: Check, members: list[Record], others: list[Record]) -> Estimate:
    return Estimate(max(_values(members, check.y)), 0.0, 1)


def _ratio(check: Check, members: list[Record], others: list[Record]) -> Estimate:
    return intervals.ratio(_values(members, check.y), _values(others, check.y))


def _slope(check: Check, members: list[Record], others: list[Record]) -> Estimate:
    along = _along(check, members)
    return intervals.slope(list(along), list(along.values()))


def _line(check: Check, members: list[Record], others: list[Record]) -> Estimate:
    along = _along(check, members)
    return intervals.line(list(along), list(along.values()))


def _bits(check: Check, members: list[Record], others: list[Record]) -> Estimate:
    prior = members[0]["spec"]["distribution"]
    _one_problem(check, members)

    def over_provable(means: intervals.Floats) -> float:
        needed = bits_under_prior(float(means[1]), prior["n_sub"], prior["a"], prior["D"])
        return float(means[0]) / needed if needed > 0 else math.inf

    return intervals.through(over_provable, [_values(members, "payload_bits"), _values(members, check.y)])


def _one_problem(check: Check, members: list[Record]) -> None:
    """Raises ValueError where errors of several problems would be averaged and held against the bound of one."""
    if len({json.dumps([r["m"], r["s"], r["spec"]["distribution"]], sort_keys=True) for r in members}) > 1:
        raise ValueError(f"{check.what!r} averages over several problems; group them by m, s and prior")


def _error(check: Check, members: list[Record], others: list[Record]) -> Estimate:
    first = members[0]
    _one_problem(check, members)
    bound = {"l2_squared": under_prior.l2_squared, "l1": under_prior.l1}[check.y]

    def over_provable(means: intervals.Floats) -> float:
        least = bound(first["spec"]["distribution"], first["m"], first["s"], float(means[0]), first["bits_per_server"])
        return float(means[1]) / least

    return intervals.through(over_provable, [_values(members, "payload_bits"), _values(members, check.y)])


_MEASURES: dict[str, Callable[[Check, list[Record], list[Record]], Estimate]]
_MEASURES = {
    "mean": _mean,
    "worst": _worst,
    "ratio": _ratio,
    "slope": _slope,
    "line": _line,
    "bits": _bits,
    "error": _error,
}


def _least(check: Check, members: list[Record], confidence: float) -> tuple[float, tuple[float, float]]:
    along = _along(check, members)
    best = min(along, key=lambda x: float(np.mean(along[x])))
    rivals = [x for x in along if intervals.ratio(along[x], along[best]).interval(confidence)[0] <= 1]
    return best, (min(rivals), max(rivals))
