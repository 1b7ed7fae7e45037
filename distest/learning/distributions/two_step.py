"""Two levels: the first symbols are heavy, the others light, or the other way round."""

from dataclasses import dataclass

import numpy as np

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class TwoStep(Distribution):
    """The first `share` of the symbols carry `mass`, evenly, and the others the rest, evenly.

    share: in 0..1, both excluded; the heavy part has share * n symbols, rounded, at least 1 and at most n - 1.
    mass: in 0..1, both excluded. The law is non-increasing where mass >= share.
    """

    share: float = 0.1
    mass: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or not 0 < self.mass < 1:
            raise UsageError(
                f"two_step takes a share and a mass between 0 and 1, both excluded, got share={self.share}, "
                f"mass={self.mass}"
            )

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        first = min(max(round(self.share * n), 1), n - 1)
        levels = self.mass / first, (1 - self.mass) / (n - first)
        return checked_pmf(np.repeat(levels, (first, n - first)), "two_step")
