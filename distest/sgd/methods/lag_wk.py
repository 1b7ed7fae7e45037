"""LAG-WK: lazily aggregated gradients, each worker decides whether its own has changed enough."""

from dataclasses import dataclass
from typing import ClassVar

from distest.sgd.lazy import Lazy
from distest.sgd.method import Knobs


@dataclass(frozen=True)
class LagWk(Lazy):
    """Gradient descent on what the server remembers; a worker uploads its gradient where |g - the last one it told|^2 >
    T.

    It saves uploads only: every round x goes to all and all compute a gradient. Options as in `Lazy`; the authors run
    it without a clock (clock = 0), with xi = 1/depth.

    Source: Chen, Giannakis, Sun, Yin, "LAG: Lazily aggregated gradient for communication-efficient distributed
    learning" (2018), Algorithm 1, rule (7a).
    """

    knobs: ClassVar[Knobs] = {"xi": (0.02, 0.05, 0.1, 0.3)}
    name: ClassVar[str] = "lag_wk"
    source: ClassVar[str] = "Chen, Giannakis, Sun, Yin 2018, Algorithm 1"
