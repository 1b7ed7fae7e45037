"""Simulate and infer: servers of a few bits act together so that the referee gets exact samples of p."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analysis.bounds import risks, worst
from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.learning.fitting import one_sample
from distest.learning.norms import Pmf
from distest.learning.protocol import CoinUse, RefereeProtocol, Risk
from distest.learning.servers import Servers
from distest.watch import Watch
from distest.wire.channel import Tally
from distest.wire.turn import Turn, block_size


@dataclass(frozen=True)
class SimulateInfer(RefereeProtocol):
    """A batch of servers, a pair for each block of K - 1 = 2^bits - 1 symbols, simulates a sample of p or nothing.

    With t = ceil(n/(K-1)) blocks a batch has 2t servers. Both servers of pair j say 1 + the place of their
    sample in block j, or 0 for "outside": exactly `bits` bits each. The referee accepts a batch if exactly
    one first server of its pairs says a place, and the second server of that pair says 0; the output is that
    symbol. Accepted outputs are independent samples of p, whatever p is, and the estimate is their empirical
    law, the uniform one where nothing was accepted. Servers beyond the last whole batch get no turn.

    A batch is accepted with chance prod_j (1 - P_j), P_j the mass of block j: about 1/e for small masses, 0
    where one block has everything. With `split` every server doubles the domain by a private coin, x or
    x + n, so that no block has more than half and the chance is at least 1/4; this takes twice the servers.

    Squared l2 risk (1 - |p|^2)/A given A > 0 accepted outputs, and exact on average over A, which is binomial:
    about 2 e n (1 - |p|^2)/(m(K-1)), 2 e times that of grouping. In exchange the referee has true samples, good
    for any statistics. No formula for l1 here: it is that of the full sample given A.

    bits: 1..8, with 2^bits - 1 < n (one block of everything would never be accepted; send the sample instead).
    split: whether servers double the domain. Raises UsageError where m servers are not one batch.

    Source: Acharya, Canonne, Tyagi, "Inference under information constraints II: communication constraints and
    shared randomness" (2019); exact risk: docs/bounds.md, Proposition P12.
    """

    bits: int
    split: bool = False
    source: ClassVar[str] = "Acharya, Canonne, Tyagi 2019; docs/bounds.md (exact)"

    @property
    def coin_use(self) -> CoinUse:  # type: ignore[override]  # one of two values, by option
        """Private coins where the domain is doubled, else none."""
        return "private" if self.split else "none"

    def __post_init__(self) -> None:
        one_sample.require("simulate_infer", self.task, self.bits, self.task.n.bit_length() - 1)
        if self.task.m < self.batch:
            raise UsageError(
                f"simulate_infer needs {self.batch} servers to simulate a sample of n={self.task.n} symbols with "
                f"bits={self.bits} and split={str(self.split).lower()}, got m={self.task.m}"
            )

    @property
    def size(self) -> int:
        """Symbols in a block, K - 1."""
        return (1 << self.bits) - 1

    @property
    def domain(self) -> int:
        """Symbols after the coin: n or 2n."""
        return 2 * self.task.n if self.split else self.task.n

    @property
    def batch(self) -> int:
        """Servers in a batch, two for each block."""
        return 2 * -(-self.domain // self.size)

    @property
    def speakers(self) -> range:
        """The servers of whole batches."""
        return range(self.task.m // self.batch * self.batch)

    @property
    def cut(self) -> NDArray[np.int64]:
        """The batches that lie in several blocks of the turn, ascending; their codes are put together at the end."""
        seams = np.arange(block_size(self.task.m), len(self.speakers), block_size(self.task.m))
        return np.unique(seams[seams % self.batch > 0] // self.batch)

    def next_turn(self, round: int, state: Tally | None) -> Turn | None:
        return Turn(0, self.speakers, "referee") if round == 0 else None

    def first(self, parties: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first symbol of the block that each server watches."""
        return parties % self.batch // 2 * self.size

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        symbols = one_sample.symbols(servers, self.task.n).astype(np.int64)
        if self.split:
            symbols += self.task.n * (coins.private.words(servers.parties)[:, 0] >> np.uint64(63)).astype(np.int64)
        place = symbols - self.first(_array(servers.parties))
        codes = np.where((place >= 0) & (place < self.size), place + 1, 0)
        return Messages.of_symbols(codes.astype(np.uint8), self.bits)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        """Counts of the outputs of whole batches, then the codes of each batch that is cut, server by server."""
        codes = reader.symbols(len(speakers), self.bits)
        parties = _array(speakers)
        if bool(np.any(self.first(parties) + codes > self.domain)):
            raise WireError(f"a message names a symbol outside the domain of {self.domain} symbols")
        cut, number = self.cut, parties // self.batch
        rest = np.zeros((cut.size, self.batch), np.int64)
        slot = np.searchsorted(cut, number)
        late = np.isin(number, cut)
        rest[slot[late], parties[late] % self.batch] = codes[late]
        return np.concatenate((self.outputs(codes[~late].reshape(-1, self.batch)), rest.ravel()))

    def outputs(self, codes: NDArray[np.integer]) -> Tally:
        """How often each symbol is the output of a batch, int64 (n,), from the codes (batches, servers)."""
        first, second = codes[:, ::2], codes[:, 1::2]
        alone = np.flatnonzero(np.count_nonzero(first, axis=1) == 1)
        pair = np.argmax(first[alone] > 0, axis=1)
        free = second[alone, pair] == 0
        symbols = pair[free] * self.size + first[alone[free], pair[free]].astype(np.int64) - 1
        return np.bincount(symbols % self.task.n, minlength=self.task.n)

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        first = int(self.first(np.array([party]))[0])
        watched = [symbol % self.task.n for symbol in range(first, min(first + self.size, self.domain))]
        one_sample.fields_of(message, self.bits, watched)

    def decide(self, tally: Tally) -> Pmf:
        n = self.task.n
        counts = tally[:n] + self.outputs(tally[n:].reshape(-1, self.batch))
        accepted = int(counts.sum())
        return counts / accepted if accepted else np.full(n, 1 / n)

    def risk(self, pmf: Pmf) -> Risk:
        value = risks.simulation_l2(pmf, self.task.m, self.bits, self.split)
        return Risk(value, note="l1: that of the full sample given the number of accepted outputs")

    def worst_risk(self) -> Risk:
        l2, exact = worst.simulation_l2(self.task.n, self.task.m, self.bits, self.split)
        note = "l2 exact, at a point mass, which is never accepted" if exact else "l2 a bound: a quarter is accepted"
        return Risk(l2, worst.l1_at_most(self.task.n, l2), exact=False, note=f"{note}; l1 a bound")

    def payload_bits(self, pmf: Pmf) -> float:
        return len(self.speakers) * self.bits

    def bits_per_server(self) -> int:
        return self.bits


def _array(parties: range) -> NDArray[np.int64]:
    return np.arange(parties.start, parties.stop, parties.step, dtype=np.int64)
