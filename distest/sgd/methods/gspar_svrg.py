"""GSpar-SVRG: what a gradient differs by from that at a snapshot, sparsified; the snapshot's own is known exactly."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.gspar import Gspar
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class GsparSvrg(Method):
    """Every `inner` steps x is the snapshot s: all send the gradient of their whole shard at s in single precision, and
    x follows their mean G. In the steps between, worker w sends C(g_w(x) - g_w(s)), both of the same batch, and x
    follows G plus the mean. (At x = s the difference is 0, so that the first step after a snapshot needs no message.)

    A whole shard counts as many gradients as the batches it would fill, a step between as two.

    compressor: C. exchange: how both means are made. inner: steps from one snapshot to the next; about rows / (W batch)
    makes an epoch.

    Source: Wangni, Wang, Liu, Zhang, "Gradient sparsification for communication-efficient distributed optimization"
    (2018), its experiments with SVRG; Johnson, Zhang, "Accelerating stochastic gradient descent using predictive
    variance reduction" (2013).
    """

    compressor: Compressor = field(default_factory=Gspar)
    exchange: Exchange = field(default_factory=AllGather)
    inner: int = 50
    source: ClassVar[str] = "Wangni, Wang, Liu, Zhang 2018 (SVRG); Johnson, Zhang 2013"

    def __post_init__(self) -> None:
        if self.inner < 1:
            raise UsageError(f"gspar_svrg takes a snapshot every inner >= 1 steps, got inner={self.inner}")

    def check(self, problem: Problem, workers: int) -> None:
        self.compressor.check(problem.d)
        self.exchange.check(self.compressor, problem.d, workers)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        here = coins.fold("step", state.step)

        def whole(worker: int) -> Vector:
            assert oracle is not None  # somebody speaks
            state.on_paper(32 * d)
            return oracle.whole(worker, state.x, state.step)

        def difference(worker: int) -> Vector:
            assert oracle is not None  # somebody speaks
            now = oracle.gradient(worker, state.x, state.step)
            change = now - oracle.gradient(worker, state.shared["snapshot"], state.step)
            state.on_paper(self.compressor.paper_bits(change))
            return change

        if state.step % self.inner == 0:
            state.shared["snapshot"] = state.x.copy()
            full = self.exchange.mean(whole, d, Identity(), link, here, None)
            state.shared["full"] = full
            rule.apply(state, full)
            return
        mean = self.exchange.mean(difference, d, self.compressor, link, here, None)
        rule.apply(state, state.shared["full"] + mean)
