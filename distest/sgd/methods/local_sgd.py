"""Local SGD: several steps of each worker by itself, and then the mean of where they have come to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import theory
from distest.sgd.link import Link
from distest.sgd.method import Knobs
from distest.sgd.methods.mean import Mean
from distest.sgd.oracle import Gradients
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.sgd.theory import Smoothness


@dataclass(frozen=True)
class LocalSgd(Mean):
    """Every `inner` steps, and at the end, all speak: worker w says the sum of the gradients along steps of its own,
    x_w <- x_w - rate g, that began at the common x, and x makes one step of the rule along the mean of the sums. So x
    becomes the mean of all x_w; momentum of the rule is that of the server. The rate of a round is that of its last
    step. In the steps between nobody speaks and x stays. inner = 1 is `mean`, bit for bit.

    A step is a gradient of each worker, as everywhere: bits fall by `inner`, gradients do not.

    inner: steps from one turn to the next. compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Stich, "Local SGD converges fast and communicates little" (2019), Algorithm 1.
    """

    inner: int = 8
    knobs: ClassVar[Knobs] = {"inner": (2, 4, 8, 16)}
    source: ClassVar[str] = "Stich 2019, Algorithm 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inner < 1:
            raise UsageError(f"local steps are inner >= 1 from one turn to the next, got inner={self.inner}")

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        raise theory.none("local steps", "no theorem is known here that names one in L alone")

    def round(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        if (state.step + 1) % self.inner and state.step + 1 < rule.steps:
            state.step += 1
            return
        self._meet(state, rule, oracle, link, coins)

    def _meet(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        """A turn of all, about the steps since the last one."""
        path = None if oracle is None else _Path(self, oracle, np.float32(rule.at(state.step)))
        super().round(state, rule, path, link, coins)

    def since(self, step: int) -> Iterator[int]:
        """The steps that a turn at this step is about."""
        yield from range(step - step % self.inner, step + 1)


class _Path:
    """Sums of gradients along local steps."""

    def __init__(self, method: LocalSgd, oracle: Gradients, rate: np.float32):
        self._method, self._oracle, self._rate = method, oracle, rate

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        first, *others = self._method.since(step)
        total = self._oracle.gradient(worker, x, first)
        for number in others:
            total = total + self._oracle.gradient(worker, x - self._rate * total, number)
        return total
