"""Alarms: records that contradict each other, and transcripts that do not say what their records do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from analysis.report.material import Audits

Row = dict[str, Any]
_RESULTS = ("digest", "estimate_sha256", "model_sha256", "payload_bits", "l1", "l2_squared", "loss")


def alarms(records: Iterable[Row], audits: Audits | None) -> list[str]:
    """A sentence for each contradiction; none for a sound set of records.

    A run in the order of real time ("live") and sums that were left to MPI (fast) may differ from run to run.
    """
    return [*_contradictions(records), *(f"The audit of {wrong}" for wrong in (audits.wrong if audits else ()))]


def _contradictions(records: Iterable[Row]) -> list[str]:
    seen: dict[tuple[Any, Any, Any], Row] = {}
    said: dict[tuple[Any, Any, Any], str] = {}
    for record in records:
        if "trace" in record or record.get("ledger") == "none":
            continue
        run = (record["spec_hash"], record["seed"], record["repeat"])
        earlier = seen.setdefault(run, record)
        differing = [key for key in _RESULTS if record.get(key) != earlier.get(key)]
        if differing:
            said[run] = (
                f"{record['label']}, seed {record['seed']}, repeat {record['repeat']} (spec {record['spec_hash']}) was "
                f"run twice with different results: {_both(differing[0], earlier, record)}"
            )
    return list(said.values())


def _both(key: str, one: Row, other: Row) -> str:
    return f"{key} is {_short(one.get(key))} and {_short(other.get(key))}"


def _short(value: Any) -> str:
    return f"{value[:12]}…" if isinstance(value, str) and len(value) > 12 else str(value)


def versions(records: Sequence[Row]) -> list[str]:
    """The versions of Python, numpy, ... behind the records, each combination once."""
    found = {", ".join(f"{name} {number}" for name, number in sorted(r.get("versions", {}).items())) for r in records}
    return sorted(found)
