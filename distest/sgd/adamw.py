"""AdamW: steps that a worker makes by itself, with moments of its own that never travel."""

import numpy as np

from distest.sgd.oracle import Gradients
from distest.sgd.problem import Vector
from distest.sgd.rule import adam, moments
from distest.sgd.state import State

_FIRST = np.float32(0.9)


class AdamW:
    """Steps of workers that live here; `first` and `second` of state.own hold their moments.

    Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (2019), Algorithm 2.
    """

    def __init__(self, state: State, oracle: Gradients, rate: float, decay: float):
        self._oracle, self._rate, self._decay = oracle, np.float32(rate), np.float32(decay)
        self._m, self._v = (state.own.setdefault(name, {}) for name in ("first", "second"))

    def step(self, worker: int, x: Vector, number: int) -> Vector:
        """Where a step of a worker leads from x. number: of the step, from 0 on."""
        g = self._oracle.gradient(worker, x, number)
        m, v = moments(g, self._m.get(worker), self._v.get(worker), _FIRST)
        self._m[worker], self._v[worker] = m, v
        along = adam(m, v, _FIRST, number + 1, number + 1) + self._decay * x
        return np.asarray(x - self._rate * along, np.float32)
