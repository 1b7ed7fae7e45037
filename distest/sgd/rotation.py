"""Rotation: random signs and Walsh-Hadamard transforms of segments, so that coordinates look Gaussian.

Nothing is padded. A vector of d coordinates is cut into segments: as many of `block` as fit, then ever smaller powers
of two. The last segment takes up to 127 coordinates more than its power of two P, and is turned in two windows, its
first P coordinates and then its last P: orthogonal, whatever d is. Each segment has a scale of its own.

The signs come from public words, so every reader can turn a vector back. The same bits on every machine.
"""

import math

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, Words, close, inside
from distest.coins import PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack, hadamard
from distest.sgd.problem import Vector

LEAST, MOST = 1 << 7, 1 << 16
SCALE_BITS = 32
_LARGE = float(np.finfo(np.float32).max)

Scales = NDArray[np.float64]


def check_block(name: str, block: int) -> None:
    """Raise UsageError unless `block` is a power of two from 128 to 65536."""
    if not LEAST <= block <= MOST or block & (block - 1):
        raise UsageError(
            f"{name} rotates blocks of a power of two from {LEAST} to {MOST} coordinates, got block={block}"
        )


def segments(d: int, block: int) -> list[slice]:
    """The segments of d coordinates, in order."""
    out, start = [], 0
    while start < d:
        size = _power(d - start, block)
        if d - start - size < LEAST:
            size = d - start
        out.append(slice(start, start + size))
        start += size
    return out


def turned(x: Vector, block: int, coins: PublicCoins, worker: int) -> tuple[Vector, Scales]:
    """The rotated vector and, for each segment, the factor that it was multiplied by to keep it from overflowing.

    float32 (d,) and float64 (segments,), powers of two; norms of segments are kept but for that factor.
    """
    y = x.copy()
    parts = segments(x.size, block)
    factors = np.ones(len(parts))
    signs = _Signs(x.size, block, coins, worker)
    for i, part in enumerate(parts):
        z = y[part]
        exponent = int(np.frexp(max(float(z.max()), -float(z.min())))[1])
        if abs(exponent) > 40:
            factors[i] = math.ldexp(1.0, -exponent)
            z[:] = z.astype(np.float64) * factors[i]
        for window in _windows(z.size, block):
            _turn(z[window], signs.take(_size(window)), back=False)
    return y, factors


def turned_back(z: Vector, scales: Scales, block: int, coins: PublicCoins, worker: int) -> Vector:
    """The vector whose rotation is z times the scale of each segment; z is overwritten.

    Numbers beyond the largest float32 become that.
    """
    signs = _Signs(z.size, block, coins, worker)
    for part, scale in zip(segments(z.size, block), scales.tolist(), strict=True):
        y = z[part]
        windows = _windows(y.size, block)
        words = [signs.take(_size(window)) for window in windows]
        for window, own in zip(windows[::-1], words[::-1], strict=True):
            _turn(y[window], own, back=True)
        if scale > 1e-30 and max(float(y.max()), -float(y.min())) * scale < 1e38:
            y *= np.float32(scale)
        else:
            with np.errstate(over="ignore"):
                y[:] = np.clip(y.astype(np.float64) * scale, -_LARGE, _LARGE)
    return z


def total(values: NDArray[np.floating]) -> float:
    """The sum in float64, in one order on every machine."""
    wide = np.zeros(-(-max(values.size, 1) // 1024) * 1024)
    wide[: values.size] = values
    lanes = np.add.reduce(wide.reshape(-1, 1024), axis=0)
    while lanes.size > 1:
        lanes = lanes[: lanes.size // 2] + lanes[lanes.size // 2 :]
    return float(lanes[0])


# ---- scales on the wire: the upper half of a float64, so that no finite vector is too large or too small


def sent_scale(scale: float, up: bool = False) -> float:
    """The nearest number that 32 bits hold, within 2^-21 of it; or the next one that is not smaller."""
    bits = int(np.float64(scale).view(np.uint64)) + ((1 << 32) - 1 if up else 1 << 31)
    return float(np.uint64(bits >> 32 << 32).view(np.float64))


def pack_scales(scales: Scales) -> Messages:
    """Scales of `sent_scale`, 32 bits each, as one message."""
    words = scales.view(np.uint64)[None] >> np.uint64(32)
    return Words(words, np.full(words.shape, SCALE_BITS, np.uint8)).pack()


def read_scales(reader: BitReader, count: int) -> Scales:
    """`count` scales. Raises WireError for numbers that are no scales."""
    scales: Scales = (reader.fixed(1, SCALE_BITS, count)[0] << np.uint64(32)).view(np.float64)
    if not (np.isfinite(scales).all() and (scales >= 0).all()):
        raise WireError("a scale is not a finite number of at least 0")
    reader.aside("scales, the upper half of float64", scales)
    return scales


def message(scales: Scales, symbols: NDArray[np.uint8], bits: int) -> Messages:
    """A scale for each segment, then a symbol of 1..8 bits for each coordinate, as one message."""
    data, n_bits = bitpack.pack_symbols(symbols, bits)
    return Messages.one([pack_scales(scales), Messages(data, n_bits, 1, n_bits)])


def read(reader: BitReader, d: int, bits: int, block: int) -> tuple[Scales, NDArray[np.uint8]]:
    """What `message` wrote of d coordinates. Raises WireError, before memory is asked for where bits are missing."""
    reader.need(d * bits)
    count = len(segments(d, block))
    reader.need(count * SCALE_BITS + d * bits)
    parts = inside(reader)
    scales, symbols = read_scales(parts, count), parts.symbols(d, bits)
    parts.note(f"levels of {bits} bits, of the turned vector", symbols)
    close(reader, parts)
    return scales, symbols


# ---- windows and signs


def _power(size: int, block: int) -> int:
    return min(block, 1 << (size.bit_length() - 1))


def _windows(size: int, block: int) -> list[slice]:
    """The first and the last P coordinates of a segment; one window where these are the same."""
    power = _power(size, block)
    return [slice(0, power)] if power == size else [slice(0, power), slice(size - power, size)]


def _size(window: slice) -> int:
    return int(window.stop - window.start)


def _turn(y: Vector, words: NDArray[np.uint64], back: bool) -> None:
    """y <- H D y / sqrt(P), or the inverse."""
    if not back:
        hadamard.flip(y, words)
    hadamard.transform(y)
    y *= np.float32(1 / math.sqrt(y.size))
    if back:
        hadamard.flip(y, words)


class _Signs:
    """Public words, taken window by window."""

    def __init__(self, d: int, block: int, coins: PublicCoins, worker: int):
        sizes = [_size(window) for part in segments(d, block) for window in _windows(part.stop - part.start, block)]
        count = sum(-(-size // 64) for size in sizes)
        self._words: NDArray[np.uint64] = coins.fold("signs").words(range(worker, worker + 1), count)[0]
        self._at = 0

    def take(self, size: int) -> NDArray[np.uint64]:
        self._at += -(-size // 64)
        return self._words[self._at - -(-size // 64) : self._at]
