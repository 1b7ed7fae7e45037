"""Haar wavelet: every server sends the few wavelet coefficients of its samples that are large, rounded at random."""

import math
from dataclasses import dataclass
from typing import ClassVar

from analysis.bounds import risks
from distest.bits import BitReader, Messages, Words
from distest.codecs.base import checked
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.learning.fitting import haar, oblivious
from distest.learning.norms import Pmf
from distest.learning.protocol import CoinUse, RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.learning.task import Loss
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class HaarWavelet(RefereeProtocol):
    """For many samples a server, in l2: Haar coefficients of the local empirical law in multiples of lam.

    The domain is padded to 2^t symbols. A server rounds each of its orthonormal coefficients c to a multiple of lam,
    the one farther from 0 with chance frac(|c|/lam), so without bias, and sends the non-zero multiples: their number,
    the gaps between their places, sizes and signs. The referee averages and inverts. Estimates may be
    negative; with n a power of 2 they sum to 1.

    Squared l2 risk, exactly: (1 - |p|^2)/(m s) for the samples, and the variance of the rounding, sum lam^2
    E f(1-f)/m over all coefficients, f = frac(|c|/lam). The absolute coefficients of a law sum to less than 2.4143, so
    the second part is below 2.4143 lam/m and a server sends at most 2.4143/lam non-zeros on average, each in
    about log2(n lam) + 4 bits. For p that is flat nearly everywhere both are far smaller once s is larger than n: the
    coefficients of s samples are then small.

    lam: 2^-20 or more; without it s^(-1/2), where no rounding noise, at most lam^2/4 a coefficient, is larger than the
    noise that s samples can have in one coefficient, 1/(2s). threshold: whether the referee drops averages
    whose square is at most ln 2^t estimated variances: several times better for p of few pieces, about the same for
    others; no formula for the risk. Raises UsageError for one sample a server, and for lam out of range.

    Source: after Donoho, Johnstone, Kerkyacharian, Picard, "Density estimation by wavelet thresholding" (1996), and
    Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD" (2017), the random rounding; risk: docs/bounds.md, Proposition P25.
    """

    lam: float | None = None
    threshold: bool = False
    coin_use: ClassVar[CoinUse] = "private"
    losses: ClassVar[tuple[Loss, ...]] = ("l2",)
    source: ClassVar[str] = "Donoho et al. 1996, Alistarh et al. 2017 (ideas); docs/bounds.md P25 (exact)"

    def __post_init__(self) -> None:
        if self.task.s < 2:
            raise UsageError("haar_wavelet is for two samples a server and more, got s=1; use full_sample or grouping")
        if self.lam is not None and not 0 < self.lam < math.inf:
            raise UsageError(f"haar_wavelet rounds to multiples of a positive lam, got lam={self.lam}")
        if haar.grid(self.task.n, self.task.s, oblivious.exact(self.step)) is None:
            raise UsageError(
                f"haar_wavelet on n={self.task.n} symbols with s={self.task.s} takes a lam from 2^-20 to "
                f"{2**28 / (self.task.s * math.sqrt(2 * self.task.n)):.4g}, got lam={self.step:.4g}"
            )

    @property
    def step(self) -> float:
        """What coefficients are multiples of."""
        return 1 / math.sqrt(self.task.s) if self.lam is None else self.lam

    @property
    def grid(self) -> haar.Grid:
        """The same in whole samples, the same for servers and referee."""
        here = haar.grid(self.task.n, self.task.s, oblivious.exact(self.step))
        assert here is not None  # looked at when the protocol was made
        return here

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        checked(servers.samples, 0, self.task.n - 1, "haar_wavelet")
        return haar.message(servers.samples, servers.parties, self.grid, coins.private)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        return haar.tally(reader, len(speakers), self.grid)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        haar.fields(message, self.grid)

    def decide(self, tally: Tally) -> Pmf:
        return haar.levels(tally, self.grid, self.task.m, self.threshold)[: self.task.n]

    def risk(self, pmf: Pmf) -> Risk | None:
        if self.threshold:
            return None
        m, s, here = self.task.m, self.task.s, self.grid
        if here.places * s > risks.WAVELET_MOST:
            value = risks.empirical_l2(pmf, m * s) + risks.wavelet_rounding_at_most(here.lams) / m
            return Risk(value, exact=False, note="upper bound; no formula for l1")
        rounding = risks.wavelet_rounding(pmf, s, here.counts) / m
        return Risk(risks.empirical_l2(pmf, m * s) + rounding, note="no formula for l1")

    def worst_risk(self) -> Risk | None:
        if self.threshold:
            return None
        m, s = self.task.m, self.task.s
        value = (1 - 1 / self.task.n) / (m * s) + risks.wavelet_rounding_at_most(self.grid.lams) / m
        return Risk(value, exact=False, note="upper bound for every p; no formula for l1")

    def padded_n(self) -> int:
        return 1 << self.grid.t
