"""LAQ's grid: equal steps from the largest magnitude below 0 to the same above, rounded to the nearest."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack
from distest.sgd.buckets import check_bucket
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector
from distest.sgd.streams import checked_norms


@dataclass(frozen=True)
class LaqGrid(Compressor):
    """R = the largest magnitude, 32 bits, and for every coordinate the nearest point of a grid on [-R, R], `bits` each.

    No coin is tossed, so it is biased, and right where what is coded shrinks: an innovation, the difference to what
    both ends know. A part with R = 0 is its radius alone.

    bits: 1 to 8 a coordinate. grid: "paper", the 2^bits points -R + 2 R l / (2^bits - 1), among which 0 is not: the
    code moves coordinates that have not changed; "odd", the 2^bits - 1 points R l / (2^(bits-1) - 1), 0 among them,
    from 2 bits on. block: coordinates that share a radius, 32 bits a block; none, the whole vector. All radii come
    first.

    Source: Sun, Chen, Giannakis, Yang, "Communication-efficient distributed learning via lazily aggregated quantized
    gradients" (2019), section 2.1; the odd grid and blocks are ours.
    """

    bits: int = 4
    grid: Literal["paper", "odd"] = "paper"
    block: int | None = None
    unbiased: ClassVar[bool] = False

    def __post_init__(self) -> None:
        least = 1 if self.grid == "paper" else 2
        if not least <= self.bits <= 8:
            raise UsageError(f"the {self.grid} grid takes {least} to 8 bits a coordinate, got bits={self.bits}")
        if self.block is not None:
            check_bucket("laq_grid", self.block)

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        return self._packed(*self._symbols(x))

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        number = self._blocks(d)[1]
        data, start, _ = reader.raw()
        reader.need(32 * number)
        radii = checked_norms(bitpack.unpack(data, start, 32, number))
        count = self._present(radii, d)
        reader.need(32 * number + count * self.bits)
        body = bitpack.cut(data, start + 32 * number, count * self.bits)
        symbols = bitpack.unpack_symbols(body, self.bits, count)
        if self.grid == "odd" and count and int(symbols.max()) >= self._points:
            raise WireError(f"a coordinate names point {int(symbols.max())} of a grid of {self._points}")
        reader.took(1, 32 * number + count * self.bits)
        reader.note("radii, float32", radii, 32 * number)
        reader.note(f"points of the grid, {self.bits} bits each", symbols)
        return self._values(radii, symbols, d)

    def told(self, x: Vector, worker: int, coins: Coins) -> tuple[Vector, Callable[[], Messages]]:
        radii, symbols = self._symbols(x)
        return self._values(radii, symbols, x.size), lambda: self._packed(radii, symbols)

    def _symbols(self, x: Vector) -> tuple[Vector, NDArray[np.uint8]]:
        """Radii, and a point of the grid for each coordinate of the blocks whose radius is not 0."""
        radii = self._radii(x)
        t = x.astype(np.float64)
        if radii.size > 1:
            wide = self._spread(radii.astype(np.float64), x.size)
            if not radii.all():
                t, wide = t[wide > 0], wide[wide > 0]
            t += wide
            t *= (self._points - 1) / (2 * wide)
        elif radii[0]:
            t += np.float64(radii[0])
            t *= (self._points - 1) / (2 * np.float64(radii[0]))
        else:
            t = t[:0]
        t += 0.5
        return radii, t.astype(np.uint8)  # never below 0 nor from `points` on: |x| is at most R, and so little rounds

    def _packed(self, radii: Vector, symbols: NDArray[np.uint8]) -> Messages:
        """The message."""
        body, n_bits = bitpack.pack_symbols(symbols, self.bits)
        data = np.empty(4 * radii.size + body.size, np.uint8)
        data[: 4 * radii.size] = radii.astype(">f4").view(np.uint8)
        data[4 * radii.size :] = body
        return Messages(data, 32 * radii.size + n_bits, 1, 32 * radii.size + n_bits)

    def _values(self, radii: Vector, symbols: NDArray[np.uint8], d: int) -> Vector:
        """What is read."""
        shares = _shares(self._points)
        if radii.size == 1:
            table: Vector = (np.float64(radii[0]) * shares).astype(np.float32)
            return table[symbols] if radii[0] else np.zeros(d, np.float32)
        x = np.zeros(d, np.float32)
        wide = self._spread(radii.astype(np.float64), d)
        here = wide > 0
        x[here] = wide[here] * shares[symbols]
        return x

    def _present(self, radii: Vector, d: int) -> int:
        """Coordinates of the blocks whose radius is not 0."""
        block = self._blocks(d)[0]
        return d - int((radii == 0).sum()) * block + (block * radii.size - d if radii[-1] == 0 else 0)

    def distortion(self, d: int) -> float:
        """A coordinate errs by half a gap, R / (points - 1), the largest of a block not at all; R is at most |block|.

        With a point at 0 a coordinate errs by no more than itself.
        """
        others = min(d, self.block or d) - 1
        bound = others / (self._points - 1) ** 2 + 2.0**-40
        return min(1.0, bound) if self.grid == "odd" else bound

    @property
    def _points(self) -> int:
        """Points of the grid."""
        return (1 << self.bits) - int(self.grid == "odd")

    def _blocks(self, d: int) -> tuple[int, int]:
        """Coordinates of a block, and blocks of d coordinates."""
        block = min(self.block or d, d)
        return block, -(-d // block)

    def _radii(self, x: Vector) -> NDArray[np.float32]:
        """The largest magnitude of each block."""
        size = np.abs(x)
        block, number = self._blocks(x.size)
        if number == 1:
            return np.array([np.maximum.reduce(size)])
        return np.maximum.reduceat(size, np.arange(0, x.size, block))

    def _spread(self, each: NDArray[np.float64], d: int) -> NDArray[np.float64]:
        """What belongs to each block, for each of d coordinates."""
        return np.repeat(each, self._blocks(d)[0])[:d]


@lru_cache(maxsize=16)
def _shares(points: int) -> NDArray[np.float64]:
    """The points of a grid, as shares of the radius."""
    return np.asarray(np.arange(points) * (2 / max(1, points - 1)) - 1, np.float64)
