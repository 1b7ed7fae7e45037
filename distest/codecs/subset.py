"""Subset: which k of d places, in ceil(log2 C(d, k)) bits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Words
from distest.codecs.base import Codec, Symbols, checked
from distest.codecs.multiset import Multiset
from distest.errors import UsageError


@dataclass(frozen=True, slots=True)
class Subset(Codec):
    """A row of k symbols of 0..d-1, strictly rising: the rank of the set among all of its size.

    The set c_0 < c_1 < ... is coded as the multiset c_j - j of d - k + 1 symbols, of which there are as many.

    d: number of places, 1 <= d <= 2^62.

    Source: Lehmer, "The machine tools of combinatorics" (1964), the combinatorial number system.
    """

    d: int

    def __post_init__(self) -> None:
        if not 1 <= self.d <= 1 << 62:
            raise UsageError(f"Subset chooses from 1 to 2^62 places, got d={self.d}")

    def encode(self, symbols: Symbols) -> Words:
        places = checked(symbols, 0, self.d - 1, "Subset")
        if bool((np.diff(places, axis=1) < 1).any()):
            raise UsageError("Subset needs the places of a row strictly rising")
        return self._code(places.shape[1]).encode(places - np.arange(places.shape[1]))

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        return self._code(shape[1]).decode(reader, shape) + np.arange(shape[1])

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        return self._code(np.shape(symbols)[1]).n_bits(symbols)

    def _code(self, k: int) -> Multiset:
        if k > self.d:
            raise UsageError(f"a subset of {self.d} places has no {k} members")
        return Multiset(self.d - k + 1)
