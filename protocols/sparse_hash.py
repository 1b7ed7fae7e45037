"""Sparse hash: the linear hash for distributions on few symbols that nobody knows beforehand."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from analysis.bounds import risks, worst
from distest.coins import PublicCoins
from distest.errors import UsageError
from distest.learning.fitting import hashing, simplex
from distest.learning.norms import Pmf
from distest.learning.protocol import CoinUse, Risk
from distest.learning.task import Family
from distest.wire.channel import Tally


@dataclass(frozen=True)
class SparseHash(hashing.Hashed):
    """Random linear hashes of `bits` bits; the referee keeps the `support` symbols that look largest.

    Messages are those of the linear hash with random matrices, exactly `bits` bits a server, and so is the
    unbiased estimate they give. The referee keeps its `support` largest values, the first ones of equals, and
    moves them by one number, cut at 0, so that they sum to 1. The result is the nearest of all distributions
    on at most `support` symbols.

    If p has no more symbols than that, the squared l2 error is at most 4 times that of the linear hash on the
    symbols of either, and on average at most 4 support (1 + ln 2n)/(m(1 - rho)^2): n enters by its logarithm
    alone. If p has more, the error does not fall below what is cut off, and there is no formula.

    Needs public coins, as the linear hash. bits: 1..8, at most ceil(log2 n). support: symbols kept, 1..n.

    Source: Acharya, Kairouz, Liu, Sun, "Estimating sparse discrete distributions under privacy and
    communication constraints" (2021), in spirit; Kyrillidis, Becker, Cevher, Koch, "Sparse projections onto the
    simplex" (2013), the projection; bound: docs/bounds.md, Proposition P14.
    """

    support: int
    coin_use: ClassVar[CoinUse] = "public"
    family: ClassVar[Family] = "sparse"
    source: ClassVar[str] = "Acharya, Kairouz, Liu, Sun 2021 (in spirit); docs/bounds.md (bound)"

    def __post_init__(self) -> None:
        hashing.require("sparse_hash", self.task, self.bits)
        if not 1 <= self.support <= self.task.n:
            raise UsageError(
                f"sparse_hash keeps a support of 1 to {self.task.n} symbols of n={self.task.n}, got "
                f"support={self.support}"
            )

    def rows(self, coins: PublicCoins) -> hashing.RowsOf:
        """The matrices of a range of servers, uint32 (bits, servers)."""
        return lambda part: hashing.full_rank(coins, part, self.t, self.bits)

    def decide(self, tally: Tally) -> Pmf:
        everywhere = hashing.estimate(tally, self.task.n, self.servers_each)
        kept = np.argsort(-everywhere, kind="stable")[: self.support]
        sparse = np.zeros(self.task.n)
        sparse[kept] = simplex.project(everywhere[kept])
        return sparse

    def risk(self, pmf: Pmf) -> Risk | None:
        if np.count_nonzero(pmf) > self.support:
            return None
        value = risks.sparse_hash_l2_at_most(pmf, self.task.m, self.bits, self.support)
        return Risk(value, exact=False, note="upper bound for p on at most `support` symbols")

    def worst_risk(self) -> Risk:
        l2 = worst.sparse_hash_l2_at_most(self.task.n, self.task.m, self.bits, self.support)
        l1 = worst.l1_at_most(min(self.task.n, 2 * self.support), l2)
        return Risk(l2, l1, exact=False, note="bounds for p on at most `support` symbols")
