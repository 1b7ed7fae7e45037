"""Grouping: every server watches a few symbols and says which of them its sample is, if any."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.kernels import grouping
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol
from distest.learning.servers import Servers
from distest.wire.channel import Tally


@dataclass(frozen=True)
class Grouping(RefereeProtocol):
    """Server i watches the K - 1 = 2^bits - 1 symbols from i(K-1) mod n on: 1 + position, or 0 for "outside".

    Exactly `bits` bits a server, no coins. The estimate of p_x is the share of x among the n_x servers that watch
    it; with `shift` (the default) the referee adds the same number to every symbol so that the estimate sums to 1,
    an orthogonal projection that is never worse.

    bits: 1..8, with 2^bits - 1 <= n. shift: whether the referee shifts. Raises UsageError where m servers cannot
    watch every symbol, m(K-1) < n.

    Source: the sample-splitting protocol of the b-bit literature (Han, Mukherjee, Ozgur, Weissman, "Distributed
    statistical estimation of high-dimensional and nonparametric distributions", 2018); shift and exact risks:
    docs/bounds.md.
    """

    bits: int
    shift: bool = True
    source: ClassVar[str] = "Han, Mukherjee, Ozgur, Weissman 2018 (order); docs/bounds.md (exact)"

    def __post_init__(self) -> None:
        n, m = self.task.n, self.task.m
        if self.task.s != 1:
            raise UsageError(f"grouping is for one sample per server, got s={self.task.s}")
        if not 1 <= self.bits <= 8 or self.size > n:
            most = min(8, (n + 1).bit_length() - 1)
            raise UsageError(f"grouping on n={n} symbols takes 1 to {most} bits, got bits={self.bits}")
        if m * self.size < n:
            raise UsageError(
                f"grouping needs m(2^bits - 1) >= n so that every symbol is watched: {m} servers with "
                f"{self.bits} bits watch {m * self.size} of n={n} symbols; take m >= {-(-n // self.size)}"
            )

    @property
    def size(self) -> int:
        """Symbols a server watches, K - 1."""
        return (1 << self.bits) - 1

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        codes = grouping.encode(servers.samples[:, 0], servers.parties, self.task.n, self.size)
        return Messages.of_symbols(codes, self.bits)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        codes = reader.symbols(len(speakers), self.bits)
        return grouping.count(codes, speakers, self.task.n, self.size)

    def decide(self, tally: Tally) -> Pmf:
        estimate = tally / self.watchers()
        return estimate + (1 - estimate.sum()) / self.task.n if self.shift else estimate

    def watchers(self) -> Tally:
        """How many servers watch each symbol, int64 (n,): m(K-1) visits laid end to end around the domain."""
        full, rest = divmod(self.task.m * self.size, self.task.n)
        return full + (np.arange(self.task.n) < rest).astype(np.int64)
