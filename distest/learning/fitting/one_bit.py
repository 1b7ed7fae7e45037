"""One-bit counts: questions about a count N ~ Bin(s, q), and who asks which of them.

Y(N) = 2 sqrt(s) asin(sqrt(N/s)) has a variance of about 1 whatever q is. Question (j, f) of level j = 0..J and phase
f = 0 or 1/4 is whether frac(Y/P_j + f) < 1/2, with the period P_j = 2 pi 2^j; J is the first level whose period spans
twice the range pi sqrt(s) of Y. So level 0 sees details of Y modulo 2 pi, and each level above tells which of two
halves of the next period it was. (J, 0) would always say 1, but for N = s where s is a power of 4: its reports go to
(J, 1/4).

Every coordinate is asked level 0 at every second visit and the other levels in turn at the rest, so who asks what
is a function of how often the coordinate was visited before.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.codecs.fixed import Fixed
from distest.errors import UsageError
from distest.kernels import watched
from distest.learning.norms import Pmf
from distest.learning.protocol import Risk
from distest.learning.servers import Servers, within
from distest.learning.task import Task
from distest.watch import Watch

Ints = NDArray[np.int64]
Bits = NDArray[np.uint8]
SAMPLES_MAX = 1 << 20  # the bit table has 2J + 1 rows of s + 1 bytes
FEW_REPORTS = 20  # on a coordinate: from here on the first order is within a quarter of measured errors
_PART = 1 << 10
_TIE = 1e-9  # what is added to a phase, so that an exact tie falls on the same side on every machine


def top_level(s: int) -> int:
    """J, the smallest j with 2^j >= sqrt(s)."""
    return ((s - 1).bit_length() + 1) // 2


def questions(s: int) -> list[tuple[int, float]]:
    """Level and phase of each of the 2J + 1 questions about a count of s samples, (J, 1/4) last."""
    top = top_level(s)
    return [(level, phase) for level in range(top) for phase in (0.0, 0.25)] + [(top, 0.25)]


@lru_cache(maxsize=8)
def table(s: int) -> Bits:
    """The answers, uint8 (2J + 1, s + 1), read-only: row g, column N is 1 where question g says yes to count N."""
    turns = np.sqrt(s) * np.arcsin(np.sqrt(np.arange(s + 1) / s)) / math.pi  # Y/P_0
    rows = [(turns / 2**level + phase + _TIE) % 1.0 < 0.5 for level, phase in questions(s)]
    out = np.array(rows, np.uint8)
    out.flags.writeable = False
    return out


@cache
def order(s: int) -> Ints:
    """The question asked at visit v mod 4J, int64 (4J,), read-only: level 0 at even v, coarse to fine at odd v."""
    top = top_level(s)
    others = [2 * top, 2 * top, *range(2 * top - 1, 1, -1)]
    out = np.array([question for k, other in enumerate(others) for question in (k % 2, other)], np.int64)
    out.flags.writeable = False
    return out


def require(name: str, task: Task) -> None:
    """Raise UsageError unless servers have 2 to 2^20 samples."""
    if task.s < 2:
        raise UsageError(f"{name} is for several samples per server, got s={task.s}; use grouping for one")
    if task.s > SAMPLES_MAX:
        raise UsageError(f"{name} takes up to {SAMPLES_MAX} samples per server, got s={task.s}")


@dataclass(frozen=True, slots=True)
class Design:
    """Server i reports on `bits` coordinates from i * bits on, cyclically, one bit each.

    s: samples a server. asked: coordinates 0..asked-1 are asked. bits: 1..asked.
    """

    s: int
    asked: int
    bits: int

    def require(self, name: str, servers: int, share: str = "") -> None:
        """Raise UsageError unless every coordinate is asked every question at least once by servers 0..servers-1.

        share: words about which servers these are.
        """
        cycle = order(self.s).size
        if servers * self.bits < cycle * self.asked:
            enough = -(-cycle * self.asked // self.bits)
            raise UsageError(
                f"{name} asks each of {self.asked} counts of s={self.s} samples {cycle} times or more, which takes "
                f"{enough} servers of {self.bits} bits; there are {servers}{share}"
            )

    def message(self, servers: Servers) -> Messages:
        """The reports of a block, exactly `bits` bits a server. Samples are not checked."""
        flags = watched.encode(servers.samples, servers.parties, self.asked, self.bits, order(self.s), table(self.s))
        return packed(flags)

    def tally(self, reader: BitReader, speakers: range) -> Ints:
        """The mirror of `message`: reports that said 1 by coordinate and question, int64 (asked, 2J + 1)."""
        flags = unpacked(reader, len(speakers), self.bits)
        return watched.count(flags, speakers, self.asked, order(self.s), len(table(self.s)))

    def fields(self, message: Watch, party: int, what: str) -> None:
        """The fields of a message: a question about the count of a `what` each."""
        cycle, asked = order(self.s), questions(self.s)
        for visit in range(party * self.bits, (party + 1) * self.bits):
            round, x = divmod(visit, self.asked)
            level, phase = asked[cycle[round % cycle.size]]
            question = f"count of {what} {x}: frac(Y/P_{level}{' + 1/4' if phase else ''}) < 1/2"
            message.take(question, Fixed(2), 1, yes_or_no)

    def often(self, servers: int) -> Ints:
        """How often servers 0..servers-1 ask each coordinate each question, int64 (asked, 2J + 1)."""
        visits, rest = divmod(servers * self.bits, self.asked)
        each = visits + (np.arange(self.asked) < rest).astype(np.int64)
        cycle, n_questions = order(self.s), len(table(self.s))
        begun = np.zeros((cycle.size + 1, n_questions), np.int64)
        np.add.at(begun, (np.arange(1, cycle.size + 1), cycle), 1)
        begun = begun.cumsum(axis=0)
        full, part = np.divmod(each, cycle.size)
        asked: Ints = full[:, None] * begun[-1] + begun[part]
        return asked


def yes_or_no(values: Sequence[int]) -> list[str]:
    """Answers in words."""
    return ["yes" if value else "no" for value in values]


def symbols_asked(n: int) -> int:
    """How many symbols are asked about where one symbol is asked at a time: all, or one of two."""
    return 1 if n == 2 else n


def completed(estimates: Pmf, n: int) -> Pmf:
    """The estimate of all n symbols from those asked about: with one of two, the other is its complement."""
    return np.array([estimates[0], 1 - estimates[0]]) if estimates.size < n else estimates


def counts(samples: NDArray[np.int32], symbols: Ints) -> Ints:
    """How often each server saw its own symbol, int64 (servers,); samples int32 (servers, s)."""
    out = np.empty(len(samples), np.int64)
    for start in range(0, len(samples), _PART):
        here = slice(start, start + _PART)
        out[here] = np.count_nonzero(samples[here] == symbols[here, None].astype(np.int32), axis=1)
    return out


def packed(flags: Bits) -> Messages:
    """Messages of one bit a column, flags uint8 (servers, bits)."""
    one = Messages.of_symbols(flags.ravel(), 1)
    return Messages(one.data, one.n_bits, flags.shape[0], flags.shape[1])


def unpacked(reader: BitReader, servers: int, bits: int) -> Bits:
    """The mirror of `packed`, uint8 (servers, bits)."""
    if bits == 1:
        return reader.symbols(servers, 1)[:, None]
    return reader.fixed(servers, 1, bits).astype(np.uint8)


def checked(servers: Servers, n: int) -> Servers:
    """The block, once all its samples are symbols 0..n-1. Raises UsageError."""
    within(servers.samples, n)
    return servers


def first_order(
    each: NDArray[np.float64], note: str, often: Ints, least: int = FEW_REPORTS, times: float = 1.0
) -> Risk:
    """The risk of estimates with these variances, as if they were normal; `times` for those counted more than once.

    often: reports by coordinate and question, of which each coordinate needs `least`.
    """
    l1 = times * math.sqrt(2 / math.pi) * float(np.sqrt(each).sum())
    enough = int(often.sum(axis=1).min()) >= least
    said = note if enough else f"{note}; too few reports for it"
    return Risk(times * float(each.sum()), l1, False, said, enough)
