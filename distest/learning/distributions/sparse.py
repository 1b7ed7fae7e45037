"""A distribution on few symbols."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution, open_unit
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class Sparse(Distribution):
    """All mass on `support` symbols.

    support: how many, 1 <= support <= n. places: "random", all sets of symbols alike, or "even", symbols
    floor(j n / support). masses: "uniform", or "dirichlet": uniform on the simplex.
    """

    support: int
    places: Literal["random", "even"] = "random"
    masses: Literal["uniform", "dirichlet"] = "uniform"
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.support < 1:
            raise UsageError(f"sparse puts mass on at least one symbol, got support={self.support}")

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        if self.support > n:
            raise UsageError(f"sparse puts mass on support={self.support} symbols, there are only n={n}")
        if self.places == "random":
            places = np.argsort(coins.fold("places").common(n), kind="stable")[: self.support]
        else:
            places = np.arange(self.support) * n // self.support
        mass = np.ones(self.support)
        if self.masses == "dirichlet":
            mass = -np.log(open_unit(coins.fold("masses").common(self.support)))
        p = np.zeros(n)
        p[places] = mass / mass.sum()
        return checked_pmf(p, "sparse")
