"""Proportional: coordinates kept with chances in proportion to their magnitudes, all with one size."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.sgd import indices
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.gspar import drawn, read_signs, write_signs
from distest.sgd.problem import Vector

_LEAST, _LARGEST = 2.0**-149, float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Proportional(Compressor):
    """Coordinate i is kept with chance share |x_i| / max|x|, as sign(x_i) max|x| / share.

    So share |x|_1 / max|x| coordinates are kept on average, and of all ways to keep so many, unbiased, this has the
    least mean square. A message says how many are kept and which, their common size and their signs. The paper sends
    values in b bits, where a sign is enough.

    share: of the most that such chances allow, in 0..1, 0 excluded.

    Source: Yu, Wu, Huang, "Double Quantization for Communication-Efficient Distributed Optimization" (2019),
    Sparse-AsyLPG.
    """

    share: float = 0.5
    unbiased: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"proportional keeps a share of the most it may with 0 < share <= 1, got {self.share}")

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        largest = float(np.abs(x).max(initial=0))
        unit = float(np.float32(min(max(largest / self.share, _LEAST), _LARGEST)))
        places = drawn(x, unit, worker, coins)
        parts = indices.counted(places, x.size)
        if places.size:
            parts.append(write_signs(unit, (x[places] < 0).astype(np.uint8)))
        return Messages.one(parts)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        parts = inside(reader)
        x = np.zeros(d, np.float32)
        places = indices.read_counted(parts, d)
        if places.size:
            x[places] = read_signs(parts, places.size)
        close(reader, parts)
        return x

    def distortion(self, d: int) -> float:
        """E |y|^2 = |x|_1 max|x| / share, and |x|_1 max|x| is at most (1 + sqrt(d)) / 2 times |x|^2."""
        return float(((1 + d**0.5) / (2 * self.share)) * (1 + 2.0**-22) - 1 + 2.0**-22)
