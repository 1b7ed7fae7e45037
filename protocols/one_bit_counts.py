"""One-bit counts: every server says one bit about how often it saw one symbol."""

from dataclasses import dataclass
from typing import ClassVar

from analysis.bounds import one_bit as formulas
from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.learning.fitting import one_bit, one_bit_likelihood
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class OneBitCounts(RefereeProtocol):
    """Server i of s >= 2 samples asks one question about N, its count of symbol i mod n: exactly 1 bit. No coins.

    With Y(N) = 2 sqrt(s) asin(sqrt(N/s)), whose variance is about 1, question (j, f) is whether frac(Y/P_j + f) <
    1/2, P_j = 2 pi 2^j, f = 0 or 1/4, j = 0..J, 2^J >= sqrt(s). Half of the reports on a symbol are of level 0, the
    rest spread over the others, which tell the turns of level 0 apart. The referee takes the p_x that makes the
    reports on x likeliest, binomial chances exact. If n = 2 all are asked about symbol 0, the other is its complement.

    With m' = m/n reports on x its squared error is C max(p_x (1-p_x), 1/(4s))/(m' s) with C from 2 to 6 (less for very
    small s), by measurement and by Fisher information: first order, for many reports. Below 80 reports a turn is
    missed now and then. p_x = 0 is found exactly. A threshold put at the median, which nobody knows beforehand, would
    have C = pi/2: see `one_bit_adaptive`. The estimate need not sum to 1.

    Raises UsageError where s = 1 or some symbol would not be asked every question (4J reports).

    Source: questions, decoder and information: docs/bounds.md, T1 to T3; a one-bit count with more questions: Acharya,
    Canonne, Liu, Sun, Tyagi, "Interactive inference under information constraints" (2021).
    """

    source: ClassVar[str] = "docs/bounds.md T1 to T3; idea: Acharya, Canonne, Liu, Sun, Tyagi 2021"

    def __post_init__(self) -> None:
        one_bit.require("one_bit_counts", self.task)
        self.design.require("one_bit_counts", self.task.m)

    @property
    def design(self) -> one_bit.Design:
        """Who reports on what."""
        return one_bit.Design(self.task.s, one_bit.symbols_asked(self.task.n), 1)

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return self.design.message(one_bit.checked(servers, self.task.n))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        return self.design.tally(reader, speakers)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        self.design.fields(message, party, "symbol")

    def decide(self, tally: Tally) -> Pmf:
        often = self.design.often(self.task.m)
        return one_bit.completed(one_bit_likelihood.estimate(tally, often, self.task.s), self.task.n)

    def risk(self, pmf: Pmf) -> Risk:
        often = self.design.often(self.task.m)
        each = formulas.reports_variance(one_bit.table(self.task.s), often, pmf[: len(often)])
        times = self.task.n / len(often)  # a complement is as wrong as what it complements
        return one_bit.first_order(each, "first order: Fisher information of the reports", often, times=times)

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m

    def bits_per_server(self) -> int:
        return 1
