"""Candidates: every protocol of the catalog that fits a problem, its options filled in from class and budget."""

import dataclasses
import itertools
import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from distest import catalog
from distest.errors import UsageError, unknown
from distest.learning.protocol import Protocol, Risk
from distest.learning.task import Family, Loss, Task

WIDER: dict[Family, tuple[Family, ...]] = {
    "all": ("all",),
    "sparse": ("all", "sparse"),
    "histogram": ("all", "histogram"),
    "monotone": ("all", "monotone"),
}
"""Classes of protocols that serve a class of p: those that contain it."""

_MOST_BITS = 64  # no option `bits` means more
_LADDER = (1, 2, 4, 1 / 2, 1 / 4, 1 / 8, 1 / 16)  # times its default: values tried for an option that is a number


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be learned, and what it may cost.

    task: sizes and loss. family: the class of p; "sparse" needs `support`, "histogram" needs `pieces`. bits: the most a
    server may write. total_bits: the most all may write together. referee: simultaneous messages only. Raises
    UsageError where these contradict each other.
    """

    task: Task
    family: Family = "all"
    bits: int | None = None
    total_bits: float | None = None
    support: int | None = None
    pieces: int | None = None
    referee: bool = False

    def __post_init__(self) -> None:
        if self.family not in WIDER:
            raise UsageError(unknown("family", str(self.family), WIDER))
        for key, family in (("support", "sparse"), ("pieces", "histogram")):
            value = getattr(self, key)
            if (self.family == family) != (value is not None):
                raise UsageError(f"{key} goes with the family {family!r}, and only with it: got family {self.family!r}")
            if value is not None and not 1 <= value <= self.task.n:
                raise UsageError(f"{key} is 1 to n={self.task.n}, got {key}={value}")
        if self.bits is not None and self.bits < 1:
            raise UsageError(f"a server that speaks has at least one bit, got bits={self.bits}")
        if self.total_bits is not None and not self.total_bits >= 0:
            raise UsageError(f"bits in all are at least 0, got total_bits={self.total_bits}")

    @classmethod
    def of(cls, table: dict[str, Any], task: Task) -> "Problem":
        """The problem of a spec such as {"name": "every", "bits": 3}. Raises UsageError for what does not fit."""
        hints = typing.get_type_hints(cls)
        fields = {key: value for key, value in table.items() if key != "name"}
        for key, value in fields.items():
            if key not in OPTIONS:
                raise UsageError(unknown("option of every", key, OPTIONS))
            try:
                fields[key] = str(value) if key == "family" else msgspec.convert(value, hints[key])
            except msgspec.ValidationError as error:
                raise UsageError(f"every: option {key}={value!r} does not fit: {error}") from None
        return cls(task, **fields)

    @property
    def budget(self) -> int | None:
        """Bits of a server that keep both limits, None where there is none."""
        share = None if self.total_bits is None else int(min(self.total_bits // self.task.m, 1 << 62))
        given = [limit for limit in (self.bits, share) if limit is not None]
        return min(given) if given else None


OPTIONS = tuple(field.name for field in dataclasses.fields(Problem) if field.name != "task")
"""What a spec may say about a problem."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A protocol that fits. spec: what builds it again. worst: its promise for the class, None where it makes none."""

    spec: dict[str, Any]
    protocol: Protocol[Any]
    worst: Risk | None

    def promise(self, loss: Loss) -> float:
        """The worst risk in a loss, infinity where nothing is promised."""
        value = None if self.worst is None else self.worst.l1 if loss == "l1" else self.worst.l2_squared
        return math.inf if value is None else value


def fitting(problem: Problem) -> list[Candidate]:
    """Every protocol that serves the class, the loss, the model and the budget, by name, at its best options.

    The best are those that promise least in the loss of the task; the defaults where no others promise less.
    """
    return [min(fits, key=lambda c: c.promise(problem.task.loss)) for _, fits, _ in _tried(problem) if fits]


def variants(problem: Problem) -> list[Candidate]:
    """As `fitting`, but with every choice of options of each protocol."""
    return [candidate for _, fits, _ in _tried(problem) for candidate in fits]


