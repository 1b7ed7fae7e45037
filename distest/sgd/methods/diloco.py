"""DiLoCo: many local steps of AdamW, and a step with Nesterov's momentum along the mean of where they lead."""

from dataclasses import dataclass
from typing import ClassVar

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd.adamw import AdamW
from distest.sgd.link import Link
from distest.sgd.method import Knobs
from distest.sgd.methods.local_sgd import LocalSgd
from distest.sgd.oracle import Gradients
from distest.sgd.problem import Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class Diloco(LocalSgd):
    """Every `inner` steps, and at the end, worker w says x - x_w, x_w being where steps of AdamW of its own have led
    from the common x, and of the mean D of what is read everybody makes u <- outer_momentum u + D and x <- x -
    outer_rate (D + outer_momentum u). Moments of AdamW stay with the workers and never travel.

    rate: of AdamW, about 1e-3, with its schedule; of the whole round that of its last step. No momentum, and no
    optimiser but the usual one. inner: 500 in the paper. decay: of the weights in AdamW. fade: what remains of the
    memory of error feedback from one turn to the next. compressor, exchange, feedback, layers, small, beta: as in
    `mean`.

    Source: Douillard et al., "DiLoCo: Distributed low-communication training of language models" (2023), Algorithm 1.
    """

    inner: int = 50
    outer_rate: float = 0.7
    outer_momentum: float = 0.9
    decay: float = 0.0
    fade: float = 1.0
    knobs: ClassVar[Knobs] = {"outer_rate": (0.4, 0.7, 1.0), "outer_momentum": (0.0, 0.5, 0.9)}
    source: ClassVar[str] = "Douillard et al. 2023, Algorithm 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        Rule(rate=self.outer_rate, momentum=self.outer_momentum)  # refuses what makes no sense
        if not (0 <= self.decay < float("inf") and 0 < self.fade <= 1):
            raise UsageError(f"local AdamW takes decay >= 0 and 0 < fade <= 1, got {self.decay} and {self.fade}")

    def check_rule(self, rule: Rule) -> None:
        rule.alone("diloco")

    def _meet(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        rule.alone("diloco")
        path = None if oracle is None else _Path(self, state, oracle, rule.at(state.step))
        outer = Rule(rate=self.outer_rate, momentum=self.outer_momentum, nesterov=True)
        outer.apply(state, self._heard(state, path, link, coins, self.fade))


class _Path:
    """Where local steps of AdamW lead."""

    def __init__(self, method: Diloco, state: State, oracle: Gradients, rate: float):
        self._method, self._walk = method, AdamW(state, oracle, rate, method.decay)

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        here = x
        for number in self._method.since(step):
            here = self._walk.step(worker, here, number)
        return x - here
