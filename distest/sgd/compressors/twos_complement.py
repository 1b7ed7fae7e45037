"""Two's complement: one unit for the vector, and every coordinate a whole number of units, at random."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack
from distest.sgd import values
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector
from distest.sgd.streams import checked_norms

MOST_BITS = 24
_ROUNDED = 2.0**-22  # the unit is rounded up to a float32, coordinates to the nearest one


@dataclass(frozen=True)
class TwosComplement(Compressor):
    """Whole numbers of units in two's complement, rounded at random, and the unit; 32 bits in all for 0.

    The unit is delta = max|x_i| / (2^(bits-1) - 1), in 32 bits. Coordinate v becomes floor(v / delta) or one more, the
    latter with a chance of the fraction, to 53 bits of it. The unit is rounded up where no float32 fits, so that
    nothing saturates; so -2^(bits-1) is never sent, and refused.

    bits: of a coordinate, 2 to 24.

    Source: Yu, Wu, Huang, "Double Quantization for Communication-Efficient Distributed Optimization" (2019), Section 3;
    De Sa et al., "High-Accuracy Low-Precision Training" (2018), the representation (delta, b).
    """

    bits: int = 4
    unbiased: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= MOST_BITS:
            raise UsageError(f"twos_complement takes 2 to {MOST_BITS} bits a coordinate, got bits={self.bits}")

    @property
    def _top(self) -> int:
        """The largest number of units."""
        return (1 << (self.bits - 1)) - 1

    def unit(self, x: Vector) -> np.float32:
        """delta: the least float32 of which `top` are at least the largest magnitude; 0 for x = 0."""
        largest = float(np.abs(x).max(initial=0))
        unit = np.float32(largest / self._top)
        return np.nextafter(unit, np.float32(np.inf)) if float(unit) * self._top < largest else unit

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        unit = self.unit(x)
        head = values.write(np.array([unit], np.float32), "float32")
        if unit == 0:
            return head
        words = coins.private.words(range(worker, worker + 1), x.size)[0]
        ratio = x.astype(np.float64) / float(unit)
        whole = np.floor(ratio)
        whole += (words >> np.uint64(11)) * 2.0**-53 < ratio - whole
        codes = whole.astype(np.int64) & ((1 << self.bits) - 1)
        if self.bits <= 8:
            data, n_bits = bitpack.pack_symbols(codes.astype(np.uint8), self.bits)
        else:
            data, n_bits = bitpack.pack(codes.view(np.uint64), np.full(x.size, self.bits, np.uint8))
        return Messages.one([head, Messages(data, n_bits, 1, n_bits)])

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        parts = inside(reader)
        unit = checked_norms(parts.fixed(1, 32)[:, 0])[0]
        parts.aside("unit, float32", [unit])
        if unit == 0:
            close(reader, parts)
            return np.zeros(d, np.float32)
        whole = self._read(parts, d)
        close(reader, parts)
        if int(whole.min()) < -self._top:
            raise WireError(f"a coordinate of {-self._top - 1} units is announced, {-self._top} are the least")
        return values.single(whole.astype(np.float64) * float(unit))

    def _read(self, parts: BitReader, d: int) -> NDArray[np.int64]:
        """Whole numbers of units."""
        start = parts.need(d * self.bits)
        if self.bits <= 8:
            data = bitpack.cut(parts.raw()[0], start, d * self.bits)
            codes = bitpack.unpack_symbols(data, self.bits, d).astype(np.int64)
        else:
            codes = bitpack.unpack(parts.raw()[0], start, self.bits, d).view(np.int64)
        parts.took(1, d * self.bits)
        parts.note(f"units of {self.bits} bits, two's complement", codes)
        return codes - ((codes >> (self.bits - 1)) << self.bits)

    def error(self, x: Vector) -> float:
        """E |decode(encode(x)) - x|^2 of this very x: delta^2 times the sum of f (1 - f) over fractions f."""
        unit = float(self.unit(x))
        if unit == 0:
            return 0.0
        ratio = x.astype(np.float64) / unit
        fraction = ratio - np.floor(ratio)
        return unit * unit * float((fraction * (1 - fraction)).sum())

    def distortion(self, d: int) -> float:
        """The worst case of equal distances under the maximum norm (Proposition Q1 of docs/bounds.md), and roundings.

        It is below the d / (4 (2^(bits-1) - 1)^2) of the paper, which the largest coordinate, always exact, does not
        enter.
        """
        worst = ((1 + (d - 1) / self._top**2) ** 0.5 - 1) / 2
        return float((worst**0.5 + _ROUNDED) ** 2 + _ROUNDED * d**0.5 / self._top)
