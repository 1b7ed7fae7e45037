"""Local refinement: half of the servers find out roughly where p is, the other half watch these places."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.errors import ModelError, UsageError
from distest.kernels import grouping, systematic
from distest.learning.fitting import allocation, one_sample
from distest.learning.norms import Pmf
from distest.learning.protocol import CoinUse, Protocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Model, Tally
from distest.wire.turn import Turn

FEW = 4  # a symbol watched by fewer servers in the second turn keeps the better watched of its two estimates


@dataclass(frozen=True)
class Refined:
    """What the board says. first: namings in the first turn, int64 (n,). sets: whom the second turn watches.

    named, watched: namings in the second turn and the servers that could have named, int64 (n,) each.
    """

    first: Tally | None = None
    sets: systematic.Sets | None = None
    named: Tally | None = None
    watched: Tally | None = None


@dataclass(frozen=True)
class LocalRefinement(Protocol[Refined]):
    """Turn 1, even servers: grouping. Turn 2, odd servers: random sets that hold popular symbols more often.

    Exactly `bits` bits a server, K = 2^bits. In turn 1 the k-th even server watches the K - 1 symbols from
    k(K-1) mod n on, n_x servers see x and c_x of them name it. In turn 2 every server watches exactly K - 1
    symbols by systematic sampling, its offset a word of its public coins, x with probability min(1, c w_x)
    where w_x = ((c_x + 1)/n_x)^(1/2), or ^(1/3) where the task's loss is "l1"; all in integers read off the
    board, so that nobody has to say them.

    The estimate is that of turn 2 alone (pooling would bias it, for the sets depend on turn 1): namings over
    n2_x, the servers whose set really held x. Given the sets the squared l2 risk is sum p_x(1-p_x)/n2_x
    exactly and the estimate is unbiased, but for symbols with n2_x < 4, which keep the estimate of the turn
    that watched them more often. Asymptotically the risk is (sum sqrt p_x)^2/(m2 (K-1)); a gain over grouping
    shows only where turn 1 resolves single symbols, m(K-1) p_x >> 2n, and p is far from uniform.

    Public coins: a word for every second server. bits: 1..8, 2^bits - 1 <= n, ceil(m/2) (K-1) >= n, m >= 2.

    Source: Chen, Kairouz, Ozgur, "Pointwise bounds for distribution estimation under communication
    constraints" (2021); Neyman (1934), the allocation; Madow (1949), the sets.
    """

    bits: int
    model: ClassVar[Model] = "blackboard"
    coin_use: ClassVar[CoinUse] = "public"
    source: ClassVar[str] = "Chen, Kairouz, Ozgur 2021; Neyman 1934"

    def __post_init__(self) -> None:
        if self.task.m < 2:
            raise UsageError(f"local_refinement needs a server for each of its two turns, got m={self.task.m}")
        one_sample.group_size("local_refinement", self.task, (self.task.m + 1) // 2, self.bits)

    @property
    def size(self) -> int:
        """Symbols a server watches, K - 1."""
        return (1 << self.bits) - 1

    def start(self) -> Refined:
        return Refined()

    def next_turn(self, round: int, state: Refined) -> Turn | None:
        return Turn(round, range(round, self.task.m, 2), "board") if round < 2 else None

    def speak(self, servers: Servers, state: Refined, coins: Coins) -> Words | Messages:
        samples = one_sample.symbols(servers, self.task.n)
        if state.sets is None:
            codes = grouping.encode(samples, _order(servers.parties), self.task.n, self.size)
        else:
            codes = systematic.encode(samples, coins.public.words(servers.parties)[:, 0], state.sets)
        return Messages.of_symbols(codes, self.bits)

    def hear(self, speakers: range, reader: BitReader, state: Refined, coins: PublicCoins) -> Tally:
        codes = reader.symbols(len(speakers), self.bits)
        if state.sets is None:
            return grouping.count(codes, _order(speakers), self.task.n, self.size)
        return np.concatenate(systematic.count(codes, coins.words(speakers)[:, 0], state.sets))

    def fields(self, party: int, message: Watch, state: Refined, coins: PublicCoins) -> None:
        if state.sets is None:
            one_sample.fields(message, self.bits, _order(range(party, party + 1)).start * self.size, self.task.n)
            return
        watched = systematic.members(int(coins.words(range(party, party + 1))[0, 0]), state.sets)
        one_sample.fields_of(message, self.bits, watched.tolist())

    def fold(self, state: Refined, tally: Tally) -> Refined:
        if state.sets is None:
            sets = allocation.sets(tally, self._watchers(), self.size, self.task.loss)
            return Refined(tally, sets)
        named, watched = tally[: self.task.n], tally[self.task.n :]
        return replace(state, named=named, watched=watched)

    def estimate(self, state: Refined) -> Pmf:
        if state.first is None or state.named is None or state.watched is None:
            raise ModelError("local_refinement has an estimate after its two turns, not before")
        watchers = self._watchers()
        back = (state.watched < FEW) & (state.watched < watchers)
        return np.where(back, state.first / watchers, state.named / np.maximum(state.watched, 1))

    def risk(self, pmf: Pmf) -> Risk:
        watchers = self._watchers()
        sets = allocation.sets(np.rint(pmf * watchers).astype(np.int64), watchers, self.size, self.task.loss)
        each = sets.chance * (self.task.m // 2)
        note = "at the sets that turn 1 chooses on average"
        return Risk(float((pmf * (1 - pmf) / each).sum()), exact=False, note=note)

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits

    def bits_per_server(self) -> int:
        return self.bits

    def _watchers(self) -> Tally:
        """How many servers watch each symbol in the first turn, int64 (n,)."""
        return grouping.watchers((self.task.m + 1) // 2, self.task.n, self.size)


def _order(parties: range) -> range:
    """The places of even parties among the even ones."""
    first = parties.start // 2
    return range(first, first + len(parties))
