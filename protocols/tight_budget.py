"""Tight budget: half of the servers find which symbols matter, the other half count these alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from analysis.bounds import risks
from distest.bits import BitReader, Messages, Words
from distest.codecs.base import checked
from distest.codecs.fixed import Fixed
from distest.coins import Coins, PublicCoins
from distest.errors import ModelError, UsageError
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk
from distest.learning.servers import Servers
from distest.learning.task import Loss
from distest.watch import Watch
from distest.wire.channel import Model, Tally
from distest.wire.turn import Turn

Ints = Tally


@dataclass(frozen=True, slots=True)
class Kept:
    """What the board says. symbols: int64 (w,), rising, that the first half has found; None before it spoke.

    counts: int64 (w + 1,), samples of the second half on each of them and on none; None before it spoke.
    """

    symbols: Ints | None = None
    counts: Ints | None = None


@dataclass(frozen=True)
class TightBudget(Protocol[Kept]):
    """For m b < n in l2: m/2 servers send c samples, the others say which symbols of W theirs are, if any. No coins.

    c = min(s, floor(bits/ceil(log2 n))) samples a server, N1 and N2 in all by the two halves. W is where the first
    half has p1_x > 2/(mb), which is to say the symbols it has seen at least once (twice, for n = 2 and even m). The
    second half sends c ceil(log2(|W| + 1)) bits a server, an index into W or "none": W is known from the board, so
    that says all that the estimate needs, in fewer bits than samples would. The estimate is the share of the second
    half on W and 0 elsewhere; it sums to less than 1.

    The squared l2 risk is sum_x P(x in W) p_x(1-p_x)/N2 + P(x not in W) p_x^2, exactly; at most (1 + 1/e)/min(N1, N2),
    so O(log n/(mb)). That is the best order, but so is the full sample's (1 - |p|^2)/N, which has the smaller worst
    case; this one wins where much of p is spread over many more symbols than there are samples, a few being heavy.

    bits: b, a cap on what a server writes, at least ceil(log2 n). Raises UsageError below that and for m < 2.

    Source: Yuan, Guo, Huang, "Refinement methods for distributed distribution estimation under l_p losses" (2025).
    """

    bits: int
    model: ClassVar[Model] = "one-way"
    losses: ClassVar[tuple[Loss, ...]] = ("l2",)
    source: ClassVar[str] = "Yuan, Guo, Huang 2025; docs/bounds.md H7 (exact)"

    def __post_init__(self) -> None:
        if self.task.m < 2:
            raise UsageError(f"tight_budget needs a server for each of its two halves, got m={self.task.m}")
        if self.bits < self._width:
            raise UsageError(
                f"tight_budget on n={self.task.n} symbols takes at least {self._width} bits, those of a sample, got "
                f"bits={self.bits}"
            )

    @property
    def _width(self) -> int:
        return (self.task.n - 1).bit_length()

    @property
    def each(self) -> int:
        """Samples a server uses, c."""
        return min(self.task.s, self.bits // self._width)

    @property
    def halves(self) -> tuple[int, int]:
        """N1, N2: samples used by the first and by the second half."""
        first = self.task.m // 2
        return first * self.each, (self.task.m - first) * self.each

    @property
    def least(self) -> int:
        """The least count above 2 N1/(mb): what puts a symbol into W."""
        return 2 * self.halves[0] // (self.task.m * self.bits) + 1

    def start(self) -> Kept:
        return Kept()

    def next_turn(self, round: int, state: Kept) -> Turn | None:
        first = self.task.m // 2
        return Turn(round, (range(first), range(first, self.task.m))[round], "board") if round < 2 else None

    def speak(self, servers: Servers, state: Kept, coins: Coins) -> Words | Messages:
        used = checked(servers.samples[:, : self.each], 0, self.task.n - 1, "tight_budget")
        if state.symbols is not None:
            used = _places(used, state.symbols)
        return self._code(state).pack(used)

    def hear(self, speakers: range, reader: BitReader, state: Kept, coins: PublicCoins) -> Tally:
        return self._code(state).count(reader, (len(speakers), self.each))

    def fields(self, party: int, message: Watch, state: Kept, coins: PublicCoins) -> None:
        if state.symbols is None:
            message.take("sample", self._code(state), self.each)
            return
        found = state.symbols.tolist()

        def says(places: Sequence[int]) -> list[str]:
            return [f"symbol {found[at]}" if at < len(found) else "none of W" for at in places]

        message.take("place in W", self._code(state), self.each, says)

    def fold(self, state: Kept, tally: Tally) -> Kept:
        if state.symbols is None:
            return Kept(np.flatnonzero(tally >= self.least))
        return replace(state, counts=tally)

    def estimate(self, state: Kept) -> Pmf:
        if state.symbols is None or state.counts is None:
            raise ModelError("tight_budget has an estimate after its two halves, not before")
        estimate = np.zeros(self.task.n)
        estimate[state.symbols] = state.counts[: state.symbols.size] / self.halves[1]
        return estimate

    def _code(self, state: Kept) -> Fixed:
        """Symbols in the first half; in the second their places in W and one more, at least one bit."""
        return Fixed(self.task.n if state.symbols is None else max(2, state.symbols.size + 1))

    def risk(self, pmf: Pmf) -> Risk:
        return Risk(risks.tight_budget_l2(pmf, *self.halves, self.least), note="no formula for l1")

    def worst_risk(self) -> Risk | None:
        if self.least > 1:
            return None
        return Risk(risks.tight_budget_l2_at_most(*self.halves), exact=False, note="a bound on squared l2 for every p")

    def bits_per_server(self) -> int:
        return self.each * self._width


def _places(samples: Ints, symbols: Ints) -> Ints:
    """The place of every sample among the rising symbols, their number where it is none of them."""
    at = np.searchsorted(symbols, samples)
    there = symbols[np.minimum(at, symbols.size - 1)] == samples if symbols.size else np.zeros(samples.shape, bool)
    return np.where(there, at, symbols.size)
