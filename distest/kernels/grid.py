"""Vectors told as their change on a grid: what LAQ's compressor does to every gradient, in one call.

A block of coordinates has a radius R, the largest magnitude of its changes c, and the points R (2 l / (points - 1) - 1)
for l = 0..points - 1; a coordinate takes the nearest, l = floor((c + R) (points - 1) / (2 R) + 1/2). Changes are
float32, places on the grid float64, in one order of operations; sums of squares are those of `kernels.quantise`.
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels import quantise
from distest.kernels._lazy import jitted, worth_compiling

CHUNK = 512
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


Told = tuple[Floats, Bytes, Floats, float, float]


def told(new: Floats, memory: Floats, block: int, points: int) -> Told:
    """The change from memory to new, both float32 (d,), contiguous, finite; 1 <= block <= d, 2 <= points <= 256.

    The radius of each block, float32; l for each coordinate of those whose radius is not 0; the memory after the
    change; and the sums of squares of what is told, and of what the memory lacks then.
    """
    if not worth_compiling(new.size):
        return _told_plainly(new, memory, block, points)
    symbols, vector = np.empty(new.size, np.uint8), np.empty(new.size, np.float32)
    radii, room, sums = _scratch(new.size, block)
    size, lost, count = jitted("grid").told(new, memory, vector, block, points - 1, radii, symbols, room, sums)
    return radii, symbols[:count], vector, size, lost


def weighed(new: Floats, memory: Floats, block: int, points: int) -> NDArray[np.float64]:
    """The two sums of `told` for each row of new and memory, both (n, d), as float64 (n, 2): for who may be silent."""
    if not worth_compiling(new.size):
        return np.array([_told_plainly(*rows, block, points)[3:] for rows in zip(new, memory, strict=True)])
    out = np.empty((len(new), 2))
    radii, room, sums = _scratch(new.shape[1], block)
    jitted("grid").weighed(new, memory, block, points - 1, radii, np.empty(0, np.uint8), room, sums, out)
    return out


def values(radii: Floats, symbols: Bytes, block: int, points: int, d: int) -> Floats:
    """What symbols say of d coordinates, float32."""
    if radii.size == 1:
        return _points(radii[0], points)[symbols] if radii[0] else np.zeros(d, np.float32)
    x, wide = np.zeros(d, np.float32), _spread(radii, block, d)
    here = wide > 0
    x[here] = wide[here] * _shares(points)[symbols]
    return x


def present(radii: Floats, block: int, d: int) -> int:
    """Coordinates of the blocks whose radius is not 0."""
    return d - int((radii == 0).sum()) * block + (block * radii.size - d if radii[-1] == 0 else 0)


def _scratch(d: int, block: int) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Radii, a chunk of each of two vectors, and sums of squares, all unset."""
    return np.empty(-(-d // block), np.float32), np.empty((2, CHUNK), np.float32), np.empty((2, quantise.LANES))


def _told_plainly(new: Floats, memory: Floats, block: int, points: int) -> Told:
    change = new - memory
    radii = np.maximum.reduceat(np.abs(change), np.arange(0, new.size, block))
    wide = _spread(radii, block, new.size)
    here = wide > 0
    wide = wide[here]
    with np.errstate(invalid="ignore"):  # whoever asks finds the size not finite
        symbols = ((change[here] + wide) * ((points - 1) / (2 * wide)) + 0.5).astype(np.uint8)
        said = values(radii, symbols, block, points, new.size)
        vector = memory + said
        rows = np.zeros((2, -(-new.size // quantise.LANES) * quantise.LANES), np.float32)
        rows[:, : new.size] = said, new - vector
        size, lost = quantise.square_sums(rows).tolist()
    return radii, symbols, vector, size, lost


def _points(radius: np.float32, points: int) -> Floats:
    """The points of a grid."""
    table: Floats = (np.float64(radius) * _shares(points)).astype(np.float32)
    return table


def _shares(points: int) -> NDArray[np.float64]:
    """The points of a grid, as shares of the radius."""
    return np.asarray(np.arange(points) * (2 / (points - 1)) - 1, np.float64)


def _spread(radii: Floats, block: int, d: int) -> NDArray[np.float64]:
    """The radius of each of d coordinates."""
    return np.repeat(radii.astype(np.float64), block)[:d]
