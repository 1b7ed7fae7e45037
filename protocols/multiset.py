"""Multiset: every server sends all its samples, but not their order."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.codecs.multiset import Multiset as MultisetCode
from distest.coins import Coins, PublicCoins
from distest.learning.fitting import all_samples
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class Multiset(RefereeProtocol):
    """The s samples of a server as the rank of their multiset; the estimate is the empirical law. No coins.

    Exactly ceil(log2 C(n + s - 1, s)) bits a server: about log2(n/s) + 1.44 a sample for s far below n, and
    (n/2) log2(17 s/n) a server for s far above. Nothing is lost, so squared l2 and l1 risk are those of all N
    = m s samples, (1 - |p|^2)/N and De Moivre's, both exact.

    Source: Cover, "Enumerative source encoding" (1973).
    """

    source: ClassVar[str] = "Cover 1973; docs/bounds.md (exact)"

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return MultisetCode(self.task.n).pack(servers.samples)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        samples = MultisetCode(self.task.n).decode(reader, (len(speakers), self.task.s))
        return np.bincount(samples.ravel(), minlength=self.task.n)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        message.take("samples, in order of size", MultisetCode(self.task.n), self.task.s)

    def decide(self, tally: Tally) -> Pmf:
        return tally / (self.task.m * self.task.s)

    def risk(self, pmf: Pmf) -> Risk:
        return all_samples.risk(self.task, pmf)

    def worst_risk(self) -> Risk:
        return all_samples.worst_risk(self.task)

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits_per_server()

    def bits_per_server(self) -> int:
        return MultisetCode(self.task.n).length(self.task.s)
