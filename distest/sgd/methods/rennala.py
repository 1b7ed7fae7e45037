"""Rennala SGD: steps along the mean of the first gradients that are up to date, whoever they come from."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd.asynchronous import Asynchronous
from distest.sgd.link import Link
from distest.sgd.method import Knobs
from distest.sgd.newest import Newest
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Vector
from distest.sgd.state import State


@dataclass(frozen=True)
class Rennala(Asynchronous):
    """The server waits for `collect` gradients at its newest model, drops all others, and steps along their mean.

    Fast workers give several gradients for a step and slow ones none: the time of a step does not hang on the slowest.
    A worker that has the newest model already is told so in one bit.

    collect: gradients of a step. compressor: of a gradient. inner: steps between two barriers. snapshot, clock: as for
    all asynchronous methods.

    Source: Tyurin, Richtarik, "Optimal Time Complexities of Parallel Stochastic Optimization Methods Under a Fixed
    Computation Model" (2023), Rennala SGD.
    """

    collect: int = 4
    knobs: ClassVar[Knobs] = {"collect": (2, 4, 8)}
    source: ClassVar[str] = "Tyurin, Richtarik 2023"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.collect < 1:
            raise UsageError(f"rennala steps along the mean of at least one gradient, got collect={self.collect}")

    def looked_at(self, rows: int, workers: int, batch: int) -> int:
        """Those of the gradients that make the steps."""
        return self.collect * super().looked_at(rows, workers, batch)

    def stretch(self, state: State, oracle: Oracle | None, link: Link, coins: Coins, rate: float) -> Newest:
        stretch = _Collecting(self, state, oracle, link, coins, rate)
        stretch.wanted = self.collect
        return stretch


class _Collecting(Newest):
    wanted = 1
    _there = 0
    _total: NDArray[np.float64] | float = 0.0

    def use(self, gradient: Vector, delay: int) -> bool:
        if delay:
            return False
        self._total, self._there = self._total + gradient.astype(np.float64), self._there + 1
        if self._there == self.wanted:
            self.step(np.asarray(self._total / self.wanted, np.float32))
            self._total, self._there = 0.0, 0
        return True
