"""A random non-increasing distribution."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution, open_unit
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class Monotone(Distribution):
    """The average of `prefixes` uniform laws on {0..L-1}, with log L uniform in [0, log n], drawn from the coins.

    Every non-increasing law is a mixture of uniform prefixes, so none is out of reach.

    prefixes: how many are mixed, at least 1.
    """

    prefixes: int = 16
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.prefixes < 1:
            raise UsageError(f"monotone mixes at least one prefix, got prefixes={self.prefixes}")

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        u = open_unit(coins.fold("prefixes").common(self.prefixes))
        length = np.clip(np.floor(n**u), 1, n).astype(np.int64)
        step: Pmf = np.bincount(length - 1, weights=1 / (self.prefixes * length), minlength=n).astype(np.float64)
        return checked_pmf(np.cumsum(step[::-1])[::-1], "monotone")
