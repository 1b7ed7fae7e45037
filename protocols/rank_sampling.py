"""Rank sampling: servers with many samples send every g-th of them in order, from a random one on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np

from analysis.bounds import histograms
from distest.bits import BitReader, Messages, Words
from distest.codecs.base import checked
from distest.codecs.golomb import Golomb
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels import prefix
from distest.kernels.below import below
from distest.learning.fitting import merging, oblivious
from distest.learning.fitting.one_sample import behind_gaps
from distest.learning.norms import Pmf
from distest.learning.protocol import CoinUse, RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.learning.task import Family, Loss
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class RankSampling(RefereeProtocol):
    """For k-histograms in l1 and s samples a server: those of ranks r, r + g, r + 2g, ... with r random in 1..g.

    A server sorts its samples, draws r by its private coins and sends the kept ones as gaps in Golomb's code, at
    most log2(n/c) + 4 bits each for c = ceil(s/g) <= n places. Where g does not divide s the last place may be empty:
    it then holds the symbol n, one behind the domain, so the number of samples is read from bits. (The multiset code
    would save about 1.5 bits a value and cost seconds a server at 10^4 values, so gaps it is.) At the referee each
    value counts for g samples: the number of samples in any interval is estimated without bias, with variance g^2
    f(1-f) a server, f the fraction of its number over g, whatever r and p. Then it merges to at most 4 pieces + 1
    intervals. About k sqrt(m)/eps values do for an error of order eps, where full samples take k/eps^2: for few servers
    with many samples, sqrt(m) < 1/eps.

    `risk` bounds the l1 error of histograms, safely but loosely: measured errors are many times smaller.

    pieces: k, 1..n. every: g, 1..s; 0 takes floor(eps s sqrt(m)/k), at least 1 and at most s. eps: above 0, for
    this default alone. Raises UsageError for other values, for s = 1, and where a gap could take 2^20 ones.

    Source: after Huang and Yi, "The communication complexity of distributed epsilon-approximations" (2014); merging
    by Acharya, Diakonikolas, Li, Schmidt (2017).
    """

    pieces: int
    every: int = 0
    eps: float = 0.05
    coin_use: ClassVar[CoinUse] = "private"
    family: ClassVar[Family] = "histogram"
    losses: ClassVar[tuple[Loss, ...]] = ("l1",)
    source: ClassVar[str] = "after Huang, Yi 2014; docs/bounds.md H5, H6 (exact ranks, bound)"

    def __post_init__(self) -> None:
        n, s = self.task.n, self.task.s
        if not 1 <= self.pieces <= n:
            raise UsageError(f"rank_sampling on n={n} symbols takes 1 to {n} pieces, got pieces={self.pieces}")
        if s < 2:
            raise UsageError(f"rank_sampling is for many samples per server, got s={s}; use two_stage_histogram")
        if not 0 <= self.every <= s:
            raise UsageError(f"rank_sampling keeps every g-th of s={s} samples, 1 <= g <= s, got every={self.every}")
        if not 0 < self.eps < math.inf:
            raise UsageError(f"rank_sampling takes eps > 0, the l1 error its default g is for, got eps={self.eps}")
        if n > self.code.domain[1]:
            raise UsageError(
                f"rank_sampling with n={n} and {self.places} values a server divides by M={self.code.M} and would "
                "write gaps of 2^20 ones and more; use full_sample"
            )

    @property
    def g(self) -> int:
        """One in so many samples is sent."""
        if self.every:
            return self.every
        eps, task = oblivious.exact(self.eps), self.task
        square = eps.numerator**2 * task.s**2 * task.m // (eps.denominator * self.pieces) ** 2
        return min(task.s, max(1, math.isqrt(square)))

    @property
    def places(self) -> int:
        """Values in a message, ceil(s/g)."""
        return -(-self.task.s // self.g)

    @property
    def code(self) -> Golomb:
        """Golomb's code of a gap."""
        return Golomb(max(1, round(math.log(2) * self.task.n / (self.places + 1))))

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        n, s, g = self.task.n, self.task.s, self.g
        ordered = np.sort(checked(servers.samples, 0, n - 1, "rank_sampling"), axis=1)
        skipped = below(coins.private.words(servers.parties)[:, 0], g).astype(np.int64)  # r - 1
        rank = skipped[:, None] + g * np.arange(self.places)
        kept = np.where(rank < s, np.take_along_axis(ordered, np.minimum(rank, s - 1), axis=1), n)
        return self.code.pack(np.diff(kept, axis=1, prepend=0))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        n, places = self.task.n, self.places
        kept = np.cumsum(self.code.decode(reader, (len(speakers), places)), axis=1)
        least = self.task.s // self.g  # places that are never empty
        if kept.size and (int(kept[:, least - 1].max()) >= n or int(kept.max()) > n):
            raise WireError(f"the gaps of a message add up to a symbol outside the domain of {n} symbols")
        return np.bincount(kept.ravel(), minlength=n + 1)[:n]

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        n = self.task.n

        def says(gaps: Sequence[int]) -> list[str]:
            return [said if x < n else "no sample" for x, said in zip(accumulate(gaps), behind_gaps(gaps), strict=True)]

        message.take("gap to the next kept sample", self.code, self.places, says)

    def decide(self, tally: Tally) -> Pmf:
        seen = np.flatnonzero(tally)
        if seen.size == 0:
            return np.zeros(self.task.n)
        cells, masses = merging.of_samples(seen, self.g * tally[seen], self.task.n)
        merged = merging.l1(cells, masses, self.pieces)
        return merged.spread(merging.total(cells, masses, merged) / merged.widths / (self.task.m * self.task.s))

    def risk(self, pmf: Pmf) -> Risk | None:
        jumps = histograms.jumps_of(pmf)
        if jumps >= self.pieces:
            return None
        return Risk(None, self._bound(jumps), exact=False, note="a bound on l1, loose; no formula for l2")

    def worst_risk(self) -> Risk:
        note = f"a bound on l1 for every p of {self.pieces} pieces, loose"
        return Risk(None, self._bound(self.pieces - 1), exact=False, note=note)

    def _bound(self, jumps: int) -> float:
        return histograms.ranks_l1(self.pieces, jumps, self.task.m, self.task.m * self.task.s, self.g)

    def bits_per_server(self) -> int:
        """The longest message: gaps that add up to n or less."""
        n, places, code = self.task.n, self.places, self.code
        short, cutoff = prefix.phase_in(code.M)
        longer = min(places, n // cutoff) if cutoff < code.M else 0  # a remainder at the cutoff costs one bit more
        return places * (1 + short) + longer + (n - longer * cutoff) // code.M
