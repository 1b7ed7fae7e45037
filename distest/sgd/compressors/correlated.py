"""Correlated quantisation: workers round at random, and where one rounds up another one is likely to round down."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins, Stream
from distest.errors import UsageError
from distest.kernels import dither
from distest.sgd import rotation
from distest.sgd.compressor import CoinUse, Compressor
from distest.sgd.problem import Vector

MOST_WORKERS = 256
_TOP = np.float32(1 - 2.0**-24)  # the largest float32 below 1


@dataclass(frozen=True)
class Correlated(Compressor):
    """Each rotated coordinate goes up or down to one of 2^bits equally spaced levels from -max to max, unbiased.

    It goes up where U is below its place between the levels. U = (pi + g) / workers, where pi is the worker's place in
    a public random permutation of its group, anew for each coordinate, and g is uniform and the worker's own: U is
    uniform, and the U of a group are one in each stratum of [0, 1). So the mean of the group errs less than with
    independent rounding, for equal vectors by about `workers` times in squares. Groups are workers 0 to `workers` - 1,
    and so on. All workers share the rotation.

    A message is 32 bits of largest value a segment, rounded up, and bits d.

    bits: of a coordinate, 1 to 8. workers: in a group, 1 to 256; 1 is independent rounding. block: coordinates rotated
    together, a power of two from 128 to 65536.

    Source: Suresh, Sun, Ro, Yu, "Correlated quantization for distributed mean estimation and optimization" (2022),
    algorithm 2; rotation as in Suresh, Yu, Kumar, McMahan (2017).
    """

    bits: int = 2
    workers: int = 8
    block: int = 1 << 16
    unbiased: ClassVar[bool] = True
    coin_use: ClassVar[CoinUse] = "public"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise UsageError(f"correlated has 1 to 8 bits a coordinate, got bits={self.bits}")
        if not 1 <= self.workers <= MOST_WORKERS:
            raise UsageError(f"correlated has groups of 1 to {MOST_WORKERS} workers, got workers={self.workers}")
        rotation.check_block("correlated", self.block)

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        y, factors = rotation.turned(x, self.block, coins.public, 0)
        parts = rotation.segments(x.size, self.block)
        last = np.float32((1 << self.bits) - 1)
        uniform = self._uniform(x.size, worker, coins)
        tops, symbols = np.zeros(len(parts)), np.zeros(x.size, np.uint8)
        for i, part in enumerate(parts):
            z = y[part]
            top = max(float(z.max()), -float(z.min()))
            if top == 0:
                continue
            tops[i] = rotation.sent_scale(top / factors[i], up=True)
            place = (z * np.float32(1 / (tops[i] * factors[i])) + np.float32(1)) * (last / np.float32(2))
            np.clip(place, 0, last, out=place)
            down = np.minimum(np.floor(place), last - 1)
            symbols[part] = down + (uniform[part] < place - down)
        return rotation.message(tops, symbols, self.bits)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        tops, symbols = rotation.read(reader, d, self.bits, self.block)
        last = (1 << self.bits) - 1
        levels = (2 * np.arange(last + 1) / last - 1).astype(np.float32)
        z = levels[symbols]
        return rotation.turned_back(z, tops, self.block, coins, 0)

    def distortion(self, d: int) -> float:
        """Each error is at most a quarter of the squared gap on average, and the largest value at most the norm."""
        sizes = [part.stop - part.start for part in rotation.segments(d, self.block)]
        return max(sizes, default=1) / ((1 << self.bits) - 1) ** 2 * (1 + 2.0**-12)

    def _uniform(self, d: int, worker: int, coins: Coins) -> NDArray[np.float32]:
        """U of the worker for each coordinate: its rank among the public words of its group, and its own part."""
        own = _pieces(coins.private, worker, d)
        rank = np.zeros(d, np.uint8)
        group = range(worker - worker % self.workers, worker - worker % self.workers + self.workers)
        if self.workers > 1:
            mine = _pieces(coins.public, worker, d)
            for other in group:
                if other != worker:
                    theirs = _pieces(coins.public, other, d)
                    before = theirs < mine if other > worker else theirs <= mine
                    rank += before.view(np.uint8)
        part = (own.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-16)
        return np.minimum((rank.astype(np.float32) + part) * np.float32(1 / self.workers), _TOP)


def _pieces(coins: Stream, worker: int, d: int) -> NDArray[np.uint16]:
    """16 bits a coordinate from the words of a worker."""
    return dither.pieces(coins.fold("rounding").words(range(worker, worker + 1), -(-d // 4))[0], 0, d)
