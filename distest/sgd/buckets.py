"""Quantisers: buckets of coordinates, each with a norm, every coordinate rounded to a level at random.

What `qsgd`, `nuqsgd` and `terngrad` share: they name the levels and the norm.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import PARTY_LIMIT, Coins, PublicCoins
from distest.errors import UsageError
from distest.kernels import bitpack, planes, quantise
from distest.kernels.quantise import Levels
from distest.sgd import lengths, sparse, streams
from distest.sgd.blend import Blend, Held
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector

ROUNDING = 2.0**-12  # chances are multiples of 2^-16, levels float32: bound on their part, in squares of a gap

STRETCH = 1 << 17  # coordinates of a sum that stay in the cache until they are coded: half a megabyte

_Floats = NDArray[np.float64]
_Step: TypeAlias = Callable[..., tuple[Vector, int]]


def check_bucket(name: str, bucket: int) -> None:
    """Raise UsageError for a bucket without coordinates."""
    if bucket < 1:
        raise UsageError(f"a bucket of {name} has at least one coordinate, got bucket={bucket}")


def check_bits(name: str, bits: int) -> None:
    """Raise UsageError for a width of symbols outside 2..8."""
    if not 2 <= bits <= 8:
        raise UsageError(f"{name} takes 2 to 8 bits a coordinate, a sign and a level, got bits={bits}")


def check_code(name: str, code: str, levels: str) -> None:
    """Raise UsageError for a code that needs a level at 0 where there is none."""
    if code == "dense" and levels == "nozero":
        raise UsageError(f"the code 'dense' of {name} saves the sign of a level at 0, and levels='nozero' has no 0")


class Symbols(Held):
    """Norms of buckets, which are whole blocks of symbols or all there is, and packed symbols."""

    def __init__(self, norms: Vector, data: NDArray[np.uint8], bucket: int, levels: Levels):
        self.grain, self.levels = bucket, levels
        self._norms, self._data = norms, data

    def take(self, size: int) -> tuple[Vector, NDArray[np.uint8]]:
        """Norms and packed symbols of the next `size` coordinates."""
        data, count = self._data, -(-size // self.grain)
        norms, self._norms = self._norms[:count], self._norms[count:]
        if self._norms.size:
            self._data = data[quantise.present(norms, self.grain, size) * self.levels.width // 8 :]
        return norms, data

    def add(self, scale: float, share: float, base: Vector, out: Vector) -> None:
        norms, data = self.take(out.size)
        quantise.decode(data, norms, self.grain, self.levels, out, scale, None if base is out else base)


@dataclass(frozen=True)
class BucketQuantiser(Compressor):
    """Norms of all buckets, 32 bits each, then what is in those whose norm is not 0.

    bucket: coordinates that share a norm, the last bucket takes what is left. code: "fixed", `width`
    bits a coordinate in planes (see `kernels/planes.py`). "dense", for every coordinate the index of its level plus 1
    in Elias' recursive code, and a sign where that is not 0. "rans", one table of frequencies of all symbols and their
    rANS stream (see `codecs/rans.py`). Bucket by bucket (see `sgd/sparse.py`): "elias" and "rice", the norm, the number
    of coordinates off 0 and, for each of them, the distance from the one before, the sign and the index of the level;
    "shortest", 2 bits that choose among 0, fixed, elias and rice.
    """

    bucket: int = 8192
    code: Literal["fixed", "dense", "rans", "elias", "rice", "shortest"] = "fixed"
    unbiased: ClassVar[bool] = True

    @property
    @abstractmethod
    def _levels(self) -> Levels:
        """What coordinates are rounded to."""

    @property
    @abstractmethod
    def _norm(self) -> tuple[str, float]:
        """Name of the norm, and how many root mean squares it may be where it is clipped."""

    def check(self, d: int) -> None:
        piece, number = quantise.pieces(d, max(1, min(self.bucket, d)))
        if number * piece // 4 > PARTY_LIMIT:
            raise UsageError(
                f"rounding d={d} coordinates in buckets of {self.bucket} takes {number * piece // 4} random words of a "
                "worker, who has 2^32; take larger buckets, or cut the vector"
            )

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        self.check(x.size)
        x = np.ascontiguousarray(x, np.float32)
        words = _words(worker, coins)
        if self.code == "fixed":
            return self._fixed([partial(quantise.encode, x)], x.size, words)
        bucket, levels, (norm, clip) = min(self.bucket, x.size), self._levels, self._norm
        norms, symbols = quantise.symbols_of(x, bucket, norm, clip, levels, words)
        if self.code == "dense" or self.code == "rans":
            return streams.pack(norms, symbols, levels, self.code)
        return sparse.pack(norms, symbols, x.size, bucket, levels, self.code)

    def encode_blend(self, blend: Blend, worker: int, coins: Coins) -> Messages:
        last, words = blend.held[-1] if blend.held else None, _words(worker, coins)
        bucket = min(self.bucket, blend.base.size)
        if not isinstance(last, Symbols) or last.grain != bucket or self.code != "fixed" or words.start is None:
            return super().encode_blend(blend, worker, coins)
        self.check(blend.base.size)

        def steps() -> Iterator[_Step]:
            for share, base in blend.stretches(max(1, STRETCH // bucket) * bucket):
                norms, data = last.take(base.size)
                yield partial(quantise.relay, data, norms, last.levels, blend.share, share, base)

        return self._fixed(steps(), blend.base.size, words)

    def _fixed(self, steps: Iterable[_Step], d: int, words: quantise.Words) -> Messages:
        """One message of the code "fixed". Each step codes a stretch of whole buckets and blocks, the last the rest."""
        bucket, levels, (norm, clip) = min(self.bucket, d), self._levels, self._norm
        head = 4 * -(-d // bucket)
        data = np.empty(head + (d * levels.width + 7) // 8 + bitpack.SPARE, np.uint8)
        heads, place, symbols = data[:head].view(">f4"), 0, 0
        for step in steps:
            here = words.behind(place * bucket // 4) if place else words
            norms, count = step(bucket, norm, clip, levels, here, data[head + symbols * levels.width // 8 :])
            heads[place : place + norms.size] = norms
            place, symbols = place + norms.size, symbols + count
        n_bits = 8 * head + symbols * levels.width
        data = data[: (n_bits + 7) // 8 + bitpack.SPARE]
        data[-bitpack.SPARE :] = 0
        return Messages(data, n_bits, 1, n_bits)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        x = np.empty(d, np.float32)
        self.fill(reader, worker, coins, x)
        return x

    def fill(self, reader: BitReader, worker: int, coins: PublicCoins, out: Vector) -> None:
        self._read(reader, out, None)

    def add(self, reader: BitReader, d: int, worker: int, coins: PublicCoins, out: Vector, scale: float = 1.0) -> None:
        self._read(reader, out, scale)

    def blend(
        self, reader: BitReader, worker: int, coins: PublicCoins, share: float, base: Vector, out: Vector
    ) -> None:
        if self.code == "fixed":
            self._read(reader, out, share, base)
        else:
            super().blend(reader, worker, coins, share, base, out)

    def _read(self, reader: BitReader, out: Vector, scale: float | None, base: Vector | None = None) -> None:
        d, bucket, levels = out.size, min(self.bucket, out.size), self._levels
        if self.code == "dense" or self.code == "rans":
            norms, data = streams.unpack(reader, d, bucket, levels, self.code)
            quantise.decode(data, norms, bucket, levels, out, scale)
            return
        if self.code != "fixed":
            sparse.unpack(reader, bucket, levels, self.code, out, scale)
            return
        norms, data = self._parts(reader, d)
        quantise.decode(data, norms, bucket, levels, out, scale, base)
        reader.note(f"levels of {levels.width} bits", out if scale is None else ())

    def hold(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Held | None:
        if self.code != "fixed" or self.bucket % planes.BLOCK:
            return None
        norms, data = self._parts(reader, d)
        reader.note(f"levels of {self._levels.width} bits")
        return Symbols(norms, data, min(self.bucket, d), self._levels)

    def _parts(self, reader: BitReader, d: int) -> tuple[Vector, NDArray[np.uint8]]:
        """Norms and packed symbols of a message of the code "fixed", which is booked."""
        bucket, width = min(self.bucket, d), self._levels.width
        head = 32 * -(-d // bucket)
        data, start, _ = reader.raw()
        reader.need(head)
        norms = streams.norms_at(data, start, head // 32)
        body = quantise.present(norms, bucket, d) * width
        reader.took(1, head + body)
        reader.aside("norms, float32", norms, head)
        return norms, bitpack.cut(data, start + head, body)

    def paper_bits(self, x: Vector) -> float | None:
        """A norm for every bucket and `width` bits a coordinate; None for "elias", where what is sent counts."""
        return 32.0 * -(-x.size // self.bucket) + self._levels.width * x.size if self.code == "fixed" else None

    def variance(self, x: Vector) -> float:
        """E |decode(encode(x)) - x|^2 / |x|^2 of this very x, exactly but for the 16 bits of the chances; 0 for x = 0.

        Between levels a <= r <= b the mean squared error is (b - r)(r - a), in units of the norm.
        Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD" (2017), Lemma 3.1, before it is bounded.
        """
        size = np.abs(x.astype(np.float64))
        norms, r, cell, signed = self._between(x)
        inside = np.where(r <= 1, (signed[cell + 1] - r) * (r - signed[cell]), (r - 1) ** 2)
        total = float(np.square(size).sum())
        return float((np.square(norms) * inside).sum()) / total if total else 0.0

    def expected_bits(self, x: Vector) -> float:
        """Mean bits of a message of this very x, exactly but for the 16 bits of the chances.

        For the codes "fixed", "dense" and "elias"; raises UsageError for the others, whose words depend on what became
        of a whole bucket or vector. Source: docs/bounds.md, Proposition Q4.
        """
        if self.code not in ("fixed", "dense", "elias"):
            raise UsageError(f"mean bits are known of the codes fixed, dense and elias, not of {self.code!r}")
        norms, r, cell, signed = self._between(x)
        bucket = min(self.bucket, x.size)
        head, live = 32 * -(-x.size // bucket), np.greater(norms, 0)
        if self.code == "fixed":
            return float(head + self._levels.width * np.count_nonzero(live))
        up = (np.minimum(r, 1) - signed[cell]) / (signed[cell + 1] - signed[cell])
        numbers = np.arange(signed.size)
        if not self._levels.zero:
            half = signed.size // 2
            numbers = np.where(numbers < half, half - numbers, numbers - half + 1)
        low, high = numbers[cell], numbers[cell + 1]
        if self.code == "dense":
            return head + lengths.dense(low[live], high[live], up[live])
        rows = np.zeros((3, -(-x.size // bucket) * bucket))
        rows[:, : x.size] = low, high, up
        low_rows, high_rows, up_rows = rows.reshape(3, -1, bucket)[:, live[::bucket]]
        return head + lengths.sparse(low_rows.astype(np.int64), high_rows.astype(np.int64), up_rows)

    def _between(self, x: Vector) -> tuple[_Floats, _Floats, NDArray[np.int64], _Floats]:
        """Of each coordinate its bucket's norm, its share of that, and the cell that this is in, of signed levels."""
        bucket = min(self.bucket, x.size)
        norm, clip = self._norm
        norms = np.repeat(quantise.norms_of(x, bucket, norm, clip).astype(np.float64), bucket)[: x.size]
        r = np.divide(np.abs(x.astype(np.float64)), norms, out=np.zeros(x.size), where=norms > 0)
        levels = self._levels.magnitudes()
        signed = levels if self._levels.zero else np.concatenate([-levels[::-1], levels])
        return norms, r, np.clip(np.searchsorted(signed, r, side="right") - 1, 0, signed.size - 2), signed


def _words(worker: int, coins: Coins) -> quantise.Words:
    """The random words of a worker's message."""
    return quantise.Words.of(
        coins.private.splitmix_key(), worker, lambda n: coins.private.words(range(worker, worker + 1), n)[0]
    )
