"""Arithmetic counts: every server sends how often it saw each symbol, in about as many bits as the counts have."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from analysis.bounds import counts
from distest.bits import BitReader, Messages, Words
from distest.codecs.counts import Counts
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.learning.fitting import all_samples
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class ArithmeticCounts(RefereeProtocol):
    """The counts of a server's s samples, by an arithmetic coder; the estimate is the empirical law. No coins.

    law "binomial": messages are short where the samples are near uniform, and then take the entropy of the counts and
    about 1.2 bits on average; for s far above n that is a quarter less than the multiset code at n = 256, s = 4096.
    law "multiset": never more than 2 bits above the length of the multiset code, whatever the samples, in time
    O(s log n) where its big integers take s^2. Nothing is lost, so squared l2 and l1 risk are those of all N = m s
    samples, (1 - |p|^2)/N and De Moivre's, both exact.

    law: "binomial" or "multiset". Raises UsageError for s above 2^24.

    Source: Rissanen, "Generalized Kraft inequality and arithmetic coding" (1976); docs/bounds.md, Proposition P5.
    """

    law: Literal["binomial", "multiset"] = "binomial"
    source: ClassVar[str] = "Rissanen 1976; docs/bounds.md (exact)"

    def __post_init__(self) -> None:
        if self.law not in ("binomial", "multiset"):
            raise UsageError(f"arithmetic_counts has law 'binomial' or 'multiset', got {self.law!r}")
        if self.task.s > 1 << 24:
            raise UsageError(f"arithmetic_counts takes up to 2^24 samples per server, got s={self.task.s}")

    @property
    def code(self) -> Counts:
        """The code of a message."""
        return Counts(self.task.n, self.law)

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return self.code.pack(servers.samples)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        samples = self.code.decode(reader, (len(speakers), self.task.s))
        return np.bincount(samples.ravel(), minlength=self.task.n)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        message.take("samples, in order of size", self.code, self.task.s)

    def decide(self, tally: Tally) -> Pmf:
        return tally / (self.task.m * self.task.s)

    def risk(self, pmf: Pmf) -> Risk:
        return all_samples.risk(self.task, pmf)

    def worst_risk(self) -> Risk:
        return all_samples.worst_risk(self.task)

    def payload_bits(self, pmf: Pmf) -> float | None:
        """At uniform p the ideal length and a bit a server, within a bit or so; None for others, whose rare outcomes
        cost less than that."""
        if float(np.ptp(pmf)) > 1e-12:
            return None
        n, s = self.task.n, self.task.s
        ideal = counts.binomial_bits(pmf, s) if self.law == "binomial" else counts.multiset_bits(n, s)
        return self.task.m * (ideal + 1)
