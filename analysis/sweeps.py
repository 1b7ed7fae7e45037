"""The table of a sweep: method, what varies, bits, error or loss with its interval, bits at the target."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from analysis import compare
from analysis.statistics import RISING, Interval, Reached, median_arrival, student

Row = dict[str, Any]
NOTE = "from, to: 95 %, Student's"
NO_SCIPY = 'from, to: not known without scipy: pip install "distest[train]"'
AT_TARGET = {
    "learn": "bits at target: the fewest, on average over the repeats, with which the mean error met it",
    "train": "bits at target: the median over the repeats of the bits at the first evaluation that met it; those that "
    "never did count as not there yet",
}
_SKIPPED = ("kind", "protocol", "method", "evaluate", "data_sha256")


def verdicts(records: Iterable[Row], diverged: Iterable[Row] = ()) -> list[Row]:
    """One row for each spec that was run, in the order of the sweep; searched ones as one row for each method.

    diverged: what is kept of trials that have no record. A point of which no trial has one has no row.
    """
    groups = compare.groups(records)
    lost = Counter(_point(row) for row in diverged)
    changing = _changing([group[0]["spec"] for group in groups])
    searches: dict[str, list[_Group]] = {}
    for group in groups:
        searches.setdefault(_search(group[0]), []).append(_Group(group, lost[_point(group[0])]))
    return [_verdict(found, changing) for found in searches.values()]


def note(kind: str, rows: Sequence[Row]) -> str:
    """What has to be said of a table."""
    ends = NO_SCIPY if any(row["runs"] > 1 and row.get("from", 0) is None for row in rows) else NOTE
    return "; ".join([ends, AT_TARGET[kind]] if any("bits at target" in row for row in rows) else [ends])


def _search(record: Row) -> str:
    """What the groups of one search have in common; a group of no search stands alone."""
    if "target" not in record.get("plan", {}):
        return str(record["spec_hash"])
    return json.dumps(record["sweep"]["trial"][:3])


def _point(record: Row) -> str:
    """What the repeats of one point have in common."""
    return json.dumps(record.get("sweep", {}).get("trial", [])[:4])


@dataclass(frozen=True)
class _Group:
    """The records of one point; diverged: how many of its trials have none."""

    records: Sequence[Row]
    diverged: int

    @property
    def target(self) -> tuple[str, float] | None:
        """What was to be reached: the name of a column and a number."""
        return next(iter(self.records[0].get("plan", {}).get("target", {}).items()), None)

    def arrivals(self) -> list[Reached]:
        """Of training: the bits of every run to its target."""
        told = [(record["plan"]["bits_at_target"], record["payload_bits"]) for record in self.records]
        arrived = [Reached(spent if bits is None else bits, bits is None) for bits, spent in told]
        return arrived + [Reached(math.inf, True)] * self.diverged

    def bits_at_target(self) -> float:
        """Infinite where it was not met."""
        if self.records[0]["kind"] == "train":
            return median_arrival(self.arrivals())
        assert self.target is not None
        key, value = self.target
        met = self.reached(key) <= value
        return compare.mean([record["payload_bits"] for record in self.records]) if met else math.inf

    def reached(self, key: str) -> float:
        """The mean of an error."""
        found = compare.mean([record["l2_squared" if key == "l2" else key] for record in self.records])
        return math.sqrt(found) if key == "l2" else found

    def distance(self) -> float:
        """The less, the nearer it came."""
        assert self.target is not None
        key, _ = self.target
        if self.records[0]["kind"] == "learn":
            return self.reached(key)
        best = compare.mean([record["plan"]["best"] for record in self.records])
        return -best if key in RISING else best


def _verdict(groups: Sequence[_Group], changing: Sequence[str]) -> Row:
    best = min(groups, key=lambda one: (one.bits_at_target(), one.distance())) if groups[0].target else groups[0]
    group, first = best.records, best.records[0]
    key = "l1" if first["kind"] == "learn" else "loss"
    if best.target is not None:
        key, _ = best.target
    row: Row = {"method": first["label"]}
    flat = _flat(first["spec"])
    row |= {name: flat.get(name) for name in changing}
    row |= {"runs": len(group), "bits": round(compare.mean([record["payload_bits"] for record in group]))}
    values = [math.sqrt(record["l2_squared"]) if key == "l2" else record[key] for record in group if key in record]
    if values:
        value, low, high = _interval(values)
        row |= {key: value, "from": low, "to": high}
    if best.diverged:
        row["diverged"] = best.diverged
    if best.target is not None:
        bits = best.bits_at_target()
        if first["kind"] == "train":
            row["runs at target"] = sum(not run.censored for run in best.arrivals())
        row["bits at target"] = round(bits) if math.isfinite(bits) else "not met"
    return row


def _interval(values: Sequence[float]) -> Interval:
    """The mean with Student's interval; without scipy nothing is known of its error."""
    try:
        return student(values)
    except ImportError:
        return Interval(compare.mean(values), None, None)


def _changing(specs: Sequence[Row]) -> list[str]:
    """Keys in which specs differ, the protocol and the method left out: the label names these."""
    flats = [_flat(spec) for spec in specs]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    return [key for key in keys if len({json.dumps(flat.get(key)) for flat in flats}) > 1]


def _flat(spec: Row) -> Row:
    """A spec as one level: dotted keys."""
    flat: Row = {}
    for key, value in spec.items():
        if key in _SKIPPED:
            continue
        if isinstance(value, dict):
            flat |= {key if inner == "name" else f"{key}.{inner}": each for inner, each in value.items()}
        else:
            flat[key] = value
    return flat
