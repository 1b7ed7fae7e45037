"""LAQ's grid: equal steps from the largest magnitude below 0 to the same above, rounded to the nearest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack, grid
from distest.kernels.grid import Told
from distest.sgd.buckets import check_bucket
from distest.sgd.compressor import Compressor, Matrix
from distest.sgd.news import News
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
        radii, symbols, *_ = self._told(np.ascontiguousarray(x), np.zeros_like(x))
        return self._packed(radii, symbols)

    def news(self, new: Sequence[Vector], memory: Matrix, workers: range, coins: Coins) -> News:
        """Of several workers only the sums are made at first, by one call; most of them are silent."""
        if memory.dtype != np.float32:
            return super().news([x.astype(np.float32) for x in new], memory.astype(np.float32), workers, coins)
        rows = np.concatenate(new).reshape(memory.shape) if len(new) > 1 else np.ascontiguousarray(new[0])[None]
        made: dict[int, Told] = {}

        def told(place: int) -> Told:
            if place not in made:
                made[place] = self._told(rows[place], memory[place])
            return made[place]

        found = np.array([told(0)[3:]]) if len(rows) == 1 else grid.weighed(rows, memory, *self._grid(memory.shape[1]))
        size, lost = found[:, 0], found[:, 1]
        return News(size, lost, lambda place: told(place)[2], lambda place: self._packed(*told(place)[:2]))

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        block, points = self._grid(d)
        number = -(-d // block)
        data, start, _ = reader.raw()
        reader.need(32 * number)
        radii = checked_norms(bitpack.unpack(data, start, 32, number))
        count = grid.present(radii, block, d)
        reader.need(32 * number + count * self.bits)
        body = bitpack.cut(data, start + 32 * number, count * self.bits)
        symbols = bitpack.unpack_symbols(body, self.bits, count)
        if self.grid == "odd" and count and int(symbols.max()) >= points:
            raise WireError(f"a coordinate names point {int(symbols.max())} of a grid of {points}")
        reader.took(1, 32 * number + count * self.bits)
        reader.aside("radii, float32", radii, 32 * number)
        reader.note(f"points of the grid, {self.bits} bits each", symbols)
        return grid.values(radii, symbols, block, points, d)

    def distortion(self, d: int) -> float:
        """A coordinate errs by half a gap, R / (points - 1), the largest of a block not at all; R is at most |block|.

        With a point at 0 a coordinate errs by no more than itself.
        """
        block, points = self._grid(d)
        bound = (block - 1) / (points - 1) ** 2 + 2.0**-40
        return min(1.0, bound) if self.grid == "odd" else bound

    def _grid(self, d: int) -> tuple[int, int]:
        """Coordinates that share a radius, of d, and the points of a grid."""
        return min(self.block or d, d), (1 << self.bits) - int(self.grid == "odd")

    def _told(self, new: Vector, memory: Vector) -> Told:
        return grid.told(new, memory, *self._grid(new.size))

    def _packed(self, radii: Vector, symbols: NDArray[np.uint8]) -> Messages:
        """The message."""
        body, n_bits = bitpack.pack_symbols(symbols, self.bits)
        data = np.empty(4 * radii.size + body.size, np.uint8)
        data[: 4 * radii.size] = radii.astype(">f4").view(np.uint8)
        data[4 * radii.size :] = body
        return Messages(data, 32 * radii.size + n_bits, 1, 32 * radii.size + n_bits)
