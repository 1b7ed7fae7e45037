"""The fewest bits to a target: an adaptive sequence of trials, each with its record, so that a search resumes too.

The repeats of a point share their coins with those of all others. Of a protocol the fewest servers are searched whose
mean error meets the target, on the line through what was seen in logarithms, and its bits from the most down, as long
as that helps. Of a method it is the median over the repeats of the bits at the first evaluation that meets the target,
and its dial goes up and down from where it usually stands, as long as that helps; where the steps do not suffice they
are doubled. So bits are taken to fall and rise once.
"""

import math
from dataclasses import dataclass

from analysis.statistics import RISING, Reached, median_arrival
from distest import experiment, spec, train_spec, training
from distest.errors import UsageError
from distest.spec import Table
from distest.sweep.aim import Target
from distest.sweep.asked import Case
from distest.sweep.budget import MOST, Asking, plan_of
from distest.sweep.dial import Dial, dial_of
from distest.sweep.trial import COLUMNS, Trial

CLOSE = 1.02  # servers that meet the target, over servers that do not: near enough
POINTS = 24  # of one search for the number of servers
LONGER = 2  # times that steps are doubled
LOOKS = 50  # evaluations of a run whose spec does not say
FACTOR = 2.0  # between densities that are tried
_FALLS = {"l1": -0.5, "l2": -0.5, "l2_squared": -1.0}  # errors with m


@dataclass(frozen=True, slots=True)
class Found:
    """The cheapest that met a target, or the best that was reached: its mean bits, what was reached, and how."""

    met: bool
    bits: float
    reached: float
    chosen: Table

    def better(self, other: "Found | None", rising: bool) -> bool:
        """Whether it is, of two."""
        if other is None or self.met != other.met:
            return other is None or self.met
        if self.met:
            return self.bits < other.bits
        return self.reached > other.reached if rising else self.reached < other.reached


class _Points:
    """Numbers the points of a search, which are parts of the places of its trials."""

    def __init__(self, case: Case):
        self._case, self._next = case, 0

    def trials(self, table: Table, chosen: Table, why: str) -> list[Trial]:
        """All repeats of a new point."""
        point, self._next = self._next, self._next + 1
        plan = plan_of(self._case, chosen, why)
        places = ((*self._case.place, point, repeat) for repeat in range(self._case.repeats))
        return [Trial(place, self._case.kind, table, plan) for place in places]


def search(case: Case) -> Asking:
    """The search of a case: yields trials, takes their numbers, and returns what was found."""
    if case.kind == "learn":
        return (yield from _protocol(case))
    return (yield from _method(case))


def _target(case: Case) -> Target:
    assert isinstance(case.aim, Target)
    return case.aim


def _mean(runs: list[list[float]], column: str) -> float:
    return math.fsum(numbers[COLUMNS.index(column)] for numbers in runs) / len(runs)


# ---- protocols


def _protocol(case: Case) -> Asking:
    points = _Points(case)
    dial = dial_of(case)
    if dial is None:
        return (yield from _servers(case, case.part, {}, points))
    best: Found | None = None
    for bits in reversed(dial.values):
        part = {**case.part, "bits": int(bits)}
        if not any(_plays(case, part, m) for m in (1000, 1 << 20, MOST)):
            continue
        found = yield from _servers(case, part, {"bits": int(bits)}, points)
        if found.better(best, False):
            best = found
        elif best is not None and best.met:
            break
    if best is None:
        raise UsageError(f"{case.part.get('name')} takes none of bits={dial.values} here; give it its bits")
    return best


def _servers(case: Case, part: Table, chosen: Table, points: _Points) -> Asking:
    """The fewest servers, to within 2 %, with which the mean error of all repeats is at most the target."""
    target = _target(case)
    low, high = 0, None  # servers that do not meet it, and that do
    seen: dict[int, tuple[float, float]] = {}
    most = _most(case)
    m = min(most, int(case.table.get("m", 1000)))
    while not _plays(case, part, m):
        if m >= most:
            _planned(case, part, m)  # raises what is wrong
        low, m = m, min(most, 2 * m)
    why = "the number of servers to begin with"
    for _ in range(POINTS):
        runs = yield points.trials(case.changed(part, m=m), {**chosen, "m": m}, why)
        seen[m] = _reached(target, runs), _mean(runs, "payload_bits")
        if seen[m][0] <= target.value:
            high = m
        else:
            low = m
        if (high is not None and high <= max(low + 1, low * CLOSE)) or (high is None and low >= most):
            break
        m = _next(target, seen, low, high, most)
        if not _plays(case, part, m):
            low = m
            m = high or most
            if high is not None:
                break
        if high is None and seen[low][1] * m / low > target.bits_max:
            break
        between = f"{low} do not" if high is None else f"{low} do not, {high} do" if low else f"{high} do"
        why = f"of the servers that were tried {between} meet the target"
    if high is not None:
        return Found(True, seen[high][1], seen[high][0], {**chosen, "m": high})
    nearest = min(seen, key=lambda each: seen[each][0])
    return Found(False, seen[nearest][1], seen[nearest][0], {**chosen, "m": nearest})


