"""Distribution: a law on symbols 0..n-1, as a function of n and of nothing else but coins."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.coins import DataCoins
from distest.learning.norms import Pmf


class Distribution(ABC):
    """A family; implementations are frozen dataclasses of plain values.

    `random` says that pmf depends on the coins: a random member of a class, or a draw from a prior. Every repeat of
    a run then gets a law of its own.
    """

    random: ClassVar[bool] = False

    @abstractmethod
    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        """The law on n symbols, float64 (n,). Raises UsageError where the parameters contradict n."""


def open_unit(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Uniform numbers strictly between 0 and 1, float64 of the same shape: the middle of one of 2^53 cells."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54
