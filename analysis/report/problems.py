"""Problems: which points answer the same question, what it is called, and which error the verdict asks for."""

from __future__ import annotations

import json
import math
import statistics as middle
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from analysis.compare import law
from analysis.report import words
from analysis.report.material import Target
from analysis.report.points import Point, of, points

Row = dict[str, Any]
PRIORS = ("cos2_haar", "pairs")
MOST = 0.75  # the share of the methods that reach a target which nobody chose

_SAME = {
    "learn": ("n", "s", "distribution", "data", "data_sha256", "sampling", "estimator", "servers"),
    "train": ("problem", "workers", "shards"),
}
_METHOD = {"learn": ("protocol",), "train": ("method",)}
NAMES = {
    "l1": "l1 error",
    "l2_squared": "squared l2 error",
    "loss": "loss",
    "gap": "loss above the least",
    "accuracy": "accuracy",
}


@dataclass(frozen=True)
class Problem:
    """Points that may be compared with each other: one law or data set to learn, or one loss to make small."""

    kind: str
    points: Sequence[Point]

    @property
    def first(self) -> Row:
        """A record of it."""
        return self.points[0].first

    @cached_property
    def prior(self) -> bool:
        """Whether p is drawn from the prior of a bound: a law of its own for each protocol, so ratios, no verdict."""
        return self.kind == "learn" and self.first["spec"].get("distribution", {}).get("name") in PRIORS

    @cached_property
    def name(self) -> str:
        """What is learned or trained, in a few words."""
        spec = self.first["spec"]
        if self.prior:
            return f"prior {spec['distribution']['name']}"
        if self.kind == "learn":
            return law(self.first).partition(" (")[0]
        options = [f"{key}={value}" for key, value in spec["problem"].items() if key == "data"]
        return " ".join([str(spec["problem"]["name"]), *options])

    @cached_property
    def sizes(self) -> str:
        """Its size, in letters of the field."""
        first = self.first
        if self.kind == "train":
            return (
                f"d = {words.grouped(first['d'])}, {words.plural(first['workers'], 'worker')}, shards {_shards(first)}"
            )
        servers = sorted({point.first["m"] for point in self.points})
        shown = words.grouped(servers[0]) + (f" to {words.grouped(servers[-1])}" if len(servers) > 1 else "")
        return f"n = {words.grouped(first['n'])}, {shown} servers, {words.plural(first['s'], 'sample')} each"

    @cached_property
    def varied(self) -> list[str]:
        """Keys of the specs, beside the method, in which its points differ."""
        kept = (*_SAME[self.kind], *_METHOD[self.kind], "kind")
        tables = [point.first["spec"] for point in self.points]
        keys = [key for key in tables[0] if key not in kept]
        return [key for key in keys if len({json.dumps(table.get(key)) for table in tables}) > 1]

    def setting(self, point: Point) -> str:
        """How a point of a method was run: its budget and what varies beside it, "b=3, m = 8000"."""
        spec = point.first["spec"]
        said = [f"{key} = {_shown(spec.get(key))}" for key in self.varied]
        return ", ".join([*([point.budget] if point.budget else []), *said])

    @cached_property
    def methods(self) -> dict[str, list[Point]]:
        """The points of each method, whatever its budget."""
        found: dict[str, list[Point]] = {}
        for point in self.points:
            found.setdefault(point.method, []).append(point)
        return found

    @cached_property
    def views(self) -> list[str]:
        """The values that can be looked at, the one that matters most first."""
        if self.kind == "learn":
            l1 = all(point.first["spec"]["loss"] == "l1" for point in self.points)
            return ["l1", "l2_squared"] if l1 else ["l2_squared", "l1"]
        gap = all(point.first.get("optimum") is not None for point in self.points)
        right = all("accuracy" in point.first for point in self.points)
        return [*(["gap"] if gap else []), "loss", *(["accuracy"] if right else [])]

    def target(self, asked: Target | None) -> Target:
        """The target asked for, where it speaks of a value of this problem; else that of the sweep; else what most
        methods reach."""
        for wanted in (asked, *_searched(self.points)):
            if wanted is not None and wanted.key in self.views:
                return wanted
        key = "loss" if self.kind == "train" else self.views[0]
        best = sorted(min(_reached(point, key) for point in found) for found in self.methods.values())
        value = words.round_up(best[math.ceil(MOST * len(best)) - 1], 3)
        return Target(key, value, f"what {_share(best, value)} reach")


def problems(records: Iterable[Row], series: Mapping[str, Sequence[Row]]) -> list[Problem]:
    """The problems of records, in order of first appearance; all runs under one prior of a bound are one."""
    found: dict[str, list[Point]] = {}
    for point in points(records, series):
        found.setdefault(_key(point.first), []).append(point)
    return [Problem(some[0].first["kind"], some) for some in found.values()]


def _searched(found: Sequence[Point]) -> list[Target]:
    """The targets of the sweep, or of the search for rates, that made the points, the most frequent first; l2 is told
    by its square."""
    told = Counter(
        (key, value) for point in found for key, value in point.first.get("plan", {}).get("target", {}).items()
    )
    squared = {"l2": "l2_squared"}
    swept = [
        Target(squared.get(key, key), value**2 if key in squared else value, "as the sweep asks")
        for (key, value), _ in told.most_common()
    ]
    tuned = Counter((point.first.get("tuning") or {}).get("target") for point in found)
    return swept + [
        Target("loss", value, "as the search for step sizes asked") for value, _ in tuned.most_common() if value
    ]


def _key(record: Row) -> str:
    kind, spec = record["kind"], record["spec"]
    same: dict[str, Any] = {key: spec.get(key) for key in _SAME[kind]}
    if kind == "learn" and (spec.get("distribution") or {}).get("name") in PRIORS:
        same["distribution"] = spec["distribution"]["name"]
    return json.dumps([kind, same], sort_keys=True)


def _reached(point: Point, key: str) -> float:
    """The least value that a point shows: of training the median over repeats of the least on the way."""
    if point.first["kind"] == "learn":
        return point.value(key).value
    ends: list[float] = [min(of(row, key) for row in series) for series in point.series]
    return middle.median(ends or [of(record, key) for record in point.records])


def _share(best: Sequence[float], value: float) -> str:
    count = sum(one <= value for one in best)
    return f"{count} of {words.plural(len(best), 'method')}" if count < len(best) else "all methods"


def _shards(record: Row) -> str:
    return str(record["spec"].get("shards", "iid"))


def _shown(value: Any) -> str:
    shapes: dict[type, Callable[[Any], str]] = {bool: lambda v: "yes" if v else "no", int: words.grouped}
    return shapes.get(type(value), str)(value)
