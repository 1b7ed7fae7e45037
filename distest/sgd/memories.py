"""Memories of workers who know which coordinates of theirs have been followed: momentum and sum, both cleared there."""

import numpy as np
from numpy.typing import NDArray

from distest.errors import DivergedError
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Vector
from distest.sgd.state import State


class Memories:
    """One step of the workers that live here: u <- momentum u + gradient, v <- v + u, for who asks for v.

    `momentum` and `memory` of state.own hold u (where momentum is not 0) and v.

    Source: Lin, Han, Mao, Wang, Dally, "Deep gradient compression" (2018), momentum correction and factor masking.
    """

    def __init__(self, state: State, oracle: Oracle | None, momentum: float, name: str):
        """oracle: None in a replay, where nobody asks. name: of the method, for messages."""
        self._state, self._oracle, self._momentum, self._name = state, oracle, np.float32(momentum), name
        self._u = state.own.setdefault("momentum", {}) if momentum else {}
        self._v = state.own.setdefault("memory", {})
        self._asked: set[int] = set()

    def of(self, worker: int) -> Vector:
        """v of a worker, float32 (d,). Raises DivergedError where a coordinate is not a finite number."""
        if worker in self._asked:
            return self._v[worker]
        assert self._oracle is not None  # somebody speaks
        u = self._oracle.gradient(worker, self._state.x, self._state.step)
        if self._momentum:
            if worker in self._u:
                u = self._momentum * self._u[worker] + u
            self._u[worker] = np.array(u)
        v = self._v[worker] + u if worker in self._v else np.array(u)
        if not np.isfinite(v).all():
            raise DivergedError(
                f"{self._name}: the memory of worker {worker} at step {self._state.step} has coordinates that are no "
                "finite numbers; try a smaller --rate"
            )
        self._v[worker] = v
        self._asked.add(worker)
        return v

    def clear(self, places: NDArray[np.int64]) -> None:
        """Forget u and v of all workers that live here at some places."""
        for worker in self._asked:
            self._v[worker][places] = 0
            if worker in self._u:
                self._u[worker][places] = 0
