"""Elias delta: the number of digits in Elias gamma, then the digits behind the leading one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import Words
from distest.codecs.base import SymbolCodec, Symbols, bit_length, checked, concatenated
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class EliasDelta(SymbolCodec):
    """Integers 1..2^62 (not zero): with d = floor(log2 x) + 1 digits, 2 floor(log2 d) + d bits.

    Source: Elias, "Universal codeword sets and representations of the integers" (1975), the code delta.
    """

    @property
    def domain(self) -> tuple[int, int]:
        return 1, prefix.HIGH

    @property
    def column(self) -> prefix.Column:
        return prefix.Column(prefix.DELTA)

    def encode(self, symbols: Symbols) -> Words:
        x = checked(symbols, *self.domain, "EliasDelta")
        digits = bit_length(x)
        head = Words(digits.astype(np.uint64), (2 * bit_length(digits) - 1).astype(np.uint8))
        below = x - (np.int64(1) << (digits - 1))
        return concatenated(head, Words(below.astype(np.uint64), (digits - 1).astype(np.uint8)))

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        digits = bit_length(np.asarray(symbols, np.int64))
        return 2 * bit_length(digits) - 2 + digits
