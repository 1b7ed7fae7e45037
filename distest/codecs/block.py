"""Block: many symbols as one number to the base n, so that less than one bit is lost in all of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Words
from distest.codecs.base import Codec, Symbols, checked, columns
from distest.errors import UsageError, WireError
from distest.kernels import bigwords


@dataclass(frozen=True, slots=True)
class Block(Codec):
    """Symbols 0..n-1: each `size` symbols x_0, x_1, ... of a row are the number sum_j x_j n^j, in ceil(log2
    n^size) bits.

    A row of f symbols has floor(f / size) full blocks and a shorter one for the rest, so its length is fixed.
    The default size, 64, loses less than 1/64 bit a symbol and keeps the numbers short (their cost grows with
    the square).

    n: domain size, 2 <= n <= 2^62. size: symbols a block, at least 1.

    Source: folklore (a change of base).
    """

    n: int
    size: int = 64

    def __post_init__(self) -> None:
        if not 2 <= self.n <= 1 << 62:
            raise UsageError(f"Block codes a domain of 2 to 2^62 symbols, got n={self.n}")
        if self.size < 1:
            raise UsageError(f"a block has at least one symbol, got size={self.size}")

    def encode(self, symbols: Symbols) -> Words:
        x = checked(symbols, 0, self.n - 1, "Block")
        m, f = x.shape
        if f == 0:
            return Words(np.zeros((m, 0), np.uint64), np.zeros((m, 0), np.uint8))
        starts = range(0, f, self.size)
        return columns([self._words(x[:, at : at + self.size]) for at in starts])

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        m, f = shape
        blocks = self._blocks(f)
        each = [width for k in blocks for width in bigwords.widths(self._bits(k))]
        at = reader.need(m * sum(each))
        words = bigwords.gather(reader.raw()[0], at, m, each)
        out = np.empty(shape, np.int64)
        field = first = 0
        for k in blocks:
            used = len(bigwords.widths(self._bits(k)))
            out[:, first : first + k] = self._digits(words[:, field : field + used], k)
            field, first = field + used, first + k
        reader.took(m, sum(each))
        return out

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        out = np.zeros_like(symbols, np.int64)
        first = 0
        for k in self._blocks(out.shape[1]):
            out[:, first] = self._bits(k)
            first += k
        return out

    def _blocks(self, f: int) -> list[int]:
        """Symbols in each block of a row of f."""
        return [self.size] * (f // self.size) + ([f % self.size] if f % self.size else [])

    def _bits(self, k: int) -> int:
        """Bits of a block of k symbols, from the exact number."""
        return int((self.n**k - 1).bit_length())

    def _together(self) -> int:
        """How many symbols make a number below 2^62, so that numpy can do the inner part."""
        return max(1, 62 // (self.n - 1).bit_length())

    def _words(self, x: Symbols) -> Words:
        m, k = x.shape
        step = self._together()
        parts = []
        for first in range(0, k, step):
            part = np.zeros(m, np.int64)
            for j in range(min(first + step, k) - 1, first - 1, -1):
                part = part * self.n + x[:, j]
            parts.append(part)
        n_bits = self._bits(k)
        if len(parts) == 1:
            return Words(parts[0].astype(np.uint64)[:, None], np.full((m, 1), n_bits, np.uint8))
        base = self.n**step
        numbers = parts[-1].tolist()
        for part in parts[-2::-1]:
            numbers = [number * base + low for number, low in zip(numbers, part.tolist(), strict=True)]
        return Words(*bigwords.split(numbers, n_bits))

    def _digits(self, words: NDArray[np.uint64], k: int) -> Symbols:
        step = self._together()
        small = words[:, 0].astype(np.int64)  # all of the number where k symbols go into one word
        numbers = bigwords.join(words) if k > step else []
        if len(words) and (max(numbers) if numbers else int(small.max())) >= self.n**k:
            raise WireError(f"the number of a block of {k} symbols is not below {self.n}^{k}")
        base = self.n**step
        out = np.empty((len(words), k), np.int64)
        for first in range(0, k, step):
            if first + step < k:
                split = [divmod(number, base) for number in numbers]
                numbers, part = [high for high, _ in split], np.array([low for _, low in split], np.int64)
            else:
                part = np.array(numbers, np.int64) if numbers else small
            last = min(first + step, k) - 1
            for j in range(first, last):
                part, out[:, j] = np.divmod(part, self.n)
            out[:, last] = part
        return out
