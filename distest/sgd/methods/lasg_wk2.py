"""LASG-WK2: a worker speaks where its gradient differs from that at the x it last spoke at, on the same batch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.sgd.lasg import Lasg
from distest.sgd.news import News, square
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Vector
from distest.sgd.state import State


@dataclass(frozen=True)
class LasgWk2(Lasg):
    """u = g(x) - g(x at the worker's last upload), both of the batch at hand; it keeps that x. The rule to take for
    lazy runs with minibatches. Options and source as in `Lasg`.
    """

    name: ClassVar[str] = "lasg_wk2"
    source: ClassVar[str] = "Chen, Sun, Yin 2020, rule WK2"

    def _sizes(
        self, state: State, oracle: Oracle, workers: range, gradients: list[Vector], news: News
    ) -> tuple[NDArray[np.float64], dict[str, list[Vector]]]:
        spoke_at = state.own.get("spoke_at", {})
        sizes = news.sizes.copy()
        for place, worker in enumerate(workers):
            if worker in spoke_at and self.trigger:
                old = self._gradient(state, oracle, worker, spoke_at[worker])
                sizes[place] = square(gradients[place] - old)
        return sizes, {"spoke_at": [state.shared.get("view", state.x)] * len(workers)}
