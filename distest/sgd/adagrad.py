"""Adagrad with few bits: what the step is made of has been read by everybody, or by the server alone.

Shared by the files of QCMD and QRDA, which say what the step is.
"""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader
from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import crossover
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.ternary import Ternary
from distest.sgd.compressors.threshold import Threshold
from distest.sgd.exchange import Exchange, gathered
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.feedback import Feedback
from distest.sgd.link import Link
from distest.sgd.method import Knobs, Method, Total
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State

Doubles = NDArray[np.float64]

_MODEL = Threshold(threshold=0.0, unit="absolute")  # what is not 0, and where
_LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step is made of. x: before it. number: of this step, from 1 on. h: H. mean: of all q so far. l1: as a
    float32, like the gradients that it is compared with. l2: what is not in the gradients."""

    x: Vector
    number: int
    rate: float
    h: Doubles
    q: Doubles
    mean: Doubles
    l1: float
    l2: float


@dataclass(frozen=True)
class Adagrad(Method):
    """Workers send C(g), g the gradient without what l1 |x|_1 gives to it, and q is the mean of what was read. With
    s_i the root of the sum of all q_i^2 so far and H = delta + s, x makes a proximal step of Adagrad with l1 |x|_1 in
    it, l1 being that of the problem: coordinates become exactly 0. H is made of q, not of g, so that all agree on it.
    Sums are kept and steps are made in float64.

    compressor: C. exchange: how the mean is made. `common_scale` with bits=2 gives all workers one scale, and the sum
    of their signs is exact. feedback: error feedback around C; biased codes need it for their guarantees, and it fills
    coordinates that were 0. delta: positive. ridge: "gradient", l2/2 |x|^2 of the problem is in g; "step", it is in
    the proximal step as well. downlink: "mean", the exchange tells all what q is, and all make the step; "model", the
    server makes it and tells x to each worker, as the places and values of what is not 0 (the exchange is not used).

    rate: eta of Adagrad, 0.02 to 0.5 are usual. No momentum, and no optimiser but the usual one.
    """

    compressor: Compressor = field(default_factory=Ternary)
    exchange: Exchange = field(default_factory=AllGather)
    feedback: bool = False
    delta: float = 0.01
    ridge: Literal["gradient", "step"] = "gradient"
    downlink: Literal["mean", "model"] = "mean"
    knobs: ClassVar[Knobs] = {"delta": (0.001, 0.01, 0.1)}

    def __post_init__(self) -> None:
        if not _LEAST <= self.delta < float("inf"):
            raise UsageError(f"adagrad divides by delta and more, which is positive and finite, got delta={self.delta}")
        if self.downlink == "model" and self.exchange != AllGather():
            raise UsageError(
                "with downlink=model a server makes the steps: leave out the exchange, or use downlink=mean"
            )

    def check(self, problem: Problem, workers: int) -> None:
        self.compressor.check(problem.d)
        self.exchange.check(self.compressor, problem.d, workers)
        self.warnings(problem, workers)  # where feedback surely fails

    def check_rule(self, rule: Rule) -> None:
        rule.alone("Adagrad")

    def warnings(self, problem: Problem, workers: int) -> list[str]:
        said = crossover.check_feedback(self.compressor, problem.d) if self.feedback else None
        return [] if said is None else [said]

    def figures(self, state: State, total: Total) -> dict[str, Any]:
        """zeros: the share of the coordinates of x that are 0."""
        return {"zeros": float(np.mean(state.x == 0))}

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        rule.alone("Adagrad")
        here, d = coins.fold("step", state.step), state.x.size
        feedback = Feedback(state, oracle and _Smooth(oracle, self.ridge == "step"), self.feedback)

        def own(worker: int) -> Vector:
            state.on_paper(self.compressor.paper_bits(feedback.of(worker)))
            return feedback.of(worker)

        heard = feedback.heard if self.feedback else None
        if self.downlink == "mean":
            self._follow(state, rule, self.exchange.mean(own, d, self.compressor, link, here, heard))
            return
        found = gathered(own, d, self.compressor, link, here, heard)
        if link.hosts_server:
            self._follow(state, rule, found())
        else:
            state.step += 1
        made = state.x

        def told(reader: BitReader) -> None:
            state.x = _MODEL.decode(reader, d, link.workers, here.public)

        link.down(lambda: _MODEL.encode(made, link.workers, here), told)

    def _follow(self, state: State, rule: Rule, q: Vector) -> None:
        """One step: changes x and the sums."""
        zeros = np.zeros(q.size)
        wide = q.astype(np.float64)
        state.shared["squares"] = squares = state.shared.get("squares", zeros) + np.square(wide)
        state.shared["sum"] = total = state.shared.get("sum", zeros) + wide
        rate = rule.at(state.step)
        state.step += 1
        l1, l2 = float(np.float32(state.l1)), state.l2 if self.ridge == "step" else 0.0
        h = self.delta + np.sqrt(squares)
        step = Step(state.x, state.step, rate, h, wide, total / state.step, l1, l2)
        state.x = (self._stepped(step) + 0.0).astype(np.float32)  # no zero below zero

    @abstractmethod
    def _stepped(self, step: Step) -> Doubles:
        """x after this step."""


class _Smooth:
    """Gradients without the parts that the step takes care of."""

    def __init__(self, oracle: Oracle, data: bool):
        self.gradient = oracle.data if data else oracle.smooth


def shrunk(x: Doubles, threshold: Doubles | float) -> Doubles:
    """Every coordinate nearer to 0 by a threshold, or 0; float64."""
    return np.asarray(np.sign(x) * np.maximum(np.abs(x) - threshold, 0))
