"""Quantise a vector bucket by bucket: a norm each, and a sign and the index of a level for every coordinate.

Rounding is stochastic, in fixed point: the place of a coordinate between two levels is rounded to a multiple of 2^-16
and held against 16 random bits, so a mean is off by at most 2^-15 of the gap between levels. The random bits are those
of a worker's 64-bit words: a bucket is cut into pieces of P = min(512, bucket) coordinates (rounded up to a multiple of
4); piece p takes the words p P/4 ..., read as P/2 little-endian 32-bit numbers, of which number j gives its low half to
coordinate j of the piece and its high half to coordinate j + P/2.

A symbol is the sign (1 for below 0), then the index of the level. Norms are float32; the squares of l2 norms are added
up in float64 in 32 interleaved sums, so that they are the same on every machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.kernels import planes, splitmix
from distest.kernels._lazy import jitted, worth_compiling

UNIFORM, OFFSET, POWERS, POWERS_OFF, TABLE, TABLE_OFF = range(6)
NORMS = {"max": 0, "l2": 1, "clipped": 2, "given": 3}
LANES, GROUP = 32, 64
MOST_POWERS = 60
_HIGHEST = np.finfo(np.float32).max
_LEAST = np.float64(np.finfo(np.float32).smallest_subnormal)

Floats = NDArray[np.float32]
Bits = NDArray[np.uint32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Levels:
    """Where coordinates are rounded to, as shares of the norm of a bucket.

    kind: "uniform", j / s for j = 0..s, or, without a zero, (2 j + 1) / s for j = 0..(s - 1) / 2 with s odd;
    "powers", 0 and ratio^(s - j) for j = 0..s, or these without the zero. steps: s. zero: whether 0 is a level. width:
    bits of a symbol, 2 to 8, enough for the sign and every index.
    """

    kind: str
    steps: int
    zero: bool
    width: int
    ratio: float = 0.5

    @property
    def code(self) -> int:
        """Which loop of the kernels."""
        if self.kind == "uniform":
            return UNIFORM if self.zero else OFFSET
        if self.ratio == 0.5 and self.steps <= MOST_POWERS:
            return POWERS if self.zero else POWERS_OFF
        return TABLE if self.zero else TABLE_OFF

    def magnitudes(self) -> NDArray[np.float64]:
        """The levels from 0 on, by index, float64."""
        if self.kind == "uniform":
            first = np.arange(self.steps + 1) if self.zero else np.arange(1, self.steps + 1, 2)
            return first / self.steps
        powers = np.float64(self.ratio) ** np.arange(self.steps, -1, -1)
        return np.concatenate([[0.0], powers]) if self.zero else powers


@dataclass(frozen=True, slots=True)
class Words:
    """The random 64-bit words of a message: made by splitmix from `start` on, or, where that is None, asked for.

    start: key + worker * 2^32 * GAMMA of `kernels.splitmix`, modulo 2^64. make: gives the first `count`, uint64.
    """

    start: int | None
    make: Callable[[int], NDArray[np.uint64]]

    @classmethod
    def of(cls, key: int | None, worker: int, make: Callable[[int], NDArray[np.uint64]]) -> "Words":
        """The words of a worker under a splitmix key, None for another generator."""
        return cls(None if key is None else (key + (worker << 32) * int(splitmix.GAMMA)) % (1 << 64), make)

    def behind(self, count: int) -> "Words":
        """The same without the first `count`; start is not None."""
        assert self.start is not None
        return Words((self.start + count * int(splitmix.GAMMA)) % (1 << 64), self.make)


def pieces(d: int, bucket: int) -> tuple[int, int]:
    """Coordinates of a piece, and pieces of d coordinates in buckets."""
    piece = (min(planes.BLOCK, bucket) + 3) // 4 * 4
    return piece, -(-d // bucket) * -(-bucket // piece)


@lru_cache(maxsize=64)
def tables(levels: Levels) -> tuple[Floats, Floats]:
    """Levels, padded with 2, and the inverses of the gaps behind them, float32 (128,)."""
    table, gaps = np.full(128, 2, np.float32), np.zeros(128, np.float32)
    if levels.kind == "powers":
        shares = levels.magnitudes().astype(np.float32)
        table[: shares.size] = shares
        gaps[: shares.size - 1] = 1 / (shares[1:] - shares[:-1])
    return table, gaps


@lru_cache(maxsize=64)
def _strides(count: int) -> NDArray[np.uint64]:
    return np.arange(count, dtype=np.uint64) * splitmix.GAMMA


def encode(
    x: Floats, bucket: int, norm: str, clip: float, levels: Levels, words: Words, out: Bytes
) -> tuple[Floats, int]:
    """Norms (buckets,), and the number of symbols, those of all buckets whose norm is not 0, packed in planes.

    x: float32 (d,), finite, contiguous; bucket <= d. norm: "max", "l2", "clipped", the greatest magnitude but at most
    clip times the root mean square, or "given", clip itself, above 0 and not below any magnitude. out: room for d
    symbols, of which as many bytes are written as are needed.
    """
    if not worth_compiling(x.size):
        norms, symbols = _symbols_plainly(x, bucket, norm, clip, levels, words)
        planes.pack(symbols, levels.width, out)
        return norms, symbols.size
    kernels, arguments, norms = _arguments(x, bucket, norm, clip, levels, words, planes.BLOCK)
    return norms, kernels.encode(*arguments, norms, out)


def symbols_of(x: Floats, bucket: int, norm: str, clip: float, levels: Levels, words: Words) -> tuple[Floats, Bytes]:
    """As `encode`, the symbols not packed."""
    if worth_compiling(x.size):
        kernels, arguments, norms = _arguments(x, bucket, norm, clip, levels, words, x.size)
        symbols = arguments[-1]
        return norms, symbols[: kernels.encode_apart(*arguments, norms, symbols[:0], False, 0, 0)]
    return _symbols_plainly(x, bucket, norm, clip, levels, words)


def present(norms: Floats, bucket: int, d: int) -> int:
    """Coordinates of the buckets whose norm is not 0."""
    return int(np.count_nonzero(norms)) * bucket - (norms.size * bucket - d if norms.size and norms[-1] else 0)


def _arguments(
    x: Floats, bucket: int, norm: str, clip: float, levels: Levels, words: Words, waiting: int
) -> tuple[Any, tuple[Any, ...], Floats]:
    """The kernels, what those that encode take first, and room for norms. waiting: symbols that there is room for."""
    piece, number = pieces(x.size, bucket)
    given = words.make(number * piece // 4) if words.start is None else np.empty(0, np.uint64)
    draws = np.empty(max(piece // 4, GROUP // 2), np.uint64)
    room, (table, gaps) = np.zeros(piece + GROUP, np.float32), tables(levels)
    return (
        jitted("quantise"),
        (
            x, x.view(np.uint32), bucket, NORMS[norm], float(clip), levels.code, levels.width, levels.steps, table,
            gaps, np.uint64(words.start or 0), _strides(piece // 4), given, draws, draws.view(np.uint32), room,
            room.view(np.uint32), np.empty(LANES), np.empty(waiting + piece + GROUP, np.uint8),
        ),
        np.empty(-(-x.size // bucket), np.float32),
    )  # fmt: skip


def decode(
    data: Bytes,
    norms: Floats,
    bucket: int,
    levels: Levels,
    out: Floats,
    scale: float | None = None,
    base: Floats | None = None,
) -> None:
    """out = the vector, or out += float32(scale) times it; with a base, another array, out = float32(scale) base first.

    data: packed symbols, bitpack.SPARE bytes behind.
    """
    if not worth_compiling(out.size):
        count = present(norms, bucket, out.size)
        x = _values_plainly(planes.unpack(data, levels.width, count), norms, bucket, levels, out.size)
        if scale is None:
            out[...] = x
        else:
            np.add(out if base is None else np.float32(scale) * base, np.float32(scale) * x, out=out)
        return
    factor = np.float32(1 if scale is None else scale)
    share, base = (np.float32(1), out) if base is None else (factor, base)
    symbols, values = np.empty(2 * planes.BLOCK + GROUP, np.uint8), np.empty(planes.BLOCK + GROUP, np.float32)
    jitted("quantise").decode(
        data, norms, bucket, levels.code, levels.width, levels.steps, tables(levels)[0], symbols[planes.BLOCK :],
        symbols[: planes.BLOCK], values, factor, scale is not None, share, base, out,
    )  # fmt: skip


def relay(
    data: Bytes, told: Floats, read: Levels, scale: float, share: float, base: Floats, bucket: int, norm: str,
    clip: float, levels: Levels, words: Words, out: Bytes,
) -> tuple[Floats, int]:  # fmt: skip
    """`encode` of float32(share) base + float32(scale) what symbols say, to the same bits; in one pass where levels are
    uniform.

    data, told, read: symbols, norms and levels of these, as `data`, `norms` and `levels` of `decode`.
    """
    norms, d = np.empty(told.size, np.float32), base.size
    place = at = found = 0
    if (
        worth_compiling(d) and words.start is not None and bucket % planes.BLOCK == 0 and NORMS[norm] <= NORMS["l2"]
        and read.code == levels.code == UNIFORM
    ):  # fmt: skip
        draws, room = np.empty(planes.BLOCK // 4, np.uint64), np.empty(bucket + GROUP, np.float32)
        place, at, found = jitted("relay").relay(
            data, told, read.width, read.steps, np.float32(scale), np.float32(share), base, bucket, NORMS[norm],
            levels.width, levels.steps, tables(levels)[0], np.uint64(words.start), _strides(planes.BLOCK // 4), draws,
            draws.view(np.uint32), room, room.view(np.uint32), np.empty(planes.BLOCK + GROUP, np.uint8), norms, out,
        )  # fmt: skip
    count = at * 8 // levels.width
    if place < told.size:
        rest = np.empty(d - place * bucket, np.float32)
        np.multiply(base[place * bucket :], np.float32(share), out=rest)
        decode(data[found:], told[place:], bucket, read, rest, scale)
        left = words.behind(place * bucket // 4) if place else words
        norms[place:], more = encode(rest, bucket, norm, clip, levels, left, out[at:])
        count += more
    return norms, count


# ---- the same in numpy, for small vectors


def norms_of(x: Floats, bucket: int, norm: str, clip: float) -> Floats:
    """Norms of all buckets, float32."""
    if norm == "given":
        return np.full(-(-x.size // bucket), clip, np.float32)
    padded = np.zeros((-(-x.size // bucket), -(-bucket // LANES) * LANES), np.float32)
    rows = np.zeros(len(padded) * bucket, np.float32)
    rows[: x.size] = x
    padded[:, :bucket] = rows.reshape(-1, bucket)
    highest: Floats = np.abs(padded).max(axis=1)
    if norm == "max":
        return highest
    square = square_sums(padded)
    sizes = np.minimum(bucket, x.size - bucket * np.arange(len(padded)))
    found = np.sqrt(square) if norm == "l2" else clip * np.sqrt(square / sizes)
    limit = np.float64(_HIGHEST) if norm == "l2" else highest.astype(np.float64)
    norms: Floats = np.maximum(np.minimum(found, limit), np.where(square > 0, _LEAST, 0)).astype(np.float32)
    return norms


def square_sums(rows: Floats) -> NDArray[np.float64]:
    """The sum of squares of each row, a multiple of LANES long, in LANES interleaved sums from left to right."""
    squares = np.square(rows.reshape(len(rows), -1, LANES), dtype=np.float64)
    sums = np.add.accumulate(squares, axis=1)[:, -1]
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    return np.asarray(sums[:, 0])


def _symbols_plainly(
    x: Floats, bucket: int, norm: str, clip: float, levels: Levels, words: Words
) -> tuple[Floats, Bytes]:
    norms = norms_of(x, bucket, norm, clip)
    piece, number = pieces(x.size, bucket)
    halves = words.make(number * piece // 4).astype("<u8").view("<u4").reshape(number, piece // 2)
    chances = np.hstack([halves & np.uint32(0xFFFF), halves >> np.uint32(16)]).reshape(norms.size, -1)[:, :bucket]
    rows = np.zeros((norms.size, bucket), np.float32)
    rows.reshape(-1)[: x.size] = x
    factor = np.where(norms < 2.0**-60, 2.0**64, np.where(norms > 2.0**60, 2.0**-64, 1)).astype(np.float32)
    with np.errstate(all="ignore"):  # buckets of norm 0 are dropped below
        symbols = _rounded(rows * factor[:, None], chances, (norms * factor)[:, None], levels)
    live = np.repeat(norms > 0, bucket)[: x.size]
    return norms, symbols.reshape(-1)[: x.size][live]


def _rounded(rows: Floats, chances: Bits, norm: Floats, levels: Levels) -> Bytes:
    """A symbol for each coordinate, uint8; every product in float32 and in the order of the kernels."""
    f32, u32 = np.float32, np.uint32
    steps, code, half = levels.steps, levels.code, 1 << (levels.width - 1)
    size, negative, draws = np.abs(rows), (rows.view(u32) >> 31).astype(np.int64), chances.astype(np.int64)
    if code == UNIFORM:
        fixed = np.minimum(size * (f32(steps << 16) / norm) + f32(0.5), f32(steps << 16)).astype(np.int32)
        return _small(((fixed + draws) >> 16) + half * negative)
    if code == OFFSET:
        exact = rows * (f32(steps << 15) / norm) + f32(steps << 15) + f32(0.5)
        step = (np.clip(exact, f32(0), f32(steps << 16)).astype(np.int32) + draws) >> 16
        return _small(np.where(step >= half, step - half, steps - step))
    share = np.minimum(size * (f32(1) / norm), f32(1))
    table, gaps = tables(levels)
    lowest = table[int(levels.zero)]
    if code in (POWERS, POWERS_OFF):
        rounded = (share.view(u32).astype(np.int64) + (draws << 7) + 64) >> 23
        index = rounded - (127 - steps) + levels.zero
        toward = share * f32(2.0**steps)
    else:
        cell = np.searchsorted(table, share.ravel(), side="right").reshape(share.shape) - 1
        passed = ((share - table[cell]) * gaps[cell] * f32(65536) + f32(0.5)).astype(np.int64)
        index = cell + ((passed + draws) >> 16)
        toward = share / lowest
    near = share < lowest
    if code == POWERS:
        low = ((toward * f32(2.0**23)).astype(np.int64) + (draws << 7) + 64) >> 23
        index = np.where(near, low, index)
    elif not levels.zero:
        kept = (toward * f32(32768) + f32(0.5)).astype(np.int64)
        negative ^= np.where(near, (draws + 32768 - kept) >> 16, 0)
        index = np.where(near, 0, index)
    return _small(index + half * negative)


def _small(symbols: NDArray[np.integer]) -> Bytes:
    return symbols.astype(np.uint8)


def _values_plainly(symbols: Bytes, norms: Floats, bucket: int, levels: Levels, d: int) -> Floats:
    every = np.repeat(norms, bucket)[:d]
    x = np.zeros(d, np.float32)
    live = every > 0
    x[live] = values(symbols, every[live], levels)
    return x


def values(symbols: Bytes, norms: Floats, levels: Levels) -> Floats:
    """What symbols mean, each in a bucket of the given norm > 0, float32."""
    half = 1 << (levels.width - 1)
    index, negative = symbols & (half - 1), symbols >= half
    if levels.kind == "uniform":
        unit = norms / np.float32(levels.steps)
        with np.errstate(over="ignore"):
            unit = np.where(np.isinf(unit * np.float32(levels.steps)), np.nextafter(unit, np.float32(0)), unit)
        level = (index if levels.zero else 2 * index.astype(np.int32) + 1).astype(np.float32)
    else:
        unit, level = norms, tables(levels)[0][index]
    return np.where(negative, 0 - level, level) * unit  # 0 with a sign is 0
