"""A random k-piece histogram."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution, open_unit
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class Pieces(Distribution):
    """Constant on each of k intervals; breakpoints and masses are uniform at random, drawn from the coins.

    The breakpoints are the k - 1 positions of 1..n-1 with the smallest words; the masses are exponential
    variables over their sum, so uniform on the simplex.

    k: number of pieces, 1 <= k <= n.
    """

    k: int = 4
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"pieces has at least one piece, got k={self.k}")

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        if self.k > n:
            raise UsageError(f"a histogram on n={n} symbols has at most {n} pieces, got k={self.k}")
        order = np.argsort(coins.fold("breaks").common(n - 1), kind="stable") + 1
        edges = np.concatenate(([0], np.sort(order[: self.k - 1]), [n]))
        mass = -np.log(open_unit(coins.fold("masses").common(self.k)))
        width = np.diff(edges)
        return checked_pmf(np.repeat(mass / mass.sum() / width, width), "pieces")
