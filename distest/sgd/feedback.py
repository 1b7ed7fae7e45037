"""Error feedback: what each worker adds to its gradient, and what it remembers of what its messages left out."""

from typing import Literal

import numpy as np

from distest.sgd.oracle import Gradients
from distest.sgd.problem import Vector
from distest.sgd.state import State

Kind = bool | Literal["lowpass", "ef21"]


class Feedback:
    """One step of the workers that live here, for who asks each for what it says and tells it what was heard of that.

    kind: False, a worker says its gradient g. True, it says p = e + g, and e becomes p less what was heard. "lowpass":
    the same, but e becomes (1 - beta) e + beta (p less what was heard), so that noise of single steps is smoothed and
    on average all of a gradient still arrives. "ef21": it says g - h and h grows by what was heard; all follow the sum
    of the means of what was heard, which is the mean of all h.

    `memory` of state.own holds e or h, `estimate` of state.shared the sum of the means.

    Source: Seide, Fu, Droppo, Li, Yu, "1-bit stochastic gradient descent" (2014); Chen et al., "ScaleCom" (2020),
    Algorithm 1, low pass; Richtarik, Sokolov, Fatkhullin, "EF21: A new, simpler, theoretically better, and practically
    faster error feedback" (2021), Algorithm 2.
    """

    def __init__(self, state: State, oracle: Gradients | None, kind: Kind, beta: float = 1.0, fade: float = 1.0):
        """oracle: None in a replay, where nobody asks. beta: of "lowpass", in 0..1, 0 excluded. fade: what e is
        multiplied by before it is said."""
        self._state, self._oracle, self._kind = state, oracle, kind
        self._fade = np.float32(fade)
        self._beta = np.float32(beta if kind == "lowpass" else 1.0)
        self._memory = state.own.setdefault("memory", {}) if kind else {}
        self._asked: dict[int, Vector] = {}

    def of(self, worker: int) -> Vector:
        """What a worker says, float32 (d,). Raises DivergedError for a gradient that is not finite."""
        if worker not in self._asked:
            assert self._oracle is not None  # somebody speaks
            gradient = self._oracle.gradient(worker, self._state.x, self._state.step)
            kept = self._memory.get(worker)
            if kept is not None:
                gradient = gradient - kept if self._kind == "ef21" else gradient + self._fade * kept
            self._asked[worker] = gradient
        return self._asked[worker]

    def speakers(self) -> list[int]:
        """The workers that live here and were asked."""
        return list(self._asked)

    def heard(self, worker: int, said: Vector) -> None:
        """Tell a worker what everybody has read of it."""
        if not self._kind:
            return
        kept = self._memory.get(worker)
        if self._kind == "ef21":
            self._memory[worker] = np.array(said) if kept is None else kept + said
            return
        error = self._beta * (self._asked[worker] - said)
        if kept is not None and self._beta < 1:
            error += (1 - self._beta) * kept
        self._memory[worker] = error

    def followed(self, mean: Vector) -> Vector:
        """What x follows, for the mean of what was heard."""
        if self._kind != "ef21":
            return mean
        before = self._state.shared.get("estimate")
        self._state.shared["estimate"] = estimate = np.array(mean) if before is None else before + mean
        return estimate
