"""Doubles: a vector in double precision, for runs whose x is float64."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.errors import WireError
from distest.kernels import bitpack
from distest.sgd.compressor import Compressor


@dataclass(frozen=True)
class Doubles(Compressor):
    """Every coordinate as it is, 64 bits. Not in the catalog, whose compressors take float32."""

    def encode(self, x: NDArray[np.floating[Any]], worker: int, coins: Coins) -> Messages:
        return Messages.of_bytes(x.astype(">f8").tobytes())

    def decode(  # type: ignore[override]  # wider
        self, reader: BitReader, d: int, worker: int, coins: PublicCoins
    ) -> NDArray[np.float64]:
        start = reader.need(64 * d)
        x = bitpack.unpack(reader.raw()[0], start, 64, d).view(np.float64)
        reader.took(1, 64 * d)
        reader.note("coordinates, float64", x)
        if not np.isfinite(x).all():
            raise WireError("a coordinate is not a finite number")
        return x

    def distortion(self, d: int) -> float:
        return 0.0
