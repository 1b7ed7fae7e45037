"""Adaptive refinement, l2: half of the servers count blocks of symbols, the others look inside the heavy ones."""

from dataclasses import dataclass, replace
from typing import ClassVar

from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.errors import ModelError
from distest.learning.fitting import refinement
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk
from distest.learning.servers import Servers
from distest.learning.task import Loss
from distest.watch import Watch
from distest.wire.channel import Model, Tally
from distest.wire.turn import Turn


@dataclass(frozen=True)
class Masses:
    """What the board says. ones: reports on masses that said 1. weights: shares of the next tier's frames, integers.

    named: frames that named each symbol, for each tier that has spoken.
    """

    ones: Tally | None = None
    weights: Tally | None = None
    named: tuple[Tally, ...] = ()


@dataclass(frozen=True)
class AdaptiveRefinement(Protocol[Masses]):
    """`block_refinement` in turns: a block gets frames in proportion to the mass that was found before. No coins.

    Turn 1, the first half: min(bits, t) one-bit reports on t <= s block masses. Turn 2, the others: c = min(floor(
    bits/l), s) frames of l = ceil(log2(n/s + 1)) bits, a block of share r of the mass floor(c r) or ceil(c r) of
    each server, in integers that everyone reads off the board. Everyone speaks once, in order: one-way. Where bits <
    l, half of the servers wait and then send one frame each about blocks of 2^bits - 1 symbols, and the other half
    does all this with these blocks for symbols.

    Squared l2 error of order log(n/s + 1)/(m bits) + 1/(m s) for s >= n/2^bits, whatever n, and n/(m s 2^bits) for s
    below: best up to logs. Even frames (`block_refinement`) have up to t times the error of frames, where one
    block has all the mass. Risk known to first order, for many frames a block, frames shared out by the true masses;
    too large where most symbols are rare.

    bits: 2..n. Raises UsageError for s = 1, for s >= n, and where a block would not be asked every question.

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
        plan = self.plan
        turns = (range(plan.counting), *(tier.servers for tier in plan.tiers))
        return Turn(round, turns[round], "board") if round < len(turns) else None

    def speak(self, servers: Servers, state: Masses, coins: Coins) -> Words | Messages:
        if state.weights is None:
            return self.plan.say_masses(servers)
        return self.plan.say_frames(servers, len(state.named), state.weights)

    def hear(self, speakers: range, reader: BitReader, state: Masses, coins: PublicCoins) -> Tally:
        if state.weights is None:
            return self.plan.hear_masses(reader, speakers)
        return self.plan.tiers[len(state.named)].tally(reader, speakers, state.weights)

    def fields(self, party: int, message: Watch, state: Masses, coins: PublicCoins) -> None:
        if state.weights is None:
            self.plan.fields_of_masses(message, party)
        else:
            self.plan.fields_of_frames(message, party, len(state.named), state.weights)

    def fold(self, state: Masses, tally: Tally) -> Masses:
        if state.ones is None:
            return Masses(tally, self.plan.weights(tally, ()))
        named = (*state.named, tally)
        if len(named) == len(self.plan.tiers):
            return replace(state, named=named)
        return Masses(state.ones, self.plan.weights(state.ones, named), named)

    def estimate(self, state: Masses) -> Pmf:
        if state.ones is None or len(state.named) < len(self.plan.tiers):
            raise ModelError("adaptive_refinement has an estimate after its last turn, not before")
        return self.plan.estimate(state.ones, state.named)

    def risk(self, pmf: Pmf) -> Risk:
        return self.plan.risk(pmf, follow=True)

    def payload_bits(self, pmf: Pmf) -> float:
        return self.plan.payload_bits()

    def bits_per_server(self) -> int:
        return self.plan.bits_max()
