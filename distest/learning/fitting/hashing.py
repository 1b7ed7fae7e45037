"""Linear hashes of symbols: what servers send, and how the referee gets a pmf out of it.

The domain is padded to 2^t symbols, the vectors of GF(2)^t. A server with rows v_1 .. v_b, independent, sends
the parities v_j . x of its sample: in effect the signs (-1)^(v . x) of the K - 1 characters v that its rows
span. The mean of such a sign over servers estimates the Fourier coefficient of p at v, and p_x is the mean
over all 2^t characters of coefficient times sign. Each character is counted on its own, so nothing is lost
where some have been sent more often than others.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.codecs.fixed import Fixed
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.kernels import linear_hash
from distest.kernels.linear_hash import Ints, Rows
from distest.learning.fitting import one_sample
from distest.learning.norms import Pmf
from distest.learning.protocol import RefereeProtocol
from distest.learning.servers import Servers
from distest.learning.task import Task
from distest.watch import Watch
from distest.wire.channel import Tally

RowsOf = Callable[[range], Rows]
_PART = 1 << 14


@dataclass(frozen=True)
class Hashed(RefereeProtocol):
    """Servers send `bits` parities of their sample; which ones, and the estimate, is up to the protocol.

    bits: 1..8, at most t = ceil(log2 n).
    """

    bits: int

    @abstractmethod
    def rows(self, coins: PublicCoins) -> RowsOf:
        """The rows of a range of servers, uint32 (bits, at least as many columns as servers)."""

    @property
    def t(self) -> int:
        """Bits of a symbol of the padded domain."""
        return padded_bits(self.task)

    @property
    def servers_each(self) -> float:
        """How many servers send a character, on average, where all are as likely."""
        return self.task.m * ((1 << self.bits) - 1) / (self.padded_n() - 1)

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return message(servers, self.task.n, self.bits, self.rows(coins.public))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        return tally(reader, speakers, self.t, self.bits, self.rows(coins))

    def fields(self, party: int, message: Watch, state: Tally | None, coins: PublicCoins) -> None:
        fields(message, party, self.t, self.rows(coins))

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits

    def bits_per_server(self) -> int:
        return self.bits

    def padded_n(self) -> int:
        return 1 << self.t


def padded_bits(task: Task) -> int:
    """t = ceil(log2 n): symbols are vectors of t bits."""
    return (task.n - 1).bit_length()


def require(name: str, task: Task, bits: int) -> None:
    """Raise UsageError unless servers have one sample and 1 <= bits <= min(8, t)."""
    one_sample.require(name, task, bits, padded_bits(task))


def multiples(coins: PublicCoins, block: range, t: int, bits: int) -> Rows:
    """Rows a, alpha a, alpha^2 a, ... of every server, a non-zero in GF(2^t) from the server's own public word."""
    return linear_hash.field_rows(coins.words(block)[:, 0], t, bits)


def full_rank(coins: PublicCoins, block: range, t: int, bits: int) -> Rows:
    """Rows of a uniform full-rank matrix for every server, by rejection from the server's own public words.

    The number of words a server looks at is a function of these words; a few suffice for all but one in 2^24,
    and for that one more are drawn.
    """
    spare = -(-24 // (t - bits + 1))
    count = -(-(bits + spare) // (64 // t))
    rows, left = linear_hash.full_rank_rows(coins.words(block, count), t, bits)
    for i in left.tolist():
        more, late = count, True
        while late:
            more *= 2
            alone, unfinished = linear_hash.full_rank_rows(coins.words(block[i : i + 1], more), t, bits)
            late = unfinished.size > 0
        rows[:, i] = alone[:, 0]
    return rows


def message(servers: Servers, n: int, bits: int, rows: RowsOf) -> Messages:
    """The hash of every server's sample, one bit a row; rows(parties) gives the rows of a range of servers."""
    samples = one_sample.symbols(servers, n)
    codes = np.empty(len(servers), np.uint8)
    for at, part in _parts(servers.parties):
        codes[at] = linear_hash.encode(samples[at], rows(part))
    return Messages.of_symbols(codes, bits)


def tally(reader: BitReader, speakers: range, t: int, bits: int, rows: RowsOf) -> Ints:
    """The mirror of `message`: for each character the sum of the signs that were sent for it, int64 (2^t,)."""
    codes = reader.symbols(len(speakers), bits)
    sums = np.zeros(1 << t, np.int64)
    for at, part in _parts(speakers):
        linear_hash.accumulate(codes[at], rows(part), sums)
    return sums


def fields(message: Watch, party: int, t: int, rows: RowsOf) -> None:
    """The fields of a message: bit j, of the highest row first, is the parity of row j and the sample."""
    for row in reversed(rows(range(party, party + 1))[:, 0].tolist()):
        message.take(f"parity of the sample and {row:0{t}b}", Fixed(2))


def _parts(parties: range) -> Iterator[tuple[slice, range]]:
    """A block in parts whose rows stay in the cache."""
    for start in range(0, len(parties), _PART):
        at = slice(start, start + _PART)
        yield at, parties[at]


def estimate(sums: Ints, n: int, servers_each: float) -> Pmf:
    """The pmf on the first n symbols where each character but 0 is sent by `servers_each` servers, on average.

    With m servers of b bits that average is m(K-1)/(2^t-1), and the estimate is the usual (Z_x/m - rho)/(1 -
    rho) with Z_x = 2^-b (m + WHT(sums)_x), the number of servers whose message fits x, and rho the chance of
    a collision.
    """
    return (1 + linear_hash.hadamard(sums)[:n] / servers_each) / sums.size


def cycle_estimate(sums: Ints, n: int, m: int, t: int, bits: int) -> Pmf:
    """The pmf where server i sent the characters of subspace i mod C of the cycle, each by its true count.

    There are two counts at most, so two integer transforms do; one where C divides m.
    """
    each, rest = divmod(m, linear_hash.cycle_length(t, bits))
    if rest == 0:
        return estimate(sums, n, each)
    cycle = linear_hash.cycle_length(t, bits)
    often = np.zeros(sums.size, bool)
    often[linear_hash.powers(t).reshape(-1, cycle)[:, :rest]] = True
    twice = linear_hash.hadamard(np.where(often, sums, 0))[:n] / (each + 1)
    once = linear_hash.hadamard(np.where(often, 0, sums))[:n] / each
    return (1 + twice + once) / sums.size


def require_cycle(name: str, task: Task, bits: int) -> None:
    """Raise UsageError where `bits` does not divide t, or m servers are fewer than the subspaces of the cycle."""
    t = padded_bits(task)
    if t % bits:
        fits = ", ".join(str(b) for b in range(1, one_sample.BITS_MAX + 1) if t % b == 0)
        raise UsageError(
            f"{name} with design 'cycle' pads n={task.n} to 2^{t} symbols and needs a number of bits that divides {t} "
            f"({fits}), got bits={bits}; use design 'random'"
        )
    cycle = linear_hash.cycle_length(t, bits)
    if task.m < cycle:
        raise UsageError(
            f"{name} with design 'cycle' needs a server for each of {cycle} subspaces, got m={task.m}; use design "
            "'random'"
        )
