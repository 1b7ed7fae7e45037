"""Uneven samples: servers that hold as many samples as they hold, some none, some lying."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.codecs.counted import Counted
from distest.codecs.elias_gamma import EliasGamma
from distest.codecs.fixed import Fixed
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.learning.fitting import all_samples
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.roster import HOPELESS
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Tally

_MOST = 1 << 27  # counts that the median keeps: one a server and symbol


@dataclass(frozen=True)
class UnevenSamples(RefereeProtocol):
    """The number of samples of a server, up to s, and the samples. No coins; a server without samples writes 1 bit.

    2 floor(log2(s_i + 1)) + 1 + s_i ceil(log2 n) bits for s_i samples.

    referee "pooled": the empirical law of all samples. With N of them in all (given N, and no lies) the squared l2 and
    l1 risk are (1 - |p|^2)/N and De Moivre's, both exact. A share a of lying servers moves it by up to 2a in l1.
    "median": in each coordinate the median of the servers' own empirical laws, over servers with at least half as
    many samples as the median server that has any, then shifted to sum 1. Fewer than half of the servers, whatever
    they say, move a coordinate no farther than to another quantile of the honest ones: by about a/(1 - a) standard
    deviations of one server, sqrt(p_x(1 - p_x)/s), for small a. Without lies its bias is below ln 2/s a symbol, as the
    median of a binomial is that near to its mean, so s has to be well above n. Raises UsageError for s = 1, where
    nothing helps, for s < n, and for m n above 2^27.

    Source: Tukey, "A survey of sampling from contaminated distributions" (1960); Yin, Chen, Kannan, Bartlett,
    "Byzantine-robust distributed learning" (2018), coordinate-wise medians; Hamza, "The smallest uniform upper bound on
    the distance between the mean and the median of the binomial and Poisson distributions" (1995).
    """

    referee: Literal["pooled", "median"] = "pooled"
    uneven: ClassVar[bool] = True
    source: ClassVar[str] = "folklore; medians: Yin, Chen, Kannan, Bartlett 2018"

    def __post_init__(self) -> None:
        if self.referee not in ("pooled", "median"):
            raise UsageError(f"uneven_samples has referee 'pooled' or 'median', got {self.referee!r}")
        if self.referee == "median" and self.task.s == 1:
            raise UsageError(f"referee 'median' needs several samples a server, got s=1: {HOPELESS}")
        if self.referee == "median" and self.task.s < self.task.n:
            raise UsageError(
                f"referee 'median' needs s >= n, got s={self.task.s} and n={self.task.n}: the median of the "
                "counts of a symbol is 0 where most servers hold no sample of it"
            )
        if self.referee == "median" and self.task.m * self.task.n > _MOST:
            raise UsageError(
                f"referee 'median' keeps m n counts, at most 2^27, got m={self.task.m} and n={self.task.n}"
            )

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return Counted(self.task.n).pack(servers.samples)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        n, m = self.task.n, self.task.m
        samples = Counted(n).decode(reader, (len(speakers), self.task.s))
        here = samples >= 0
        if self.referee == "pooled":
            return np.bincount(samples[here], minlength=n)
        party = np.arange(speakers.start, speakers.stop, speakers.step)[:, None]
        return np.bincount((party * n + samples)[here], minlength=m * n)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        held = message.take("number of samples, plus 1", EliasGamma(), side=True)[0] - 1
        if held:
            message.take("sample", Fixed(self.task.n), held)

    def decide(self, tally: Tally) -> Pmf:
        n = self.task.n
        counts = tally.reshape(-1, n)
        held = counts.sum(axis=1)
        if not held.any():
            return np.full(n, 1 / n)
        if self.referee == "pooled":
            return np.asarray(counts[0] / held[0], np.float64)
        many = (held > 0) & (2 * held >= np.median(held[held > 0]))
        middle = np.median(counts[many] / held[many, None], axis=0)
        return np.asarray(middle + (1 - middle.sum()) / n, np.float64)

    def risk(self, pmf: Pmf) -> Risk | None:
        return None if self.referee == "median" else all_samples.risk(self.task, pmf)

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits_per_server()

    def bits_per_server(self) -> int:
        full = np.zeros((1, self.task.s), np.int64)
        return int(Counted(self.task.n).n_bits(full).sum())
