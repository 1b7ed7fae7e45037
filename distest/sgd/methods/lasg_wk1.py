"""LASG-WK1: a worker speaks where its gradient has moved away from that at a common old x, on the same batch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.coins import Coins
from distest.sgd.lasg import Lasg
from distest.sgd.link import Link
from distest.sgd.news import News, squares
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class LasgWk1(Lasg):
    """u = (g(x) - g(x~)) - (the same difference when the worker last spoke), x~ being the x of the last round whose
    number `clock` divides, or the first x without a clock. Options and source as in `Lasg`.
    """

    name: ClassVar[str] = "lasg_wk1"
    source: ClassVar[str] = "Chen, Sun, Yin 2020, rule WK1"

    def _hear(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, here: Coins) -> None:
        if "snapshot" not in state.shared or (self.clock and state.step % self.clock == 0):
            state.shared["snapshot"] = state.shared.get("view", state.x)
        super()._hear(state, rule, oracle, link, here)

    def _sizes(
        self, state: State, oracle: Oracle, workers: range, gradients: list[Vector], news: News
    ) -> tuple[NDArray[np.float64], dict[str, list[Vector]]]:
        if not self.trigger:
            return news.sizes, {}
        then = [self._gradient(state, oracle, worker, state.shared["snapshot"]) for worker in workers]
        moved = [gradient - old for gradient, old in zip(gradients, then, strict=True)]
        last, nothing = state.own.get("moved", {}), np.zeros_like(state.x)
        changed = [one - last.get(worker, nothing) for one, worker in zip(moved, workers, strict=True)]
        return squares(changed), {"moved": moved}
