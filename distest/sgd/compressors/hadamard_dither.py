"""Hadamard and dither: rotate, round under a dither that everybody knows, and code the multiples at their entropy."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, Words, close, inside
from distest.codecs.elias_gamma import EliasGamma
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels import dither as loops
from distest.kernels import prefix, rans
from distest.sgd import dither, rotation
from distest.sgd.compressor import CoinUse, Compressor
from distest.sgd.problem import Vector

BITS = (0.25, 7.0)


@dataclass(frozen=True)
class HadamardDither(Compressor):
    """Multiples of a step under subtractive dither, after a rotation, in about `bits` bits a coordinate.

    The error is uniform and has nothing to do with the vector: for every x the mean is x (within 2^-17 of a step) and
    E |error|^2 = step^2 / 12 |x|^2, where the step is relative to the root mean square of the coordinates. The rotation
    is for the bits: it makes coordinates nearly Gaussian, the law that the tables of the rANS stream are made for; the
    dither chooses one of 16. Vectors of another law after the rotation (very short ones) take more or fewer bits. Where
    nearly all energy is in few coordinates, codes of unrotated sparse vectors are shorter for the same error.

    A message is 32 bits of scale a segment, the stream of all coordinates of segments that are not zero, and the
    multiples too large for a symbol, each as its excess in Elias gamma and a sign.

    bits: a coordinate, 0.25 to 7; the step is the smallest multiple of 1/1024 that takes no more in long vectors, side
    bits not counted. step: this step instead, if above 0; 1/32 to 16. block: coordinates rotated together, a power of
    two from 128 to 65536.

    Source: Zamir, Feder, "On universal quantization by randomized uniform/lattice quantizers" (1992); Roberts, "Picture
    coding using pseudo-random noise" (1962); rotation as in Suresh, Yu, Kumar, McMahan, "Distributed mean estimation
    with limited communication" (2017); docs/bounds.md, section X.
    """

    bits: float = 2.0
    step: float = 0.0
    block: int = 1 << 16
    unbiased: ClassVar[bool] = True
    coin_use: ClassVar[CoinUse] = "public"

    def __post_init__(self) -> None:
        if not BITS[0] <= self.bits <= BITS[1]:
            raise UsageError(f"hadamard_dither takes {BITS[0]} to {BITS[1]} bits a coordinate, got bits={self.bits}")
        low, high = dither.STEPS
        if self.step != 0 and not low <= self.step <= high:
            raise UsageError(f"hadamard_dither has steps from {low} to {high}, or 0 for `bits`, got step={self.step}")
        rotation.check_block("hadamard_dither", self.block)

    @property
    def width(self) -> float:
        """The step, relative to the root mean square of the coordinates."""
        return self.step or dither.step_for(self.bits)

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        width, most = self.width, dither.most(self.width)
        y, factors = rotation.turned(x, self.block, coins.public, worker)
        words = _words(x.size, worker, coins.public)
        parts = rotation.segments(x.size, self.block)
        scales = np.zeros(len(parts))
        symbols, contexts = np.empty(x.size, np.uint8), np.empty(x.size, np.uint8)
        spoken, far = [], []
        for i, part in enumerate(parts):
            rms = math.sqrt(rotation.total(np.square(y[part], dtype=np.float64)) / y[part].size)
            if rms == 0:
                continue
            scales[i] = rotation.sent_scale(rms / factors[i])
            inverse = np.float32(1 / (scales[i] * factors[i] * width))
            loops.quantised(y[part], words, part.start, inverse, most, symbols[part], contexts[part])
            spoken.append(part)
            out = np.flatnonzero(symbols[part] == 2 * most + 1)
            h = loops.pieces(words, part.start, y[part].size)[out]
            far.append(loops.multiples(y[part][out], h, inverse))
        stream = rans.write(_picked(symbols, spoken), dither.model(width), _picked(contexts, spoken))
        pieces = [rotation.pack_scales(scales), Messages(*stream, 1, stream[1])]
        if far:
            pieces.append(_far_words(np.concatenate(far), most).pack())
        return Messages.one(pieces)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        width, most = self.width, dither.most(self.width)
        reader.need(d // (2 * self.block) * rotation.SCALE_BITS)
        parts = rotation.segments(d, self.block)
        message = inside(reader)
        scales = rotation.read_scales(message, len(parts))
        words = _words(d, worker, coins)
        contexts, z = np.empty(d, np.uint8), np.zeros(d, np.float32)
        spoken = [part for part, scale in zip(parts, scales.tolist(), strict=True) if scale > 0]
        for part in spoken:
            loops.contexts_of(words, part.start, contexts[part])
        wanted = _picked(contexts, spoken)
        data, first, limit = message.raw()
        symbols, end, status = rans.read(data, first, limit, wanted.size, dither.model(width), wanted)
        if status:
            why = "end early" if status == prefix.ENDED else "are no stream of multiples"
            raise WireError(f"the bits {why} in a message of {d} coordinates from bit {reader.raw()[1]} on")
        message.took(1, end - first)
        step, done = np.float32(width), 0
        for part in spoken:
            size = part.stop - part.start
            loops.restored(symbols[done : done + size], words, part.start, step, most, z[part])
            done += size
        far = np.flatnonzero(symbols == 2 * most + 1)
        if far.size:
            starts = np.array([part.start for part in spoken])
            ends = np.cumsum([part.stop - part.start for part in spoken])
            own = np.searchsorted(ends, far, side="right")
            place = far + (starts - np.concatenate(([0], ends[:-1])))[own]
            z[place] = _far_numbers(message, place, most, words) * step
        message.note("multiples of the step, rANS, and those beyond its table in Elias gamma", symbols)
        close(reader, message)
        return rotation.turned_back(z, scales, self.block, coins, worker)

    def distortion(self, d: int) -> float:
        return self.width**2 / 12 * (1 + 2.0**-12)


def _words(d: int, worker: int, coins: PublicCoins) -> NDArray[np.uint64]:
    """The words of the dither: 16 bits a coordinate."""
    words: NDArray[np.uint64] = coins.fold("dither").words(range(worker, worker + 1), -(-d // 4))[0]
    return words


def _picked(values: NDArray[np.uint8], parts: list[slice]) -> NDArray[np.uint8]:
    """The parts of an array, end to end."""
    size = sum(part.stop - part.start for part in parts)
    if size == values.size:
        return values
    return np.concatenate([values[part] for part in parts]) if parts else np.empty(0, np.uint8)


def _far_words(k: NDArray[np.int64], most: int) -> Words:
    """Multiples beyond `most`: the excess, then 1 for a negative one; all in one message."""
    size = EliasGamma().encode((np.abs(k) - most)[:, None])
    signed = size.beside(Words((k < 0).astype(np.uint64)[:, None], np.ones((k.size, 1), np.uint8)))
    return Words(signed.code.reshape(1, -1), signed.width.reshape(1, -1))


def _far_numbers(reader: BitReader, place: NDArray[np.int64], most: int, words: NDArray[np.uint64]) -> Vector:
    """What multiples beyond `most` stand for, in steps."""
    data, at, limit = reader.raw()
    row = (prefix.Column(prefix.GAMMA, shortest=1), prefix.Column(prefix.FIXED, 1, 2, shortest=1))
    items, lengths, status = prefix.decode_rows(data, at, limit, place.size, 2, row)
    if status:
        raise WireError(f"{place.size} large multiples were announced, {len(lengths)} are there")
    reader.took(1, int(lengths.sum()))
    k = (items[:, 0] + most).astype(np.float32) * (1 - 2 * items[:, 1]).astype(np.float32)
    h = (words[place // 4] >> (48 - 16 * (place % 4)).astype(np.uint64)).astype(np.uint16)
    return k - loops.shifts(h)
