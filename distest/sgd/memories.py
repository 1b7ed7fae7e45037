"""Memories of workers who know which coordinates of theirs have been followed: momentum and sum, both cleared there."""

import math

import numpy as np

from distest.errors import DivergedError, UsageError
from distest.sgd.indices import Places
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Vector
from distest.sgd.rotation import total
from distest.sgd.rule import Rule
from distest.sgd.state import State


def check_momentum(name: str, momentum: float) -> None:
    """Raise UsageError for a momentum outside 0..1, or 1."""
    if not 0 <= momentum < 1:
        raise UsageError(f"{name} takes a momentum of at least 0 and below 1, got {momentum}")


class Memories:
    """One step of the workers that live here: u <- momentum u + gradient, v <- v + rate u, for who asks for v.

    `momentum` and `memory` of state.own hold u (where momentum is not 0) and v.

    Source: Lin, Han, Mao, Wang, Dally, "Deep gradient compression" (2018), momentum correction and factor masking.
    """

    def __init__(
        self,
        state: State,
        oracle: Oracle | None,
        momentum: float,
        name: str,
        clip: float = math.inf,
        rate: float = 1.0,
    ):
        """oracle: None in a replay, where nobody asks. name: of the method, for messages. clip: gradients that are
        longer are shortened to this. rate: the step size, where it belongs inside the memory."""
        self._state, self._oracle, self._momentum, self._name = state, oracle, np.float32(momentum), name
        self._clip, self._rate = clip, np.float32(rate)
        self._u = state.own.setdefault("momentum", {}) if momentum else {}
        self._v = state.own.setdefault("memory", {})
        self._asked: set[int] = set()

    def of(self, worker: int) -> Vector:
        """v of a worker, float32 (d,). Raises DivergedError where a coordinate is not a finite number."""
        if worker in self._asked:
            return self._v[worker]
        assert self._oracle is not None  # somebody speaks
        u = clipped(self._oracle.gradient(worker, self._state.x, self._state.step), self._clip)
        if self._momentum:
            if worker in self._u:
                u = self._momentum * self._u[worker] + u
            self._u[worker] = np.array(u)
        u = self._rate * u
        v = self._v[worker] + u if worker in self._v else u
        if not np.isfinite(v).all():
            raise DivergedError(
                f"{self._name}: the memory of worker {worker} at step {self._state.step} has coordinates that are no "
                "finite numbers; try a smaller --rate"
            )
        self._v[worker] = v
        self._asked.add(worker)
        return v

    def clear(self, places: Places) -> None:
        """Forget u and v of all workers that live here at some places."""
        for worker in self._asked:
            self._v[worker][places] = 0
            if worker in self._u:
                self._u[worker][places] = 0

    def heard(self, worker: int, said: Vector) -> None:
        """Take from v of a worker what everybody has read of it, and forget its u there."""
        self._v[worker] = self._v[worker] - said
        if worker in self._u:
            self._u[worker][said != 0] = 0

    def take(self, places: Places, values: Vector) -> None:
        """Take some values away from v of all workers that live here."""
        for worker in self._asked:
            self._v[worker][places] -= values

    def spoke(self, n_bits: float) -> None:
        """Count, for each worker that lives here and spoke, so many bits by the rule of a paper."""
        for _ in self._asked:
            self._state.on_paper(n_bits)

    def follow(self, rule: Rule, places: Places, mean: Vector) -> None:
        """x follows the mean at some places, where all u and v are forgotten."""
        update = np.zeros(self._state.x.size, np.float32)
        update[places] = mean
        self.clear(places)
        rule.apply(self._state, update)


def clipped(gradient: Vector, length: float) -> Vector:
    """A gradient, shortened to a length if it is longer."""
    if length == math.inf:
        return gradient
    norm = math.sqrt(total(np.square(gradient, dtype=np.float64)))
    return gradient * np.float32(length / norm) if norm > length else gradient
