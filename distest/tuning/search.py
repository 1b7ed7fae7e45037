"""Search: settings tried one by one until the best is known well enough, or the budget is spent. Runs nothing itself.

First the usual setting and a coarse geometric grid of rates; where the best is at an edge the grid goes on there. Then
each knob at the best rate, and where another value wins, rates beside it. Then rates nearer and nearer to the best. All
that with one repeat each; at the end the best few and the usual one get the other repeats, which are paired, as they
have the same coins.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from analysis.statistics import Reached, median_arrival
from distest.errors import UsageError

FINALISTS = 3
FACTOR = 4.0  # from one rate of the usual grid to the next
NEAREST = 1.1  # rates that differ by less are the same
PLACES = 6


class Score(NamedTuple):
    """How bad a setting is; the first that differs decides. bits: to the target, infinite where it was not reached; 0
    where there is none. loss: at the end, or at the budget. spent: bits of the whole run. A run that diverged has
    infinities."""

    bits: float
    loss: float
    spent: float = math.inf


WORST = Score(math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is tried. knobs: names and values, in one order."""

    rate: float
    knobs: tuple[tuple[str, Any], ...] = ()

    def turned(self, knob: str, value: Any) -> "Setting":
        """The same with another value of a knob."""
        return Setting(self.rate, tuple((name, value if name == knob else old) for name, old in self.knobs))

    def scaled(self, factor: float) -> "Setting":
        """The same with another rate, rounded to six places."""
        return Setting(float(f"{self.rate * factor:.{PLACES}g}"), self.knobs)


Run = Callable[[Setting, int], Score]
Edge = Literal["low", "high"]


@dataclass(frozen=True, slots=True)
class Found:
    """The end of a search. best, usual: settings. scores: of the repeats of each setting. edge: where the best rate is
    the least or the largest of all that were tried. ends: knobs whose best number is the least or largest of its list.
    extended: whether rates beyond the grid were tried."""

    best: Setting
    usual: Setting
    scores: Mapping[Setting, Sequence[Score]]
    edge: Edge | None
    ends: Mapping[str, Edge]
    extended: bool

    @property
    def runs(self) -> int:
        """Runs that were made."""
        return sum(map(len, self.scores.values()))


def grid(rate: float, factor: float = FACTOR, reach: int = 2) -> list[float]:
    """The usual grid: a rate, and `reach` on either side."""
    return [Setting(rate).scaled(factor**power).rate for power in range(-reach, reach + 1)]


def centre(scores: Sequence[Score]) -> Score:
    """Of repeats: the median of the bits, where those that never got there count as such, and the mean loss."""
    bits = median_arrival([Reached(min(score.bits, score.spent), math.isinf(score.bits)) for score in scores])
    loss, spent = (math.fsum(each) / len(scores) for each in list(zip(*scores, strict=True))[1:])
    return Score(bits, loss, spent)


def search(
    usual: Setting, rates: Iterable[float], knobs: Mapping[str, Sequence[Any]], run: Run, most: int, repeats: int = 1
) -> Found:
    """The best setting within `most` runs. run(setting, repeat): one run's score, WORST where it diverged.

    usual: what is compared with; it is tried first. rates: the coarse grid. knobs: values by name, in the order of the
    usual setting. Raises UsageError for a budget that the end of the search alone would spend.
    """
    last = (repeats - 1) * (FINALISTS + 1)
    if most <= last:
        raise UsageError(
            f"{most} runs are too few for {repeats} repeats: the {FINALISTS} best settings and the usual one take "
            f"{last} in the end; allow more trials, or fewer repeats"
        )
    tried = _Tried(run, most - last)
    around = sorted({usual.rate, *rates})
    ratio = (around[-1] / around[0]) ** (1 / (len(around) - 1)) if len(around) > 1 else FACTOR
    tried.see(usual)
    for rate in sorted(around, key=lambda rate: abs(math.log(rate / usual.rate))):
        tried.see(Setting(rate, usual.knobs))
    tried.walk(ratio)
    asked = (around[0], around[-1])
    for knob, values in knobs.items():
        here = tried.best
        for value in values:
            tried.see(here.turned(knob, value))
        if tried.best != here:
            tried.walk(ratio)
    while ratio > NEAREST and tried.left > 0:
        ratio = math.sqrt(ratio)
        for factor in (ratio, 1 / ratio):
            tried.see(tried.best.scaled(factor))
    for repeat in range(1, repeats):
        for setting in tried.finalists(usual):
            tried.again(setting, repeat)
    return _found(tried, usual, asked, knobs)


def _found(tried: "_Tried", usual: Setting, asked: tuple[float, float], knobs: Mapping[str, Sequence[Any]]) -> Found:
    best = tried.best
    every = [setting.rate for setting in tried.scores]
    rates = [setting.rate for setting in tried.scores if setting.knobs == best.knobs]
    rates = rates if len(rates) > 1 else every
    edge: Edge | None = "low" if best.rate == min(rates) else "high" if best.rate == max(rates) else None
    ends: dict[str, Edge] = {}
    for knob, value in best.knobs:
        numbers = [each for each in knobs.get(knob, ()) if isinstance(each, int | float) and not isinstance(each, bool)]
        if len(numbers) > 1 and value in (min(numbers), max(numbers)):
            ends[knob] = "low" if value == min(numbers) else "high"
    extended = min(every) < asked[0] or max(every) > asked[1]
    return Found(best, usual, tried.scores, edge, ends, extended)


@dataclass
class _Tried:
    """What was tried, and how many runs are left."""

    run: Run
    left: int
    scores: dict[Setting, list[Score]] = field(default_factory=dict)
    _final: list[Setting] = field(default_factory=list)

    @property
    def best(self) -> Setting:
        """The best so far, of those with the most repeats; of equals the one tried first."""
        most = max(map(len, self.scores.values()))
        return min((s for s in self.scores if len(self.scores[s]) == most), key=lambda s: centre(self.scores[s]))

    def see(self, setting: Setting) -> None:
        """Try a setting, if it is new and there is a run left."""
        if setting not in self.scores and self.left > 0:
            self.left -= 1
            self.scores[setting] = [self.run(setting, 0)]

    def walk(self, ratio: float) -> None:
        """Go on beyond the best rate until there are worse ones on both sides; downwards first, where all diverge."""
        while self.left > 0:
            best = self.best
            if self.scores[best][0] == WORST:
                self.see(min(self.scores, key=lambda setting: setting.rate).scaled(1 / ratio))
                continue
            near = [r for r in (s.rate for s in self.scores if s.knobs == best.knobs) if r != best.rate]
            if not any(rate < best.rate for rate in near):
                self.see(best.scaled(1 / ratio))
            elif not any(rate > best.rate for rate in near):
                self.see(best.scaled(ratio))
            else:
                return

    def finalists(self, usual: Setting) -> list[Setting]:
        """The best few of the first repeat, and the usual one."""
        if not self._final:
            order = sorted(self.scores, key=lambda setting: self.scores[setting][0])
            self._final = list(dict.fromkeys([*order[:FINALISTS], usual]))
        return self._final

    def again(self, setting: Setting, repeat: int) -> None:
        """Another repeat of a setting that was tried; one that diverged does so for good."""
        worst = self.scores[setting][-1] == WORST
        self.scores[setting].append(WORST if worst else self.run(setting, repeat))
