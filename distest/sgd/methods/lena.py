"""LENA: lazy workers who remember what they have not said. Experimental."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.coins import Coins
from distest.sgd.lazy import Lazy
from distest.sgd.link import Link
from distest.sgd.method import Knobs
from distest.sgd.news import News, squares
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class Lena(Lazy):
    """Experimental: of the paper only the abstract could be read, and this is one way to fill it in.

    Worker w adds its gradient to what it has not said, v = e + g, and says v where |v|^2 > T, T as in `Lazy`; else e
    becomes v, and x follows what was said by others. So all of every gradient arrives, late and at once. (That the
    server goes on with what a silent worker said last was tried: an upload that makes up for many steps is then
    followed many times, and workers speak every second round to take it back.)

    Options as in `Lazy`. xi: 1 and more; a worker is silent while all it has to say is short beside the steps.

    Source: Shokri Ghadikolaei, Stich, Jaggi, "LENA: Communication-efficient distributed learning with self-triggered
    gradient uploads" (2021), after its abstract.
    """

    xi: float = 1.0
    knobs: ClassVar[Knobs] = {"xi": (0.3, 1.0, 3.0, 10.0)}
    stochastic: ClassVar[bool] = True
    name: ClassVar[str] = "lena"
    source: ClassVar[str] = "Shokri Ghadikolaei, Stich, Jaggi 2021, after its abstract"

    def _hear(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, here: Coins) -> None:
        state.own["said"] = {}  # nothing that was said is followed twice
        if "table" in state.shared:
            state.shared["table"][:] = 0
        super()._hear(state, rule, oracle, link, here)

    def _gradient(self, state: State, oracle: Oracle, worker: int, x: Vector) -> Vector:
        gradient = super()._gradient(state, oracle, worker, x)
        error = state.own.get("error", {}).get(worker)
        return gradient if error is None else gradient + error

    def _sizes(
        self, state: State, oracle: Oracle, workers: range, gradients: list[Vector], news: News
    ) -> tuple[NDArray[np.float64], dict[str, list[Vector]]]:
        state.own.setdefault("error", {}).update(zip(workers, gradients, strict=True))  # where they are silent
        return squares(gradients), {"error": [g - news.vector(place) for place, g in enumerate(gradients)]}
