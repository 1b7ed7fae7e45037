"""QAdam: every worker steps by Adam of its own moments, and says a few bits of where it would go."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.sgd import theory
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.feedback import Kind
from distest.sgd.link import Link
from distest.sgd.methods.mean import Mean
from distest.sgd.oracle import Gradients
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule, adam, moments
from distest.sgd.state import State
from distest.sgd.theory import Smoothness


@dataclass(frozen=True)
class Qadam(Mean):
    """Worker w keeps the moments m and v of its own gradients, says C(a + e) of a = m / sqrt(v), both corrected for
    having started at 0, and remembers in e what that has left out; x goes along the mean of what was read. Moments
    never travel. With `identity` and one worker it is Adam.

    The authors put the rate into what is said, and may quantise x on its way down as well, which the exchange
    `parameter_server` does by its `down`.

    compressor, exchange, feedback, layers, small, beta: as in `mean`. rate: of Adam, about 1e-3; beta1 is the momentum,
    0.9 without one.

    Source: Chen, Shen, Huang, Liu, "Quantized Adam with error feedback" (2021), Algorithm 2.
    """

    compressor: Compressor = field(default_factory=lambda: Qsgd(bits=4, norm="max", bucket=256))
    feedback: Kind = True
    source: ClassVar[str] = "Chen, Shen, Huang, Liu 2021, Algorithm 2"

    def check_rule(self, rule: Rule) -> None:
        rule.instead("qadam", "adam")

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        raise theory.none("Adam", "steps that adapt have no L in their theorem")

    def round(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        first = rule.instead("qadam", "adam").first
        along = None if oracle is None else _Along(state, oracle, first)
        super().round(state, replace(rule, optimiser="sgd", momentum=0.0), along, link, coins)


class _Along:
    """Adam's directions of each worker; `first` and `second` of state.own."""

    def __init__(self, state: State, oracle: Gradients, first: np.float32):
        self._m, self._v = (state.own.setdefault(name, {}) for name in ("first", "second"))
        self._oracle, self._first = oracle, first

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        g = self._oracle.gradient(worker, x, step)
        m, v = moments(g, self._m.get(worker), self._v.get(worker), self._first)
        self._m[worker], self._v[worker] = m, v
        return adam(m, v, self._first, step + 1, step + 1)
