"""0/1 Adam: 1-bit Adam that looks at its second moment ever more rarely, and later meets ever more rarely."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd.link import Link
from distest.sgd.methods.one_bit_adam import OneBitAdam, follow
from distest.sgd.oracle import Gradients
from distest.sgd.problem import Vector
from distest.sgd.rule import SECOND, Rule, adam
from distest.sgd.state import State


@dataclass(frozen=True)
class ZeroOneAdam(OneBitAdam):
    """There is no warm-up in single precision. Before the step `freeze`, most steps say gradients by C with memory, and
    the first moment is made of what was read; at some steps gradients are said exactly, and of these the second moment
    is made as well. These steps are next to each other at first, `slower` of them, then `slower` every second step,
    every fourth, and so on.

    From `freeze` on the second moment stays, memories begin anew, and workers make steps of their own with their own
    momentum: every `meet` steps the number of steps from one turn to the next doubles, from 1 up to `most`, and the
    last step has a turn. A worker says the mean of its momentum along these steps, weighed by the rates; x goes as far
    as all these steps together along the mean of what is read, which becomes the momentum of all.

    slower: 16 in the authors' program. meet: 32678 there, few here so that short runs see it. most: a power of two.
    freeze, rate, compressor, exchange, feedback, layers, small, beta: as in `one_bit_adam`.

    Source: Lu, Li, Zhang, De Sa, He, "Maximizing communication efficiency for large-scale training via 0/1 Adam"
    (2023), Algorithm 1, with the schedules of its authors' program.
    """

    slower: int = 16
    meet: int = 64
    most: int = 16
    source: ClassVar[str] = "Lu, Li, Zhang, De Sa, He 2023, Algorithm 1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.slower, self.meet, self.most) < 1 or self.most & (self.most - 1):
            raise UsageError(
                "zero_one_adam takes slower >= 1, meet >= 1 and a power of two as most, got "
                f"{self.slower}, {self.meet} and {self.most}"
            )

    def updates(self, step: int) -> tuple[int, bool]:
        """How many exact gradients there were before a step, and whether it has one."""
        at = done = 0
        while at < step:
            done += 1
            at += 1 << (done - 1) // self.slower
        return done, at == step

    def turn(self, after: int) -> int:
        """The steps that a turn is about, so many steps after `freeze`; 0 where there is none."""
        every = min(self.most, 1 << min(after // self.meet, 62))
        return every if (after + 1) % every == 0 else 0

    def round(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        rule = rule.instead("0/1 Adam", "adam")
        frozen = self.frozen(rule.steps)
        if state.step < frozen:
            self._early(state, rule, oracle, link, coins)
            return
        if state.step == frozen:
            state.own.pop("memory", None)
            state.shared["begun"] = np.array([frozen], np.int64)
        if not self.turn(state.step - frozen) and state.step + 1 < rule.steps:
            state.step += 1
            return
        steps = range(int(state.shared["begun"][0]), state.step + 1)
        rates = [np.float32(rule.at(step)) for step in steps]
        path = None if oracle is None else _Path(state, rule, oracle, steps, rates, self.updates(frozen)[0])
        state.shared["first"] = m = self._heard(state, path, link, coins).copy()
        direction = _direction(state, rule, m, self.updates(frozen)[0], state.step + 1)
        state.step += 1
        state.x = state.x - _sum(rates) * direction
        state.shared["begun"] = np.array([state.step], np.int64)

    def _early(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        """A step before the second moment is frozen."""
        done, exact = self.updates(state.step)
        mean = (self._exactly if exact else self._heard)(state, oracle, link, coins)
        zero = np.zeros_like(mean)
        m = rule.first * state.shared.get("first", zero) + (1 - rule.first) * mean
        state.shared["first"] = m
        if exact:
            state.shared["second"] = SECOND * state.shared.get("second", zero) + (1 - SECOND) * mean * mean
        follow(state, rule, m, state.shared["second"], done + exact)


class _Path:
    """The mean momentum of a worker along steps of its own."""

    def __init__(
        self, state: State, rule: Rule, oracle: Gradients, steps: range, rates: list[np.float32], updates: int
    ):
        self._state, self._rule, self._oracle = state, rule, oracle
        self._steps, self._rates, self._updates = steps, rates, updates

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        m, first = self._state.shared["first"], self._rule.first
        total = np.zeros_like(x)
        here = x
        for number, rate in zip(self._steps, self._rates, strict=True):
            m = first * m + (1 - first) * self._oracle.gradient(worker, here, number)
            if len(self._steps) == 1:
                return m
            total = np.asarray(total + rate * m, np.float32)
            here = x - _direction(self._state, self._rule, total, self._updates, number + 1)
        return np.asarray(total / _sum(self._rates), np.float32)


def _direction(state: State, rule: Rule, m: Vector, updates: int, times: int) -> Vector:
    return adam(m, state.shared["second"], rule.first, times, updates)


def _sum(rates: list[np.float32]) -> np.float32:
    return np.float32(sum(map(float, rates)))
