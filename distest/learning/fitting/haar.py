"""Haar wavelets of samples: the steps coefficients are rounded to, sparse messages, and the way back to a pmf.

The orthonormal coefficient of node v, over w symbols, is c_v = (mass of the left half - mass of the right half) /
sqrt(w) of its symbols; that of the whole domain is the same for all laws and is never sent. One sample in s moves c_v
by 1/(s sqrt(w)), so the number D_v = s sqrt(w) c_v of a server is an integer, and the step lam is s sqrt(w) lam in its
units, kept as steps / 2^shifts: both sides work with the same integers, and nothing is lost by the rounding of lam.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, Words
from distest.codecs.base import bit_length, ones
from distest.codecs.elias_gamma import EliasGamma
from distest.codecs.fixed import Fixed
from distest.codecs.golomb import Golomb
from distest.coins import PrivateCoins
from distest.errors import WireError
from distest.kernels import bitpack, haar, prefix
from distest.learning.norms import Pmf
from distest.watch import Watch

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
STEP_BITS = 30
_WORDS = 1 << 18  # coins held at a time


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What D_v is rounded to, at a node of height j + 1: multiples of steps[j] / 2^shifts[j]. int64 (t,) each."""

    s: int
    steps: Ints
    shifts: Ints

    @property
    def t(self) -> int:
        """The domain is padded to 2^t symbols."""
        return self.steps.size

    @property
    def places(self) -> int:
        """Coefficients that may be sent, 2^t - 1."""
        return (1 << self.t) - 1

    @property
    def counts(self) -> Floats:
        """The step in units of D, samples, float64 (t,)."""
        return np.ldexp(self.steps.astype(np.float64), -self.shifts)

    @property
    def lams(self) -> Floats:
        """The step in units of coefficients, float64 (t,): lam to nine digits."""
        return np.asarray(self.counts / (self.s * np.sqrt(2.0 ** np.arange(1, self.t + 1))), np.float64)

    @property
    def most(self) -> int:
        """The largest multiple that s samples can be rounded to."""
        return max((self.s << shift) // step + 1 for step, shift in zip(*self._lists(), strict=True))

    def _lists(self) -> tuple[list[int], list[int]]:
        return self.steps.tolist(), self.shifts.tolist()


@lru_cache(maxsize=16)
def grid(n: int, s: int, lam: Fraction) -> Grid | None:
    """The steps for coefficients in multiples of lam, in integers alone; None where lam is too small or too large.

    Too large: the step of D is 2^30 and more. Too small: lam below 2^-20.
    """
    if lam < Fraction(1, 1 << 20):
        return None
    steps, shifts = [], []
    for j in range(1, (n - 1).bit_length() + 1):
        square = lam * lam * s * s * (1 << j)
        whole = math.isqrt(square.numerator // square.denominator)
        shift = STEP_BITS - 1 - whole.bit_length()
        if shift < 0:
            return None
        steps.append(max(1, math.isqrt((square.numerator << 2 * shift) // square.denominator)))
        shifts.append(shift)
    return Grid(s, np.array(steps), np.array(shifts))


def message(samples: NDArray[np.int32], parties: range, here: Grid, coins: PrivateCoins) -> Messages:
    """The rounded coefficients of every server, sparse; samples int32 (len(parties), s), 0..2^t - 1."""
    needed = haar.words_needed(here.s, here.t)
    part = max(1, _WORDS // needed)
    out = []
    for start in range(0, len(parties), part):
        at = slice(start, start + part)
        ordered = np.sort(samples[at], axis=1)
        sparse = haar.rounded(ordered, here.t, here.steps, here.shifts, coins.words(parties[at], needed))
        out.append(_pack(here.places, *sparse))
    return Messages.join(out)


def _pack(places: int, counts: Ints, place: Ints, value: Ints) -> Messages:
    """Messages of `counts` multiples each, as `haar.add_up` reads them."""
    head = EliasGamma().encode(counts[:, None] + 1)
    owner = np.repeat(np.arange(counts.size), counts)
    first = np.cumsum(counts) - counts
    before = np.concatenate((np.full(1, -1), place[:-1]))
    before[first[counts > 0]] = -1
    parameter = haar.golomb_parameter(places, counts)[owner]
    quotient, remainder = np.divmod(place - before - 1, parameter)
    short = bit_length(parameter) - 1
    late = (2 << short) - parameter
    long = remainder >= late
    tail = Words((remainder + late * long).astype(np.uint64)[:, None], (short + long).astype(np.uint8)[:, None])
    gap = ones(quotient[:, None], tail)
    size = np.abs(value)
    sized = Words((2 * size + (value < 0)).astype(np.uint64)[:, None], (2 * bit_length(size)).astype(np.uint8)[:, None])
    items = gap.beside(sized)
    fields = items.code.shape[1]
    code, width = np.empty(counts.size + items.code.size, np.uint64), np.empty(counts.size + items.code.size, np.uint8)
    heads = np.arange(counts.size) + fields * first
    rest = np.ones(code.size, bool)
    rest[heads] = False
    code[heads], width[heads] = head.code[:, 0], head.width[:, 0]
    code[rest], width[rest] = items.code.ravel(), items.width.ravel()
    data, n_bits = bitpack.pack(code, width)
    return Messages(data, n_bits, counts.size, np.add.reduceat(width.astype(np.int64), heads))


def tally(reader: BitReader, m: int, here: Grid) -> Ints:
    """The mirror of `message`: the sum of the multiples at each place, int64 (2^t - 1,). Raises WireError."""
    data, at, limit = reader.raw()
    sums, lengths, status, own = haar.add_up(data, at, limit, m, here.places, here.most)
    if status == prefix.ENDED:
        raise WireError(f"the messages end early: from bit {at} on there are no {m} lists of coefficients")
    if status:
        raise WireError(f"some message behind bit {at} is no list of coefficients")
    reader.took(m, lengths)
    reader.note("lists of coefficients", side=int(lengths.sum()) - own)
    return sums


def fields(message: Watch, here: Grid) -> None:
    """The fields of a message: how many coefficients it has, then of each the gap, the size and the sign."""
    many = message.take("number of coefficients, plus 1", EliasGamma(), side=True)[0] - 1
    code = Golomb(int(haar.golomb_parameter(here.places, np.array([many]))[0]))
    place = -1
    for _ in range(many):

        def says(gap: Sequence[int], first: int = place + 1) -> list[str]:
            return [f"node {first + gap[0]}"]  # the root is node 0

        place += 1 + message.take("gap to the next node", code, 1, says, side=True)[0]
        message.take("multiple of the step, its size", EliasGamma())
        message.take("its sign", Fixed(2), 1, lambda sign: ["-" if sign[0] else "+"])


def levels(sums: Ints, here: Grid, m: int, threshold: bool) -> Pmf:
    """The function with mean coefficients sums / m, float64 (2^t,).

    threshold: whether averages are dropped whose square is at most ln 2^t times their estimated variance, that of
    the samples, at most (mass of the node)/(w s m), and that of the rounding, at most min(lam^2/4, lam |c|)/m with the
    size of c guessed from both. From the root down, as the masses below follow from what was kept above.
    """
    mass = np.ones(1)
    for j in range(here.t, 0, -1):
        nodes = 1 << (here.t - j)
        excess = sums[nodes - 1 : 2 * nodes - 1] * (here.counts[j - 1] / (here.s * m))
        if threshold:
            width, lam = 1 << j, here.lams[j - 1]
            sampling = np.maximum(mass, 1 / (m * here.s)) / (width * here.s)
            square = excess * excess / width
            noise = (sampling + np.minimum(lam * lam / 4, lam * np.sqrt(square + sampling))) / m
            excess = np.where(square <= math.log(1 << here.t) * noise, 0.0, excess)
        mass = np.column_stack((mass + excess, mass - excess)).ravel() / 2
    return mass
