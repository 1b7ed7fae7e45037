"""Sparsifiers: a few coordinates of a vector, which they are and what they are worth.

What `top_k`, `chunk_top`, `threshold` and `random_k` share: they choose places, and say how places become bits.
"""

from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.sgd import values as numbers
from distest.sgd.compressor import Compressor
from distest.sgd.indices import Places
from distest.sgd.problem import Vector
from distest.sgd.values import Precision


@dataclass(frozen=True)
class Sparsifier(Compressor):
    """The places that are kept, if the reader cannot know them, then the values there; the others become 0.

    values: "float32", or "float16" after scaling by a power of two.
    """

    values: Precision = field(default="float32", kw_only=True)

    def size(self, d: int) -> int:
        """Coordinates kept of d, at most. Raises UsageError where there are fewer than are asked for."""
        return d

    def check(self, d: int) -> None:
        self.size(d)

    @abstractmethod
    def choose(self, x: Vector, worker: int, coins: Coins) -> Places:
        """The places kept of x, rising, int64."""

    @abstractmethod
    def write_places(self, places: Places, d: int) -> Messages:
        """The part of a message that says what was chosen; 0 bits where there is nothing to say."""

    @abstractmethod
    def read_places(self, parts: BitReader, d: int, worker: int, coins: PublicCoins) -> Places:
        """What `choose` has chosen. Raises WireError."""

    @abstractmethod
    def lost(self, d: int) -> float:
        """A bound on the mean share of |x|^2 outside the places that are kept, with equality where `gain` is not 1."""

    def gain(self, d: int) -> float:
        """What kept values are multiplied by."""
        return 1.0

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        places = self.choose(x, worker, coins)
        return Messages.one([self.write_places(places, x.size), numbers.write(x[places], self.values)])

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        parts = inside(reader)
        places = self.read_places(parts, d, worker, coins)
        x = np.zeros(d, np.float32)
        x[places] = scaled(numbers.read(parts, places.size, self.values), self.gain(d))
        close(reader, parts)
        return x


def scaled(kept: Vector, gain: float) -> Vector:
    """Values times a gain, float32."""
    return numbers.single(kept.astype(np.float64) * gain) if gain != 1 else kept
