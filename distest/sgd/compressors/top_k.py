"""Top-k: the largest coordinates and where they are."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.kernels.largest import largest
from distest.sgd import indices
from distest.sgd import values as numbers
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector
from distest.sgd.values import Precision


@dataclass(frozen=True)
class TopK(Compressor):
    """The k coordinates of largest magnitude, among equals those with the lowest indices; the others become 0.

    k is public: the indices cost about log2(d / k) + 1.5 bits each, the values 32 or 16.

    density: share of the coordinates that is kept, rounded, at least one. k: their number; 0 leaves it to `density`.
    values: "float32", or "float16" after scaling by a power of two.

    Source: Aji, Heafield, "Sparse Communication for Distributed Gradient Descent" (2017); contraction: Stich,
    Cordonnier, Jaggi, "Sparsified SGD with Memory" (2018), Lemma A.1.
    """

    density: float = 0.01
    k: int = 0
    values: Precision = "float32"
    unbiased: ClassVar[bool] = False

    def __post_init__(self) -> None:
        indices.check_size("top_k", self.k, self.density)

    def size(self, d: int) -> int:
        """Coordinates kept of d. Raises UsageError for k > d."""
        return indices.size("top_k", d, self.k, self.density)

    def check(self, d: int) -> None:
        self.size(d)

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        places = largest(x, self.size(x.size))
        return Messages.one([indices.write(places, x.size), numbers.write(x[places], self.values)])

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        parts = inside(reader)
        places = indices.read(parts, self.size(d), d)
        x = np.zeros(d, np.float32)
        x[places] = numbers.read(parts, places.size, self.values)
        close(reader, parts)
        return x

    def distortion(self, d: int) -> float:
        k = self.size(d)
        return 1 - k / d + numbers.error(self.values, k)
