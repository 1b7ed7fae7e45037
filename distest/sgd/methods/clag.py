"""CLAG: compressed lazily aggregated gradients: EF21 whose workers may be silent."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import crossover, theory
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.top_k import TopK
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.feedback import Feedback
from distest.sgd.link import Link
from distest.sgd.method import Knobs, Method
from distest.sgd.methods.mean import Mean
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rotation import total
from distest.sgd.rule import Rule
from distest.sgd.silent import OrSilent
from distest.sgd.state import State
from distest.sgd.theory import Smoothness


@dataclass(frozen=True)
class Clag(Method):
    """As in `ef21` worker w sends C(g_w - h_w) and h_w grows by what was read, but only where |g_w - h_w|^2 > zeta
    |g_w - its gradient of the step before|^2; else it says one bit, and x follows the old h_w. The news of a silent
    worker are small beside how its gradient moves: a rule that knows neither the step size nor the number of workers.

    zeta = 0 is EF21, bit for bit and without that bit of silence; with `identity` it is LAG by this rule. It is for
    whole shards (batch = 0): where gradients are noisy, the noise is news.

    The step of theory is 1 / (L + L' sqrt(B / A)), with A = t and B = max(b, zeta) for t and b as in `ef21`.

    compressor: C. exchange: how means are made; one that rounds them no further.

    Source: Richtarik, Sokolov, Gasanov, Fatkhullin, Li, Gorbunov, "3PC: Three point compressors for communication-
    efficient distributed training and a better theory for lazy aggregation" (2022), CLAG.
    """

    compressor: Compressor = field(default_factory=TopK)
    exchange: Exchange = field(default_factory=AllGather)
    zeta: float = 1.0
    knobs: ClassVar[Knobs] = {"zeta": (0.25, 1.0, 4.0, 16.0)}
    source: ClassVar[str] = "Richtarik, Sokolov, Gasanov, Fatkhullin, Li, Gorbunov 2022, CLAG"

    def __post_init__(self) -> None:
        if not 0 <= self.zeta < float("inf"):
            raise UsageError(f"clag takes a finite zeta of at least 0, got zeta={self.zeta}")

    def check(self, problem: Problem, workers: int) -> None:
        self.compressor.check(problem.d)
        self.exchange.check(self.compressor, problem.d, workers)
        crossover.check_exact("clag", self.exchange)
        self.warnings(problem, workers)  # where differences surely grow

    def warnings(self, problem: Problem, workers: int) -> list[str]:
        said = crossover.check_feedback(self.compressor, problem.d)
        return [] if said is None else [said]

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        return theory.differences(self.compressor, problem.d, smooth, self.zeta)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        if not self.zeta:
            Mean(self.compressor, self.exchange, "ef21").round(state, rule, oracle, link, coins)
            return
        if oracle is not None and oracle.noisy:
            state.warn(
                "minibatches",
                "clag is for gradients of whole shards (batch=0): the noise of minibatches is news too, so that "
                "nearly all workers speak; take lasg_wk2, which compares those of one batch, or ef21 with average < 1",
            )
        code = OrSilent(self.compressor)
        seen = _Seen(oracle) if oracle is not None else None
        feedback = Feedback(state, seen, "ef21")
        before = state.own.setdefault("gradient", {})

        def own(worker: int) -> Vector:
            assert seen is not None  # somebody speaks
            change = feedback.of(worker)
            now, old = seen.last, before.get(worker)
            before[worker] = now
            if old is not None and _square(change) <= self.zeta * _square(now - old):
                change = np.zeros_like(change)
            state.on_paper(code.paper_bits(change))
            return change

        here = coins.fold("step", state.step)
        mean = self.exchange.mean(own, state.x.size, code, link, here, feedback.heard)
        rule.apply(state, feedback.followed(mean))


class _Seen:
    """Gradients, of which the last is remembered."""

    last: Vector

    def __init__(self, oracle: Oracle):
        self._oracle = oracle

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        self.last = self._oracle.gradient(worker, x, step)
        return self.last


def _square(x: Vector) -> float:
    return total(np.square(x, dtype=np.float64))
