"""Linear hash: every server sends a few parities of its sample, for random matrices or for a cycle of subspaces."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from analysis.bounds import risks, worst
from distest.coins import PublicCoins
from distest.errors import UsageError
from distest.kernels.linear_hash import cycle_length, cycle_rows
from distest.learning.fitting import hashing
from distest.learning.norms import Pmf
from distest.learning.protocol import CoinUse, Risk
from distest.wire.channel import Tally


@dataclass(frozen=True)
class LinearHash(hashing.Hashed):
    """Server i sends A_i x, with A_i a full-rank binary matrix of `bits` rows and x the sample as a vector of t bits.

    The domain is padded to n' = 2^t symbols. Exactly `bits` bits a server; K = 2^bits.

    design "random": A_i is uniform over the full-rank matrices, row by row from the server's public words; a
    row that depends on those above is drawn again. Two symbols collide with chance
    rho = (2^(t-bits) - 1)/(2^t - 1), so estimate and both exact risks are those of the balanced hash.
    design "cycle": no coins. With bits dividing t, GF(2)^t without 0 falls into C = (n'-1)/(K-1) subspaces of
    K vectors without 0: the lines over the subfield GF(K) of GF(2^t), that is {alpha^(d + C k)} for d < C
    with alpha a generator of GF(2^t). The rows of server i are alpha^d, alpha^(d + C), alpha^(d + 2 C), ...
    with d = i mod C, a basis of subspace d because alpha^C generates GF(K). For bits = 1 the rows are all
    non-zero vectors in turn: one-bit Hadamard response without noise. Every character is sent by exactly one
    subspace, so where C divides m and n = n' the squared l2 risk is (n-1)(1 - |p|^2)/(m(K-1)) exactly, below
    that of grouping without its shift, never above that of random hashes. For other m each character is
    averaged over the servers that sent it, and the estimate stays unbiased.

    bits: 1..8, at most t = ceil(log2 n); a divisor of t with design "cycle", which also needs m >= C.

    Source: Acharya, Sun, Zhang, "Hadamard response" (2018), for one bit; spreads of subspaces: Segre (1964),
    Andre (1954); exact risks: docs/bounds.md.
    """

    design: Literal["random", "cycle"] = "random"
    source: ClassVar[str] = "Acharya, Sun, Zhang 2018 (one bit); docs/bounds.md (exact)"

    @property
    def coin_use(self) -> CoinUse:  # type: ignore[override]  # one of two values, by option
        """Public coins for random matrices, none for the cycle."""
        return "public" if self.design == "random" else "none"

    def __post_init__(self) -> None:
        hashing.require("linear_hash", self.task, self.bits)
        if self.design not in ("random", "cycle"):
            raise UsageError(f"linear_hash has design 'random' or 'cycle', got {self.design!r}")
        if self.design == "cycle":
            hashing.require_cycle("linear_hash", self.task, self.bits)

    def rows(self, coins: PublicCoins) -> hashing.RowsOf:
        """The matrices of a range of servers, uint32 (bits, at least as many columns as servers)."""
        if self.design == "cycle":
            return lambda part: cycle_rows(part, self.t, self.bits)
        return lambda part: hashing.full_rank(coins, part, self.t, self.bits)

    def decide(self, tally: Tally) -> Pmf:
        n, m = self.task.n, self.task.m
        if self.design == "cycle":
            return hashing.cycle_estimate(tally, n, m, self.t, self.bits)
        return hashing.estimate(tally, n, self.servers_each)

    def risk(self, pmf: Pmf) -> Risk | None:
        m, bits = self.task.m, self.bits
        if self.design == "random":
            return Risk(risks.linear_hash_l2(pmf, m, bits), risks.linear_hash_l1(pmf, m, bits))
        cycle = cycle_length(self.t, bits)
        if m % cycle == 0 and (bits == 1 or self.task.n == self.padded_n()):
            return Risk(risks.cycle_l2(pmf, m, bits))
        whole = m // cycle * cycle  # servers beyond the last whole cycle do no harm
        note = "upper bound: the whole cycles alone, the padding included"
        return Risk(risks.cycle_l2_at_most(pmf, whole, bits), exact=False, note=note)

    def worst_risk(self) -> Risk:
        n, m, bits = self.task.n, self.task.m, self.bits
        l2, exact = worst.cycle_l2(n, m, bits) if self.design == "cycle" else (worst.linear_hash_l2(n, m, bits), True)
        note = "l2 exact, at uniform p" if exact else "l2 a bound: the whole cycles alone, the padding included"
        return Risk(l2, worst.l1_at_most(n, l2), exact=False, note=f"{note}; l1 a bound")
