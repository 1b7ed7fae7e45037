"""The binary tree of prefixes: where the mass of a sparse p lies, found out level by level, as a plan for m servers.

Symbols are numbers of t bits, and the prefix of depth d is the first d of them. A level goes from active prefixes of
one depth to children that lie some bits deeper, as many as go with at most D = max(2 support, K - 1) children: more
of them than that would be watched by fewer servers each. With fewer active prefixes, of the same symbols, no later
level is less deep; so a plan for `support` of them is long enough.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """n symbols, at most `support` active prefixes, K - 1 = size symbols a server watches, m servers."""

    n: int
    support: int
    size: int
    m: int

    @property
    def t(self) -> int:
        """Depth of the symbols."""
        return (self.n - 1).bit_length()

    @property
    def most(self) -> int:
        """Prefixes a level may have to tell apart, D."""
        return max(2 * self.support, self.size)

    @property
    def levels(self) -> int:
        """Levels that are enough for any p; 0 where all symbols can be watched at once."""
        depth = levels = 0
        while not self.bottom(depth):
            depth, levels = self.deeper(depth, min(1 << depth, self.support)), levels + 1
        return levels

    @property
    def each(self) -> int:
        """Servers of a level: half of all, in equal parts."""
        return self.m // 2 // max(1, self.levels)

    @property
    def needed(self) -> int:
        """Servers for which every level, and what follows, watches each of its prefixes."""
        if self.levels == 0:
            return -(-self.n // self.size)
        return 2 * self.levels * -(-self.most // self.size)

    def bottom(self, depth: int) -> bool:
        """Whether no level follows: at the symbols, or at the root of a tree that is small."""
        return depth == self.t or self.n <= self.most

    def deeper(self, depth: int, active: int) -> int:
        """The depth of the children of so many active prefixes."""
        return min(self.t, depth + (self.most // active).bit_length() - 1)

    def children(self, depth: int, active: Ints) -> tuple[int, Ints]:
        """Their depth, and all prefixes of symbols of the domain below the active ones, rising, int64."""
        below = self.deeper(depth, active.size)
        bits = below - depth
        every = (active[:, None] << bits | np.arange(1 << bits)).ravel()
        return below, every[every << (self.t - below) < self.n]

    def levels_of(self, symbols: Ints) -> int:
        """Levels of a run that loses none of these symbols and sees no others; a run that loses some has no more."""
        depth = levels = 0
        while not self.bottom(depth):
            depth, levels = self.deeper(depth, np.unique(symbols >> (self.t - depth)).size), levels + 1
        return levels


def keep(prefixes: Ints, named: Ints, watchers: Ints, most: int) -> Ints:
    """The prefixes that were named, the `most` with the largest shares of their watchers, rising.

    Of equal shares the first. Where nobody named any, the first `most` of all. Shares are compared in integers:
    watchers takes two values at most, k and k + 1, and counts and watchers are below 2^31.
    """
    seen = np.flatnonzero(named)
    if seen.size == 0:
        return prefixes[:most]
    other = 2 * int(watchers.min()) + 1 - watchers[seen]  # the other of the two values
    order = np.argsort(-(named[seen] * other), kind="stable")
    return prefixes[np.sort(seen[order[:most]])]
