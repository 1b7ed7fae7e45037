"""Adaptive refinement, l2: half of the servers count blocks of symbols, the others look inside the heavy ones."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.errors import ModelError
from distest.learning.fitting import refinement
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk
from distest.learning.servers import Servers
from distest.learning.task import Loss
from distest.wire.channel import Model, Tally
from distest.wire.turn import Turn


@dataclass(frozen=True)
class Masses:
    """What the board says. ones: reports on block masses that said 1. weights: shares of the frames, integers.

    named: frames that named each symbol.
    """

    ones: Tally | None = None
    weights: Tally | None = None
    named: Tally | None = None


@dataclass(frozen=True)
class AdaptiveRefinement(Protocol[Masses]):
    """`block_refinement` in two turns: a block gets frames in proportion to the mass that turn 1 found. No coins.

    Turn 1, the first half: min(bits, t) one-bit reports on t <= s block masses. Turn 2, the others: c = min(floor(
    bits/l), s) frames of l = ceil(log2(n/s + 1)) bits, a block of share r of the mass floor(c r) or ceil(c r) of
    each server, in integers that everyone reads off the board. Everyone speaks once, in order: one-way.

    Squared l2 error of order log(n/s + 1)/(m bits) + 1/(m s), whatever n: best up to the log for s >= n/2^bits. Even
    frames (`block_refinement`) have up to t times the error of frames, where one block has all the mass. Risk known to
    first order, for many frames a block, frames shared out by the true masses; too large where most symbols are rare.

    bits: l..n. Raises UsageError for fewer bits (s < n/(2^bits - 1)), for s = 1, for s >= n, and where a block would
    not be asked every question.

    Source: Yuan, Guo, Huang, "Refinement methods for distributed distribution estimation under l_p losses" (2025);
    first-order risk: docs/bounds.md, T5.
    """

    bits: int
    model: ClassVar[Model] = "one-way"
    losses: ClassVar[tuple[Loss, ...]] = ("l2",)
    source: ClassVar[str] = "Yuan, Guo, Huang 2025; docs/bounds.md T5"

    def __post_init__(self) -> None:
        self.plan.require("adaptive_refinement")

    @property
    def plan(self) -> refinement.Refinement:
        """Blocks and frames."""
        return refinement.Refinement(self.task, self.bits)

    def start(self) -> Masses:
        return Masses()

    def next_turn(self, round: int, state: Masses) -> Turn | None:
        half = self.plan.counting
        turns = (range(half), range(half, self.task.m))
        return Turn(round, turns[round], "board") if round < 2 else None

    def speak(self, servers: Servers, state: Masses, coins: Coins) -> Words | Messages:
        if state.weights is None:
            return self.plan.say_masses(servers)
        return self.plan.say_frames(servers, state.weights)

    def hear(self, speakers: range, reader: BitReader, state: Masses, coins: PublicCoins) -> Tally:
        if state.weights is None:
            return self.plan.masses.tally(reader, speakers)
        return self.plan.hear_frames(reader, speakers, state.weights)

    def fold(self, state: Masses, tally: Tally) -> Masses:
        if state.weights is None:
            return Masses(tally, self.plan.weights(tally))
        return replace(state, named=tally)

    def estimate(self, state: Masses) -> Pmf:
        if state.ones is None or state.named is None:
            raise ModelError("adaptive_refinement has an estimate after its two turns, not before")
        return self.plan.estimate(state.ones, state.named)

    def risk(self, pmf: Pmf) -> Risk:
        plan = self.plan
        starts = np.arange(0, self.task.n, plan.width)
        each = plan.variances(pmf, refinement.scaled(np.add.reduceat(pmf, starts)))
        l1 = math.sqrt(2 / math.pi) * float(np.sqrt(each).sum())
        return Risk(float(each.sum()), l1, exact=False, note="first order, for many frames a block")

    def payload_bits(self, pmf: Pmf) -> float:
        return self.plan.payload_bits()

    def bits_per_server(self) -> int:
        return self.plan.bits_max()
