"""GSpar: coordinates kept with the best chances, unbiased."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.kernels import bitpack, chances
from distest.kernels._lazy import worth_compiling
from distest.kernels.chances import tails
from distest.sgd import indices
from distest.sgd import values as numbers
from distest.sgd.chances import by_density, by_variance
from distest.sgd.compressor import Compressor
from distest.sgd.indices import Places
from distest.sgd.problem import Vector

_LEAST, _LARGEST = 2.0**-149, float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Gspar(Compressor):
    """Coordinate i is kept with chance min(|x_i| / u, 1), as x_i where the chance is 1 and as sign(x_i) u elsewhere.

    A message says how many coordinates are kept and which, which of these are exact, u and the signs of the others in
    a bit each, and the exact values in 32.

    density: share of the coordinates that is kept on average, or a little less. passes: how often the chances are
    raised to use up the share. eps: if above 0, the chances are those of the fewest coordinates with a mean squared
    error of eps |x|^2, and `density` has no meaning.

    Source: Wangni, Wang, Liu, Zhang, "Gradient Sparsification for Communication-Efficient Distributed Optimization"
    (2018), Algorithms 2 and 3.
    """

    density: float = 0.02
    passes: int = 2
    eps: float = 0.0
    unbiased: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.density <= 1:
            raise UsageError(f"gspar keeps a share of the coordinates with 0 < density <= 1, got {self.density}")
        if not 0 <= self.passes <= 100:
            raise UsageError(f"gspar raises its chances in 0 to 100 passes, got passes={self.passes}")
        if not 0 <= self.eps < math.inf:
            raise UsageError(f"gspar makes an error of eps >= 0 times |x|^2 (0: by density), got eps={self.eps}")

    def unit(self, x: Vector) -> float:
        """u, a float32; the least or the largest positive one where it would be none."""
        unit = by_variance(x, self.eps) if self.eps else by_density(x, self.density, self.passes)
        return float(np.float32(min(max(unit, _LEAST), _LARGEST)))

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        unit = self.unit(x)
        places = drawn(x, unit, worker, coins)
        kept = x[places]
        exact = np.abs(kept) >= np.float32(unit)
        parts = indices.counted(places, x.size)
        if places.size:
            own = np.flatnonzero(exact)
            parts += indices.counted(own, places.size)
            signs = (kept[~exact] < 0).astype(np.uint8)
            if signs.size:
                parts.append(write_signs(unit, signs))
            parts.append(numbers.write(kept[exact], "float32"))
        return Messages.one(parts)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        parts = inside(reader)
        x = np.zeros(d, np.float32)
        places = indices.read_counted(parts, d)
        if places.size:
            own = indices.read_counted(parts, places.size)
            kept = np.zeros(places.size, np.float32)
            others = np.ones(places.size, np.bool_)
            others[own] = False
            if own.size < places.size:
                kept[others] = read_signs(parts, places.size - own.size)
            kept[own] = numbers.read(parts, own.size, "float32")
            x[places] = kept
        close(reader, parts)
        return x

    def distortion(self, d: int) -> float:
        """eps, or by Proposition G2 of docs/bounds.md; u is rounded to float32, which adds 2^-23 (1 + bound)."""
        bound = self.eps or (1 / self.density - 1 if self.density <= 0.75 else 1 / self.density)
        return bound + 2.0**-23 * (1 + bound)

    def least_distortion(self, d: int) -> float:
        return self.eps * (1 - 2.0**-20)  # Proposition G1; u is rounded

    def paper_bits(self, x: Vector) -> float:
        """What the authors count for a message on average, without signs: for comparison with their figures."""
        unit = self.unit(x)
        below, total, _ = tails(x, unit)
        each = math.log2(x.size)
        return (x.size - below) * (32 + each) + min(2.0 * x.size, each * total / unit) + 32


def drawn(x: Vector, unit: float, worker: int, coins: Coins) -> Places:
    """Places kept with chances min(|x_i| / unit, 1), by the private words of a worker, one a coordinate."""
    key = coins.private.splitmix_key()
    if key is not None and worth_compiling(x.size):
        return chances.draw_by_key(x, unit, key, worker)
    return chances.draw(x, unit, coins.private.words(range(worker, worker + 1), x.size)[0])


def write_signs(unit: float, negative: "np.typing.NDArray[np.uint8]") -> Messages:
    """Some coordinates that are all unit or -unit: 32 bits, and a flag each."""
    data, n_bits = bitpack.pack_symbols(negative, 1)
    return Messages.join([numbers.write(np.array([unit], np.float32), "float32"), Messages(data, n_bits, 1, n_bits)])


def read_signs(parts: BitReader, count: int) -> Vector:
    """`count` >= 1 coordinates that `write_signs` wrote, float32. Raises WireError."""
    unit = np.float32(numbers.read_scale(parts, "unit"))
    signs = np.where(parts.fixed(count, 1)[:, 0] == 1, np.float32(-1), np.float32(1))
    parts.note("signs")
    return np.asarray(unit * signs, np.float32)
