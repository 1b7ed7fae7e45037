"""The prior under which the l1 lower bounds hold: neighbours that share their mass unevenly."""

from dataclasses import dataclass
from typing import ClassVar

from analysis.bounds import prior
from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution, open_unit
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class Pairs(Distribution):
    """p_2j = (1 + th_j) / n_sub, p_2j+1 = (1 - th_j) / n_sub with independent th_j uniform on [-D, D].

    n_sub: symbols that carry mass, even, n' <= n. D: 0 < D < 1.

    Source: docs/bounds.md, Proposition 6.3.
    """

    n_sub: int
    D: float
    random: ClassVar[bool] = True

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        if self.n_sub > n:
            raise UsageError(f"pairs puts mass on n_sub={self.n_sub} symbols, there are only n={n}")
        try:
            u = open_unit(coins.fold("pairs").common(max(0, self.n_sub // 2)))
            return checked_pmf(prior.draw_pairs(u, n, self.n_sub, self.D), "pairs")
        except ValueError as error:
            raise UsageError(f"pairs: {error}") from None
