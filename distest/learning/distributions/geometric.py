"""The geometric distribution, cut at n."""

from dataclasses import dataclass

import numpy as np

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class Geometric(Distribution):
    """p_x proportional to ratio^x.

    ratio: 0 < ratio <= 1.
    """

    ratio: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.ratio <= 1:
            raise UsageError(f"geometric has a ratio in (0, 1], got {self.ratio}")

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        weight = np.float64(self.ratio) ** np.arange(n)
        return checked_pmf(weight / weight.sum(), "geometric")