def _reached(target: Target, runs: list[list[float]]) -> float:
    mean = _mean(runs, "l2_squared" if target.key == "l2" else target.key)
    return math.sqrt(mean) if target.key == "l2" else mean


def _next(target: Target, seen: dict[int, tuple[float, float]], low: int, high: int | None, most: int) -> int:
    """The number of servers to try: on the line of error against servers, in logarithms, between what is known."""
    if high is None or low not in seen:
        near = high if high is not None else low
        factor = (target.value / seen[near][0]) ** (1 / _FALLS[target.key])
        guess = near * float(min(64.0, max(1 / 64, factor))) * (1.01 if high is None else 0.99)
    else:
        (above, _), (below, _) = seen[low], seen[high]
        share = math.log(above / target.value) / math.log(above / below) if above > below > 0 else 0.5
        share = 0.5 if len(seen) % 3 == 0 else min(0.9, max(0.1, share))  # a noisy line is not trusted for ever
        guess = low * float((high / low) ** share)
    inside = most if high is None else high - 1
    return min(inside, max(low + 1, round(guess)))


def _most(case: Case) -> int:
    """As many servers as there may be: rows that are dealt without replacement run out."""
    if case.table.get("sampling") != "dealt":
        return MOST
    asked = spec.check(case.table)
    rows = experiment.load_truth(asked).rows
    return MOST if rows is None else max(1, rows // 2 // asked.s)


def _plays(case: Case, part: Table, m: int) -> bool:
    try:
        _planned(case, part, m)
    except UsageError:
        return False
    return True


def _planned(case: Case, part: Table, m: int) -> None:
    experiment.plan(spec.check(case.changed(part, m=m)))


# ---- methods


def _method(case: Case) -> Asking:
    points = _Points(case)
    dial = dial_of(case)
    if dial is None:
        return (yield from _run(case, case.part, {}, points))
    rising = _target(case).key in RISING
    start, step = _start(case, dial)
    best: Found | None = None
    for indices in (range(start, -1, -step), range(start + step, len(dial.values), step)):
        for index in indices:
            value = dial.values[index]
            part = dial.put(case.part, value)
            if not _trains(case, part):
                continue
            found = yield from _run(case, part, {dial.name: value}, points)
            if found.better(best, rising):
                best = found
            elif (best is not None and best.met) or math.isfinite(found.reached):
                break  # it does not help; of a setting that diverged the next one may do better
    if best is None:
        raise UsageError(f"{case.part.get('name')} takes no value of {dial.name} here; give it one")
    return best


def _start(case: Case, dial: Dial) -> tuple[int, int]:
    """Where a dial stands if nobody turns it, and how far it is turned at once."""
    usual = dial.values[len(dial.values) // 2] if dial.usual is None else dial.usual
    start = min(range(len(dial.values)), key=lambda i: abs(dial.values[i] - usual))
    fine = len(dial.values) > 64
    step = round(math.log(FACTOR) / math.log(dial.values[1] / dial.values[0])) if fine else 1
    return start, step


def _run(case: Case, part: Table, chosen: Table, points: _Points) -> Asking:
    """Bits to the target with one setting, the median over repeats; steps are doubled while most do not meet it."""
    target = _target(case)
    table = case.changed(part)
    asked = train_spec.check(train_spec.normalise(table))
    steps = training.plan(asked)[0].rule.steps
    table.pop("epochs", None)
    rising = target.key in RISING
    best: Found | None = None
    why = "the steps of the spec"
    for _ in range(LONGER + 1):
        looks = {"evaluate": table.get("evaluate") or max(1, steps // LOOKS)}
        runs = yield points.trials({**table, "steps": steps, **looks}, {**chosen, "steps": steps}, why)
        ended = [numbers for numbers in runs if math.isfinite(numbers[COLUMNS.index("payload_bits")])]
        bits = median_arrival([_arrival(numbers) for numbers in runs])
        met = math.isfinite(bits)
        reached = _mean(ended, "best") if ended else -math.inf if rising else math.inf
        found = Found(met, bits, reached, {**chosen, "steps": steps})
        if found.better(best, rising):
            best = found
        if met or not ended or 2 * _mean(ended, "payload_bits") > target.bits_max:
            break
        steps *= 2
        why = "in half of these steps most repeats did not meet the target"
    assert best is not None  # the first run is one
    return best


def _arrival(numbers: list[float]) -> Reached:
    """Bits of one run to the target; one that diverged never gets there."""
    at_target, spent = (numbers[COLUMNS.index(column)] for column in ("bits_at_target", "payload_bits"))
    if math.isfinite(at_target):
        return Reached(at_target, False)
    return Reached(spent if math.isfinite(spent) else math.inf, True)


def _trains(case: Case, part: Table) -> bool:
    try:
        training.plan(train_spec.check(train_spec.normalise(case.changed(part))))
    except UsageError:
        return False
    return True
