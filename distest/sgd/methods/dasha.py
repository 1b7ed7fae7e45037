"""DASHA: compressed changes of the gradient and of its own errors; nothing else ever travels."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import crossover
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.random_k import RandomK
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.sgd.theory import Smoothness


@dataclass(frozen=True)
class Dasha(Method):
    """Worker w has an estimate v_w of its gradient, which it alone knows, and g_w, the sum of what it has said. It
    sends Q(v_w' - v_w - a (g_w - v_w)), v_w' being the estimate at the new x; x follows the mean of all g. Estimates
    and sums start at 0. With `identity` it sends v_w': gradient descent, bit for bit.

    v_w' is the gradient at x where batches are whole shards; else (DASHA-MVR) it is that plus (1 - average)(v_w - the
    gradient at the x before of the same batch).

    The step of theory, for Q with E |Q(x) - x|^2 <= o |x|^2, is 1 / (L + L' sqrt(16 o (2 o + 1) / W)), L' the root of
    the mean of the squared L_w; the authors' program has o (4 o + 1) in place of 16 o (2 o + 1).

    compressor: Q, unbiased. exchange: how means are made; one that rounds them no further. a: 0 for 1 / (2 o + 1).
    average: in 0..1, 0 excluded.

    Source: Tyurin, Richtarik, "DASHA: Distributed nonconvex optimization with communication compression, optimal oracle
    complexity, and no client synchronization" (2023), Algorithms 1 and 2.
    """

    compressor: Compressor = field(default_factory=lambda: RandomK(density=0.1))
    exchange: Exchange = field(default_factory=AllGather)
    a: float = 0.0
    average: float = 0.2
    source: ClassVar[str] = "Tyurin, Richtarik 2023"

    def __post_init__(self) -> None:
        if not (0 <= self.a <= 1 and 0 < self.average <= 1):
            raise UsageError(f"dasha takes a of 0..1 and 0 < average <= 1, got a={self.a} and average={self.average}")

    def check(self, problem: Problem, workers: int) -> None:
        crossover.check_unbiased("dasha", self.compressor, self.exchange, problem.d, workers)

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        noise = crossover.variance("dasha", self.compressor, problem.d)
        return 1 / (smooth.whole + smooth.root * math.sqrt(16 * noise * (2 * noise + 1) / smooth.workers))

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        lossless = self.compressor == Identity()
        a = np.float32(self.a or 1 / (2 * crossover.variance("dasha", self.compressor, d) + 1))
        sums = state.own.setdefault("memory", {})
        estimates = state.own.setdefault("gradient", {})

        def own(worker: int) -> Vector:
            assert oracle is not None  # somebody speaks
            old, said = estimates.get(worker), sums.get(worker)
            new = oracle.gradient(worker, state.x, state.step)
            if oracle.noisy and self.average < 1 and old is not None:
                same = oracle.gradient(worker, state.shared["before"], state.step)
                new = new + np.float32(1 - self.average) * (old - same)
            estimates[worker] = new
            change = new
            if not lossless and old is not None and said is not None:
                change = new - old - a * (said - old)
            state.on_paper(self.compressor.paper_bits(change))
            return change

        def heard(worker: int, said: Vector) -> None:
            sums[worker] = sums[worker] + said if worker in sums else np.array(said)

        here = coins.fold("step", state.step)
        mean = self.exchange.mean(own, d, self.compressor, link, here, None if lossless else heard)
        if not lossless:
            mean = state.shared["estimate"] + mean if "estimate" in state.shared else mean.copy()
            state.shared["estimate"] = mean
        state.shared["before"] = state.x
        rule.apply(state, mean)
