"""Layered: each tensor coded by itself, small ones as they are."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.problem import Vector


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

    def _of(self, size: int) -> Compressor:
        return self.inner if size >= self.small else Identity()
