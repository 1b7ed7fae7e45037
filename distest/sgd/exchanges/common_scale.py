"""Common scale: all round to the levels of one grid, so that sums are sums of integers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack, quantise
from distest.kernels.quantise import Levels
from distest.sgd import values
from distest.sgd.buckets import check_bits
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.ternary import Ternary
from distest.sgd.exchange import Exchange, Length, Load, Own, Sent, flag, parts, read_flag
from distest.sgd.link import Link
from distest.sgd.problem import Vector
from distest.wire.turn import Direction

_EXACT = 1 << 24  # float32 holds all integers up to here


@dataclass(frozen=True)
class CommonScale(Exchange):
    """Each worker says its largest magnitude, 32 bits; the largest of all, M, is the scale. Then every coordinate is
    rounded at random to a multiple of M / s, s = 2^(bits-1) - 1, and the owners of the parts of `scatter_reduce` add up
    integers and tell the sums, exactly, in the bits of 2 W s: at most bits + ceil(log2 W).

    Coordinates are rounded once, so the error is that of W independent messages, though on a scale that the worker with
    the largest coordinate sets. It rounds by itself and takes no compressor but `identity` in single precision; or
    with bits=2 `ternary`, whose scale is said in place of the largest magnitude, so that M is the largest scale and
    the signs are sent as they are, with no chance in it. Where all vectors are 0 nothing follows the first turn.

    bits: of a coordinate in the first turn to peers, 2 to 8.

    Source: Xin, Canini, Richtarik, Horvath, "Global-QSGD: Allreduce-compatible quantization for distributed learning
    with theoretical guarantees" (2023), standard dithering; the sums go straight to their owners in place of a ring.
    """

    bits: int = 4
    cuts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_bits("common_scale", self.bits)

    @property
    def _steps(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def check(self, compressor: Compressor, d: int, workers: int) -> None:
        if compressor != Identity() and not (isinstance(compressor, Ternary) and self.bits == 2):
            raise UsageError(
                "common_scale rounds by itself: use compressor=identity, and bits of the exchange; or at bits=2 ternary"
            )
        compressor.check(d)
        if workers * self._steps >= _EXACT:
            raise UsageError(f"common_scale adds up {self.bits} bits of at most {_EXACT // self._steps} workers")

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent | None) -> Vector:
        asked: dict[int, Vector] = {}  # with `ternary` the signs, until the scale is known
        scales: list[float] = []

        def loudest(worker: int) -> Messages:
            asked[worker] = own(worker)
            if isinstance(compressor, Ternary):
                signs, size = compressor.signs(asked[worker])
                asked[worker] = signs.astype(np.float32)
                return values.write_magnitude(np.array([size]))
            return values.write_magnitude(asked[worker])

        link.board(loudest, lambda worker, reader: scales.append(values.read_magnitude(reader)))
        scale = np.float32(max(scales))
        if scale == 0:
            for worker, x in asked.items():
                if sent is not None:
                    sent(worker, np.zeros_like(x))
            return np.zeros(d, np.float32)
        if isinstance(compressor, Ternary):
            asked = {worker: signs * scale for worker, signs in asked.items()}
        sums = self._scattered(asked, d, scale, link, coins, sent)
        return self._gathered(sums, d, scale, link)

    def _scattered(
        self, asked: dict[int, Vector], d: int, scale: np.float32, link: Link, coins: Coins, sent: Sent | None
    ) -> list[Vector]:
        """Turn 2: the sums of the parts whose owners live here, integers as float32."""
        pieces = parts(d, link.workers)
        sizes = [part.stop - part.start for part in pieces]
        sums = [np.zeros(size, np.float32) for size in sizes]
        levels = Levels("uniform", self._steps, True, self.bits)
        one = np.array([self._steps], np.float32)  # the norm for which levels are the integers
        said: dict[int, Vector] = {}

        def code(worker: int, owner: int) -> Messages:
            draws = coins.fold("part", owner).private
            words = quantise.Words.of(
                draws.splitmix_key(), worker, lambda n: draws.words(range(worker, worker + 1), n)[0]
            )
            n_bits = sizes[owner] * self.bits
            data = np.zeros((n_bits + 7) // 8 + bitpack.SPARE, np.uint8)
            x = np.ascontiguousarray(asked[worker][pieces[owner]])
            quantise.encode(x, x.size, "given", float(scale), levels, words, data)
            data[(n_bits + 7) // 8 :] = 0
            if sent is not None:
                out = said.setdefault(worker, np.empty(d, np.float32))[pieces[owner]]
                quantise.decode(data, np.array([scale]), x.size, levels, out)
            return Messages(data, n_bits, 1, n_bits)

        def add(owner: int, reader: BitReader) -> None:
            n_bits = sizes[owner] * self.bits
            start = reader.need(n_bits)
            data = bitpack.cut(reader.raw()[0], start, n_bits)
            quantise.decode(data, one, sizes[owner], levels, sums[owner], 1.0)
            reader.took(1, n_bits)
            reader.note(f"levels of {self.bits} bits")

        def speak(worker: int, owner: int) -> Messages:
            return code(worker, owner) if sizes[owner] else flag()

        def hear(worker: int, owner: int, reader: BitReader) -> None:
            if sizes[owner]:
                add(owner, reader)
            else:
                read_flag(reader)

        if link.workers > 1:
            link.swap(speak, hear)
        for worker in asked:
            if sizes[worker]:
                mine = code(worker, worker)
                add(worker, BitReader(mine.data, mine.n_bits))
            if sent is not None:
                sent(worker, said.get(worker, np.zeros(d, np.float32)))
        return sums

    def _gathered(self, sums: list[Vector], d: int, scale: np.float32, link: Link) -> Vector:
        """Turn 3: the mean, as everybody reads it."""
        most = link.workers * self._steps
        pieces = parts(d, link.workers)
        width = self.sum_bits(link.workers)
        unit = np.float32(float(scale) / most)
        while not np.isfinite(unit * np.float32(most)):
            unit = np.nextafter(unit, np.float32(0))
        mean = link.vector(d)

        def encode(owner: int) -> Messages:
            return _write(sums[owner] + np.float32(most), width) if sums[owner].size else flag()

        def decode(owner: int, reader: BitReader) -> None:
            count = sums[owner].size
            if not count:
                read_flag(reader)
                return
            inner = inside(reader)
            found = inner.symbols(count, width) if width <= 8 else inner.fixed(count, width)[:, 0]
            inner.note(f"sums of levels, {width} bits each", found)
            close(reader, inner)
            if int(found.max()) > 2 * most:
                raise WireError(f"a sum is beyond {most} levels, the most that {link.workers} workers have")
            np.multiply(found.astype(np.float32) - np.float32(most), unit, out=mean[pieces[owner]])

        link.board(encode, decode)
        return mean

    def sum_bits(self, workers: int) -> int:
        """Bits of the sum of W integers of -s..s."""
        return (2 * workers * self._steps).bit_length()

    def expected(self, d: int, workers: int, compressor: Compressor, length: Length) -> dict[Direction, float]:
        sizes = [part.stop - part.start for part in parts(d, workers)]
        peer = (workers - 1) * sum(n * self.bits if n else 1 for n in sizes)
        return {"peer": peer, "board": 32 * workers + sum(n * self.sum_bits(workers) if n else 1 for n in sizes)}

    def loads(self, d: int, workers: int, compressor: Compressor, length: Length) -> list[Load]:
        sizes = [part.stop - part.start for part in parts(d, workers)]
        first = [n * self.bits if n else 1 for n in sizes]
        second = [n * self.sum_bits(workers) if n else 1 for n in sizes]
        return [
            Load("board", workers - 1, 32.0 * (workers - 1)),
            Load("peer", workers - 1, float(sum(first) - min(first))),
            Load("board", workers - 1, float(sum(second) - min(second))),
        ]

    def work(self, d: int, workers: int) -> tuple[float, float]:
        """As `scatter_reduce`, by the exchange's own code."""
        return d, (workers - 1) * d / workers + d


def _write(shifted: Vector, width: int) -> Messages:
    """Whole numbers from 0 on as one message."""
    if width <= 8:
        symbols = Messages.of_symbols(shifted.astype(np.uint8), width)
        return Messages(symbols.data, symbols.n_bits, 1, symbols.n_bits)
    data, n_bits = bitpack.pack(shifted.astype(np.uint64), np.full(shifted.size, width, np.uint8))
    return Messages(data, n_bits, 1, n_bits)
