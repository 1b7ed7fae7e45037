"""Frames: what is inside blocks of symbols, told by servers that show one sample of one block at a time.

A frame about a block of `width` = 2^l - 1 symbols has l bits: 1 + the place in the block of the first sample that lies
in it, or 0 if there is none. One that is not 0 is a sample of p given the block, whatever p is.

Which blocks the frames of a server are about is systematic sampling with chances in proportion to integer weights, in
integer arithmetic, so whoever knows the weights knows the blocks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.codecs.fixed import Fixed
from distest.errors import WireError
from distest.learning.fitting.cells import between
from distest.watch import Watch

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_PART = 1 << 12
_GOLDEN = 2654435769  # 2^32 / 1.618
_WEIGHT_BITS = 31


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a range of servers of s samples.

    n: symbols. width: symbols in a block, 2^l - 1; the last block may have fewer. count: frames of a server, c, at
    most s. servers: the range of servers that send them, of step 1.
    """

    n: int
    s: int
    width: int
    count: int
    servers: range

    @property
    def blocks(self) -> int:
        """t = ceil(n / width)."""
        return -(-self.n // self.width)

    @property
    def bits(self) -> int:
        """Bits of a message, c l."""
        return self.count * self.width.bit_length()

    @property
    def even(self) -> Ints:
        """Equal weights of all blocks, int64 (t,)."""
        return np.ones(self.blocks, np.int64)

    def message(self, samples: NDArray[np.int32], parties: range, weights: Ints) -> Messages:
        """The frames of some of the servers. samples: symbols 0..n-1, int32 (len(parties), s).

        weights: int64 (t,), not all 0, their sum below 2^31.
        """
        codes = np.empty((len(parties), self.count), np.int64)
        for start in range(0, len(parties), _PART):
            here = slice(start, start + _PART)
            codes[here] = self._codes(samples[here], self.plan(parties[here], weights))
        return Fixed(self.width + 1).pack(codes)

    def tally(self, reader: BitReader, speakers: range, weights: Ints) -> Ints:
        """The mirror of `message`: how many frames named each symbol, int64 (n,). Raises WireError."""
        codes = Fixed(self.width + 1).decode(reader, (len(speakers), self.count))
        named = np.zeros(self.n, np.int64)
        for start in range(0, len(speakers), _PART):
            here = slice(start, start + _PART)
            said = codes[here] > 0
            symbols = (self.plan(speakers[here], weights) * self.width + codes[here] - 1)[said]
            if symbols.size and int(symbols.max()) >= self.n:
                raise WireError(f"symbol {int(symbols.max())} is outside the domain of {self.n} symbols")
            named += np.bincount(symbols, minlength=self.n)
        return named

    def fields(self, message: Watch, party: int, weights: Ints, size: int = 1) -> None:
        """The fields of a message: a frame each. size: symbols of the domain in one of these here."""
        for block in self.plan(range(party, party + 1), weights)[0].tolist():

            def says(places: Sequence[int], before: int = block * self.width - 1) -> list[str]:
                x = before + places[0]
                return [between(x * size, (x + 1) * size) if places[0] else "no sample in it"]

            message.take(f"first sample in block {block}: place, from 1", Fixed(self.width + 1), 1, says)

    def plan(self, parties: range, weights: Ints) -> Ints:
        """The block each frame of each server is about, int64 (len(parties), c), not falling along a row.

        Frame f of the k-th server is at (f W + offset) / c on a line where block j has weights[j] of W in all: a block
        has floor or ceil(c weights[j]/W) frames of each server. Offsets are k g mod W, g about W/1.618 and prime
        to W, so any W servers after each other take each offset once, and fewer are spread evenly.
        """
        edges = np.cumsum(weights)
        total = int(edges[-1])
        step = total * _GOLDEN >> 32
        while math.gcd(step, total) > 1:
            step += 1
        server = np.arange(parties.start, parties.stop, parties.step) - self.servers.start
        offset = server % total * step % total
        at = offset[:, None] + total * np.arange(self.count)
        found: Ints = np.searchsorted(edges * self.count, at, side="right")
        return found

    def _codes(self, samples: NDArray[np.int32], plan: Ints) -> Ints:
        """The frames, int64 of plan's shape: 1 + place of the first sample in the frame's block, or 0.

        Where a server has h frames about a block, the i-th looks at samples floor(i s/h) .. floor((i+1) s/h) - 1.
        """
        blocks = samples // np.int32(self.width)
        first, last = self._parts(plan)
        whole = bool((last - first == self.s).all())
        codes = np.zeros(plan.shape, np.int64)
        rows, columns = np.arange(len(samples)), np.arange(self.s)
        for f in range(plan.shape[1]):
            inside = blocks == plan[:, f, None].astype(np.int32)
            if not whole:
                inside &= (columns >= first[:, f, None]) & (columns < last[:, f, None])
            at = np.argmax(inside, axis=1)
            place = samples[rows, at] - plan[:, f] * self.width
            codes[:, f] = np.where(inside[rows, at], place + 1, 0)
        return codes

    def _parts(self, plan: Ints) -> tuple[Ints, Ints]:
        """First sample each frame looks at, and the one behind its last; int64 of plan's shape."""
        rank, size = np.zeros_like(plan), np.empty_like(plan)
        for f in range(1, self.count):
            rank[:, f] = np.where(plan[:, f] == plan[:, f - 1], rank[:, f - 1] + 1, 0)
        size[:, -1] = rank[:, -1] + 1
        for f in range(self.count - 2, -1, -1):
            size[:, f] = np.where(plan[:, f] == plan[:, f + 1], size[:, f + 1], rank[:, f] + 1)
        return rank * self.s // size, (rank + 1) * self.s // size

    def masses(self, pmf: Floats) -> Floats:
        """The mass of every block, float64 (t,)."""
        return np.minimum(1.0, np.add.reduceat(pmf, self._starts))

    def fill(self, masses: Floats, named: Ints) -> Floats:
        """Block masses times the law of the frames inside the block, uniform where there are none; float64 (n,)."""
        heard = self._spread(np.add.reduceat(named, self._starts).astype(np.float64))
        inside = np.where(heard > 0, named / np.maximum(1, heard), self._spread(1 / self._sizes))
        return np.asarray(self._spread(masses) * inside, np.float64)

    def variances(self, pmf: Floats, of_masses: Floats, weights: Ints) -> Floats:
        """The variance of `fill` to first order, float64 (n,), where the block masses have variances `of_masses`.

        Those times (p_x/P_j)^2, and P_j^2 times the variance of the law of as many frames as are expected to
        name something.

        Source: docs/bounds.md, Proposition T5.
        """
        masses, named = self.masses(pmf), self._named(self.masses(pmf), weights)
        inside = np.divide(pmf, self._spread(masses), out=np.zeros_like(pmf), where=pmf > 0)
        noise = self._spread(np.divide(masses**2, named, out=np.zeros_like(masses), where=named > 0))
        return np.asarray(inside**2 * self._spread(of_masses) + noise * inside * (1 - inside), np.float64)

    def _named(self, masses: Floats, weights: Ints) -> Floats:
        """How many frames are expected to name a symbol of each block, float64 (t,); from the first 2^16 servers."""
        shown = self.servers[: 1 << 16]
        plan = self.plan(shown, weights)
        first, last = self._parts(plan)
        hit = -np.expm1((last - first) * np.log1p(-np.minimum(masses, 1 - 1e-16))[plan])
        heard = np.bincount(plan.ravel(), hit.ravel(), minlength=self.blocks)
        return np.asarray(heard * (len(self.servers) / len(shown)), np.float64)

    @property
    def _starts(self) -> Ints:
        return np.arange(0, self.n, self.width)

    @property
    def _sizes(self) -> Ints:
        sizes: Ints = np.minimum(self.width, self.n - self._starts)
        return sizes

    def _spread(self, values: Floats) -> Floats:
        """A value a block, repeated for each of its symbols."""
        return np.repeat(values, self._sizes)


def scaled(masses: Floats) -> Ints:
    """Integers in proportion to masses in 0..1, their sum below 2^31; all 1 where every mass is 0."""
    weights = np.rint(masses * 2.0**30).astype(np.int64)
    if not weights.any():
        return np.ones(weights.size, np.int64)
    weights >>= max(0, int(weights.sum()).bit_length() - _WEIGHT_BITS)
    return weights
