"""Steps of a method by hand, with gradients that are given."""

from typing import Any

import numpy as np

from distest.coins import from_seed
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.problem import Tensor
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.wire.channel import Channel
from distest.wire.transport import Solo

COINS = from_seed(3)[0]


class Given:
    """Worker w's gradient is rows[w] in every step, with Gaussian noise if asked; slope times x is added to it."""

    def __init__(self, rows: Any, noise: float = 0.0, slope: float = 0.0):
        self.rows = np.asarray(rows, np.float32)
        self.noise, self.slope, self.draw = noise, slope, np.random.default_rng(4)
        self.wholes, self.noisy = 0, bool(noise)

    def gradient(self, worker: int, x: Any, step: int) -> Any:
        row = self.rows[worker]
        if self.noise:
            row = row + self.noise * self.draw.standard_normal(row.size)
        return (row + self.slope * x).astype(np.float32)

    smooth = data = gradient  # no penalties here

    def smoothness(self, worker: int) -> float:
        """Of a gradient that changes by slope times the change of x."""
        return self.slope

    def whole(self, worker: int, x: Any, step: int) -> Any:
        self.wholes += 1
        return self.gradient(worker, x, step)

    def smooth_part(self, worker: int, x: Any, step: int) -> Any:
        return self.whole(worker, x, step)

    def asked(self, worker: int, x: Any, step: int, number: int) -> Any:
        return self.gradient(worker, x, step)


def stepped(
    method: Method,
    rows: Any,
    steps: int = 1,
    *,
    oracle: Given | None = None,
    rule: Rule | None = None,
    shape: tuple[int, ...] | None = None,
    state: State | None = None,
    **noise: float,
) -> tuple[State, Channel]:
    """The state and the channel after some steps from x = 0 at rate 1, W = len(rows). shape: of the one tensor.

    state: to go on from.
    """
    oracle = oracle or Given(rows, **noise)
    d = oracle.rows.shape[1]
    state = state or State(np.zeros(d, np.float32), tensors=(Tensor("x", shape or (d,)),))
    channel = Channel(len(oracle.rows), Solo(), "blackboard")
    link = Link(channel)
    for _ in range(steps):
        method.round(state, rule or Rule(rate=1.0), oracle, link, COINS)  # type: ignore[arg-type]
    method.finish(state, link, COINS)
    return state, channel
