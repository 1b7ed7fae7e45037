"""Random-k: coordinates that public coins choose, the same for all workers."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.coins import Coins
from distest.sgd import indices
from distest.sgd.compressor import CoinUse
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.random_k import drawn
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.link import Link
from distest.sgd.memories import Memories, check_momentum
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class RandomK(Method):
    """x follows k coordinates of the mean of all memories, which public coins choose anew in each step: no indices.

    A baseline for `sketched_sgd`: the same memories and traffic of 32 k bits, but nobody looks which are large.

    density, momentum, exchange: as in `sketched_sgd`.

    Source: Ivkin et al., "Communication-efficient distributed SGD with sketching" (2019), its baseline "random-k";
    Stich, Cordonnier, Jaggi, "Sparsified SGD with memory" (2018).
    """

    density: float = 0.01
    momentum: float = 0.0
    exchange: Exchange = field(default_factory=AllGather)
    coin_use: ClassVar[CoinUse] = "public"
    source: ClassVar[str] = "Ivkin et al. 2019, baseline"

    def __post_init__(self) -> None:
        indices.check_size("random_k", 0, self.density)
        check_momentum("random_k", self.momentum)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        k = indices.size("random_k", d, 0, self.density)
        here = coins.fold("step", state.step)
        memories = Memories(state, oracle, self.momentum, "random_k")
        asked = drawn(k, d, 0, here.public.fold("places"))
        mean = self.exchange.mean(lambda worker: memories.of(worker)[asked], k, Identity(), link, here, None)
        memories.spoke(32 * k)
        memories.follow(rule, asked, mean)
