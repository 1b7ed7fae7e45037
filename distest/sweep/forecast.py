"""What a sweep will take: how many trials, what varies, and how long, from a few short runs."""

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from distest import spec, train_spec
from distest.records import canonical
from distest.spec import Table
from distest.sweep.aim import Target
from distest.sweep.asked import Case, Part, Sweep
from distest.sweep.budget import complete
from distest.sweep.dial import dial_of
from distest.sweep.trial import Maker
from distest.wire.transport import Solo

LOOKED_AT = 20_000  # tables of a grid that are looked at one by one; of more, this many at even distances
TIMED = 12  # protocols and methods of which a trial is timed
SEARCHES = 8  # points that a search is taken to look at


@dataclass(frozen=True, slots=True)
class Forecast:
    """trials: how many; exact: whether they were counted one by one, in a sweep of no searches. axes: of each grid, in
    words. varied: what differs between cases, one row for each of the first. seconds: of one core, by `how`."""

    trials: int
    exact: bool
    axes: list[str]
    varied: list[Table]
    seconds: float
    how: str = (
        "the cheapest trial of each protocol or method was run; the others are taken to cost as much more as they have "
        "more samples (learn) or rows of gradients (train)"
    )


def count(sweep: Sweep) -> tuple[int, bool]:
    """Trials, and whether that is exact."""
    total, exact = 0, True
    for part in sweep.parts:
        found, sure = _count(part)
        total, exact = total + found, exact and sure
    return total, exact


def _count(part: Part) -> tuple[int, bool]:
    heads = {key.split(".")[0] for key in part.grid.keys}
    constant = not heads & {"protocol", "protocols", "method", "methods", "repeats", "target"}
    places = _places(part.grid.size, 1 if constant else LOOKED_AT)
    trials, searched = 0, False
    for place in places:
        for case in part.cases(place):
            trials += case.repeats * _points(case)
            searched |= _points(case) > 1
    every = constant or len(places) == part.grid.size
    return round(trials * part.grid.size / len(places)), every and not searched


def _points(case: Case) -> int:
    return SEARCHES if isinstance(case.aim, Target) else 1


def _places(size: int, most: int) -> range | list[int]:
    """All places of a grid, or so many at even distances."""
    return range(size) if size <= most else [place * size // most for place in range(most)]


def forecast(sweep: Sweep, shown: int = 20) -> Forecast:
    """Count, and time the cheapest trial of each protocol and method, of the first so many."""
    trials, exact = count(sweep)
    work: dict[str, list[float]] = {}
    cheapest: dict[str, tuple[float, Case]] = {}
    first: list[Case] = []
    axes = []
    for part in sweep.parts:
        places = _places(part.grid.size, LOOKED_AT // 10)
        weight = part.grid.size / len(places)
        if part.grid.size > 1:
            axes.append(f"{part.kind}: {part.grid}")
        for case in itertools.islice(itertools.chain.from_iterable(map(part.cases, range(part.grid.size))), shown):
            first.append(case)
        for place in places:
            for case in part.cases(place):
                name = f"{case.kind} {case.part.get('name')}"
                own = _work(case)
                work.setdefault(name, []).append(own * case.repeats * weight * _points(case))
                if name not in cheapest or own < cheapest[name][0]:
                    cheapest[name] = own, case
    rates = dict(_rates(cheapest))
    usual = math.fsum(rates.values()) / max(1, len(rates))
    seconds = math.fsum(math.fsum(each) * rates.get(name, usual) for name, each in work.items())
    return Forecast(trials, exact, axes, varied(first[:shown]), seconds)


def _rates(cheapest: dict[str, tuple[float, Case]]) -> Iterator[tuple[str, float]]:
    """Seconds by unit of work of each name, of a second run: the first compiles and loads."""
    maker = Maker(Solo())
    for name, (own, case) in list(cheapest.items())[:TIMED]:
        table = _complete(case)
        maker.make(case.kind, table, 0)
        start = time.perf_counter()
        maker.make(case.kind, table, 0)
        yield name, (time.perf_counter() - start) / own


def _complete(case: Case) -> Table:
    """A table that can be run where a budget or target leaves something open: with the usual bits and servers."""
    if case.kind == "learn" and case.table.get("m") is None and case.table.get("data") is None:
        case = replace(case, table={**case.table, "m": _USUAL_M})
    dial = dial_of(case) if case.aim is not None else None
    return case.table if dial is None else complete(case, dial)


_USUAL_M = 1000


def _work(case: Case) -> float:
    """Samples of a trial, or rows of all its gradients."""
    table = case.table
    if case.kind == "learn":
        asked = spec.check(table)
        return float((asked.m or _USUAL_M) * asked.s + (asked.n or 0))
    asked_ = train_spec.check(table)
    rows = asked_.batch or 100
    return float(asked_.steps * asked_.workers * rows)


def varied(cases: list[Case]) -> list[Table]:
    """The protocol or method of each case, and keys in which cases differ."""
    rows = [_flat(case) for case in cases]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    changing = [key for key in keys if key in _ONE or len({str(row.get(key)) for row in rows}) > 1]
    return [
        {"kind": case.kind, **{key: row.get(key) for key in changing}} for case, row in zip(cases, rows, strict=True)
    ]


_ONE = ("protocol", "method")


def _flat(case: Case) -> Table:
    plural = "protocols" if case.kind == "learn" else "methods"
    plain: dict[str, Any] = {plural[:-1]: _short(case.part)}
    if case.aim is not None:
        plain |= {key: _short(value) for key, value in case.aim.described().items()}
    for key, value in case.table.items():
        if key != plural:
            plain[key] = _short(value) if isinstance(value, dict) else value
    return plain


def _short(table: Table) -> str:
    """A table in a line."""
    words = [] if "name" not in table else [str(table["name"])]
    for key, value in table.items():
        if key != "name":
            words.append(f"{key}={_short(value) if isinstance(value, dict) else canonical(value).strip(chr(34))}")
    return " ".join(words)
