"""What a search is asked for: a target or a budget of bits, rates, knobs and how many runs."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from distest import catalog
from distest.errors import UsageError, unknown
from distest.spec import Table, value_of
from distest.train_spec import TrainSpec
from distest.tuning.search import FACTOR, Setting, grid

POINTS = 5  # of a range of numbers that are not whole
NONE = "none"
_RULES = ("momentum", "nesterov", "optimiser", "schedule", "decay", "factor", "warmup", "batch")


class TuneSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `tune` of a spec. Exactly one of target and bits_budget.

    target: a loss; the fewest bits to it are searched. bits_budget: payload bits of a run, all directions; the least
    loss within them is searched. trials: runs of each method, at most. rates: the coarse grid, [] for the rate of the
    spec times 1/16, 1/4, 1, 4, 16. knobs: names and lists of values; None for those that each method has itself
    (`Method.knobs`), {} for none.
    """

    target: float | None = None
    bits_budget: float | None = None
    trials: int = 24
    rates: list[float] = []
    knobs: dict[str, list[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One method of a spec, and what is to be tried with it.

    spec: with this method alone, its options complete. usual: the setting of the spec. knobs: values by name.
    places: where each knob is: keys that lead to it, from the spec on.
    """

    spec: TrainSpec
    usual: Setting
    rates: Sequence[float]
    knobs: Mapping[str, Sequence[Any]]
    places: Mapping[str, tuple[str, ...]] = field(hash=False)

    def at(self, setting: Setting, tuning: Table) -> TrainSpec:
        """The spec of a setting. tuning: what its records say of the search."""
        plain: Table = {"methods": copy.deepcopy(self.spec.methods), "rate": setting.rate, "tuning": tuning}
        for knob, value in setting.knobs:
            *way, last = self.places[knob]
            place: Any = plain if not way else plain["methods"][0]
            for key in way[1:]:
                place = place[key]
            place[last] = value
        return msgspec.structs.replace(self.spec, **plain)


def check(table: Table) -> TuneSpec:
    """The spec of a table. Raises UsageError for a misspelt key or a value that makes no sense."""
    for key in table:
        if key not in TuneSpec.__struct_fields__:
            raise UsageError(unknown("key of a tune table", key, TuneSpec.__struct_fields__))
    try:
        asked = msgspec.convert(table, TuneSpec)
    except msgspec.ValidationError as error:
        raise UsageError(f"the tune table does not fit: {error}") from None
    if (asked.target is None) == (asked.bits_budget is None):
        raise UsageError("say what is tuned for: a target (a loss, for the fewest bits) or a bits budget, one of them")
    if asked.target is not None and not math.isfinite(asked.target):
        raise UsageError(f"a target is a finite loss, got {asked.target}")
    if asked.bits_budget is not None and not 0 < asked.bits_budget < math.inf:
        raise UsageError(f"a budget is a positive number of bits, got {asked.bits_budget}")
    if asked.trials < 1:
        raise UsageError(f"a search makes at least 1 run, got trials={asked.trials}")
    for rate in asked.rates:
        if not 0 < rate < math.inf:
            raise UsageError(f"step sizes are positive and finite, got {rate}")
    for knob, values in (asked.knobs or {}).items():
        if not values:
            raise UsageError(f"the knob {knob} has no values to try")
    return asked


def described(asked: TuneSpec, problem: Problem) -> Table:
    """What records keep of a search: the grid that was asked for, and what for."""
    aim = {"target": asked.target} if asked.target is not None else {"bits_budget": asked.bits_budget}
    knobs = {knob: list(values) for knob, values in problem.knobs.items()}
    return {**aim, "trials": asked.trials, "rates": list(problem.rates), "knobs": knobs}


def problem_of(spec: TrainSpec, asked: TuneSpec, method: Table, rate: float) -> Problem:
    """One method of a spec and its grid. method: described, as a trial's spec has it. rate: the usual one."""
    name = str(method["name"])
    own = catalog.find("method", name).knobs
    wanted = {knob: list(values) for knob, values in (own if asked.knobs is None else asked.knobs).items()}
    alone = msgspec.structs.replace(spec, methods=[method])
    places = {knob: place for knob in wanted if (place := _place(method, knob)) is not None}
    usual = {knob: _value(alone, method, place) for knob, place in places.items()}
    knobs = {knob: [usual[knob], *(v for v in wanted[knob] if v != usual[knob])] for knob in places}
    setting = Setting(rate, tuple(usual.items()))
    return Problem(alone, setting, sorted(asked.rates) or grid(rate, FACTOR), knobs, places)


def unheeded(asked: TuneSpec, problems: Sequence[Problem]) -> None:
    """Raises UsageError for a knob that no method has."""
    for knob in asked.knobs or {}:
        if not any(knob in problem.knobs for problem in problems):
            names = ", ".join(str(problem.spec.methods[0]["name"]) for problem in problems)
            raise UsageError(
                f"none of the methods asked for ({names}), their compressors and the rule of a run has a knob "
                f"{knob!r}; `distest list methods` shows options, and of the rule there are {', '.join(_RULES)}"
            )


def values_of(text: str) -> list[Any]:
    """A list such as `0.1,0.5,1`, or a range `0.01..1`: five numbers in equal ratios, of whole ones 1, 2, 4, ...

    Raises UsageError for a range that does not rise from a positive number.
    """
    low, dots, high = text.partition("..")
    if not dots:
        return [value_of(item.strip()) for item in text.split(",") if item.strip()]
    first, last = value_of(low.strip()), value_of(high.strip())
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (first, last))
    if not numbers or not 0 < first < last < math.inf:
        raise UsageError(f"a range rises from a positive number, such as 0.01..1, got {text!r}")
    if isinstance(first, int) and isinstance(last, int):
        doubled = [first << power for power in range((last // first).bit_length())]
        return [*doubled, *([last] if doubled[-1] != last else [])]
    ratio = (last / first) ** (1 / (POINTS - 1))
    return [float(f"{first * ratio**power:.6g}") for power in range(POINTS)]


def knobs_of(texts: Sequence[str]) -> dict[str, list[Any]] | None:
    """The knobs of flags such as `xi=0.1,0.5`; None where there are none, {} for the word none. Raises UsageError."""
    if not texts:
        return None
    if list(texts) == [NONE]:
        return {}
    found = {}
    for text in texts:
        knob, equals, values = text.partition("=")
        if not equals or not knob.strip():
            raise UsageError(f"a knob is written name=values, such as xi=0.1,0.5 or xi=0.01..1, got {text!r}")
        found[knob.strip()] = values_of(values)
    return found


def _place(method: Table, knob: str) -> tuple[str, ...] | None:
    """Keys that lead to a knob from the spec on; None where there is none."""
    way = knob.split(".")
    for prefix in ([], ["compressor"]):
        at: Any = method
        for key in (*prefix, *way):
            at = at.get(key, _MISSING) if isinstance(at, dict) else _MISSING
        if at is not _MISSING and knob != "name":
            return ("methods", *prefix, *way)
    return (knob,) if knob in _RULES else None


_MISSING: Any = object()


def _value(spec: TrainSpec, method: Table, place: tuple[str, ...]) -> Any:
    if len(place) == 1:
        return getattr(spec, place[0])
    at: Any = method
    for key in place[1:]:
        at = at[key]
    return at
