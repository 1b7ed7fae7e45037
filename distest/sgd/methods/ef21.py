"""EF21: each worker says how its gradient differs from the sum of all it has said."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import theory
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.top_k import TopK
from distest.sgd.feedback import Kind
from distest.sgd.link import Link
from distest.sgd.method import Knobs
from distest.sgd.methods.mean import Mean
from distest.sgd.oracle import Gradients
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.sgd.theory import Smoothness


@dataclass(frozen=True)
class Ef21(Mean):
    """Worker w sends C(v_w - h_w), h_w grows by what was read, and x follows the mean of all h. v_w is its gradient, or
    with average < 1 a mean of its gradients that fades, v_w <- (1 - average) v_w + average g_w (EF21-SGDM), which
    noisy gradients need. With `identity` x follows the mean of all v: gradient descent, bit for bit.

    The step of theory, for C with |C(x) - x|^2 <= (1 - a) |x|^2, is 1 / (L + L' sqrt(b / t)), t = 1 - sqrt(1 - a), b =
    (1 - a) / t, L' the root of the mean of the squared L_w.

    average: in 0..1, 0 excluded. compressor, exchange, layers, small: as in `mean`; h starts at 0, which costs nothing.

    Source: Richtarik, Sokolov, Fatkhullin, "EF21" (2021), Algorithm 2; Fatkhullin, Tyurin, Richtarik, "Momentum
    provably improves error feedback!" (2023), EF21-SGDM.
    """

    compressor: Compressor = field(default_factory=TopK)
    feedback: Kind = "ef21"
    average: float = 1.0
    knobs: ClassVar[Knobs] = {"average": (0.1, 0.3, 1.0)}
    source: ClassVar[str] = "Richtarik, Sokolov, Fatkhullin 2021; Fatkhullin, Tyurin, Richtarik 2023"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.average <= 1:
            raise UsageError(f"ef21 takes 0 < average <= 1, got average={self.average}")
        if self.feedback != "ef21":
            raise UsageError(
                f'ef21 has the feedback "ef21", got {self.feedback!r}; for other kinds there is the method mean'
            )

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        if self.average < 1:
            raise theory.none("averages of gradients", "they are for noisy ones, whose theorems are about the long run")
        return super().theory(problem, smooth)

    def round(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        if oracle is not None and self.average < 1:
            oracle = _Averages(state, oracle, self.average)
        super().round(state, rule, oracle, link, coins)


class _Averages:
    """Means of the gradients of each worker that fade; `average` of state.own."""

    def __init__(self, state: State, oracle: Gradients, share: float):
        self._kept, self._oracle, self._share = state.own.setdefault("average", {}), oracle, np.float32(share)

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        g = self._oracle.gradient(worker, x, step)
        if worker in self._kept:
            g = (1 - self._share) * self._kept[worker] + self._share * g
        self._kept[worker] = g
        return g
