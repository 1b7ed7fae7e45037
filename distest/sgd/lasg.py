"""LASG: lazy stochastic gradients, compared on the same batch; what its two rules share."""

from dataclasses import dataclass
from typing import ClassVar

from distest.sgd.lazy import Lazy
from distest.sgd.method import Knobs


@dataclass(frozen=True)
class Lasg(Lazy):
    """A worker computes two gradients of its batch a round, one at x and one at an x of before, so that the noise of
    the batch is in both; it speaks, and tells the first, where their difference has a square above T.

    xi, clock: 0.08 and 50 by default. Options as in `Lazy`. With optimiser = "adam" the server steps as in CADA, but
    for the maximum that AMSGrad takes.

    Source: Chen, Sun, Yin, "LASG: Lazily aggregated stochastic gradients for communication-efficient distributed
    learning" (2020); Chen, Guo, Sun, Yin, "CADA: Communication-adaptive distributed Adam" (2021).
    """

    xi: float = 0.08
    clock: int = 50
    knobs: ClassVar[Knobs] = {"xi": (0.02, 0.08, 0.3)}
    spread: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True
