"""Zipf's law."""

from dataclasses import dataclass

import numpy as np

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class Zipf(Distribution):
    """p_x proportional to (x + 1)^-exponent.

    exponent: 0 (uniform) to 50.
    """

    exponent: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.exponent <= 50:
            raise UsageError(f"zipf has an exponent from 0 to 50, got {self.exponent}")

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        weight = np.arange(1, n + 1, dtype=np.float64) ** -self.exponent
        return checked_pmf(weight / weight.sum(), "zipf")
