"""Time on a network, modelled from the ledger: latency of the turns, bits of the busiest link, measured computing.

    seconds = alpha * hops + bits of the busiest link / speed + seconds of computing

Hops are turns, since the messages of a turn are under way together; a turn on the board among W workers goes around a
ring and takes W - 1. The busiest link is the one of a worker (of a ring of workers, as the ledger has it) or that of
the server, whichever carries more one way. Computing of training is what was measured, divided by the workers that a
rank played one after another. Of learning it is left out: a record has one time for all servers, which a simulation
plays one after another, and its referee.
"""

from __future__ import annotations

import math
import statistics as middle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from analysis.report.material import Target
from analysis.report.points import Point
from analysis.report.verdict import Verdict, arrived

Row = dict[str, Any]
SPEEDS = (1e8, 1e9, 1e10)  # bits a second
ALPHA = 50e-6  # seconds a hop: a round trip inside a data centre, through TCP


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run asks of a network. link_bits: of the busiest link; compute: seconds."""

    hops: float
    link_bits: float
    compute: float

    def seconds(self, speed: float, alpha: float) -> float:
        """The time that is modelled at so many bits a second and seconds a hop."""
        return alpha * self.hops + self.link_bits / speed + self.compute


@dataclass(frozen=True, slots=True)
class Timed:
    """The cost of a method up to its target, and below which speed of the links it is faster than the one that sends
    most (infinity: at any; None: it is that one, or never)."""

    verdict: Verdict
    cost: Cost
    pays_below: float | None


@cache
def cost(point: Point) -> Cost | None:
    """The cost of a whole run, the median over repeats; None where nothing was booked."""
    if not point.booked:
        return None
    first = point.first
    parties = first["m"] if first["kind"] == "learn" else first["workers"]
    rows = point.records
    around = parties - 1 if first["kind"] == "train" and any(r["payload_bits_board"] for r in rows) else 1
    share = first["ranks"] / parties if first["kind"] == "train" else 0.0
    return Cost(
        middle.median(record["rounds"] * max(1, around) for record in rows),
        middle.median(_busiest(record) for record in rows),
        middle.median(record["seconds"] * share for record in rows),
    )


def _busiest(record: Row) -> int:
    """Bits of the link that carries most one way."""
    at_server = record["payload_bits_up"] + (record["payload_bits_board"] if record["kind"] == "learn" else 0)
    return int(max(at_server, record["payload_bits_down"], record.get("link_bits") or 0))


def timed(rows: Sequence[Verdict], target: Target) -> list[Timed]:
    """The cost of every method that reaches the target, up to there; in the order of the verdict."""
    found = [(row, reached) for row in rows if (reached := _until(row, target)) is not None]
    if not found:
        return []
    most = max((reached for _, reached in found), key=lambda one: one.link_bits)
    return [Timed(row, reached, _pays_below(reached, most)) for row, reached in found]


def _until(row: Verdict, target: Target) -> Cost | None:
    """The cost up to the target: of training the share of bits, turns and seconds behind the runs that reached it."""
    whole = cost(row.point)
    if whole is None or row.censored:
        return None
    if row.point.first["kind"] == "learn" or not row.point.series:
        return whole
    share = {
        key: middle.median(run.bits for run in arrived(row.point, target, key) if not run.censored)
        for key in ("step", "payload_bits", "seconds")
    }
    first = row.point.first
    seconds = middle.median(record["seconds"] for record in row.point.records)
    return Cost(
        whole.hops * share["step"] / first["steps"],
        whole.link_bits * share["payload_bits"] / row.point.bits if row.point.bits else 0.0,
        whole.compute * share["seconds"] / seconds if seconds else 0.0,
    )


def _pays_below(one: Cost, most: Cost, alpha: float = ALPHA) -> float | None:
    """The speed of links below which a method beats the one whose busiest link carries most."""
    saved = most.link_bits - one.link_bits
    if saved <= 0:
        return None
    more = one.seconds(math.inf, alpha) - most.seconds(math.inf, alpha)
    return saved / more if more > 0 else math.inf
