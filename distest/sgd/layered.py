"""Layered: each tensor coded by itself, small ones as they are."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.problem import Tensor, Vector

CUTS = "this exchange cuts vectors in W parts, not in tensors; use layers=false"


def by_tensor(compressor: Compressor, tensors: tuple[Tensor, ...], layers: bool, small: int) -> Compressor:
    """A compressor of all coordinates at once, or with `layers` of each tensor by itself."""
    return Layered(compressor, tuple(tensor.size for tensor in tensors), small) if layers else compressor


@dataclass(frozen=True)
class Layered(Compressor):
    """One message of one part a tensor: by `inner` where it has `small` coordinates or more, else in single precision.

    inner: the compressor of large tensors. sizes: coordinates of each tensor, in order.
    """

    inner: Compressor
    sizes: tuple[int, ...]
    small: int
    unbiased: ClassVar[bool] = False

    def check(self, d: int) -> None:
        for size in self.sizes:
            self._of(size).check(size)

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        parts, at = [], 0
        for number, size in enumerate(self.sizes):
            parts.append(self._of(size).encode(x[at : at + size], worker, coins.fold("tensor", number)))
            at += size
        return Messages.one(parts)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        parts = inside(reader)
        found = [
            self._of(size).decode(parts, size, worker, coins.fold("tensor", number))
            for number, size in enumerate(self.sizes)
        ]
        close(reader, parts)
        return np.concatenate(found)

    def distortion(self, d: int) -> float:
        return max(self._of(size).distortion(size) for size in self.sizes)

    def least_distortion(self, d: int) -> float:
        return max(self._of(size).least_distortion(size) for size in self.sizes)

    def paper_bits(self, x: Vector) -> float | None:
        """Of all tensors; small ones in single precision. None where one has none."""
        parts = np.split(x, np.cumsum(self.sizes[:-1]))
        total = 0.0
        for part in parts:
            told = self.inner.paper_bits(part) if part.size >= self.small else 32.0 * part.size
            if told is None:
                return None
            total += told
        return total

    def _of(self, size: int) -> Compressor:
        return self.inner if size >= self.small else Identity()
