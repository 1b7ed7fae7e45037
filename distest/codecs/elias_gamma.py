"""Elias gamma: as many zeros as the number has digits less one, then the number."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import Words
from distest.codecs.base import SymbolCodec, Symbols, bit_length, checked, concatenated
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class EliasGamma(SymbolCodec):
    """Integers 1..2^62 (not zero) in 2 floor(log2 x) + 1 bits.

    Source: Elias, "Universal codeword sets and representations of the integers" (1975), the code gamma.
    """

    @property
    def domain(self) -> tuple[int, int]:
        return 1, prefix.HIGH

    @property
    def column(self) -> prefix.Column:
        return prefix.Column(prefix.GAMMA)

    def encode(self, symbols: Symbols) -> Words:
        x = checked(symbols, *self.domain, "EliasGamma")
        digits = bit_length(x)
        zeros = Words(np.zeros(x.shape, np.uint64), (digits - 1).astype(np.uint8))
        return concatenated(zeros, Words(x.astype(np.uint64), digits.astype(np.uint8)))

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        return 2 * bit_length(np.asarray(symbols, np.int64)) - 1
