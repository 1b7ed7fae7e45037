"""Blocks and frames: learn the masses of a few blocks of symbols from counts, and what is inside them from samples.

With s samples a server and s < n, blocks of width 2^l - 1 >= n/s have counts of about 1 or more, so that a bit about
a count is worth sending; l is the smallest such number. What is inside a block is told by frames of l bits: the first
sample of a server that lies in the block, as 1 + its place, or 0 if there is none. A frame that is not 0 is a sample
of p given the block, whatever p is.

Which blocks the frames of a server are about is systematic sampling with chances in proportion to integer weights, in
integer arithmetic, so whoever knows the weights knows the blocks.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.bounds import one_bit as formulas
from distest.bits import BitReader, Messages
from distest.codecs.fixed import Fixed
from distest.errors import UsageError, WireError
from distest.learning.fitting import one_bit, one_bit_likelihood
from distest.learning.norms import Pmf
from distest.learning.servers import Servers
from distest.learning.task import Task

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_PART = 1 << 12
_GOLDEN = 2654435769  # 2^32 / 1.618
_WEIGHT_BITS = 31


@dataclass(frozen=True, slots=True)
class Refinement:
    """Half of the servers report on block masses, the other half sends frames.

    task: s >= 2 samples, s < n. bits: budget of a server, at least `frame_bits`.
    """

    task: Task
    bits: int

    def require(self, name: str) -> None:
        """Raise UsageError for tasks and budgets this is not for."""
        one_bit.require(name, self.task)
        if self.task.s >= self.task.n:
            raise UsageError(
                f"{name} is for fewer samples per server than symbols, got s={self.task.s} and n={self.task.n}; use "
                "dense_counts"
            )
        if not self.frame_bits <= self.bits <= self.task.n:
            raise UsageError(
                f"{name} takes {self.frame_bits} to n={self.task.n} bits for frames that name one of {self.width} "
                f"symbols of a block (2^bits - 1 >= n/s), got bits={self.bits} with s={self.task.s}"
            )
        self.masses.require(name, self.counting, f" that count, half of {self.task.m}")

    @property
    def frame_bits(self) -> int:
        """l, the smallest number with (2^l - 1) s >= n: ceil(log2(n/s + 1))."""
        return (-(-self.task.n // self.task.s)).bit_length()

    @property
    def width(self) -> int:
        """Symbols in a block, 2^l - 1; the last one may have fewer."""
        return (1 << self.frame_bits) - 1

    @property
    def blocks(self) -> int:
        """t = ceil(n / width), at most s."""
        return -(-self.task.n // self.width)

    @property
    def frames(self) -> int:
        """c, the frames of a server: as many as fit in its budget, at most s."""
        return min(self.bits // self.frame_bits, self.task.s)

    @property
    def counting(self) -> int:
        """Servers 0..counting-1 report on block masses; the others send frames."""
        return (self.task.m + 1) // 2

    @property
    def masses(self) -> one_bit.Design:
        """The reports on block masses."""
        return one_bit.Design(self.task.s, self.blocks, min(self.bits, self.blocks))

    @property
    def even(self) -> Ints:
        """Equal weights of all blocks, int64 (t,)."""
        return np.ones(self.blocks, np.int64)

    def payload_bits(self) -> int:
        """Bits of a run."""
        framing = self.task.m - self.counting
        return self.counting * self.masses.bits + framing * self.frames * self.frame_bits

    def bits_max(self) -> int:
        """Bits of the longest message."""
        return max(self.masses.bits, self.frames * self.frame_bits)

    def say_masses(self, servers: Servers) -> Messages:
        """Reports of a block of counting servers on block masses."""
        blocks = one_bit.checked(servers, self.task.n).samples // np.int32(self.width)
        return self.masses.message(Servers(servers.parties, blocks))

    def say_frames(self, servers: Servers, weights: Ints) -> Messages:
        """Frames of a block of the other servers. weights: int64 (t,), not all 0, their sum below 2^31."""
        samples = one_bit.checked(servers, self.task.n).samples
        codes = np.empty((len(servers), self.frames), np.int64)
        for start in range(0, len(servers), _PART):
            here = slice(start, start + _PART)
            codes[here] = self._codes(samples[here], self._plan(servers.parties[here], weights))
        return Fixed(self.width + 1).pack(codes)

    def hear_frames(self, reader: BitReader, speakers: range, weights: Ints) -> Ints:
        """The mirror of `say_frames`: how many frames named each symbol, int64 (n,). Raises WireError."""
        codes = Fixed(self.width + 1).decode(reader, (len(speakers), self.frames))
        tally = np.zeros(self.task.n, np.int64)
        for start in range(0, len(speakers), _PART):
            here = slice(start, start + _PART)
            named = codes[here] > 0
            symbols = (self._plan(speakers[here], weights) * self.width + codes[here] - 1)[named]
            if symbols.size and int(symbols.max()) >= self.task.n:
                raise WireError(f"symbol {int(symbols.max())} is outside the domain of {self.task.n} symbols")
            tally += np.bincount(symbols, minlength=self.task.n)
        return tally

    def _plan(self, parties: range, weights: Ints) -> Ints:
        """The block each frame of each server is about, int64 (len(parties), c), not falling along a row.

        Frame f of the k-th framing server is at (f W + offset) / c on a line where block j has weights[j] of W in all:
        a block has floor or ceil(c weights[j]/W) frames of each server. Offsets are k g mod W, g about W/1.618 and
        prime to W, so any W servers after each other take each offset once, and fewer are spread evenly.
        """
        edges = np.cumsum(weights)
        total = int(edges[-1])
        step = total * _GOLDEN >> 32
        while math.gcd(step, total) > 1:
            step += 1
        server = np.arange(parties.start, parties.stop, parties.step) - self.counting
        offset = server % total * step % total
        at = offset[:, None] + total * np.arange(self.frames)
        found: Ints = np.searchsorted(edges * self.frames, at, side="right")
        return found

    def _codes(self, samples: NDArray[np.int32], plan: Ints) -> Ints:
        """The frames, int64 of plan's shape: 1 + place of the first sample in the frame's block, or 0.

        Where a server has h frames about a block, the i-th looks at samples floor(i s/h) .. floor((i+1) s/h) - 1.
        """
        s, blocks = samples.shape[1], samples // np.int32(self.width)
        rank, size = _runs(plan)
        codes = np.zeros(plan.shape, np.int64)
        rows, columns = np.arange(len(samples)), np.arange(s)
        for f in range(plan.shape[1]):
            inside = blocks == plan[:, f, None].astype(np.int32)
            if int(size[:, f].max(initial=1)) > 1:
                first, last = rank[:, f] * s // size[:, f], (rank[:, f] + 1) * s // size[:, f]
                inside &= (columns >= first[:, None]) & (columns < last[:, None])
            at = np.argmax(inside, axis=1)
            place = samples[rows, at] - plan[:, f] * self.width
            codes[:, f] = np.where(inside[rows, at], place + 1, 0)
        return codes

    def estimate(self, ones: Ints, named: Ints) -> Pmf:
        """Block mass times the law of the frames inside the block, uniform where there are none; float64 (n,)."""
        masses = one_bit_likelihood.estimate(ones, self.masses.often(self.counting), self.task.s)
        starts = np.arange(0, self.task.n, self.width)
        sizes = np.minimum(self.width, self.task.n - starts)
        heard = np.add.reduceat(named, starts)
        flat = np.repeat(1 / sizes, sizes)
        return np.repeat(masses, sizes) * np.where(
            np.repeat(heard, sizes) > 0, named / np.maximum(1, np.repeat(heard, sizes)), flat
        )

    def weights(self, ones: Ints) -> Ints:
        """Integer weights in proportion to the likeliest block masses, read off the board; their sum below 2^31."""
        often = self.masses.often(self.counting)
        points = one_bit_likelihood.grid(self.task.s, int(often.sum(axis=1).max()))
        likeliest = np.sin(points[one_bit_likelihood.on_grid(ones, often, self.task.s)]) ** 2
        return scaled(likeliest)

    def variances(self, pmf: Pmf, weights: Ints) -> Floats:
        """The variance of each symbol's estimate to first order, float64 (n,).

        That of the block mass P_j (Fisher information of its reports) times the square of p_x/P_j, and P_j^2 times
        the variance of the law of the N_j frames that are expected to name a symbol of the block.
        """
        starts = np.arange(0, self.task.n, self.width)
        sizes = np.minimum(self.width, self.task.n - starts)
        masses = np.minimum(1.0, np.add.reduceat(pmf, starts))
        design = self.masses
        of_mass = formulas.reports_variance(one_bit.table(self.task.s), design.often(self.counting), masses)
        named = self._named(masses, weights)
        inside = np.divide(pmf, np.repeat(masses, sizes), out=np.zeros_like(pmf), where=pmf > 0)
        noise = np.repeat(np.divide(masses**2, named, out=np.zeros_like(masses), where=named > 0), sizes)
        each: Floats = inside**2 * np.repeat(of_mass, sizes) + noise * inside * (1 - inside)
        return each

    def _named(self, masses: Floats, weights: Ints) -> Floats:
        """How many frames are expected to name a symbol of each block, float64 (t,); from the first 2^16 servers."""
        framing = self.task.m - self.counting
        shown = min(framing, 1 << 16)
        plan = self._plan(range(self.counting, self.counting + shown), weights)
        rank, size = _runs(plan)
        s = self.task.s
        looked = (rank + 1) * s // size - rank * s // size
        hit = -np.expm1(looked * np.log1p(-np.minimum(masses, 1 - 1e-16))[plan])
        heard = np.bincount(plan.ravel(), hit.ravel(), minlength=self.blocks)
        return np.asarray(heard * (framing / shown), np.float64)


def scaled(masses: Floats) -> Ints:
    """Integers in proportion to masses in 0..1, their sum below 2^31; all 1 where every mass is 0."""
    weights = np.rint(masses * 2.0**30).astype(np.int64)
    if not weights.any():
        return np.ones(weights.size, np.int64)
    weights >>= max(0, int(weights.sum()).bit_length() - _WEIGHT_BITS)
    return weights


def _runs(plan: Ints) -> tuple[Ints, Ints]:
    """For each frame: how many frames of its server about the same block are before it, and how many there are."""
    rank, size = np.zeros_like(plan), np.empty_like(plan)
    for f in range(1, plan.shape[1]):
        rank[:, f] = np.where(plan[:, f] == plan[:, f - 1], rank[:, f - 1] + 1, 0)
    size[:, -1] = rank[:, -1] + 1
    for f in range(plan.shape[1] - 2, -1, -1):
        size[:, f] = np.where(plan[:, f] == plan[:, f + 1], size[:, f + 1], rank[:, f] + 1)
    return rank, size
