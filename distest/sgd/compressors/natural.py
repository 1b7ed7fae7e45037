"""Natural: the sign and the exponent; the fraction decides between two powers of two."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.kernels import bitpack
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector

_HIGHEST = np.uint32(0x7F7FFFFF)  # the greatest float32, which stands for 2^128


@dataclass(frozen=True)
class Natural(Compressor):
    """Every coordinate becomes one of the two powers of two around it, at random with the right mean: 9 bits each.

    All exponents, 8 bits each, then all signs. The exponent is that of float32: 0 stands for 0, so that numbers below
    2^-126 become 0 or 2^-126; 255 for the greatest float32. Chances are exact, to all 23 bits of a fraction.

    Source: Horvath, Ho, Horvath, Sahu, Canini, Richtarik, "Natural Compression for Distributed Deep Learning" (2019).
    """

    unbiased: ClassVar[bool] = True

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        d = x.size
        words = coins.private.words(range(worker, worker + 1), (d + 1) // 2)[0]
        bits = x.view(np.uint32)
        rounded = (words.astype("<u8", copy=False).view("<u4")[:d] >> np.uint32(9)) + (bits & np.uint32(0x7FFFFFFF))
        data = bitpack.room(9 * d)
        data[:d] = rounded >> np.uint32(23)
        data[d : d + (d + 7) // 8] = np.packbits((bits >> np.uint32(31)).astype(np.uint8))
        return Messages(data, 9 * d, 1, 9 * d)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        start = reader.need(9 * d)
        data = bitpack.cut(reader.raw()[0], start, 9 * d)
        reader.took(1, 9 * d)
        bits = np.minimum(data[:d].astype(np.uint32) << np.uint32(23), _HIGHEST)
        bits |= np.unpackbits(data[d : d + (d + 7) // 8], count=d).astype(np.uint32) << np.uint32(31)
        x: Vector = bits.view(np.float32)
        reader.note("exponents, 8 bits each", x, 8 * d)
        reader.note("signs")
        return x

    def distortion(self, d: int) -> float:
        """1/8, attained at 4/3 of a power of two. Below 2^-126, where a bound cannot hold, nothing is claimed."""
        return 0.125
