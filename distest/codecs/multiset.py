"""Multiset: the samples of a server without their order, in the fewest bits a fixed length can have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Words
from distest.codecs.base import Codec, Symbols, checked
from distest.errors import UsageError, WireError
from distest.kernels import bigwords, ranks


@dataclass(frozen=True, slots=True)
class Multiset(Codec):
    """The s samples of a row, 0..n-1 each, as the rank of their multiset: ceil(log2 C(n + s - 1, s)) bits,
    exactly.

    The order of the samples is not sent: decode gives each row sorted. For samples of a known distribution
    nothing of fixed length does better. Quick while the rank has at most 63 bits; beyond that a row costs s
    or n + s operations on numbers of that length, up to milliseconds for thousands of samples.

    n: domain size, 1 <= n <= 2^62.

    Source: Cover, "Enumerative source encoding" (1973); Lehmer, "The machine tools of combinatorics" (1964).
    """

    n: int

    def __post_init__(self) -> None:
        if not 1 <= self.n <= 1 << 62:
            raise UsageError(f"Multiset codes a domain of 1 to 2^62 symbols, got n={self.n}")

    def length(self, s: int) -> int:
        """Bits of a row of s samples."""
        return (ranks.count(self.n, s) - 1).bit_length()

    def encode(self, symbols: Symbols) -> Words:
        y = np.sort(checked(symbols, 0, self.n - 1, "Multiset"), axis=1)
        m, s = y.shape
        if ranks.tabled(self.n, s):
            code = ranks.rank_rows(y, self.n).astype(np.uint64)[:, None]
            return Words(code, np.full((m, 1), self.length(s), np.uint8))
        return Words(*bigwords.split([ranks.rank(row, self.n) for row in y.tolist()], self.length(s)))

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        m, s = shape
        n_bits = self.length(s)
        each = bigwords.widths(n_bits)
        at = reader.need(m * n_bits)
        words = bigwords.gather(reader.raw()[0], at, m, each)
        if ranks.tabled(self.n, s):
            if m and int(words.max()) >= ranks.count(self.n, s):
                raise WireError(self._too_high(s))
            out = ranks.sorted_rows(words[:, 0].astype(np.int64), self.n, s)
        else:
            numbers = bigwords.join(words)
            if numbers and max(numbers) >= ranks.count(self.n, s):
                raise WireError(self._too_high(s))
            out = np.array([ranks.unrank(number, self.n, s) for number in numbers], np.int64).reshape(shape)
        reader.took(m, n_bits)
        return out

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        out = np.zeros_like(symbols, np.int64)
        out[:, :1] = self.length(out.shape[1])
        return out

    def _too_high(self, s: int) -> str:
        return f"there are fewer multisets of {s} out of {self.n} symbols than the rank in a message says"
