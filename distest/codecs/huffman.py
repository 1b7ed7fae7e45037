"""Huffman: the best prefix code for given weights, in canonical form."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from distest.bits import Words
from distest.codecs.base import SymbolCodec, Symbols, checked
from distest.errors import UsageError
from distest.kernels import huffman, prefix


@dataclass(frozen=True, eq=False)
class Huffman(SymbolCodec):
    """Symbols 0..n-1 in words of given lengths; words ascend with (length, symbol), so lengths are all a
    reader needs.

    lengths: uint8 (n,), 1 to 64 bits, those of a prefix code, n <= 2^31; made read-only. `from_weights` finds
    the best. Not hashable by value and without slots: the arrays made from the lengths are kept with it.

    Source: Huffman, "A method for the construction of minimum-redundancy codes" (1952); Schwartz and Kallick,
    "Generating a canonical prefix encoding" (1964).
    """

    lengths: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.lengths.dtype != np.uint8 or self.lengths.ndim != 1 or not 1 <= self.lengths.size <= 1 << 31:
            raise UsageError("Huffman needs a uint8 array of word lengths, one a symbol")
        if int(self.lengths.min()) < 1 or int(self.lengths.max()) > huffman.LONGEST:
            raise UsageError(f"words of a Huffman code have 1 to {huffman.LONGEST} bits")
        object.__setattr__(self, "lengths", self.lengths.copy())
        self.lengths.flags.writeable = False
        counts = np.bincount(self.lengths).tolist()
        if sum(count << (huffman.LONGEST - bits) for bits, count in enumerate(counts)) > 1 << huffman.LONGEST:
            raise UsageError("no prefix code has words of these lengths")

    @classmethod
    def from_weights(cls, weights: NDArray[np.int64]) -> "Huffman":
        """The code of least total length for counts int64 (n,); a count of 0 still gets a word.

        The same on every machine: ties are broken by symbol. Raises UsageError for negative weights or a sum
        of 2^62.
        """
        weights = np.asarray(weights, np.int64)
        if weights.ndim != 1 or weights.size == 0 or int(weights.min()) < 0:
            raise UsageError("Huffman.from_weights needs counts, none negative, of at least one symbol")
        if int(weights.max()) >= (1 << 62) // weights.size:
            raise UsageError(f"weights up to {int(weights.max())} of {weights.size} symbols may sum above 2^62")
        return cls(huffman.lengths(weights))

    @cached_property
    def _canonical(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        return huffman.canonical(self.lengths)

    @cached_property
    def _column(self) -> prefix.Column:
        codes, order = self._canonical
        table = huffman.table(self.lengths, codes, order)
        return prefix.Column(prefix.HUFFMAN, shortest=int(self.lengths.min()), table=table)

    @property
    def domain(self) -> tuple[int, int]:
        return 0, self.lengths.size - 1

    @property
    def column(self) -> prefix.Column:
        return self._column

    def encode(self, symbols: Symbols) -> Words:
        x = checked(symbols, *self.domain, "Huffman")
        return Words(self._canonical[0][x], self.lengths[x])

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        return self.lengths[symbols].astype(np.int64)
