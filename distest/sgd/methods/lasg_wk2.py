"""LASG-WK2: a worker speaks where its gradient differs from that at the x it last spoke at, on the same batch."""

from dataclasses import dataclass
from typing import ClassVar

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

    def _size(
        self, state: State, oracle: Oracle, worker: int, gradient: Vector, news: News
    ) -> tuple[float, dict[str, Vector]]:
        kept = {"spoke_at": state.shared.get("view", state.x)}
        at = state.own.get("spoke_at", {}).get(worker)
        if at is None or not self.trigger:
            return news.size, kept
        return square(gradient - self._gradient(state, oracle, worker, at)), kept
