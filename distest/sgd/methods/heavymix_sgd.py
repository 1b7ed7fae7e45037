"""Heavymix-SGD: the version of Sketched-SGD that its theorem is about."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.sgd import indices
from distest.sgd.compressor import CoinUse
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.link import Link
from distest.sgd.memories import Memories
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem
from distest.sgd.rule import INSIDE, Rule
from distest.sgd.sketch import heavymix, shift_for
from distest.sgd.sketch_sum import Shape, add_up
from distest.sgd.state import State


@dataclass(frozen=True)
class HeavymixSgd(Method):
    """Each worker keeps a <- a + rate_t gradient; the sum of all sketches names by HEAVYMIX k coordinates, those that
    it says are heavy and others at random; x goes down by the mean of a there, which each worker takes from its a.

    So the step size is inside the memory, and workers remember how they differ from the mean: both unlike
    `sketched_sgd`, which is the version that was run. The theorem wants rate_t = rate / (1 + t / decay) with
    schedule=inverse, and is about a weighted mean of all x; here the last x is the model.

    density: share k / d of the coordinates that a step moves. rows, columns, precision, exchange: as in `sketched_sgd`.

    Source: Ivkin et al., "Communication-efficient distributed SGD with sketching" (2019), Algorithms 1 and 2.
    """

    density: float = 0.01
    rows: int = 5
    columns: int = 0
    precision: int = 16
    exchange: Exchange = field(default_factory=AllGather)
    coin_use: ClassVar[CoinUse] = "public"
    source: ClassVar[str] = "Ivkin et al. 2019, Algorithms 1 and 2"

    def __post_init__(self) -> None:
        indices.check_size("heavymix_sgd", 0, self.density)
        self._shape.check()

    def check(self, problem: Problem, workers: int) -> None:
        shift_for(1.0, problem.d, workers)
        self.exchange.check(Identity(), indices.size("heavymix_sgd", problem.d, 0, self.density), workers)

    def check_rule(self, rule: Rule) -> None:
        rule.plain(0, INSIDE)

    @property
    def _shape(self) -> Shape:
        return Shape("heavymix_sgd", self.rows, self.columns, self.precision)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        k = indices.size("heavymix_sgd", d, 0, self.density)
        here = coins.fold("step", state.step)
        memories = Memories(state, oracle, 0.0, "heavymix_sgd", rate=rule.at(state.step))
        summed = add_up(memories.of, d, self._shape, self.exchange, link, here)
        asked = heavymix(summed.sketch, summed.table, k, here.public)
        mean = self.exchange.mean(lambda worker: memories.of(worker)[asked], k, Identity(), link, here, None)
        memories.spoke(32 * (summed.table.size + k))
        memories.take(asked, mean)
        update = np.zeros(d, np.float32)
        update[asked] = mean
        rule.move(state, update)
