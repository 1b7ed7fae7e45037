"""Fixed width: ceil(log2 n) bits a symbol."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Words
from distest.codecs.base import SymbolCodec, Symbols, checked
from distest.errors import UsageError, WireError
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class Fixed(SymbolCodec):
    """Symbols 0..n-1 in ceil(log2 n) bits each, plain binary.

    n: domain size, 2 <= n <= 2^62.

    Source: folklore.
    """

    n: int

    def __post_init__(self) -> None:
        if not 2 <= self.n <= 1 << 62:
            raise UsageError(f"Fixed codes a domain of 2 to 2^62 symbols, got n={self.n}")

    @property
    def width(self) -> int:
        """Bits a symbol."""
        return (self.n - 1).bit_length()

    @property
    def domain(self) -> tuple[int, int]:
        return 0, self.n - 1

    @property
    def column(self) -> prefix.Column:
        return prefix.Column(prefix.FIXED, self.width, self.n, shortest=self.width)

    def encode(self, symbols: Symbols) -> Words:
        code = checked(symbols, 0, self.n - 1, "Fixed").astype(np.uint64)
        return Words(code, np.full(code.shape, self.width, np.uint8))

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        m, f = shape
        values = reader.fixed(m, self.width, f).astype(np.int64)
        if values.size and int(values.max()) >= self.n:
            raise WireError(f"symbol {int(values.max())} is outside the domain of {self.n} symbols")
        return values

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        return np.full(np.shape(symbols), self.width, np.int64)