def best(problem: Problem, given: dict[str, Any]) -> Candidate | None:
    """One protocol at the options that promise least, the given ones (its name among them) left as they are.

    None where none keeps to the budget: servers of a protocol without a cap keep to none.
    """
    found = []
    for spec, protocol in _built(str(given["name"]), problem, given):
        cap = protocol.bits_per_server()
        if problem.budget is None or (cap is not None and cap <= problem.budget):
            found.append(Candidate(spec, protocol, protocol.worst_risk()))
    return min(found, key=lambda c: c.promise(problem.task.loss), default=None)


def some_fitting(problem: Problem) -> list[Candidate]:
    """As `fitting`; raises UsageError where there is none, and says what the cheapest protocol takes."""
    found = fitting(problem)
    if found:
        return found
    what = f"{problem.family} p, loss {problem.task.loss}, n={problem.task.n}, m={problem.task.m}, s={problem.task.s}"
    least = [(cap, name) for name, _, cap in _tried(problem) if cap is not None]
    if problem.budget is None or not least:
        raise UsageError(f"no protocol fits {what}; 'distest list protocols' says what each is for")
    cap, name = min(least)
    raise UsageError(f"no protocol for {what} keeps to {problem.budget} bits a server; the least is {cap}, of {name}")


def _tried(problem: Problem) -> Iterator[tuple[str, list[Candidate], int | None]]:
    """Every protocol of the class: its name, what fits of it, and the least bits a server of what does not."""
    for name in catalog.names("protocol"):
        cls = catalog.find("protocol", name)
        serves = cls.family in WIDER[problem.family] and problem.task.loss in cls.losses
        if not serves or (problem.referee and cls.model != "referee"):
            continue
        fits, caps = [], []
        for spec, protocol in _built(name, problem):
            cap = protocol.bits_per_server()
            if problem.budget is None or (cap is not None and cap <= problem.budget):
                fits.append(Candidate(spec, protocol, protocol.worst_risk()))
            elif cap is not None:
                caps.append(cap)
        yield name, fits, min(caps, default=None)


def _built(
    name: str, problem: Problem, given: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[tuple[dict[str, Any], Protocol[Any]]]:
    """A protocol with each choice of its options, the defaults first, at the most bits it takes within the budget.

    given: options about which there is no choice.
    """
    options = catalog.options("protocol", name)
    budgets: list[int | None] = [None]
    if "bits" in options:
        budget = problem.budget
        budgets = [] if budget is None else [*range(max(1, min(budget, _MOST_BITS)), 0, -1)]
        budgets = budgets if "bits" not in given else [int(given["bits"])]
    choices = _choices(name, options, problem)
    choices |= {key: [value] for key, value in given.items() if key not in ("name", "bits")}
    for values in itertools.product(*choices.values()):
        for bits in budgets:
            given = {} if bits is None else {"bits": bits}
            spec = {"name": name, **given, **dict(zip(choices, values, strict=True))}
            try:
                protocol = catalog.build("protocol", spec, task=problem.task)
            except UsageError:  # not for this task, or not with these options together
                continue
            yield spec, protocol
            break


def _choices(name: str, options: dict[str, dataclasses.Field[Any]], problem: Problem) -> dict[str, list[Any]]:
    """What each option but `bits` may be: given by the problem, or one of several with the default first."""
    hints = typing.get_type_hints(catalog.find("protocol", name))
    out: dict[str, list[Any]] = {}
    for key, field in options.items():
        if key in ("support", "pieces") and field.default is dataclasses.MISSING:
            out[key] = [value for value in (getattr(problem, key),) if value is not None]
        elif hints[key] is bool:
            out[key] = [field.default, not field.default]
        elif typing.get_origin(hints[key]) is typing.Literal:
            out[key] = sorted(typing.get_args(hints[key]), key=lambda value: value != field.default)
        elif hints[key] is float and isinstance(field.default, float) and field.default > 0:
            out[key] = [field.default * step for step in _LADDER]
    return out
