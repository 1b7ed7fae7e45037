"""Balanced hash: every server cuts the domain into 2^bits cells of equal size and names the cell of its sample."""

from dataclasses import dataclass
from typing import ClassVar

from analysis.bounds import risks, worst
from distest.coins import PublicCoins
from distest.learning.fitting import hashing
from distest.learning.norms import Pmf
from distest.learning.protocol import CoinUse, Risk
from distest.wire.channel import Tally


@dataclass(frozen=True)
class BalancedHash(hashing.Hashed):
    """Server i draws a non-zero a of GF(2^t) from its public word and sends the parities of a, alpha a, ... with x.

    The domain is padded to n' = 2^t symbols, the vectors of GF(2)^t; alpha generates GF(2^t), so multiplying
    by it is a shift and a conditional exclusive or. Bit j of the message is the parity of alpha^j a & x, j <
    bits; exactly `bits` bits a server; K = 2^bits.

    Balanced: the rows alpha^j a are independent, because q(alpha) a = 0 with a non-zero polynomial q of
    degree below bits <= t would make alpha a root of it, and the minimal polynomial of alpha has degree t. So
    each of the K cells has exactly n'/K symbols.
    Pairwise uniform: let d = x + y be non-zero and consider the linear map a -> (alpha^j a . d)_j to
    GF(2)^bits. If it were not onto, some u other than 0 would give q(alpha) a . d = 0 for every a, with q(X)
    = sum_j u_j X^j. But q(alpha) is not 0, hence q(alpha) a runs over all vectors, and only d = 0 is
    orthogonal to all. So each difference of two messages has 2^(t-bits) of the 2^t multipliers; without a =
    0, two symbols share a cell with chance rho = (2^(t-bits) - 1)/(2^t - 1), all pairs alike, as under a
    uniformly random partition into equal cells.

    With Z_x the number of servers whose message fits x, p_x is estimated by (Z_x/m - rho)/(1 - rho).
    Unbiased. Z_x is Bin(m, rho + (1-rho) p_x), so both risks are exact; the worst p is uniform, (n-1)^2/(n
    m(K-1)) where n = n'.

    Needs public coins, one word a server. bits: 1..8, at most t = ceil(log2 n).

    Source: partitions: Acharya, Canonne, Tyagi, "Inference under information constraints II" (2019), in
    spirit; multiplication as hashing: Carter and Wegman, "Universal classes of hash functions" (1979); exact
    risks: docs/bounds.md.
    """

    coin_use: ClassVar[CoinUse] = "public"
    source: ClassVar[str] = "Carter, Wegman 1979 (hashes); docs/bounds.md (exact)"

    def __post_init__(self) -> None:
        hashing.require("balanced_hash", self.task, self.bits)

    def rows(self, coins: PublicCoins) -> hashing.RowsOf:
        """The vectors a, alpha a, ... of a range of servers, uint32 (bits, servers)."""
        return lambda part: hashing.multiples(coins, part, self.t, self.bits)

    def decide(self, tally: Tally) -> Pmf:
        return hashing.estimate(tally, self.task.n, self.servers_each)

    def risk(self, pmf: Pmf) -> Risk:
        m, bits = self.task.m, self.bits
        return Risk(risks.linear_hash_l2(pmf, m, bits), risks.linear_hash_l1(pmf, m, bits))

    def worst_risk(self) -> Risk:
        l2 = worst.linear_hash_l2(self.task.n, self.task.m, self.bits)
        return Risk(l2, worst.l1_at_most(self.task.n, l2), exact=False, note="l2 exact, at uniform p; l1 a bound")
