"""Cells: intervals of symbols. Servers say which cell their samples lie in, the referee counts by cell."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distest.bits import BitReader, Messages
from distest.codecs.fixed import Fixed
from distest.learning.norms import Pmf
from distest.learning.servers import Servers, within
from distest.watch import Watch

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """A partition of 0..n-1 into intervals.

    edges: int64 (L + 1,), read-only, from 0 to n, rising; cell j is edges[j] .. edges[j + 1] - 1.
    """

    edges: Ints

    def __len__(self) -> int:
        return self.edges.size - 1

    @property
    def widths(self) -> Ints:
        """Symbols a cell, int64 (L,)."""
        return np.diff(self.edges)

    def find(self, symbols: NDArray[np.int32]) -> Ints:
        """The cell of every symbol, int64 of the same shape. Raises UsageError for a symbol outside 0..n-1."""
        return np.searchsorted(self.edges, within(symbols, int(self.edges[-1])), side="right") - 1

    def masses(self, pmf: Pmf) -> Floats:
        """The mass of every cell, float64 (L,)."""
        return np.add.reduceat(pmf, self.edges[:-1])

    def spread(self, levels: ArrayLike) -> Pmf:
        """The function that has levels[j] at every symbol of cell j, float64 (n,)."""
        return np.repeat(np.asarray(levels, np.float64), self.widths)

    def mirrored(self) -> "Cells":
        """The same cells with 0..n-1 read backwards: what suits falling laws then suits rising ones."""
        return cells_of(self.edges[-1] - self.edges[::-1])


def cells_of(edges: list[int] | Ints) -> Cells:
    """The cells between rising edges, the first of them 0; a copy of them."""
    array = np.array(edges, np.int64)
    array.flags.writeable = False
    return Cells(array)


def beside(parts: list[Cells]) -> Cells:
    """The cells of all parts, the symbols of each behind those of the one before; at least one part."""
    if len(parts) == 1:
        return parts[0]
    edges = [0]
    for part in parts:
        edges += (edges[-1] + part.edges[1:]).tolist()
    return cells_of(edges)


def of_counts(symbols: Ints, counts: Ints, n: int, per_cell: int) -> Cells:
    """Cells of at most `per_cell` samples each, as wide as that allows from the left on; at least two cells.

    symbols: int64 (d,), rising, 0..n-1, the symbols that were seen; counts: int64 (d,), how often, at least once;
    n >= 2, per_cell >= 1. A symbol with per_cell samples or more is a cell of its own. What is left over at the end,
    fewer than per_cell samples, joins the cell before it unless that is such a symbol. One cell would tell
    nothing, so it is cut in the middle. Two neighbours hold per_cell samples or more together, so there are at
    most `most(...)` cells. Integers throughout: every reader of the samples finds the same. O(d + L log d) time.
    """
    before = np.concatenate(([0], np.cumsum(counts)))
    heavy = np.flatnonzero(counts >= per_cell)
    edges, own = [0], False
    for left, right in zip((0, *(heavy + 1).tolist()), (*heavy.tolist(), counts.size), strict=True):
        at = left
        while at < right:  # every turn is a cell of light symbols, and ends before the first that is too much
            at = min(right, int(np.searchsorted(before, before[at] + per_cell, side="right")) - 1)
            if at < right:
                edges.append(int(symbols[at]))
                own = False
        if right == counts.size:
            break
        x = int(symbols[right])
        edges += [x] if x > edges[-1] else []
        edges.append(x + 1)
        own = True
    rest = int(before[-1]) - int(before[np.searchsorted(symbols, edges[-1])])
    if len(edges) > 1 and not own and rest < per_cell:
        edges.pop()
    edges += [n] if edges[-1] < n else []
    return cells_of(edges if len(edges) > 2 else [0, n // 2, n])


def most(samples: int, per_cell: int, n: int) -> int:
    """The most cells that `of_counts` makes of so many samples."""
    return min(n, max(2, 2 * (samples // per_cell) + 1))


def index_bits(cells: Cells) -> int:
    """Bits that name one of L cells, ceil(log2 L)."""
    return (len(cells) - 1).bit_length()


def message(servers: Servers, cells: Cells) -> Messages:
    """The cell of every sample of every server, in order, `index_bits` bits each; at least two cells."""
    return Fixed(len(cells)).pack(cells.find(servers.samples))


def fields(message: Watch, s: int, cells: Cells) -> None:
    """The fields of a message of s samples."""
    edges = cells.edges.tolist()
    code = Fixed(len(cells))
    message.take("cell of a sample", code, s, lambda found: [between(edges[j], edges[j + 1]) for j in found])


def between(first: int, stop: int) -> str:
    """Symbols first..stop-1 in words."""
    return f"symbols {first} to {stop - 1}" if stop - first > 1 else f"symbol {first}"


def tally(reader: BitReader, speakers: range, s: int, cells: Cells) -> Ints:
    """The mirror of `message` for servers of s samples: samples a cell, int64 (L,). Raises WireError."""
    return Fixed(len(cells)).count(reader, (len(speakers), s), "cell {} is none of the {} cells")
