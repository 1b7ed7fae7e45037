"""True top-k: the largest coordinates of the exact mean, for which all coordinates travel."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from distest.coins import Coins
from distest.kernels.largest import largest
from distest.sgd import indices
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.fast import Fast
from distest.sgd.link import Link
from distest.sgd.memories import Memories, check_momentum
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class TrueTopK(Method):
    """x follows the k largest coordinates of the mean of all memories: what `sketched_sgd` would do if sketches told
    all, at 32 bits a coordinate. A baseline for what is lost by steps of few coordinates alone.

    density, momentum, exchange: as in `sketched_sgd`.

    Source: Ivkin et al., "Communication-efficient distributed SGD with sketching" (2019), its baseline "true top-k".
    """

    density: float = 0.01
    momentum: float = 0.0
    exchange: Exchange = field(default_factory=AllGather)
    source: ClassVar[str] = "Ivkin et al. 2019, baseline"

    def __post_init__(self) -> None:
        indices.check_size("true_top_k", 0, self.density)
        check_momentum("true_top_k", self.momentum)

    def check(self, problem: Problem, workers: int) -> None:
        self.exchange.check(Identity(), problem.d, workers)

    def fast(self) -> Method:
        return replace(self, exchange=Fast())

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        memories = Memories(state, oracle, self.momentum, "true_top_k")
        here = coins.fold("step", state.step)
        mean = self.exchange.mean(memories.of, d, Identity(), link, here, None)
        kept = largest(mean, indices.size("true_top_k", d, 0, self.density))
        memories.follow(rule, kept, mean[kept])
