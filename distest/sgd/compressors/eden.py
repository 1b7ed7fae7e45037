"""EDEN: rotate, round to the best levels of a Gaussian, and scale so that nothing is lost along the vector."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.kernels import dither
from distest.sgd import levels, rotation
from distest.sgd.compressor import CoinUse, Compressor
from distest.sgd.problem import Vector


@dataclass(frozen=True)
class Eden(Compressor):
    """The nearest of 2^bits Lloyd-Max levels for each rotated coordinate, and 32 bits of scale a segment.

    With one bit it is DRIVE. Every message has bits d + 32 bits for each segment of the rotation. Under a uniform
    rotation its mean is the vector and the error is D / (1 - D) of |x|^2, D the distortion of the levels; under the
    Hadamard rotation used here both hold nearly for long vectors, with a bias that shrinks as d grows, and neither is
    promised for short or sparse ones: so it does not call itself unbiased. For errors that are fed back, the scale of
    least error gives D, and never more than |x|^2.

    bits: of a coordinate, 1 to 8. scale: "unbiased" is |y|^2 / <c, y> for the rotated y and its levels c, "least" is
    <c, y> / |c|^2. block: coordinates rotated together, a power of two from 128 to 65536.

    Source: Vargaftik et al., "DRIVE: One-bit distributed mean estimation" (2021); "EDEN: Communication-efficient and
    robust distributed mean estimation for federated learning" (2022).
    """

    bits: int = 1
    scale: Literal["unbiased", "least"] = "unbiased"
    block: int = 1 << 16
    unbiased: ClassVar[bool] = False
    coin_use: ClassVar[CoinUse] = "public"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= levels.MOST_BITS:
            raise UsageError(f"eden has 1 to {levels.MOST_BITS} bits a coordinate, got bits={self.bits}")
        if self.scale not in ("unbiased", "least"):
            raise UsageError(f"eden has scale 'unbiased' or 'least', got {self.scale!r}")
        rotation.check_block("eden", self.block)

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        y, factors = rotation.turned(x, self.block, coins.public, worker)
        table, edges = levels.levels(self.bits), levels.edges(self.bits)
        parts = rotation.segments(x.size, self.block)
        scales, symbols = np.zeros(len(parts)), np.zeros(x.size, np.uint8)
        for i, part in enumerate(parts):
            energy = rotation.total(np.square(y[part], dtype=np.float64))
            if energy == 0:
                continue
            rms = math.sqrt(energy / y[part].size)
            dither.nearest(y[part] * np.float32(1 / rms), edges, symbols[part])
            chosen = table[symbols[part]].astype(np.float64)
            along = rotation.total(chosen * y[part])
            scale = energy / along if self.scale == "unbiased" else along / rotation.total(np.square(chosen))
            scales[i] = rotation.sent_scale(scale / factors[i])
        return rotation.message(scales, symbols, self.bits)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        scales, symbols = rotation.read(reader, d, self.bits, self.block)
        return rotation.turned_back(levels.levels(self.bits)[symbols], scales, self.block, coins, worker)

    def distortion(self, d: int) -> float:
        return 1.0 + 2.0**-16 if self.scale == "least" else float("inf")
