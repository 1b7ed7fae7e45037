"""Distribution: a law on symbols 0..n-1, as a function of n and of nothing else but coins."""

from abc import ABC, abstractmethod
from typing import ClassVar

from distest.coins import DataCoins
from distest.learning.norms import Pmf


class Distribution(ABC):
    """A family; implementations are frozen dataclasses of plain values.

    `random` says that pmf depends on the coins: a random member of a class, or a draw from a prior.
    """

    random: ClassVar[bool] = False

    @abstractmethod
    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        """The law on n symbols, float64 (n,). Raises UsageError where the parameters contradict n."""
