"""Unary: x ones and a zero."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import Words
from distest.codecs.base import SymbolCodec, Symbols, checked, ones
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class Unary(SymbolCodec):
    """Symbols 0..2^20 - 1 in x + 1 bits: x ones, a zero. Best where P(x) = 2^-(x+1).

    The same words as Rice(0). A longer run of ones is refused by both ends.

    Source: folklore.
    """

    @property
    def domain(self) -> tuple[int, int]:
        return 0, prefix.MOST_ONES - 1

    @property
    def column(self) -> prefix.Column:
        return prefix.Column(prefix.GOLOMB, 0, 1, 1)

    def encode(self, symbols: Symbols) -> Words:
        counts = checked(symbols, *self.domain, "Unary")
        return ones(counts, Words(np.zeros(counts.shape, np.uint64), np.zeros(counts.shape, np.uint8)))

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        return np.asarray(symbols, np.int64) + 1
