"""Top-k: the largest coordinates and where they are."""

from dataclasses import dataclass
from typing import ClassVar

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.kernels.largest import largest
from distest.sgd import indices
from distest.sgd import values as numbers
from distest.sgd.indices import Places
from distest.sgd.problem import Vector
from distest.sgd.sparsifier import Sparsifier


@dataclass(frozen=True)
class TopK(Sparsifier):
    """The k coordinates of largest magnitude, among equals those with the lowest indices; the others become 0.

    k is public: the indices cost about log2(d / k) + 1.5 bits each, the values 32 or 16.

    density: share of the coordinates that is kept, rounded, at least one. k: their number; 0 leaves it to `density`.
    values: "float32", or "float16" after scaling by a power of two.

    Source: Aji, Heafield, "Sparse Communication for Distributed Gradient Descent" (2017); contraction: Stich,
    Cordonnier, Jaggi, "Sparsified SGD with Memory" (2018), Lemma A.1.
    """

    density: float = 0.01
    k: int = 0
    unbiased: ClassVar[bool] = False

    def __post_init__(self) -> None:
        indices.check_size("top_k", self.k, self.density)

    def size(self, d: int) -> int:
        """Coordinates kept of d. Raises UsageError for k > d."""
        return indices.size("top_k", d, self.k, self.density)

    def choose(self, x: Vector, worker: int, coins: Coins) -> Places:
        return largest(x, self.size(x.size))

    def write_places(self, places: Places, d: int) -> Messages:
        return indices.write(places, d)

    def read_places(self, parts: BitReader, d: int, worker: int, coins: PublicCoins) -> Places:
        return indices.read(parts, self.size(d), d)

    def lost(self, d: int) -> float:
        return 1 - self.size(d) / d

    def distortion(self, d: int) -> float:
        return self.lost(d) + numbers.error(self.values, self.size(d))

    def paper_bits(self, x: Vector) -> float | None:
        """The values alone, as compression ratios of the literature count."""
        return numbers.BITS[self.values] * self.size(x.size)
