"""Random-k: coordinates that coins choose."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins, Stream, below
from distest.sgd import indices
from distest.sgd import values as numbers
from distest.sgd.compressor import CoinUse
from distest.sgd.indices import Places
from distest.sgd.problem import Vector
from distest.sgd.sparsifier import Sparsifier


@dataclass(frozen=True)
class RandomK(Sparsifier):
    """k coordinates, every set of k with the same chance; the others become 0.

    density: share of the coordinates that is kept, rounded, at least one. k: their number; 0 leaves it to `density`.
    draw: "public", by coins that the reader has as well, so that indices cost nothing; "private", with the indices in
    the message. scaled: whether values are multiplied by d / k, which makes the mean right and the error (d/k - 1)
    |x|^2 instead of (1 - k/d) |x|^2. values: "float32", or "float16" after scaling by a power of two.

    Source: Stich, Cordonnier, Jaggi, "Sparsified SGD with Memory" (2018), rand_k.
    """

    density: float = 0.01
    k: int = 0
    draw: Literal["public", "private"] = "public"
    scaled: bool = True

    def __post_init__(self) -> None:
        indices.check_size("random_k", self.k, self.density)

    @property
    def unbiased(self) -> bool:  # type: ignore[override]  # one of two values, by option
        return self.scaled and self.values == "float32"

    @property
    def coin_use(self) -> CoinUse:  # type: ignore[override]  # by option
        return "public" if self.draw == "public" else "none"

    def size(self, d: int) -> int:
        """Coordinates kept of d. Raises UsageError for k > d."""
        return indices.size("random_k", d, self.k, self.density)

    def choose(self, x: Vector, worker: int, coins: Coins) -> Places:
        return drawn(self.size(x.size), x.size, worker, coins.public if self.draw == "public" else coins.private)

    def write_places(self, places: Places, d: int) -> Messages:
        return indices.write(places if self.draw == "private" else places[:0], d)

    def read_places(self, parts: BitReader, d: int, worker: int, coins: PublicCoins) -> Places:
        k = self.size(d)
        return drawn(k, d, worker, coins) if self.draw == "public" else indices.read(parts, k, d)

    def lost(self, d: int) -> float:
        return 1 - self.size(d) / d

    def gain(self, d: int) -> float:
        return d / self.size(d) if self.scaled else 1.0

    def distortion(self, d: int) -> float:
        """Of the choice, and where values are rounded of both by the triangle inequality."""
        k = self.size(d)
        factor = d / k if self.scaled else k / d
        rounding = (numbers.error(self.values, k) + (2.0**-47 if self.scaled else 0.0)) * factor
        return float((abs(factor - 1) ** 0.5 + rounding**0.5) ** 2)

    def least_distortion(self, d: int) -> float:
        return d / self.size(d) - 1 if self.scaled else 0.0

    def paper_bits(self, x: Vector) -> float | None:
        """The values alone."""
        return numbers.BITS[self.values] * self.size(x.size)


def drawn(k: int, d: int, worker: int, coins: Stream) -> Places:
    """k different indices of 0..d-1, rising: the first k different ones of a sequence of independent ones.

    Where more than half are kept, those that are not are drawn. Each set has the same chance within k 2^-32.
    """
    few = min(k, d - k)
    chosen = np.zeros(d, np.bool_)
    words = coins.words(range(worker, worker + 1), 2 * few + 64)[0]
    used = found = 0
    while found < few:
        if used + few - found > words.size:
            words = coins.words(range(worker, worker + 1), 2 * words.size)[0]
        chosen[below(words[used : used + few - found], d)] = True  # never more different ones than are missing
        used += few - found
        found = int(np.count_nonzero(chosen))
    return np.flatnonzero(chosen if few == k else ~chosen)
