"""One-bit counts in two turns: the first quarter finds out where the counts are, the rest say above or below."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analysis.bounds import one_bit as formulas
from distest.bits import BitReader, Messages, Words
from distest.codecs.fixed import Fixed
from distest.coins import Coins, PublicCoins
from distest.errors import ModelError
from distest.learning.fitting import one_bit, one_bit_likelihood
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Model, Tally
from distest.wire.turn import Turn

_FIRST_REPORTS = 50  # of turn 1 on a symbol: with fewer, medians are missed now and then


@dataclass(frozen=True)
class Medians:
    """What the board says. first: reports of turn 1 that said 1. at: thresholds of turn 2. hits: counts not above."""

    first: Tally | None = None
    at: Tally | None = None
    hits: Tally | None = None


@dataclass(frozen=True)
class OneBitAdaptive(Protocol[Medians]):
    """Turn 1, the first quarter: `one_bit_counts`. Turn 2: is the count above what turn 1 says is its median? No coins.

    Exactly 1 bit a server of s >= 2 samples, server i on symbol i mod n; with n = 2 all are on symbol 0. The
    thresholds are integers that everyone reads off the board. The referee takes the p_x that makes all reports on x
    likeliest, those of both turns.

    To first order 3/4 of the reports give what the best single threshold can, 2/pi of the information in a count, and
    1/4 what those of `one_bit_counts` give: a squared error of C max(p_x (1-p_x), 1/(4s))/(m' s) with C about 1.8,
    m' = m/n; C falls to pi/2 where the first turn gets a smaller share. Never more than one message a server, in
    order, so the model is one-way.

    Raises UsageError where s = 1 or the first quarter does not ask every question about every symbol.

    Source: docs/bounds.md, T2 and T4; two turns: Acharya, Canonne, Liu, Sun, Tyagi, "Interactive inference under
    information constraints" (2021).
    """

    model: ClassVar[Model] = "one-way"
    source: ClassVar[str] = "docs/bounds.md T2, T4; idea: Acharya, Canonne, Liu, Sun, Tyagi 2021"

    def __post_init__(self) -> None:
        one_bit.require("one_bit_adaptive", self.task)
        share = f" in its first turn, a quarter of {self.task.m}"
        self.design.require("one_bit_adaptive", self.first_turn, share)

    @property
    def first_turn(self) -> int:
        """Servers of turn 1."""
        return (self.task.m + 3) // 4

    @property
    def design(self) -> one_bit.Design:
        """Who reports on what in turn 1."""
        return one_bit.Design(self.task.s, one_bit.symbols_asked(self.task.n), 1)

    def start(self) -> Medians:
        return Medians()

    def next_turn(self, round: int, state: Medians) -> Turn | None:
        turns = (range(self.first_turn), range(self.first_turn, self.task.m))
        return Turn(round, turns[round], "board") if round < 2 else None

    def speak(self, servers: Servers, state: Medians, coins: Coins) -> Words | Messages:
        servers = one_bit.checked(servers, self.task.n)
        if state.at is None:
            return self.design.message(servers)
        symbols = self._symbols(servers.parties)
        low = one_bit.counts(servers.samples, symbols) <= state.at[symbols]
        return Messages.of_symbols(low.astype(np.uint8), 1)

    def hear(self, speakers: range, reader: BitReader, state: Medians, coins: PublicCoins) -> Tally:
        if state.at is None:
            return self.design.tally(reader, speakers)
        said = reader.symbols(len(speakers), 1) > 0
        return np.bincount(self._symbols(speakers)[said], minlength=self.design.asked)

    def fields(self, party: int, message: Watch, state: Medians, coins: PublicCoins) -> None:
        if state.at is None:
            self.design.fields(message, party, "symbol")
            return
        symbol = party % self.design.asked
        asked = f"count of symbol {symbol} is {state.at[symbol]} or less"
        message.take(asked, Fixed(2), 1, one_bit.yes_or_no)

    def fold(self, state: Medians, tally: Tally) -> Medians:
        if state.at is None:
            at = one_bit_likelihood.medians(tally, self.design.often(self.first_turn), self.task.s)
            return Medians(tally, at)
        return Medians(state.first, state.at, tally)

    def estimate(self, state: Medians) -> Pmf:
        if state.first is None or state.at is None or state.hits is None:
            raise ModelError("one_bit_adaptive has an estimate after its two turns, not before")
        often = self.design.often(self.first_turn)
        second = one_bit_likelihood.Thresholds(state.at, self._tries(), state.hits)
        found = one_bit_likelihood.estimate(state.first, often, self.task.s, second)
        return one_bit.completed(found, self.task.n)

    def risk(self, pmf: Pmf) -> Risk:
        often = self.design.often(self.first_turn)
        q = pmf[: len(often)]
        at = np.clip(formulas.medians(self.task.s, np.arcsin(np.sqrt(q))), 0, self.task.s - 1)
        each = formulas.reports_variance(one_bit.table(self.task.s), often, q, at, self._tries())
        times = self.task.n / len(often)
        note = "first order: Fisher information, thresholds at the medians"
        return one_bit.first_order(each, note, often, _FIRST_REPORTS, times)

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m

    def bits_per_server(self) -> int:
        return 1

    def _symbols(self, parties: range) -> NDArray[np.int64]:
        """The symbol each server reports on."""
        return np.arange(parties.start, parties.stop, parties.step) % self.design.asked

    def _tries(self) -> Tally:
        """Servers of turn 2 that report on each symbol, int64 (asked,)."""
        asked = np.arange(self.design.asked)
        last, first = (count // asked.size + (asked < count % asked.size) for count in (self.task.m, self.first_turn))
        tries: Tally = last.astype(np.int64) - first
        return tries
