"""DIANA: compressed differences to a shift that each worker learns, so that the noise of compression dies out."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import crossover, theory
from distest.sgd.compressor import Compressor
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
class Diana(Method):
    """Worker w sends m_w = Q(g_w - h_w) and h_w <- h_w + a m_w; x follows h + the mean of all m, and h, the mean of all
    h_w, grows by a times that. With `identity` nothing is to be learnt, a = 0: gradient descent, bit for bit.

    The step of theory, for Q with E |Q(x) - x|^2 <= o |x|^2, is 1 / (L (1 + 4 o / W)), L the largest of the workers'.

    compressor: Q, unbiased. exchange: how means are made; one that rounds them no further. shift: a, 0 for 1 / (1 + o).
    inner: 0, g_w is the gradient of the batch. Above 0 the method is VR-DIANA: every `inner` steps x becomes a snapshot
    s, whose gradient over the whole shard is g_w then; in the steps between g_w is the gradient at x, less that at s of
    the same batch, plus that of the shard at s. For rows of its own a worker takes about rows / (W batch).

    Source: Mishchenko, Gorbunov, Takac, Richtarik, "Distributed learning with compressed gradient differences" (2019),
    Algorithm 1; Horvath et al., "Stochastic distributed learning with gradient quantization and variance reduction"
    (2019), VR-DIANA, with snapshots at fixed times.
    """

    compressor: Compressor = field(default_factory=lambda: RandomK(density=0.1))
    exchange: Exchange = field(default_factory=AllGather)
    shift: float = 0.0
    inner: int = 0
    source: ClassVar[str] = "Mishchenko, Gorbunov, Takac, Richtarik 2019, Algorithm 1; Horvath et al. 2019"

    def __post_init__(self) -> None:
        if not 0 <= self.shift <= 1:
            raise UsageError(f"diana takes a shift of 0..1, 0 for the usual one, got shift={self.shift}")
        if self.inner < 0:
            raise UsageError(f"diana takes a snapshot every inner steps, 0 for none, got inner={self.inner}")

    def check(self, problem: Problem, workers: int) -> None:
        crossover.check_unbiased("diana", self.compressor, self.exchange, problem.d, workers)

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        if self.inner:
            raise theory.none("VR-DIANA", "that of its theorem hangs on how often snapshots are made")
        noise = crossover.variance("diana", self.compressor, problem.d)
        return 1 / (smooth.largest * (1 + 4 * noise / smooth.workers))

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        omega = crossover.variance("diana", self.compressor, d)
        shift = np.float32(self.shift or 1 / (1 + omega)) if omega else np.float32(0)
        memory = state.own.setdefault("memory", {})
        if self.inner and state.step % self.inner == 0:
            state.shared["snapshot"] = state.x.copy()

        def own(worker: int) -> Vector:
            assert oracle is not None  # somebody speaks
            g = self._gradient(state, oracle, worker)
            change = g - memory[worker] if worker in memory else g
            state.on_paper(self.compressor.paper_bits(change))
            return change

        def heard(worker: int, said: Vector) -> None:
            moved = shift * said
            memory[worker] = memory[worker] + moved if worker in memory else moved

        here = coins.fold("step", state.step)
        mean = self.exchange.mean(own, d, self.compressor, link, here, heard if shift else None)
        followed = mean + state.shared["shift"] if "shift" in state.shared else mean
        if shift:
            state.shared["shift"] = state.shared.get("shift", np.zeros(d, np.float32)) + shift * mean
        rule.apply(state, followed)

    def _gradient(self, state: State, oracle: Oracle, worker: int) -> Vector:
        if not self.inner:
            return oracle.gradient(worker, state.x, state.step)
        full = state.own.setdefault("full", {})
        if state.step % self.inner == 0:
            full[worker] = oracle.whole(worker, state.x, state.step)
            return full[worker]
        now = oracle.gradient(worker, state.x, state.step)
        return now - oracle.gradient(worker, state.shared["snapshot"], state.step) + full[worker]
