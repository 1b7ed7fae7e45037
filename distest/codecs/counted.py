"""Counted: rows of their own length, each with its number of symbols in front."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Words
from distest.codecs.base import Codec, Symbols
from distest.codecs.elias_gamma import EliasGamma
from distest.errors import UsageError, WireError
from distest.kernels import counted, prefix


@dataclass(frozen=True, slots=True)
class Counted(Codec):
    """A row of at most s symbols 0..n-1, -1 in the places behind its last one.

    One more than the number of symbols in Elias gamma, then each symbol in ceil(log2 n) bits: an empty row costs 1 bit.

    n: 1 <= n <= 2^31.
    """

    n: int

    def __post_init__(self) -> None:
        if not 1 <= self.n <= 1 << 31:
            raise UsageError(f"Counted codes symbols of a domain of 1 to 2^31, got n={self.n}")

    @property
    def width(self) -> int:
        """Bits of a symbol."""
        return (self.n - 1).bit_length()

    def encode(self, symbols: Symbols) -> Words:
        here = self._present(symbols)
        head = EliasGamma().encode(1 + here.sum(axis=1, keepdims=True))
        code, width = np.where(here, symbols, 0).astype(np.uint64), np.where(here, self.width, 0).astype(np.uint8)
        return head.beside(Words(code, width))

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        m, s = shape
        reader.need(m)
        data, at, limit = reader.raw()
        symbols, lengths, status = counted.decode_rows(data, at, limit, m, s, self.width)
        if status:
            why = "end early" if status == prefix.ENDED else f"announce more than {s} symbols"
            raise WireError(f"the bits {why} in message {len(lengths)} of {m}")
        if symbols.size and int(symbols.max()) >= self.n:
            raise WireError(f"symbol {int(symbols.max())} is outside the domain of {self.n} symbols")
        reader.took(m, lengths)
        values = self.width * int(np.count_nonzero(symbols >= 0))
        reader.note("counts and symbols", side=int(lengths.sum()) - values)
        return symbols

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        here = self._present(symbols)
        bits = np.where(here, self.width, 0).astype(np.int64)
        bits[:, :1] += EliasGamma().n_bits(1 + here.sum(axis=1, keepdims=True))
        return bits

    def _present(self, symbols: Symbols) -> NDArray[np.bool_]:
        x = np.asarray(symbols)
        here: NDArray[np.bool_] = x >= 0
        if x.size and (int(x.max()) >= self.n or int(x.min()) < -1 or bool((here[:, 1:] & ~here[:, :-1]).any())):
            raise UsageError(f"Counted codes rows of symbols 0 to {self.n - 1}, with -1 behind the last one alone")
        return here
