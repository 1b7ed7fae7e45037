"""Identity: the vector itself, in single or half precision."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector

_SENT: dict[int, np.dtype[Any]] = {
    4: np.dtype(">u4"),
    2: np.dtype(">u2"),
}  # most significant byte first, by bytes of a coordinate
_ROUNDING = {"float32": 0.0, "float16": 2.0**-22, "bfloat16": 2.0**-16}  # squared relative error, normal numbers


@dataclass(frozen=True)
class Identity(Compressor):
    """Every coordinate as it is: 32 bits, or 16 rounded to the nearest (ties to even).

    precision: "float32"; "float16" (largest value 65,504, above it encode raises UsageError; numbers below 6e-5 lose
    digits, so that no bound on the distortion holds); "bfloat16" (the upper half of a float32).
    """

    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    unbiased: ClassVar[bool] = False

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        words = self._rounded(x)
        data = np.empty(words.nbytes + bitpack.SPARE, np.uint8)
        data[: words.nbytes].view(_SENT[words.itemsize])[...] = words
        data[words.nbytes :] = 0
        return Messages(data, 8 * words.nbytes, 1, 8 * words.nbytes)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        x = np.empty(d, np.float32)
        self.fill(reader, worker, coins, x)
        return x

    def fill(self, reader: BitReader, worker: int, coins: PublicCoins, out: Vector) -> None:
        width = 32 if self.precision == "float32" else 16
        n_bits = out.size * width
        start = reader.need(n_bits)
        words = bitpack.cut(reader.raw()[0], start, n_bits)[: n_bits // 8].view(_SENT[width // 8])
        reader.took(1, n_bits)
        if self.precision == "float16":
            out[...] = words.astype(np.uint16).view(np.float16)
        elif self.precision == "float32":
            out.view(np.uint32)[...] = words
        else:
            out.view(np.uint32)[...] = words
            out.view(np.uint32)[...] <<= np.uint32(16)
        if not np.isfinite(out).all():
            raise WireError("a coordinate is not a finite number")
        reader.note(f"coordinates, {self.precision}", out)

    def distortion(self, d: int) -> float:
        return float("inf") if self.precision == "float16" else _ROUNDING[self.precision]

    def _rounded(self, x: Vector) -> NDArray[np.unsignedinteger]:
        """The bits of each coordinate."""
        if self.precision == "float32":
            return x.view(np.uint32)
        if self.precision == "float16":
            with np.errstate(over="ignore"):
                half = x.astype(np.float16)
            if not np.isfinite(half).all():
                raise UsageError(f"float16 holds numbers up to 65,504, a gradient has {np.abs(x).max():.6g}")
            return half.view(np.uint16)
        bits = x.view(np.uint32).astype(np.uint64)
        rounded: NDArray[np.uint16] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        rounded[(rounded & 0x7FFF) == 0x7F80] -= 1  # the greatest number in place of infinity
        return rounded
