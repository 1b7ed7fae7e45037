"""Grouping: every server watches a few symbols and says which of them its sample is, if any."""

from dataclasses import dataclass
from typing import ClassVar

from analysis.bounds import risks, worst
from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.kernels import grouping
from distest.learning.fitting import one_sample
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class Grouping(RefereeProtocol):
    """Server i watches the K - 1 = 2^bits - 1 symbols from i(K-1) mod n on: 1 + position, or 0 for "outside".

    Exactly `bits` bits a server, no coins. The estimate of p_x is the share of x among the n_x servers that
    watch it; with `shift` the referee adds the same number to every symbol so that the estimate
    sums to 1, an orthogonal projection that is never worse.

    bits: 1..8, with 2^bits - 1 <= n. shift: whether the referee shifts. Raises UsageError where m servers
    cannot watch every symbol, m(K-1) < n.

    Source: the sample-splitting protocol of the b-bit literature (Han, Mukherjee, Ozgur, Weissman,
    "Distributed statistical estimation of high-dimensional and nonparametric distributions", 2018); shift and
    exact risks: docs/bounds.md.
    """

    bits: int
    shift: bool = False
    source: ClassVar[str] = "Han, Mukherjee, Ozgur, Weissman 2018 (order); docs/bounds.md (exact)"

    def __post_init__(self) -> None:
        one_sample.group_size("grouping", self.task, self.task.m, self.bits)

    @property
    def size(self) -> int:
        """Symbols a server watches, K - 1."""
        return (1 << self.bits) - 1

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        samples = one_sample.symbols(servers, self.task.n)
        codes = grouping.encode(samples, servers.parties, self.task.n, self.size)
        return Messages.of_symbols(codes, self.bits)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        codes = reader.symbols(len(speakers), self.bits)
        return grouping.count(codes, speakers, self.task.n, self.size)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        one_sample.fields(message, self.bits, party * self.size, self.task.n)

    def decide(self, tally: Tally) -> Pmf:
        estimate = tally / grouping.watchers(self.task.m, self.task.n, self.size)
        return estimate + (1 - estimate.sum()) / self.task.n if self.shift else estimate

    def risk(self, pmf: Pmf) -> Risk:
        m, bits = self.task.m, self.bits
        if self.shift:
            return Risk(risks.grouping_shift_l2(pmf, m, bits), note="no formula for l1 after the shift")
        return Risk(risks.grouping_l2(pmf, m, bits), risks.grouping_l1(pmf, m, bits))

    def worst_risk(self) -> Risk:
        n, m, bits = self.task.n, self.task.m, self.bits
        l2, exact = worst.grouping_shift_l2(n, m, bits) if self.shift else (worst.grouping_l2(n, m, bits)[0], True)
        return Risk(l2, worst.l1_at_most(n, l2), exact=False, note=f"l2 {'exact' if exact else 'a bound'}; l1 a bound")

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits

    def bits_per_server(self) -> int:
        return self.bits
