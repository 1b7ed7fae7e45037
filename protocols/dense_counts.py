"""Dense counts: every server says one bit about its count of each of a few symbols."""

from dataclasses import dataclass
from typing import ClassVar

from analysis.bounds import one_bit as formulas
from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.learning.fitting import one_bit, one_bit_likelihood
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Tally


@dataclass(frozen=True)
class DenseCounts(RefereeProtocol):
    """Server i asks one question about its count of each of the `bits` symbols (i bits + r) mod n. No coins.

    Exactly `bits` bits a server of s >= 2 samples. The count of x is Bin(s, p_x); each symbol gets m bits/n reports,
    asked and decoded as in `one_bit_counts`, and the question is chosen by how often the symbol was asked before.
    For s >= n this is of the best order: squared l2 risk C n (1 - |p|^2)/(m s bits), l1 about n sqrt(2C/(pi m s
    bits)), C from 2 to 6. For s < n `block_refinement` takes fewer bits.

    The estimate is in 0..1 symbol by symbol and need not sum to 1. Its risk is known to first order, for many reports:
    the sum over x of 1/I_x, I_x the Fisher information of the reports on x.

    bits: 1..n. Raises UsageError where some symbol would not be asked every question.

    Source: order: Acharya, Canonne, Liu, Sun, Tyagi, "Interactive inference under information constraints" (2021);
    questions and information: docs/bounds.md, T1 to T3.
    """

    bits: int
    source: ClassVar[str] = "Acharya, Canonne, Liu, Sun, Tyagi 2021 (order); docs/bounds.md T1 to T3"

    def __post_init__(self) -> None:
        one_bit.require("dense_counts", self.task)
        if not 1 <= self.bits <= self.task.n:
            raise UsageError(f"dense_counts on n={self.task.n} symbols takes 1 to n bits, got bits={self.bits}")
        self.design.require("dense_counts", self.task.m)

    @property
    def design(self) -> one_bit.Design:
        """Who reports on what."""
        return one_bit.Design(self.task.s, self.task.n, self.bits)

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return self.design.message(one_bit.checked(servers, self.task.n))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        return self.design.tally(reader, speakers)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        self.design.fields(message, party, "symbol")

    def decide(self, tally: Tally) -> Pmf:
        return one_bit_likelihood.estimate(tally, self.design.often(self.task.m), self.task.s)

    def risk(self, pmf: Pmf) -> Risk:
        often = self.design.often(self.task.m)
        each = formulas.reports_variance(one_bit.table(self.task.s), often, pmf)
        return one_bit.first_order(each, "first order: Fisher information of the reports", often)

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits

    def bits_per_server(self) -> int:
        return self.bits
