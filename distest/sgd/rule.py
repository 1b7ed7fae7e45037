"""Rule: what is done with the mean of the gradients."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from distest.errors import UsageError
from distest.sgd.problem import Vector
from distest.sgd.state import State

Schedule = Literal["constant", "inverse", "cosine", "linear", "steps"]
_EPSILON = np.float32(1e-8)
SECOND = np.float32(0.999)  # beta2
INSIDE = "the step size inside its memories"


@dataclass(frozen=True, slots=True)
class Rule:
    """x <- x - rate_t v_t, float32 (float64 where x is).

    optimiser "sgd": v_t the mean itself, or with momentum v_t = momentum v_{t-1} + mean (nesterov: the mean plus
    momentum v_t). "adam": Kingma and Ba (2015) with beta1 = momentum or 0.9, beta2 = 0.999. "amsgrad": m / sqrt(the
    largest v so far + 1e-8) with the same m and v, uncorrected; Reddi, Kale, Kumar (2018).
    schedule, over `steps` steps from step 0: "constant"; "inverse", rate/(1 + t/decay); "cosine" or "linear" down to 0;
    "steps", times `factor` from each of `milestones` on, which are numbers of steps, or below 1 shares of all steps.
    warmup: in the first so many steps the rate is (t + 1)/warmup of that.
    Raises UsageError for a rate or factor that is not positive, a momentum outside 0..1, a negative warm-up, and
    milestones that are negative or go with another schedule.
    """

    rate: float = 0.1
    steps: int = 1
    optimiser: Literal["sgd", "adam", "amsgrad"] = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    schedule: Schedule = "constant"
    decay: float = 100.0
    milestones: tuple[float, ...] = ()
    factor: float = 0.1
    warmup: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.rate < math.inf:
            raise UsageError(f"a step size is positive and finite, got rate={self.rate}")
        if not 0 <= self.momentum < 1:
            raise UsageError(f"momentum is at least 0 and below 1, got {self.momentum}")
        if not 0 < self.decay < math.inf:
            raise UsageError(f"decay is a positive number of steps, got {self.decay}")
        if not 0 < self.factor < math.inf:
            raise UsageError(f"the factor of a schedule is positive and finite, got factor={self.factor}")
        if self.warmup < 0:
            raise UsageError(f"a warm-up is a number of steps, at least 0, got warmup={self.warmup}")
        if bool(self.milestones) != (self.schedule == "steps"):
            raise UsageError(
                "milestones go with schedule='steps', and only with it: got "
                f"schedule={self.schedule!r} and milestones={list(self.milestones)}"
            )
        if not all(0 <= milestone < math.inf for milestone in self.milestones):
            raise UsageError(f"milestones are steps, or shares of all steps, got {list(self.milestones)}")

    def at(self, step: int) -> float:
        """The step size of a step."""
        factor, done = 1.0, step / max(1, self.steps)
        match self.schedule:
            case "inverse":
                factor = 1.0 / (1.0 + step / self.decay)
            case "cosine":
                factor = (1.0 + math.cos(math.pi * min(1.0, done))) / 2.0
            case "linear":
                factor = max(0.0, 1.0 - done)
            case "steps":
                factor = self.factor ** sum(step >= self._step(milestone) for milestone in self.milestones)
        if step < self.warmup:
            factor *= (step + 1) / self.warmup
        return self.rate * factor

    def plain(self, step: int, where: str) -> np.float32:
        """The step size of a step, for methods that follow gradients without a mean. UsageError for momentum.

        where: what the method has instead, for the message.
        """
        if self.momentum or self.optimiser != "sgd":
            raise UsageError(f"this method has {where}; use --optimiser sgd and --momentum 0")
        return np.float32(self.at(step))

    def _step(self, milestone: float) -> float:
        """The first step behind a milestone."""
        return round(milestone * self.steps) if milestone < 1 else milestone

    def apply(self, state: State, mean: Vector) -> None:
        """One step: changes x, the arrays of the optimiser and the number of steps."""
        rate = state.x.dtype.type(self.at(state.step))
        state.step += 1
        if self.optimiser != "sgd":
            state.x = state.x - rate * self._adam(state, mean)
            return
        if self.momentum:
            kept = state.shared.get("momentum", np.zeros_like(mean))
            state.shared["momentum"] = kept = np.float32(self.momentum) * kept + mean
            mean = mean + np.float32(self.momentum) * kept if self.nesterov else kept
        state.x = state.x - rate * mean

    def alone(self, who: str) -> None:
        """Raise UsageError where more than a rate is asked for: for methods that make the step themselves."""
        if self.momentum or self.nesterov or self.optimiser != "sgd":
            raise UsageError(f"{who} makes the whole step by itself; use --optimiser sgd and --momentum 0")

    def move(self, state: State, update: Vector) -> None:
        """One step x <- x - update, for methods that have put the rate into it already. UsageError for momentum."""
        self.plain(state.step, INSIDE)
        state.step += 1
        state.x = state.x - update

    def instead(self, who: str, optimiser: Literal["adam", "amsgrad"]) -> "Rule":
        """The same with an optimiser that belongs to a method. UsageError where another one is asked for."""
        if self.optimiser not in ("sgd", optimiser) or self.nesterov:
            raise UsageError(f"{who} steps by {optimiser}: leave out the optimiser, or use --optimiser {optimiser}")
        return replace(self, optimiser=optimiser)

    @property
    def first(self) -> np.float32:
        """beta1."""
        return np.float32(self.momentum or 0.9)

    def _adam(self, state: State, mean: Vector) -> Vector:
        kept = state.shared.get("first"), state.shared.get("second")
        m, v = moments(mean, kept[0], kept[1], self.first)
        state.shared["first"], state.shared["second"] = m, v
        if self.optimiser == "adam":
            return adam(m, v, self.first, state.step, state.step)
        state.shared["largest"] = largest = np.maximum(state.shared.get("largest", v), v)
        return np.asarray(m / np.sqrt(largest + _EPSILON), np.float32)


def moments(g: Vector, m: Vector | None, v: Vector | None, first: np.float32) -> tuple[Vector, Vector]:
    """Means of g and of its squares that fade by beta1 = first and beta2; None for those before the first step."""
    m, v = (np.zeros_like(g) if kept is None else kept for kept in (m, v))
    return first * m + (1 - first) * g, SECOND * v + (1 - SECOND) * g * g


def adam(m: Vector, v: Vector, first: np.float32, times: int, others: int) -> Vector:
    """Adam's direction of m after so many steps and v after others, both corrected for having started at 0."""
    unbiased = m / (1 - first ** np.float32(times)), v / (1 - SECOND ** np.float32(others))
    return np.asarray(unbiased[0] / (np.sqrt(unbiased[1]) + _EPSILON), np.float32)
