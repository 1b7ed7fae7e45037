"""Chain: a few coordinates by one compressor, and what they are worth by another."""

import math
from dataclasses import dataclass, field

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.sgd.compressor import CoinUse, Compressor
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.compressors.top_k import TopK
from distest.sgd.problem import Vector
from distest.sgd.sparsifier import Sparsifier, scaled


@dataclass(frozen=True)
class Chain(Compressor):
    """The index part of a sparsifier, then its k values as one message of another compressor of k coordinates.

    places: top_k, chunk_top, threshold or random_k; how these would write values has no meaning here. values: any
    compressor, a chain as well.

    Source: Basu, Data, Karakus, Diggavi, "Qsparse-local-SGD: Distributed SGD with quantization, sparsification, and
    local computations" (2019), Lemmas 1 and 2.
    """

    places: Compressor = field(default_factory=TopK)
    values: Compressor = field(default_factory=lambda: Qsgd(bits=4, norm="max", bucket=512))

    def __post_init__(self) -> None:
        if not isinstance(self.places, Sparsifier):
            name = type(self.places).__name__.lower()
            raise UsageError(f"chain takes places from top_k, chunk_top, threshold or random_k, got {name}")

    @property
    def _places(self) -> Sparsifier:
        assert isinstance(self.places, Sparsifier)  # no other is built
        return self.places

    @property
    def unbiased(self) -> bool:  # type: ignore[override]  # by its parts
        return self.places.unbiased and self.values.unbiased

    @property
    def coin_use(self) -> CoinUse:  # type: ignore[override]  # by its parts
        return "public" if "public" in (self.places.coin_use, self.values.coin_use) else "none"

    def check(self, d: int) -> None:
        self.values.check(self._places.size(d))

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        kept = self._places.choose(x, worker, coins)
        parts = [self._places.write_places(kept, x.size)]
        if kept.size:
            parts.append(self.values.encode(x[kept], worker, coins.fold("values")))
        return Messages.one(parts)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        parts = inside(reader)
        kept = self._places.read_places(parts, d, worker, coins)
        x = np.zeros(d, np.float32)
        if kept.size:
            said = self.values.decode(parts, kept.size, worker, coins.fold("values"))
            x[kept] = scaled(said, self._places.gain(d))
        close(reader, parts)
        return x

    def distortion(self, d: int) -> float:
        """Proposition G4 of docs/bounds.md: 1 - (1 - a)(1 - b) for a of the places and b <= 1 of the values."""
        lost, gain = self._places.lost(d), self._places.gain(d)
        worst = self.values.distortion(self._places.size(d))
        if gain != 1:
            return gain - 1 + gain * worst if self.values.unbiased else math.inf
        return 1 - (1 - lost) * (1 - worst) if worst <= 1 else worst
