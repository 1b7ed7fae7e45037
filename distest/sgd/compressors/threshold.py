"""Threshold: all coordinates that are large enough, however many there are."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.kernels.largest import at_least
from distest.sgd import indices
from distest.sgd import values as numbers
from distest.sgd.indices import Places
from distest.sgd.problem import Vector
from distest.sgd.sparsifier import Sparsifier

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Threshold(Sparsifier):
    """The coordinates whose magnitude is at least a threshold, exactly; the others become 0.

    Their number is sent by Elias's delta code, so a vector with none costs 1 bit.

    threshold: the least magnitude that is kept. unit: "rms" counts it in root mean squares of the vector at hand,
    "absolute" takes it as it is. values: "float32", or "float16" after scaling by a power of two.

    Source: Strom, "Scalable distributed DNN training using commodity GPU cloud computing" (2015); Dutta et al., "On
    the discrepancy between the theoretical analysis and practical implementations of compressed communication"
    (2020).
    """

    threshold: float = 3.0
    unit: Literal["rms", "absolute"] = "rms"
    unbiased: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < float("inf"):
            raise UsageError(f"threshold keeps magnitudes of at least a finite number >= 0, got {self.threshold}")

    def choose(self, x: Vector, worker: int, coins: Coins) -> Places:
        bound = self.threshold
        if self.unit == "rms":
            bound *= float(np.sqrt(np.square(x, dtype=np.float64).mean()))
        places = at_least(x, bound) if bound <= _LARGEST else np.zeros(0, np.int64)
        return np.asarray(places[x[places] != 0])  # a threshold of 0 keeps what is there

    def write_places(self, places: Places, d: int) -> Messages:
        return Messages.one(indices.counted(places, d))

    def read_places(self, parts: BitReader, d: int, worker: int, coins: PublicCoins) -> Places:
        return indices.read_counted(parts, d)

    def lost(self, d: int) -> float:
        """Below d threshold^2 for the unit "rms" (with 2^-23 for the rounding of the bound)."""
        return min(1.0, self.threshold**2 * (1 + 2.0**-22)) if self.unit == "rms" else 1.0

    def distortion(self, d: int) -> float:
        return min(1.0, self.lost(d) + numbers.error(self.values, d))
