"""Elias omega: the number, before it the number of its digits less one, and so on; a zero at the end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import Words
from distest.codecs.base import SymbolCodec, Symbols, bit_length, checked, concatenated
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class EliasOmega(SymbolCodec):
    """Integers 1..2^62 (not zero), the recursive code: the empty word for 1, word(digits - 1) then x for x >
    1, a zero.

    Source: Elias, "Universal codeword sets and representations of the integers" (1975), the code omega.
    """

    @property
    def domain(self) -> tuple[int, int]:
        return 1, prefix.HIGH

    @property
    def column(self) -> prefix.Column:
        return prefix.Column(prefix.OMEGA)

    def encode(self, symbols: Symbols) -> Words:
        x = checked(symbols, *self.domain, "EliasOmega")
        digits = bit_length(x)
        tail = Words(x.astype(np.uint64) << np.uint64(1), (digits + 1).astype(np.uint8))
        tail.code[x == 1], tail.width[x == 1] = 0, 1
        head = Words(np.zeros(x.shape, np.uint64), np.zeros(x.shape, np.uint8))
        group = digits - 1
        while bool((group > 1).any()):  # at most four groups stand before a number of 63 digits, 12 bits in all
            live = group > 1
            size = bit_length(group)
            head.code[live] |= (group[live] << head.width[live].astype(np.int64)).astype(np.uint64)
            head.width[live] += size[live].astype(np.uint8)
            group = np.where(live, size - 1, 1)
        return concatenated(head, tail)

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        group = np.asarray(symbols, np.int64)
        total = np.ones(group.shape, np.int64)
        while bool((group > 1).any()):
            size = bit_length(group)
            total += np.where(group > 1, size, 0)
            group = np.where(group > 1, size - 1, 1)
        return total
