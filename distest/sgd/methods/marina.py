"""MARINA: compressed changes of the gradient, and now and then the gradient itself."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import crossover
from distest.sgd.compressor import CoinUse, Compressor
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
class Marina(Method):
    """A public coin says in each step, with chance p, that all send the gradients of their whole shards in single
    precision, whose mean is G; else worker w sends Q(g_w(x) - g_w(the x before)), both of the same batch, and G grows
    by the mean. x follows G. The first step is one of the first kind. With `identity` all are, p = 1: gradient descent,
    bit for bit. Where batches are whole shards the gradient at the x before is remembered, else it is computed anew.

    The step of theory, for Q with E |Q(x) - x|^2 <= o |x|^2, is 1 / (L + L' sqrt((1 - p) o / (p W))), L' the root of
    the mean of the squared L_w.

    compressor: Q, unbiased. exchange: how means are made; one that rounds them no further. p: 0 for 1 / (1 + o).

    Source: Gorbunov, Burlachenko, Li, Richtarik, "MARINA: Faster non-convex distributed learning with compression"
    (2021), Algorithm 1, and VR-MARINA where batches are parts of shards.
    """

    compressor: Compressor = field(default_factory=lambda: RandomK(density=0.1))
    exchange: Exchange = field(default_factory=AllGather)
    p: float = 0.0
    coin_use: ClassVar[CoinUse] = "public"
    source: ClassVar[str] = "Gorbunov, Burlachenko, Li, Richtarik 2021, Algorithm 1"

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise UsageError(f"marina takes a chance 0 < p <= 1, or 0 for the usual one, got p={self.p}")

    def check(self, problem: Problem, workers: int) -> None:
        crossover.check_unbiased("marina", self.compressor, self.exchange, problem.d, workers)

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        noise = crossover.variance("marina", self.compressor, problem.d)
        p = self._chance(noise)
        return 1 / (smooth.whole + smooth.root * math.sqrt((1 - p) * noise / (p * smooth.workers)))

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        here = coins.fold("step", state.step)
        p = self._chance(crossover.variance("marina", self.compressor, d))
        whole = state.step == 0 or int(here.public.fold("whole").common(1)[0]) < p * 2.0**64
        code = Identity() if whole else self.compressor
        memory = state.own.setdefault("gradient", {})

        def own(worker: int) -> Vector:
            assert oracle is not None  # somebody speaks
            if whole and oracle.noisy:
                now = oracle.whole(worker, state.x, state.step)
            else:
                now = oracle.gradient(worker, state.x, state.step)
            said = now
            if not whole and oracle.noisy:
                said = now - oracle.gradient(worker, state.shared["before"], state.step)
            elif not oracle.noisy:
                said = now if whole else now - memory[worker]
                memory[worker] = now
            state.on_paper(32 * d if whole else self.compressor.paper_bits(said))
            return said

        mean = self.exchange.mean(own, d, code, link, here, None)
        state.shared["estimate"] = estimate = mean.copy() if whole else state.shared["estimate"] + mean
        state.shared["before"] = state.x
        rule.apply(state, estimate)

    def _chance(self, noise: float) -> float:
        """p, for o = noise."""
        return self.p or 1 / (1 + noise)
