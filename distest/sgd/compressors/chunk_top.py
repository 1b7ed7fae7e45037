"""Chunk top: the largest coordinate of every chunk."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack
from distest.sgd import values as numbers
from distest.sgd.indices import Places
from distest.sgd.problem import Vector
from distest.sgd.sparsifier import Sparsifier


@dataclass(frozen=True)
class ChunkTop(Sparsifier):
    """The coordinate of largest magnitude in each stretch of `chunk` coordinates, the first among equals.

    ceil(log2 chunk) bits say where in its stretch it is; nothing is sorted. The last stretch may be short.

    chunk: coordinates of a stretch. values: "float32", or "float16" after scaling by a power of two.

    Source: Chen et al., "ScaleCom: Scalable Sparsified Gradient Compression for Communication-Efficient Distributed
    Training" (2020), chunk-wise quasi-sort.
    """

    chunk: int = 100
    unbiased: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 1 <= self.chunk <= 1 << 30:
            raise UsageError(f"chunk_top takes one of each 1 to 2^30 coordinates, got chunk={self.chunk}")

    def size(self, d: int) -> int:
        """Coordinates kept of d."""
        return -(-d // self.chunk)

    def choose(self, x: Vector, worker: int, coins: Coins) -> Places:
        whole = x.size // self.chunk
        at = np.abs(x[: whole * self.chunk].reshape(whole, self.chunk)).argmax(axis=1)
        rest = x[whole * self.chunk :]
        if rest.size:
            at = np.append(at, np.abs(rest).argmax())
        return np.asarray(np.arange(at.size) * self.chunk + at, np.int64)

    def write_places(self, places: Places, d: int) -> Messages:
        at = places - np.arange(places.size) * self.chunk
        data, n_bits = bitpack.pack(at.astype(np.uint64), np.full(at.size, self._width, np.uint8))
        return Messages(data, n_bits, 1, n_bits)

    def read_places(self, parts: BitReader, d: int, worker: int, coins: PublicCoins) -> Places:
        k = self.size(d)
        at = parts.fixed(k, self._width)[:, 0].astype(np.int64)
        parts.aside("places in their chunks", at)
        if int(at.max()) >= self.chunk or int(at[-1]) >= d - (k - 1) * self.chunk:
            raise WireError("a coordinate is said to be behind the end of its chunk")
        return np.asarray(np.arange(k) * self.chunk + at, np.int64)

    def lost(self, d: int) -> float:
        return 1 - 1 / min(self.chunk, d)

    def distortion(self, d: int) -> float:
        return self.lost(d) + numbers.error(self.values, self.size(d))

    @property
    def _width(self) -> int:
        return (self.chunk - 1).bit_length()
