"""Golomb gaps: every server sorts its samples and sends the gaps between them."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from analysis.bounds import risks
from distest.bits import BitReader, Messages, Words
from distest.codecs.base import checked
from distest.codecs.golomb import Golomb
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels import prefix
from distest.learning.fitting import all_samples, one_sample
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Tally

_FORMULA_MOST = 1 << 12  # symbols up to which expected lengths are worked out, in n^2 steps


@dataclass(frozen=True)
class GolombGaps(RefereeProtocol):
    """The s samples of a server in order, as gaps in Golomb's code; the estimate is the empirical law. No coins.

    The first gap is the smallest sample itself. M = max(1, round(ln 2 n/(s + 1))), the best parameter for gaps
    of n/(s + 1) on average. At uniform p and s up to n the mean length is 1 to 7 % above the entropy of the
    counts, and no big integer is needed; a gap costs at least one bit, so for s far above n the multiset code
    is the better one. Nothing is lost, so squared l2 and l1 risk are those of all N = m s samples, (1 - |p|^2)/N
    and De Moivre's, both exact. Raises UsageError where a gap could take 2^20 ones, n > 2^20 M.

    Source: Golomb, "Run-length encodings" (1966); expected length: docs/bounds.md, Proposition P6.
    """

    source: ClassVar[str] = "Golomb 1966; docs/bounds.md (exact)"

    def __post_init__(self) -> None:
        if self.task.n - 1 > self.code.domain[1]:
            raise UsageError(
                f"golomb_gaps with n={self.task.n} and s={self.task.s} divides by M={self.code.M} and would write gaps "
                "of 2^20 ones and more; use multiset"
            )

    @property
    def code(self) -> Golomb:
        """Golomb's code of a gap."""
        return Golomb(max(1, round(math.log(2) * self.task.n / (self.task.s + 1))))

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        ordered = np.sort(checked(servers.samples, 0, self.task.n - 1, "golomb_gaps"), axis=1)
        return self.code.pack(np.diff(ordered, axis=1, prepend=0))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        samples = np.cumsum(self.code.decode(reader, (len(speakers), self.task.s)), axis=1)
        if samples.size and int(samples[:, -1].max()) >= self.task.n:
            raise WireError(f"the gaps of a message add up to a symbol outside the domain of {self.task.n} symbols")
        return np.bincount(samples.ravel(), minlength=self.task.n)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        message.take("gap to the next sample", self.code, self.task.s, one_sample.behind_gaps)

    def decide(self, tally: Tally) -> Pmf:
        return tally / (self.task.m * self.task.s)

    def risk(self, pmf: Pmf) -> Risk:
        return all_samples.risk(self.task, pmf)

    def worst_risk(self) -> Risk:
        return all_samples.worst_risk(self.task)

    def payload_bits(self, pmf: Pmf) -> float | None:
        if self.task.n > _FORMULA_MOST:
            return None
        return self.task.m * risks.gap_bits(pmf, self.task.s, self.code.n_bits(np.arange(self.task.n)))

    def bits_per_server(self) -> int:
        """The longest message: gaps that add up to n - 1 or less, at the least sum for a bit more."""
        n, s, code = self.task.n, self.task.s, self.code
        short, cutoff = prefix.phase_in(code.M)
        longer = min(s, (n - 1) // cutoff) if cutoff < code.M else 0  # a remainder at the cutoff costs one bit more
        return s * (1 + short) + longer + (n - 1 - longer * cutoff) // code.M
