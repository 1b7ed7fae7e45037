"""Aims: a budget that each method turns into its own parameters, or a target that is to be met with the fewest bits."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from distest.errors import UsageError, unknown

AIMS = ("budget", "target")
PER = {"learn": ("server", "total"), "train": ("coordinate", "step", "server", "total")}
ERRORS = ("l1", "l2", "l2_squared")  # that a target of `learn` may be about


@dataclass(frozen=True, slots=True)
class Budget:
    """Bits that may be sent: of all servers together, of each, or in training of a step or a coordinate as well.

    per: "total"; "server": the most that one may write, in training the mean of the workers; "step": all workers
    together; "coordinate": a worker, a step. All directions count.
    """

    bits: float
    per: str

    def described(self) -> dict[str, Any]:
        """For a record."""
        return {"budget": {"bits": self.bits, "per": self.per}}


@dataclass(frozen=True, slots=True)
class Target:
    """The mean over repeats of what is to be reached. key: l1, l2 or l2_squared of `learn`, a column of a series of
    `train`. bits_max: bits of a run beyond which nothing is tried."""

    key: str
    value: float
    bits_max: float = math.inf

    def described(self) -> dict[str, Any]:
        """For a record."""
        return {"target": {self.key: self.value}}


Aim = Budget | Target


def aim_of(kind: str, table: Mapping[str, Any]) -> Aim | None:
    """The aim of a table with `budget` or `target`. Raises UsageError for both, and for what is neither."""
    if len(table) > 1:
        raise UsageError("give a budget or a target, not both: a target is the search for the fewest bits")
    for key, value in table.items():
        if not isinstance(value, dict):
            example = "{ bits = 3, per = 'server' }" if key == "budget" else "{ l1 = 0.1 }"
            raise UsageError(f"a {key} is a table such as {example}, got {value!r}")
        return _budget(kind, value) if key == "budget" else _target(kind, value)
    return None


def _budget(kind: str, table: dict[str, Any]) -> Budget:
    for key in table:
        if key not in ("bits", "per"):
            raise UsageError(unknown("key of a budget", key, ("bits", "per")))
    bits, per = _number("a budget", "bits", table.get("bits")), table.get("per", "total")
    per = "server" if per == "worker" and kind == "train" else per
    if per not in PER[kind]:
        raise UsageError(unknown(f"unit of a budget of [[{kind}]]", str(per), PER[kind]))
    return Budget(bits, per)


def _target(kind: str, table: dict[str, Any]) -> Target:
    keys = [key for key in table if key != "bits_max"]
    if len(keys) != 1:
        known = "l1, l2 or l2_squared" if kind == "learn" else "loss, or another column of the series"
        raise UsageError(f"a target names one number that is to be reached ({known}), got {keys or 'none'}")
    (key,) = keys
    if kind == "learn" and key not in ERRORS:
        raise UsageError(unknown("error that a target of [[learn]] may name", key, ERRORS))
    most = _number("a target", "bits_max", table.get("bits_max", 1 << 62))
    return Target(key, _number("a target", key, table[key], signed=kind == "train"), most)


def _number(what: str, key: str, value: Any, signed: bool = False) -> float:
    try:
        number = msgspec.convert(value, float)
    except msgspec.ValidationError:
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or (number <= 0 and not signed):
        raise UsageError(f"{what} has a {'finite' if signed else 'positive'} number of {key!r}, got {value!r}")
    return number
