"""The uniform distribution: the hardest point of most problems."""

from dataclasses import dataclass

import numpy as np

from distest.coins import DataCoins
from distest.learning.distributions.base import Distribution
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class Uniform(Distribution):
    """p_x = 1 / n."""

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        return checked_pmf(np.full(n, 1 / n), "uniform")
