"""Sign: one bit a coordinate, and how long the arrow is."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.kernels import bitpack
from distest.sgd.buckets import check_bucket
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector
from distest.sgd.streams import checked_norms


@dataclass(frozen=True)
class Sign(Compressor):
    """The sign of every coordinate, 0 counting as above 0, times a mean magnitude; biased, made for error feedback.

    scales: 1, the mean magnitude of a bucket, 32 bits; 2, one for the coordinates from 0 on and one for those below.
    bucket: coordinates that share the scales; none, the whole vector. scales=2 with bucket=64 costs 2 bits a
    coordinate. All scales come first, then all signs.

    Source: Karimireddy, Rebjock, Stich, Jaggi, "Error Feedback Fixes SignSGD and other Gradient Compression Schemes"
    (2019); two scales: Seide, Fu, Droppo, Li, Yu, "1-Bit Stochastic Gradient Descent" (2014).
    """

    scales: Literal[1, 2] = 1
    bucket: int | None = None
    unbiased: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.bucket is not None:
            check_bucket("sign", self.bucket)

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        d = x.size
        bucket, number = self._buckets(d)
        below = x < 0
        size, padded = np.zeros((2, number * bucket))
        size[:d], padded[:d] = np.abs(x), below
        rows, marks = size.reshape(number, bucket), padded.reshape(number, bucket)
        sizes = np.minimum(bucket, d - bucket * np.arange(number))
        if self.scales == 1:
            scales = (rows.sum(axis=1) / sizes)[:, None]
        else:
            counts = marks.sum(axis=1)
            low = (rows * marks).sum(axis=1)
            high = (rows * (1 - marks)).sum(axis=1)
            scales = np.stack([high / np.maximum(sizes - counts, 1), low / np.maximum(counts, 1)], axis=1)
        head = 4 * scales.size
        data = bitpack.room(8 * head + d)
        data[:head] = scales.astype(">f4").ravel().view(np.uint8)
        data[head : head + (d + 7) // 8] = np.packbits(below)
        return Messages(data, 8 * head + d, 1, 8 * head + d)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        bucket, number = self._buckets(d)
        head = 32 * number * self.scales
        start = reader.need(head + d)
        data = bitpack.cut(reader.raw()[0], start, head + d)
        scales = checked_norms(bitpack.unpack(data, 0, 32, number * self.scales)).reshape(number, self.scales)
        reader.took(1, head + d)
        reader.aside("scales, float32", scales, head)
        reader.note("signs")
        below: NDArray[np.bool_] = np.unpackbits(data[head // 8 :][: (d + 7) // 8], count=d).astype(bool)
        high, low = (np.repeat(scales[:, side], bucket)[:d] for side in (0, -1))
        return np.where(below, -low, high)

    def distortion(self, d: int) -> float:
        """1 - 1/d for a bucket of d, attained by one coordinate off 0; for one scale 1 - |x|_1^2 / (d |x|_2^2)."""
        return 1 - 1 / min(d, self.bucket or d)

    def _buckets(self, d: int) -> tuple[int, int]:
        """Coordinates of a bucket, and how many buckets."""
        bucket = min(self.bucket or d, d)
        return bucket, -(-d // bucket)
