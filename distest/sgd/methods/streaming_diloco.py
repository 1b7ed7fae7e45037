"""Streaming DiLoCo: the parameters in fragments, whose turns come one after the other, while workers go on."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd.adamw import AdamW
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.nuqsgd import Nuqsgd
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.link import Link
from distest.sgd.method import Knobs, Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class StreamingDiloco(Method):
    """DiLoCo whose parameters are cut in fragments, stretches of equal length. Every inner / fragments steps it is the
    turn of the next one: worker w says C(x - x_w) of it, x_w being its own model, and of the mean of what is read
    everybody makes the outer step of `diloco` in this fragment. So bits are spread evenly over time, and no turn has
    more than a fragment. Workers keep models of their own; one that has heard of a fragment `overlap` steps ago goes on
    with mix x_w + (1 - mix) x of it, and without an overlap with x. At the end all fragments have a turn.

    With one fragment and `identity` it is `diloco`, bit for bit.

    rate: of AdamW, about 1e-3, with its schedule. No momentum, and no optimiser but the usual one. compressor: C; the
    authors have 4 bits of a sign and an exponent, as `nuqsgd` has but for its coins. exchange: how means are made.
    inner: a multiple of fragments. overlap: below inner / fragments. mix: of 0..1. decay: of the weights in AdamW.

    Source: Douillard et al., "Streaming DiLoCo with overlapping communication" (2025), Algorithm 2; its fragments are
    layers.
    """

    compressor: Compressor = field(default_factory=lambda: Nuqsgd(bits=4, bucket=512))
    exchange: Exchange = field(default_factory=AllGather)
    inner: int = 48
    fragments: int = 4
    overlap: int = 0
    mix: float = 0.5
    outer_rate: float = 0.7
    outer_momentum: float = 0.9
    decay: float = 0.0
    knobs: ClassVar[Knobs] = {"outer_rate": (0.4, 0.7, 1.0), "outer_momentum": (0.0, 0.5, 0.9)}
    source: ClassVar[str] = "Douillard et al. 2025, Algorithm 2"

    def __post_init__(self) -> None:
        Rule(rate=self.outer_rate, momentum=self.outer_momentum)  # refuses what makes no sense
        if not (1 <= self.fragments <= self.inner and self.inner % self.fragments == 0):
            raise UsageError(
                f"each fragment has a turn every inner steps, a multiple of fragments >= 1: got inner={self.inner} and "
                f"fragments={self.fragments}"
            )
        if not (0 <= self.overlap < self.gap and 0 <= self.mix <= 1 and 0 <= self.decay < float("inf")):
            raise UsageError(
                f"streaming_diloco takes 0 <= overlap < inner / fragments = {self.gap}, 0 <= mix <= 1 and decay >= 0, "
                f"got {self.overlap}, {self.mix} and {self.decay}"
            )

    @property
    def gap(self) -> int:
        """Steps from one turn to the next."""
        return self.inner // self.fragments

    def stretch(self, fragment: int, d: int) -> slice:
        """The coordinates of a fragment."""
        return slice(d * fragment // self.fragments, d * (fragment + 1) // self.fragments)

    def check(self, problem: Problem, workers: int) -> None:
        if problem.d < self.fragments:
            raise UsageError(f"{problem.d} coordinates cannot be cut in fragments={self.fragments}")
        for fragment in range(self.fragments):
            part = self.stretch(fragment, problem.d)
            self.compressor.check(part.stop - part.start)
            self.exchange.check(self.compressor, part.stop - part.start, workers)

    def check_rule(self, rule: Rule) -> None:
        rule.alone("streaming_diloco")

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        last = state.step + 1 == rule.steps
        if (state.step + 1) % self.gap and not last:
            state.step += 1
            return
        here, before, d = coins.fold("step", state.step), state.x, state.x.size
        walk = None if oracle is None else AdamW(state, oracle, rule.at(state.step), self.decay)
        walked: dict[int, Vector] = {}

        def own(worker: int) -> Vector:
            assert walk is not None  # somebody speaks
            if worker not in walked:
                walked[worker] = self._walk(state, walk, worker)
            said = (before - walked[worker])[part]
            state.on_paper(self.compressor.paper_bits(said))
            return said

        x = before.copy()
        u = state.shared.get("momentum", np.zeros_like(x)).copy()
        beta = np.float32(self.outer_momentum)
        turn = state.step // self.gap % self.fragments
        for fragment in range(self.fragments) if last else (turn,):
            part = self.stretch(fragment, d)
            size, coin = part.stop - part.start, here.fold("fragment", fragment)
            mean = self.exchange.mean(own, size, self.compressor, link, coin, None)
            u[part] = beta * u[part] + mean
            x[part] -= np.float32(self.outer_rate) * (mean + beta * u[part])
        state.x, state.shared["momentum"] = x, u
        state.own["local"] = walked
        state.step += 1

    def _walk(self, state: State, walk: AdamW, worker: int) -> Vector:
        """Where a worker's own steps since the last turn have led it, a fragment merged on the way."""
        x = state.own.get("local", {}).get(worker, state.x)
        first = state.step - state.step % self.gap
        for done, number in enumerate(range(first, state.step + 1)):
            if first and done == self.overlap:
                x = self._merged(x, state.x, first // self.gap - 1)
            x = walk.step(worker, x, number)
        return x

    def _merged(self, own: Vector, common: Vector, turn: int) -> Vector:
        """A worker's model with what it has heard of the fragment of a turn."""
        part, mixed = self.stretch(turn % self.fragments, own.size), own.copy()
        share = np.float32(self.mix if self.overlap else 0.0)
        mixed[part] = share * own[part] + (1 - share) * common[part]
        return mixed
