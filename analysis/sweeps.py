"""The table of a sweep: method, what varies, bits, error or loss with its interval, bits at the target."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from analysis import compare, intervals, statistics

Row = dict[str, Any]
CONFIDENCE = 0.95
NOTE = "from, to: 95 %, Student's"
NO_SCIPY = 'from, to: not known without scipy: pip install "distest[train]"'
AT_TARGET = {
    "learn": "bits at target: the fewest, on average over the repeats, with which the mean error met it",
    "train": "bits at target: the mean over the repeats of the bits at the first evaluation that met it, where all did",
}
_SKIPPED = ("kind", "protocol", "method", "evaluate", "data_sha256")


def verdicts(records: Iterable[Row]) -> list[Row]:
    """One row for each spec that was run, in the order of the sweep; searched ones as one row for each method."""
    groups = compare.groups(records)
    changing = _changing([group[0]["spec"] for group in groups])
    searches: dict[str, list[list[Row]]] = {}
    for group in groups:
        searches.setdefault(_search(group[0]), []).append(group)
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


def _verdict(groups: Sequence[list[Row]], changing: Sequence[str]) -> Row:
    group, bits_at_target = _best(groups)
    first = group[0]
    key = "l1" if first["kind"] == "learn" else "loss"
    if "target" in first.get("plan", {}):
        key = next(iter(first["plan"]["target"]))
    row: Row = {"method": first["label"]}
    flat = _flat(first["spec"])
    row |= {name: flat.get(name) for name in changing}
    row |= {"runs": len(group), "bits": round(compare.mean([record["payload_bits"] for record in group]))}
    values = [math.sqrt(record["l2_squared"]) if key == "l2" else record[key] for record in group if key in record]
    if values:
        value, low, high = _interval(values)
        row |= {key: value, "from": low, "to": high}
    if any("plan" in record and "target" in record["plan"] for record in group):
        row["bits at target"] = round(bits_at_target) if bits_at_target is not None else "not met"
    return row


def _best(groups: Sequence[list[Row]]) -> tuple[list[Row], float | None]:
    """The group that met the target with the fewest bits, and these; else the one that came nearest, and None."""
    if len(groups) == 1 and "target" not in groups[0][0].get("plan", {}):
        return groups[0], None
    found = [(_bits_at_target(group), group) for group in groups]
    met = [(bits, place) for place, (bits, _) in enumerate(found) if bits is not None]
    if met:
        bits, place = min(met)
        return groups[place], bits
    return min(groups, key=_distance), None


def _bits_at_target(group: Sequence[Row]) -> float | None:
    plan = group[0]["plan"]
    ((key, value),) = plan["target"].items()
    if group[0]["kind"] == "learn":
        met = _reached(group, key) <= value
        return compare.mean([record["payload_bits"] for record in group]) if met else None
    bits = [record["plan"]["bits_at_target"] for record in group]
    return None if any(each is None for each in bits) else compare.mean(bits)


def _reached(group: Sequence[Row], key: str) -> float:
    if key == "l2":
        return math.sqrt(compare.mean([record["l2_squared"] for record in group]))
    return compare.mean([record[key] for record in group])


def _distance(group: Sequence[Row]) -> float:
    ((key, _),) = group[0]["plan"]["target"].items()
    if group[0]["kind"] == "learn":
        return _reached(group, key)
    best = compare.mean([record["plan"]["best"] for record in group])
    return -best if key in statistics.RISING else best


def _interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The mean with Student's interval; without scipy, or of a single run, nothing is known of its error."""
    if len(values) < 2:
        return values[0], None, None
    try:
        found = intervals.mean(values)
        return (found.value, *found.interval(CONFIDENCE))
    except ImportError:
        return compare.mean(values), None, None


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
