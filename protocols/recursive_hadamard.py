"""Recursive Hadamard: every server names the chunk of its sample and one Hadamard sign within it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analysis.bounds import risks, worst
from distest.bits import BitReader, Messages, Words
from distest.codecs.fixed import Fixed
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.kernels.linear_hash import hadamard
from distest.learning.fitting import one_sample
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class RecursiveHadamard(RefereeProtocol):
    """Server i sends the chunk of its sample, bits - 1 bits, and the sign at (i mod B0, place in the chunk), one bit.

    The domain is padded to n' = 2^t symbols, t = ceil(log2 n), in 2^(bits-1) chunks of B0 = n'/2^(bits-1)
    consecutive ones; signs are those of the Hadamard matrix of order B0. Exactly `bits` bits a server, no
    coins. The mean over the servers of row j of sign times "in chunk c" estimates the coefficient a_cj of p,
    and an inverse transform in every chunk gives p. Each row is averaged over the servers that hold it, so
    the estimate is unbiased for every m.

    The squared l2 risk is exact for every m; where B0 divides m and n = n' it is B0 (1 - |p|^2)/m, that is
    (K-1)/(K/2) times the risk of grouping with K = 2^bits: the same at one bit, twice as much in the limit.
    What it is good for is to stay almost as good once signs are made private by noise. No formula for l1.

    bits: 1..8, at most t. Raises UsageError where m < B0, so that some row would be held by nobody.

    Source: Chen, Kairouz, Ozgur, "Breaking the communication-privacy-accuracy trilemma" (2020), without
    privacy; exact risk: docs/bounds.md, Proposition P11.
    """

    bits: int
    source: ClassVar[str] = "Chen, Kairouz, Ozgur 2020 (without noise); docs/bounds.md (exact)"

    def __post_init__(self) -> None:
        one_sample.require("recursive_hadamard", self.task, self.bits, (self.task.n - 1).bit_length())
        if self.task.m < self.length:
            raise UsageError(
                f"recursive_hadamard needs a server for each of {self.length} rows of its Hadamard matrix, got "
                f"m={self.task.m}; give more bits or more servers"
            )

    @property
    def length(self) -> int:
        """Symbols in a chunk, B0."""
        return self.padded_n() >> (self.bits - 1)

    def rows(self, parties: range) -> NDArray[np.int64]:
        """The row of each server, int64 (len(parties),)."""
        return np.arange(parties.start, parties.stop, parties.step, dtype=np.int64) & (self.length - 1)

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        samples = one_sample.symbols(servers, self.task.n)
        chunk = samples >> (self.length.bit_length() - 1)
        sign = np.bitwise_count(samples & self.rows(servers.parties)) & 1
        return Messages.of_symbols((2 * chunk + sign).astype(np.uint8), self.bits)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        codes = reader.symbols(len(speakers), self.bits).astype(np.int64)
        place = (codes >> 1) * self.length + self.rows(speakers)
        minus = (codes & 1).astype(bool)
        n = self.padded_n()
        return np.bincount(place[~minus], minlength=n) - np.bincount(place[minus], minlength=n)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        if self.bits > 1:
            chunk = Fixed(1 << (self.bits - 1))
            size = self.length
            message.take("chunk", chunk, 1, lambda v: [f"symbols {v[0] * size} to {(v[0] + 1) * size - 1}"])
        row = self.rows(range(party, party + 1))[0]
        message.take(f"sign of row {row} at the sample", Fixed(2), 1, lambda v: ["-1" if v[0] else "+1"])

    def decide(self, tally: Tally) -> Pmf:
        each, rest = divmod(self.task.m, self.length)
        chunks = tally.reshape(-1, self.length)
        often = np.arange(self.length) < rest  # two counts at most, so two integer transforms a chunk do
        estimate = np.stack([hadamard(np.where(often, 0, chunk)) for chunk in chunks]) / each
        if rest:
            estimate += np.stack([hadamard(np.where(often, chunk, 0)) for chunk in chunks]) / (each + 1)
        return np.asarray(estimate.ravel()[: self.task.n] / self.length, np.float64)

    def risk(self, pmf: Pmf) -> Risk:
        return Risk(risks.recursive_hadamard_l2(pmf, self.task.m, self.bits), note="no formula for l1")

    def worst_risk(self) -> Risk:
        l2, exact = worst.recursive_hadamard_l2(self.task.n, self.task.m, self.bits)
        note = "l2 exact, at uniform p" if exact else "l2 a bound: the padding included, all rows as the rarest"
        return Risk(l2, worst.l1_at_most(self.task.n, l2), exact=False, note=f"{note}; l1 a bound")

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits

    def bits_per_server(self) -> int:
        return self.bits

    def padded_n(self) -> int:
        return 1 << (self.task.n - 1).bit_length()
