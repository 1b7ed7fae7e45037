"""Refinement: learn the masses of few blocks of symbols from counts, and from frames what is inside them.

With s samples a server and s < n, blocks of width 2^l - 1 >= n/s have counts of about 1 or more, so that a bit about a
count is worth sending; l is the smallest such number. Where l is more than the budget b, blocks of 2^b - 1 symbols are
taken for symbols, again and again until l bits are enough: each such step is a tier of frames of its own, and the
finer tier has half of the servers that are left.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.bounds import one_bit as formulas
from distest.bits import BitReader, Messages
from distest.errors import UsageError
from distest.learning.fitting import one_bit, one_bit_likelihood
from distest.learning.fitting.frames import Frames, scaled
from distest.learning.norms import Pmf
from distest.learning.protocol import Risk
from distest.learning.servers import Servers
from distest.learning.task import Task
from distest.watch import Watch

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Refinement:
    """Servers 0..counting-1 report on masses of blocks; then come those of the tiers, coarse to fine.

    task: s >= 2 samples, s < n. bits: budget of a server, at least 2.
    """

    task: Task
    bits: int

    def require(self, name: str) -> None:
        """Raise UsageError for tasks and budgets this is not for."""
        one_bit.require(name, self.task)
        n, m, s = self.task.n, self.task.m, self.task.s
        if s >= n:
            raise UsageError(f"{name} is for fewer samples a server than symbols, got s={s}, n={n}; use dense_counts")
        if not 2 <= self.bits <= n:
            raise UsageError(f"{name} on n={n} symbols takes 2 to n bits, got bits={self.bits}")
        share = f" that count, of m={m}; the others say what is inside blocks"
        self.masses.require(name, self.counting, share)

    @property
    def tiers(self) -> tuple[Frames, ...]:
        """Who sends frames about what, coarse to fine; the symbols of a tier are the blocks of the next finer one."""
        n, s, stop = self.task.n, self.task.s, self.task.m
        fine_to_coarse = []
        while True:
            name_bits = (-(-n // s)).bit_length()  # the smallest l with (2^l - 1) s >= n
            width = (1 << min(self.bits, name_bits)) - 1
            count = min(self.bits // name_bits, s) if name_bits <= self.bits else 1
            servers = range(stop - stop // 2, stop)
            fine_to_coarse.append(Frames(n, s, width, count, servers))
            if name_bits <= self.bits:
                return tuple(reversed(fine_to_coarse))
            n, stop = -(-n // width), servers.start

    @property
    def counting(self) -> int:
        """How many servers report on masses: half of those that finer tiers leave over."""
        return self.tiers[0].servers.start

    @property
    def blocks(self) -> int:
        """How many blocks these report on, t <= s."""
        return self.tiers[0].blocks

    @property
    def masses(self) -> one_bit.Design:
        """The reports on masses."""
        return one_bit.Design(self.task.s, self.blocks, min(self.bits, self.blocks))

    def payload_bits(self) -> int:
        """Bits of a run."""
        return self.counting * self.masses.bits + sum(len(tier.servers) * tier.bits for tier in self.tiers)

    def bits_max(self) -> int:
        """Bits of the longest message."""
        return max(self.masses.bits, *(tier.bits for tier in self.tiers))

    def say_masses(self, servers: Servers) -> Messages:
        """Reports of a block of servers on masses."""
        return self.masses.message(Servers(servers.parties, self._symbols(servers, 0) // np.int32(self.tiers[0].width)))

    def say_frames(self, servers: Servers, tier: int, weights: Ints) -> Messages:
        """Frames of a block of servers of a tier, 0 the coarsest."""
        return self.tiers[tier].message(self._symbols(servers, tier), servers.parties, weights)

    def hear_masses(self, reader: BitReader, speakers: range) -> Ints:
        """The mirror of `say_masses`: reports that said 1 by block and question, int64 (t * questions,)."""
        return self.masses.tally(reader, speakers).ravel()

    def fields_of_masses(self, message: Watch, party: int) -> None:
        """The fields of a message of reports on masses."""
        self.masses.fields(message, party, "block")

    def fields_of_frames(self, message: Watch, party: int, tier: int, weights: Ints) -> None:
        """The fields of a message of a tier."""
        self.tiers[tier].fields(message, party, weights, self._size(tier))

    def _size(self, tier: int) -> int:
        """Symbols of the domain in a symbol of a tier."""
        return math.prod(finer.width for finer in self.tiers[tier + 1 :])

    def _symbols(self, servers: Servers, tier: int) -> NDArray[np.int32]:
        """The samples in the symbols of a tier. Raises UsageError for a sample outside the domain."""
        size = self._size(tier)
        samples = one_bit.checked(servers, self.task.n).samples
        return samples if size == 1 else samples // np.int32(size)

    def estimate(self, ones: Ints, named: Sequence[Ints]) -> Pmf:
        """The estimate from the reports on masses and the frames of all tiers, float64 (n,)."""
        often = self.masses.often(self.counting)
        masses = one_bit_likelihood.estimate(ones.reshape(often.shape), often, self.task.s)
        return self._filled(masses, named)

    def weights(self, ones: Ints, named: Sequence[Ints]) -> Ints:
        """Weights of the blocks of the next tier, read off the board: in proportion to the masses found so far.

        Those of counts are taken at the likeliest grid point, which is found in integers.
        """
        often = self.masses.often(self.counting)
        likeliest = one_bit_likelihood.on_grid(ones.reshape(often.shape), often, self.task.s)
        points = one_bit_likelihood.grid(self.task.s, int(often.sum(axis=1).max()))
        return scaled(self._filled(np.sin(points[likeliest]) ** 2, named))

    def _filled(self, masses: Floats, named: Sequence[Ints]) -> Floats:
        for tier, counts in zip(self.tiers, named, strict=False):
            masses = tier.fill(masses, counts)
        return masses

    def risk(self, pmf: Pmf, follow: bool) -> Risk:
        """To first order, by `variances`."""
        often = self.masses.often(self.counting)
        return one_bit.first_order(self.variances(pmf, follow), "first order, for many frames a block", often)

    def variances(self, pmf: Pmf, follow: bool) -> Floats:
        """The variance of each symbol's estimate to first order, float64 (n,).

        follow: whether frames are shared out by the true masses, else evenly.

        Source: docs/bounds.md, Propositions T2 and T5.
        """
        laws = [pmf]  # fine to coarse
        for tier in reversed(self.tiers):
            laws.append(tier.masses(laws[-1]))
        masses = laws.pop()
        often = self.masses.often(self.counting)
        each = formulas.reports_variance(one_bit.table(self.task.s), often, masses)
        for tier in self.tiers:
            weights = scaled(masses) if follow else tier.even
            masses = laws.pop()
            each = tier.variances(masses, each, weights)
        return each
