"""Planning: how many servers, or which error, each protocol that fits a problem has by its own formulas; which to take.

An error is a mean: of l1, or of squared l2, for one law of the samples. What holds for the worst law of the class is
beside it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from analysis.bounds.bound import Bound
from distest import candidates, catalog
from distest.candidates import Problem
from distest.coins import from_seed
from distest.errors import UsageError
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk
from distest.promises import provable

Least = Literal["bits", "servers"]
MOST_SERVERS = (1 << 32) - 1
MOST_SYMBOLS = 1 << 20  # risks are worked out symbol by symbol
_NEAR = 1 << 12  # servers are found to one part in this many
_EASY = 4.0  # a promise of more than so many times the error for a law says little about other laws
_TIE = 1.02  # plans that cost no more than this many times the best are as good
_LADDER = (1, 2, 4, 8, 16, 32, 64)  # bits that are tried where a server may write any number
_COINS = {"none": 0, "private": 1, "public": 2}
_RANKS = {"exact": 0, "Gaussian": 1, "approximate": 2, "bound": 3}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    problem: its number of servers counts where no target is given. pmf: the law of the samples, float64 (n,). target:
    the error that is allowed, squared for l2; None for the error of the problem's m. worst: whether the promise for
    every law of the class has to keep to the target, not the prediction for this one. least: what is to be small.
    """

    problem: Problem
    pmf: Pmf
    target: float | None = None
    worst: bool = False
    least: Least = "bits"

    def __post_init__(self) -> None:
        if self.target is not None and not 0 < self.target < math.inf:
            raise UsageError(f"an error to be reached is above 0, got {self.target}")
        if self.problem.task.n > MOST_SYMBOLS:
            raise UsageError(f"plans are made for up to 2^20 symbols, got n={self.problem.task.n}")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What formulas say of a protocol on a law.

    error: the mean error, in the loss of the task. how: "exact" (of l1 De Moivre's formula, where counts are binomial),
    "Gaussian" (sqrt(2/pi) times the standard deviations), "approximate" or "bound"; note: of the formula. bits: mean
    bits of a run; at_most: whether only a cap on them is known; None where nothing is.
    """

    error: float
    how: str
    note: str
    bits: float | None
    at_most: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A protocol with so many servers. promise: the error for every law of the class, infinite without one."""

    spec: dict[str, Any]
    protocol: Protocol[Any]
    law: Foreseen
    promise: float

    @property
    def m(self) -> int:
        """Servers."""
        return self.protocol.task.m

    @property
    def label(self) -> str:
        """The protocol in a word or two."""
        return catalog.label(self.protocol)

    @property
    def alone(self) -> bool:
        """Whether it is this law that is so easy for it: others of the class may cost it far more."""
        return _EASY * self.law.error < self.promise < math.inf

    def cost(self, least: Least) -> float:
        """What is to be small."""
        if least == "servers":
            return float(self.m)
        return math.inf if self.law.bits is None else self.law.bits


def law(table: dict[str, Any], n: int, seed: int, repeat: int = 0) -> Pmf:
    """The law of a spec on n symbols; of a random one that of a repeat."""
    distribution = catalog.build("distribution", table)
    _, data = from_seed(seed)
    return np.asarray(distribution.pmf(n, data.fold("repeat", repeat) if type(distribution).random else data))


def foresee(protocol: Protocol[Any], pmf: Pmf) -> Foreseen:
    """What is known beforehand of a protocol on a law."""
    error, how, note = _predicted(protocol, pmf)
    bits, cap = protocol.payload_bits(pmf), protocol.bits_per_server()
    limit = None if cap is None else float(cap * protocol.task.m)
    return Foreseen(error, how, note, limit if bits is None else bits, bits is None)


def _predicted(protocol: Protocol[Any], pmf: Pmf) -> tuple[float, str, str]:
    """Mean error of a protocol for a law in the loss of its task, how that is known, and the note of the formula.

    Where a protocol knows its squared l2 risk and not its l1, that of Gaussian errors of equal variances is taken,
    sqrt(2 n r/pi). Infinite where nothing is known.
    """
    found, task = protocol.risk(pmf), protocol.task
    if found is None or not found.trusted:
        return math.inf, "", ""
    if task.loss == "l2":
        return (math.inf, "", "") if found.l2_squared is None else (found.l2_squared, _how(found), found.note)
    if found.l1 is not None:
        return found.l1, _how(found), found.note
    if found.l2_squared is None:
        return math.inf, "", ""
    return math.sqrt(2 * task.n * found.l2_squared / math.pi), "Gaussian", "as if all symbols had the same variance"


def _how(risk: Risk) -> str:
    return "exact" if risk.exact else "bound" if "bound" in risk.note else "approximate"


def made(wanted: Wanted, candidate: dict[str, Any], m: int) -> Plan | None:
    """The plan of a protocol with m servers; None where it is not for so many."""
    task = replace(wanted.problem.task, m=m)
    try:
        protocol: Protocol[Any] = catalog.build("protocol", candidate, task=task)
    except UsageError:
        return None
    promise = candidates.Candidate(candidate, protocol, protocol.worst_risk()).promise(task.loss)
    return Plan(candidate, protocol, foresee(protocol, wanted.pmf), promise)


def plans(wanted: Wanted) -> list[Plan]:
    """The best plan of each protocol, best first: of the least error with m given, else of the least cost.

    Raises UsageError where no protocol fits, or none reaches the target.
    """
    found: dict[str, list[Plan]] = {}
    for candidate in _variants(wanted.problem, wanted.target is None):
        plan = made(wanted, candidate, wanted.problem.task.m) if wanted.target is None else _fewest(wanted, candidate)
        if plan is not None and math.isfinite(_loss(wanted, plan)):
            found.setdefault(str(candidate["name"]), []).append(plan)
    if not found:
        whose = "promises" if wanted.worst else "predicts"
        if wanted.target is None:
            raise UsageError(f"no protocol that fits {whose} its error; 'distest list protocols' shows all there are")
        raise UsageError(f"no protocol that fits {whose} an error of {wanted.target:.6g} with up to 2^32 servers")
    best = [_best(wanted, of_one) for of_one in found.values()]
    return sorted(best, key=lambda plan: _costs(wanted, plan))


def _variants(problem: Problem, as_it_is: bool) -> list[dict[str, Any]]:
    """Every protocol with its options that is for the problem, with its m or with some other."""
    if not as_it_is:
        problem = replace(problem, task=replace(problem.task, m=1 << 30))
    limits = [problem]
    if problem.bits is None and problem.total_bits is None:
        limits += [replace(problem, bits=bits) for bits in _LADDER]
    fits = [candidate.spec for limit in limits for candidate in candidates.variants(limit)]
    once = [spec for number, spec in enumerate(fits) if spec not in fits[:number]]
    if not once:
        candidates.some_fitting(problem)  # says what the cheapest protocol takes
    return once


def _loss(wanted: Wanted, plan: Plan) -> float:
    """The error that is asked about."""
    return plan.promise if wanted.worst else plan.law.error


def _costs(wanted: Wanted, plan: Plan) -> tuple[float, ...]:
    """What is to be small, and then the others."""
    first = _loss(wanted, plan) if wanted.target is None else plan.cost(wanted.least)
    return first, plan.cost("bits"), plan.cost("servers")


def _best(wanted: Wanted, found: list[Plan]) -> Plan:
    """Of the plans that are as good as the best one, within 2 %: what is known exactly and needs least.

    A protocol for which this law is easy is not taken while there is another.
    """
    alike = _alike(wanted, [plan for plan in found if not plan.alone] or found)
    return min(alike, key=lambda p: (_RANKS[p.law.how], _COINS[p.protocol.coin_use], p.protocol.model != "referee",
                                     *_costs(wanted, p)))  # fmt: skip


def _alike(wanted: Wanted, found: list[Plan]) -> list[Plan]:
    """The plans that are as good as the best one, within 2 %."""
    least = min(_costs(wanted, plan)[0] for plan in found)
    return [plan for plan in found if _costs(wanted, plan)[0] <= _TIE * least]


def _fewest(wanted: Wanted, candidate: dict[str, Any]) -> Plan | None:
    """The plan of a protocol with the fewest servers that reach the target, to one in 4096; None where none do."""
    target = wanted.target
    assert target is not None
    seen: dict[int, Plan | None] = {}

    def error(m: int) -> float:
        if m not in seen:
            seen[m] = made(wanted, candidate, m)
        plan = seen[m]
        return math.inf if plan is None else plan.promise if wanted.worst else plan.law.error

    m = fewest(error, target, 2.0 if wanted.problem.task.loss == "l1" else 1.0)
    return None if m is None else seen[m]


def fewest(error: Callable[[int], float], target: float, power: float, most: int = MOST_SERVERS) -> int | None:
    """The fewest m with error(m) <= target, to one in 4096, where errors fall about as m^(-1/power); None for none."""
    few, many = 0, 1
    while math.isinf(error(many)):
        if many == most:
            return None
        few, many = many, min(most, 2 * many)
    while (now := error(many)) > target:
        if many == most:
            return None
        guess = many * (now / target) ** power
        few, many = many, int(min(most, max(many + 1, 1.001 * guess, 1.5 * many if guess < 1.2 * many else 0)))
    halve = False
    while many - few > max(1, many // _NEAR):
        guess = many * (error(many) / target) ** power
        middle = (few + many) // 2 if halve else int(min(many - 1, max(few + 1, guess)))
        few, many = (few, middle) if error(middle) <= target else (middle, many)
        halve = not halve
    return many


def recommended(wanted: Wanted, found: list[Plan]) -> tuple[Plan, str]:
    """The plan to take of those that `plans` found, and why."""
    best = _best(wanted, found)
    kept = [plan for plan in found if best.alone or not plan.alone]
    alike, cost = _alike(wanted, kept), _costs(wanted, best)[0]
    shown = f"{cost:.4g}" if wanted.target is None else f"{cost:,.0f}"
    what = f"fewest {wanted.least}, {shown}"
    if wanted.target is None:
        what = f"smallest {'promise' if wanted.worst else 'predicted error'}, {shown}"
    elif wanted.least == "bits" and best.law.at_most:
        what += " at most" if best.law.bits is not None else ", though bits of none are known beforehand"
    coins = {"none": "without coins", "private": "with private coins", "public": "with public coins"}
    reason = f"the {what}, in the {best.protocol.model} model {coins[best.protocol.coin_use]}"
    others = [plan.label for plan in alike if plan is not best]
    worse = [plan for plan in kept if plan not in alike]
    if others:
        reason += f"; as good within 2 %: {', '.join(others)}"
    if worse:
        after = _costs(wanted, worse[0])[0]
        reason += f"; next: {worse[0].label}, {after / cost:.3g} times as much"
    return best, reason


@dataclass(frozen=True, slots=True)
class Limits:
    """What is provable. bits: bits that anybody needs for the target; servers: that anybody needs under the cap; error:
    that nobody is below with the m of a plan. None where nothing is proved."""

    bits: Bound | None
    servers: int | None
    error: Bound | None


def limits(wanted: Wanted, plan: Plan) -> Limits:
    """Lower bounds beside a plan, for the worst law of the class."""
    task, problem = plan.protocol.task, wanted.problem
    bits = servers = None
    if wanted.target is not None:
        target = wanted.target

        def floor(m: int) -> float:
            bound = _floor(replace(problem, task=replace(task, m=m)))
            return 0.0 if bound is None else bound.value

        if task.s == 1 and (found := _bits(replace(problem, task=task), target)):
            bits = found
        if floor(plan.m) > 0:
            servers = fewest(floor, target, 2.0 if task.loss == "l1" else 1.0, plan.m)
    return Limits(bits, servers, _floor(replace(problem, task=task)))


def _floor(problem: Problem) -> Bound | None:
    """The largest error that is provable at finite size."""
    finite = [bound for bound in provable(problem) if bound.holds_at_finite_size]
    return max(finite, key=lambda bound: bound.value, default=None)


def _bits(problem: Problem, target: float) -> Bound | None:
    try:
        return provable(problem, target)[0]
    except (ValueError, IndexError):  # none is stated for this class and loss
        return None
