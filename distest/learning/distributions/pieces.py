"""A random k-piece histogram."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution, open_unit
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class Pieces(Distribution):
    """Constant on each of k intervals; the masses are uniform at random, drawn from the coins.

    The masses are exponential variables over their sum, so uniform on the simplex.

    k: number of pieces, 1 <= k <= n.
    breaks: "random": the k - 1 positions of 1..n-1 with the smallest words.
    "adversarial": wide pieces and pieces of a single symbol in turn, beginning with a wide one (for even k the last
    symbol is the last piece). The wide pieces have about 2n/k symbols, and the single symbols lie among them where
    the coins say, so nobody can have a cell ready for them. A cell of w symbols, one of mass q and the others of
    mass h each, loses 2 (1 - 1/w)|q - h| in l1 when it is flattened. Hence cells fixed beforehand lose nearly twice
    the mass of half of the pieces where they are wide; cells of equal mass lose as much, unless an end lies on both
    sides of every heavy symbol; and a dyadic partition needs 1 + log2 n cells to set one symbol apart.
    """

    k: int = 4
    breaks: Literal["random", "adversarial"] = "random"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"pieces has at least one piece, got k={self.k}")

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        if self.k > n:
            raise UsageError(f"a histogram on n={n} symbols has at most {n} pieces, got k={self.k}")
        width = self._widths(n, coins)
        mass = -np.log(open_unit(coins.fold("masses").common(self.k)))
        return checked_pmf(np.repeat(mass / mass.sum() / width, width), "pieces")

    def _widths(self, n: int, coins: DataCoins) -> NDArray[np.int64]:
        """Symbols a piece, int64 (k,), at least 1 each."""
        words = coins.fold("breaks")
        if self.breaks == "random":
            order = np.argsort(words.common(n - 1), kind="stable") + 1
            return np.diff(np.concatenate(([0], np.sort(order[: self.k - 1]), [n])))
        wide = (self.k + 1) // 2  # each has one symbol; wide piece i ends a random way into its share of the others
        ends = np.floor((n - self.k) * (np.arange(wide) + open_unit(words.common(wide))) / wide)
        ends[-1] = n - self.k
        width = np.ones(self.k, np.int64)
        width[::2] += np.diff(ends, prepend=0).astype(np.int64)
        return width
