"""1-bit Adam: Adam until its second moment is known, then a momentum in signs."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import theory
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.sign import Sign
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.scatter_reduce import ScatterReduce
from distest.sgd.feedback import Kind
from distest.sgd.link import Link
from distest.sgd.method import Knobs
from distest.sgd.methods.mean import Mean
from distest.sgd.oracle import Gradients
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule, adam
from distest.sgd.state import State
from distest.sgd.theory import Smoothness


@dataclass(frozen=True)
class OneBitAdam(Mean):
    """At first Adam on exact means of gradients. From the step `freeze` on its second moment stays as it is, and worker
    w says C(e + beta1 m + (1 - beta1) g_w), remembers in e what that has left out, and m becomes the mean of what was
    read, along which x goes, coordinate by coordinate over the root of the second moment.

    The means of messages are made by `scatter_reduce`, of signs both ways; what the second rounding leaves out stays
    with the owner of a part, in its e. A sign never says 0, so coordinates whose gradient is always 0 move too.
    The authors scale signs by the root mean square and correct no moment for having started at 0; here scales are mean
    magnitudes, which err least, and both moments are corrected, since a warm-up here is short.

    freeze: a number of steps, or below 1 a share of all; at least 1 step is made. rate: of Adam, about 1e-3; beta1 is
    the momentum, 0.9 without one. compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Tang et al., "1-bit Adam: Communication efficient large-scale training with Adam's convergence speed"
    (2021), Algorithm 1.
    """

    compressor: Compressor = field(default_factory=Sign)
    exchange: Exchange = field(default_factory=ScatterReduce)
    feedback: Kind = True
    freeze: float = 0.2
    knobs: ClassVar[Knobs] = {"freeze": (0.1, 0.2, 0.4)}
    source: ClassVar[str] = "Tang et al. 2021, Algorithm 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.freeze < float("inf"):
            raise UsageError(f"adam freezes its second moment at a step, or a share of all, got freeze={self.freeze}")

    def frozen(self, steps: int) -> int:
        """The first step whose second moment stays."""
        return max(1, round(self.freeze * steps if self.freeze < 1 else self.freeze))

    def check_rule(self, rule: Rule) -> None:
        rule.instead("1-bit Adam", "adam")

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        raise theory.none("Adam", "steps that adapt have no L in their theorem")

    def round(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        rule = rule.instead("1-bit Adam", "adam")
        frozen = self.frozen(rule.steps)
        if state.step < frozen:
            rule.apply(state, self._exactly(state, oracle, link, coins))
            return
        moment = None if oracle is None else _Moment(oracle, state.shared["first"], rule.first)
        state.shared["first"] = m = self._heard(state, moment, link, coins).copy()
        follow(state, rule, m, state.shared["second"], frozen)

    def _exactly(self, state: State, oracle: Gradients | None, link: Link, coins: Coins) -> Vector:
        """The mean of the gradients, in single precision."""
        return replace(self, compressor=Identity(), feedback=False)._heard(state, oracle, link, coins)


class _Moment:
    """The momentum that a worker would go on with by its own gradient."""

    def __init__(self, oracle: Gradients, m: Vector, first: np.float32):
        self._oracle, self._m, self._first = oracle, m, first

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        return self._first * self._m + (1 - self._first) * self._oracle.gradient(worker, x, step)


def follow(state: State, rule: Rule, m: Vector, v: Vector, others: int) -> None:
    """A step of Adam by moments that are given, the second one made of so many gradients."""
    rate = np.float32(rule.at(state.step))
    state.step += 1
    state.x = state.x - rate * adam(m, v, rule.first, state.step, others)
